use super::*;
use proptest::prelude::*;

fn id(text: &str) -> ChannelId {
    ChannelId(text.to_owned())
}

fn room(text: &str) -> RoomId {
    RoomId(text.to_owned())
}

fn parties(names: &[&str]) -> Source {
    Source::Parties(names.iter().map(|name| id(name)).collect())
}

fn seats(list: &[(&str, Source, Placed)]) -> BTreeMap<ChannelId, Seat> {
    let seat = |(name, wanted, placed): &(&str, Source, Placed)| {
        (id(name), seat(wanted.clone(), placed.clone()))
    };
    list.iter().map(seat).collect()
}

fn seat(wanted: Source, placed: Placed) -> Seat {
    Seat { wanted: Some(wanted), is_played_to: false, placed, tap: None, feeds: BTreeMap::new() }
}

fn speaking(name: &str) -> Placed {
    Placed::Room(room(name), Presence::Speaking)
}

fn muted(name: &str) -> Placed {
    Placed::Room(room(name), Presence::Muted)
}

fn feed(listener: &str, speaker: &str) -> Feed {
    Feed { listener: id(listener), speaker: id(speaker) }
}

fn planned(list: &[(&str, Source, Placed)]) -> Plan {
    plan(&seats(list), Pace::Settled, || room("new"))
}

fn moved(channel: &str, from: Placed, to: Placed) -> Move {
    Move { channel: id(channel), from, to }
}

#[test]
fn two_that_hear_each_other_get_a_room() {
    let plan = planned(&[
        ("a", parties(&["b"]), Placed::Ringback),
        ("b", parties(&["a"]), Placed::Nowhere),
    ]);

    let to = || speaking("new");
    assert_eq!(plan.new_rooms, [room("new")]);
    assert_eq!(
        plan.inside,
        [moved("a", Placed::Ringback, to()), moved("b", Placed::Nowhere, to())]
    );
    assert!(plan.outside.is_empty() && plan.across.is_empty());
}

#[test]
fn who_are_not_heard_listen_muted() {
    let plan = planned(&[
        ("a", parties(&["b"]), Placed::Nowhere),
        ("b", parties(&[]), Placed::Nowhere),
        ("c", parties(&["b"]), Placed::Nowhere),
    ]);

    let came = |channel, to| moved(channel, Placed::Nowhere, to);
    let places = [muted("new"), speaking("new"), muted("new")];
    assert_eq!(
        plan.inside,
        ["a", "b", "c"].into_iter().zip(places).map(|(c, to)| came(c, to)).collect::<Vec<_>>()
    );
    assert!(plan.laid.is_empty());
}

#[test]
fn a_single_listener_is_fed() {
    let plan =
        planned(&[("a", parties(&["b"]), Placed::Silence), ("b", parties(&[]), Placed::Silence)]);

    assert_eq!(plan, Plan { laid: vec![feed("a", "b")], ..Plan::default() });
}

#[test]
fn a_whisper_is_fed_to_the_one_who_may_hear_it() {
    let plan = planned(&[
        ("agent", parties(&["caller", "boss"]), speaking("r")),
        ("boss", parties(&["agent", "caller"]), Placed::Silence),
        ("caller", parties(&["agent"]), speaking("r")),
    ]);

    assert_eq!(plan.tapped, [(id("boss"), room("r"))]);
    assert_eq!(plan.laid, [feed("agent", "boss")]);
    assert!(plan.inside.is_empty() && plan.cut.is_empty() && plan.new_rooms.is_empty());
}

#[test]
fn who_may_be_heard_by_all_from_now_on_speaks() {
    let mut seats = seats(&[
        ("agent", parties(&["caller", "boss"]), speaking("r")),
        ("boss", parties(&["agent", "caller"]), Placed::Silence),
        ("caller", parties(&["agent", "boss"]), speaking("r")),
    ]);
    seats.get_mut(&id("agent")).unwrap().feeds.insert(id("boss"), true);
    seats.get_mut(&id("boss")).unwrap().tap = Some((room("r"), true));

    let plan = plan(&seats, Pace::Settled, || room("new"));

    assert_eq!((plan.untapped, plan.cut), (vec![id("boss")], vec![feed("agent", "boss")]));
    assert_eq!(plan.inside, [moved("boss", Placed::Silence, speaking("r"))]);
    assert!(plan.laid.is_empty() && plan.new_rooms.is_empty());
}

#[test]
fn a_private_talk_takes_nobody_else_out_of_the_room() {
    let all = |but: &str| parties(&["a", "m", "x"].map(|one| if one == but { "" } else { one }));
    let plan = planned(&[
        ("a", parties(&["m"]), speaking("r")),
        ("m", all("m"), speaking("r")),
        ("x", all("x"), speaking("r")),
    ]);

    assert_eq!(plan.outside, [moved("x", speaking("r"), Placed::Silence)]);
    assert_eq!(plan.tapped, [(id("x"), room("r"))]);
    assert_eq!(plan.laid, [feed("m", "x")]);
    assert!(plan.across.is_empty() && plan.inside.is_empty());
}

#[test]
fn who_is_played_to_hears_nothing_else_and_is_heard() {
    let mut seats =
        seats(&[("a", parties(&["b"]), speaking("r")), ("b", parties(&["a"]), speaking("r"))]);
    seats.get_mut(&id("a")).unwrap().is_played_to = true;

    let plan = plan(&seats, Pace::Settled, || room("new"));

    assert_eq!(
        plan.outside,
        [moved("a", speaking("r"), Placed::Playing), moved("b", speaking("r"), Placed::Silence)]
    );
    assert_eq!(plan.laid, [feed("b", "a")]);
}

#[test]
fn who_may_be_heard_at_once_as_well_is_not_fed() {
    let seats =
        seats(&[("a", parties(&["b"]), Placed::Silence), ("b", Source::Silence, Placed::Silence)]);

    let plan = plan(&seats, Pace::Quick, || room("new"));

    assert_eq!(plan, Plan { is_rough: true, ..Plan::default() });
}

#[test]
fn a_feed_that_does_not_lie_for_sure_is_laid() {
    let mut seats =
        seats(&[("a", parties(&["b"]), Placed::Silence), ("b", Source::Music, Placed::Music)]);
    seats.get_mut(&id("a")).unwrap().feeds.insert(id("b"), false);

    let plan = plan(&seats, Pace::Settled, || room("new"));

    assert_eq!((plan.cut, plan.laid), (Vec::new(), vec![feed("a", "b")]));
}

#[test]
fn who_is_held_hears_music_outside_and_the_holder_silence() {
    let in_room = || speaking("r");
    let plan = planned(&[("a", Source::Silence, in_room()), ("b", Source::Music, in_room())]);

    assert_eq!(
        plan.outside,
        [moved("a", in_room(), Placed::Silence), moved("b", in_room(), Placed::Music)]
    );
}

#[test]
fn a_third_joins_the_room_that_is_there() {
    let in_room = || speaking("r");
    let plan = planned(&[
        ("c", parties(&["a", "b"]), Placed::Silence),
        ("a", parties(&["b", "c"]), in_room()),
        ("b", parties(&["a", "c"]), in_room()),
    ]);

    assert_eq!(plan.inside, [moved("c", Placed::Silence, in_room())]);
    assert!(plan.new_rooms.is_empty() && plan.outside.is_empty());
}

#[test]
fn nothing_is_done_with_a_channel_that_is_not_up() {
    let mut seats =
        seats(&[("a", parties(&["b"]), Placed::Silence), ("b", parties(&["a"]), Placed::Nowhere)]);
    seats.get_mut(&id("b")).unwrap().wanted = None;

    assert_eq!(plan(&seats, Pace::Settled, || room("new")), Plan::default());
}

/// Whom a channel's party hears, as things are.
fn heard(seats: &BTreeMap<ChannelId, Seat>, listener: &ChannelId) -> BTreeSet<ChannelId> {
    let seat = &seats[listener];
    let rooms = [seat.placed.room(), seat.tap.as_ref().map(|(room, _)| room)];
    let speaks = |other: &Seat| match &other.placed {
        Placed::Room(other, Presence::Speaking) => rooms.contains(&Some(other)),
        _ => false,
    };
    let in_room = seats.iter().filter(|(id, other)| *id != listener && speaks(other));
    // What a muted channel says is fed to nobody.
    let by_feed = seat
        .feeds
        .keys()
        .filter(|id| !matches!(seats[*id].placed, Placed::Room(_, Presence::Muted)));
    in_room.map(|(id, _)| id).chain(by_feed).cloned().collect()
}

fn carry_out(seats: &mut BTreeMap<ChannelId, Seat>, plan: Plan) {
    for listener in plan.untapped {
        seats.get_mut(&listener).unwrap().tap = None;
    }
    for Feed { listener, speaker } in plan.cut {
        seats.get_mut(&listener).unwrap().feeds.remove(&speaker);
    }
    for Move { channel, to, .. } in plan.outside.into_iter().chain(plan.across).chain(plan.inside) {
        seats.get_mut(&channel).unwrap().placed = to;
    }
    for (listener, room) in plan.tapped {
        seats.get_mut(&listener).unwrap().tap = Some((room, true));
    }
    for Feed { listener, speaker } in plan.laid {
        seats.get_mut(&listener).unwrap().feeds.insert(speaker, true);
    }
}

proptest! {
    /// Whatever the wishes, everybody hears those that it wishes to hear and no other, and what has
    /// been brought about needs no further move.
    #[test]
    fn wishes_come_true(
        wishes in prop::collection::vec((any::<u8>(), 0..4_u8, 0..6_u8), 1..8),
        others in prop::collection::vec((any::<u8>(), 0..4_u8), 8),
    ) {
        let names: Vec<_> = (0..wishes.len()).map(|index| format!("c{index}")).collect();
        let wanted = |own: &str, mask: u8, kind: u8| {
            if kind == 0 {
                Source::Music
            } else {
                let wished = names.iter().enumerate().filter(|(index, other)| {
                    mask >> index & 1 == 1 && *other != own
                });
                Source::Parties(wished.map(|(_, other)| id(other)).collect())
            }
        };
        let mut seats: BTreeMap<_, _> = names
            .iter()
            .zip(&wishes)
            .map(|(name, (mask, kind, placed))| {
                let placed = match placed {
                    0 => Placed::Nowhere,
                    1 => speaking("one"),
                    2 => speaking("two"),
                    3 => muted("one"),
                    4 => muted("two"),
                    _ => Placed::Unknown(None),
                };
                let seat = Seat { is_played_to: *kind == 1, ..seat(wanted(name, *mask, *kind), placed) };
                (id(name), seat)
            })
            .collect();
        let mut count = 0;
        let mut fresh = || {
            count += 1;
            room(&format!("new{count}"))
        };

        for round in 0..2 {
            let quick = plan(&seats, Pace::Quick, &mut fresh);
            let is_rough = quick.is_rough;
            carry_out(&mut seats, quick);
            for (channel, seat) in &seats {
                let (heard, wished) = (heard(&seats, channel), seat.parties());
                prop_assert!(heard.is_subset(wished.unwrap_or(&BTreeSet::new())), "{:?}", seats);
            }
            let settled = plan(&seats, Pace::Settled, &mut fresh);
            prop_assert!(is_rough || settled == Plan::default(), "{:?}: {:?}", settled, seats);
            carry_out(&mut seats, settled);
            for (channel, seat) in &seats {
                let wished = seat.parties().cloned().unwrap_or_default();
                prop_assert_eq!(heard(&seats, channel), wished, "{:?}", seats);
            }
            for pace in [Pace::Quick, Pace::Settled] {
                prop_assert_eq!(plan(&seats, pace, &mut fresh), Plan::default(), "{:?}", seats);
            }
            if round == 0 {
                for (name, (mask, kind)) in names.iter().zip(&others) {
                    let seat = seats.get_mut(&id(name)).unwrap();
                    seat.wanted = Some(wanted(name, *mask, *kind));
                    seat.is_played_to = *kind == 1;
                }
            }
        }
    }
}
