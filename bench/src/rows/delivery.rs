//! Rows 3 and 3b: CPU of a delivery from the event log to the client, over all processes of the
//! way (Redis, notifier, edge), against a bare server that writes the same bytes to its sockets.

use std::time::Duration;

use anyhow::Context as _;
use proto::call::v1 as call;
use proto::switch::v1::{LogEntry, log_entry};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::Setting;
use super::command::seat_of;
use crate::client::{Fleet, Seat};
use crate::product::{CUSTOMER, Path, Product, QUEUE, account_id};
use crate::report::{Aim, Figures, Line, micros_each, progress};

/// What a round does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// Events that come one at a time.
    pub(super) singles: u64,
    bursts: u64,
    directed: u64,
}

impl Round {
    pub(super) fn of(setting: &Setting) -> Self {
        Self {
            singles: setting.share_of(SINGLES),
            bursts: setting.share_of(BURSTS),
            directed: setting.share_of(DIRECTED),
        }
    }
}

/// Events of a round that come one at a time, and the time between two.
const SINGLES: u64 = 60;
const GAP: Duration = Duration::from_millis(50);

/// Events of a burst, in one commit; bursts of a round.
const BURST: u64 = 250;
const BURSTS: u64 = 4;

/// Events for one account each, of a round; events of a commit and time between two.
const DIRECTED: u64 = 10_000;
const TOGETHER: u64 = 20;
const DIRECTED_GAP: Duration = Duration::from_millis(10);

pub(super) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Line>> {
    let mut product = Product::start(&setting.program, setting.core, setting.sockets).await?;
    let sockets = u64::try_from(setting.sockets)?;
    let round = Round::of(setting);
    let mut bare = [Figures::default(), Figures::default()];
    let mut figures = [Figures::default(), Figures::default(), Figures::default()];
    let mut parts = [String::new(), String::new(), String::new()];
    for _ in 0..setting.rounds {
        let (single, burst) = bare_round(setting).await?;
        let [bare_single, bare_burst] = &mut bare;
        bare_single.push(single);
        bare_burst.push(burst);

        let on_queue = json!({"i_c_queue": QUEUE});
        let seats = (0..setting.sockets).map(|number| {
            Ok(Seat { subscription: Some(on_queue.clone()), ..seat_of(&product, number)? })
        });
        let fleet = Fleet::open(seats.collect::<anyhow::Result<_>>()?).await?;
        let single = singles(&mut product, &fleet, sockets, round).await?;
        let burst = bursts(&mut product, &fleet, sockets, round).await?;
        drop(fleet);

        let seats = (0..setting.sockets).map(|number| seat_of(&product, number));
        let fleet = Fleet::open(seats.collect::<anyhow::Result<_>>()?).await?;
        let directed = directed(&mut product, &fleet, setting.sockets, round).await?;
        let measured = [
            (single, round.singles * sockets, "one event at a time"),
            (burst, BURST * round.bursts * sockets, "burst"),
            (directed, round.directed.next_multiple_of(TOGETHER), "one account each"),
        ];
        for (index, (path, deliveries, what)) in measured.into_iter().enumerate() {
            let figure = micros_each(path.total(), deliveries);
            progress("3", what, figure);
            figures.get_mut(index).context("a figure")?.push(figure);
            *parts.get_mut(index).context("a part")? = parts_of(path, deliveries);
        }
    }
    let [bare_single, bare_burst] = bare;
    let [single, burst, directed] = figures;
    let [single_parts, burst_parts, directed_parts] = parts;
    let line = |row, what: String, bare, product, aim, parts| Line {
        row,
        what,
        unit: "µs",
        bare: Some(bare),
        product,
        aim,
        parts,
    };
    let of_one = bare_single.clone();
    Ok(vec![
        line(
            "3",
            format!("CPU of a delivery, {sockets} sockets, one event at a time"),
            bare_single,
            single,
            Aim::Ratio(1.15),
            single_parts,
        ),
        line(
            "3",
            format!("CPU of a delivery, {sockets} sockets, bursts of {BURST}"),
            bare_burst,
            burst,
            Aim::Value(0.4),
            burst_parts,
        ),
        line(
            "3b",
            format!("CPU of a delivery to one of {sockets} accounts"),
            of_one,
            directed,
            Aim::Ratio(1.5),
            directed_parts,
        ),
    ])
}

fn parts_of(path: Path, deliveries: u64) -> String {
    format!(
        "edge {:.2}, notifier {:.2}, Redis {:.2}",
        micros_each(path.edges, deliveries),
        micros_each(path.notifier, deliveries),
        micros_each(path.redis, deliveries)
    )
}

/// The bare server's CPU of a delivery: of single events, and in bursts.
async fn bare_round(setting: &Setting) -> anyhow::Result<(f64, f64)> {
    let bare = setting.bare(&["bare-fanout"])?;
    let sockets = u64::try_from(setting.sockets)?;
    let Round { singles, bursts, .. } = Round::of(setting);
    let seat = Seat { address: bare.address("listen")?, token: None, subscription: None };
    let fleet = Fleet::open(vec![seat; setting.sockets]).await?;
    let mut control = TcpStream::connect(bare.address("control")?).await?;
    control.set_nodelay(true)?;
    // As long as the product's message of the same event.
    let message = json!({
        "jsonrpc": "2.0",
        "method": "CallControl/call_state",
        "params": {"subscription_id": "0".repeat(22), "event_id": "0".repeat(40),
            "call_info": "x".repeat(560)},
    });
    let message = message.to_string();
    let mut order = 0_u32.to_be_bytes().to_vec();
    order.extend_from_slice(&u32::try_from(message.len())?.to_be_bytes());
    order.extend_from_slice(message.as_bytes());

    let before = bare.cpu()?;
    for number in 1..=singles {
        let next = Instant::now() + GAP;
        control.write_all(&order).await?;
        fleet.wait_for(number * sockets).await?;
        sleep_until(next).await;
    }
    let single = micros_each(bare.cpu()?.saturating_sub(before), singles * sockets);
    progress("3", "bare, one event at a time", single);

    let before = bare.cpu()?;
    let burst = order.repeat(usize::try_from(BURST)?);
    for number in 1..=bursts {
        control.write_all(&burst).await?;
        fleet.wait_for((singles + number * BURST) * sockets).await?;
    }
    let each = micros_each(bare.cpu()?.saturating_sub(before), BURST * bursts * sockets);
    progress("3", "bare, burst", each);
    Ok((single, each))
}

/// Events one at a time, each to all sockets.
pub(super) async fn singles(
    product: &mut Product,
    fleet: &Fleet,
    sockets: u64,
    round: Round,
) -> anyhow::Result<Path> {
    let begin = fleet.received();
    let before = product.path()?;
    for number in 1..=round.singles {
        let next = Instant::now() + GAP;
        product.write(&[event(number, None)]).await?;
        fleet.wait_for(begin + number * sockets).await?;
        sleep_until(next).await;
    }
    Ok(product.path()?.since(before))
}

/// Bursts of events, each to all sockets.
async fn bursts(
    product: &mut Product,
    fleet: &Fleet,
    sockets: u64,
    round: Round,
) -> anyhow::Result<Path> {
    let begin = fleet.received();
    let before = product.path()?;
    for number in 1..=round.bursts {
        let events: Vec<LogEntry> = (0..BURST).map(|event_of| event(event_of, None)).collect();
        product.write(&events).await?;
        fleet.wait_for(begin + number * BURST * sockets).await?;
    }
    Ok(product.path()?.since(before))
}

/// Events of which each is for one account.
async fn directed(
    product: &mut Product,
    fleet: &Fleet,
    accounts: usize,
    round: Round,
) -> anyhow::Result<Path> {
    let begin = fleet.received();
    let before = product.path()?;
    let mut sent = 0;
    while sent < round.directed {
        let next = Instant::now() + DIRECTED_GAP;
        let events: Vec<LogEntry> = (sent..sent + TOGETHER)
            .map(|number| event(number, Some(usize::try_from(number).unwrap_or(0) % accounts)))
            .collect();
        product.write(&events).await?;
        sent += TOGETHER;
        sleep_until(next).await;
    }
    fleet.wait_for(begin + sent).await?;
    Ok(product.path()?.since(before))
}

/// An event such as the engine writes: of the queue, or of an account (by number, from 0).
pub(super) fn event(number: u64, account: Option<usize>) -> LogEntry {
    let i_account = account.and_then(|account| i64::try_from(account + 1).ok());
    let party = |number: String, name: &str, i_account: Option<i64>| call::Party {
        i_account,
        account_id: i_account.map(|_| number.clone()),
        number,
        name: name.to_owned(),
        huntgroup_id: None,
    };
    let id = account_id(account.unwrap_or(0));
    let info = call::CallInfo {
        call: Some(call::CallRef {
            id: format!("switch-1.0197b6a0-0000-7000-8000-{number:012x}"),
            tag: Some(format!("{number:016x}")),
        }),
        tracking_id: format!("0197b6a0-0000-7000-9000-{number:012x}"),
        state: call::State::Connected.into(),
        r#type: call::Type::Incoming.into(),
        caller: Some(party("12065550100".to_owned(), "Mary Smith", None)),
        callee: Some(party(id, "Line", i_account.or(Some(1)))),
        i_customer: CUSTOMER,
        i_account: i_account.or(Some(1)),
        start_time: 1_764_000_000_000_000,
        connect_time: Some(1_764_000_001_000_000),
        update_time: 1_764_000_002_000_000,
        duration: 1,
        sequence: i64::try_from(number).unwrap_or(0) + 1,
        site: "main".to_owned(),
        ..call::CallInfo::default()
    };
    LogEntry {
        i_customer: CUSTOMER,
        i_accounts: i_account.into_iter().collect(),
        i_c_queues: if account.is_none() { vec![QUEUE] } else { Vec::new() },
        time_us: 1_764_000_002_000_000,
        body: Some(log_entry::Body::CallState(info)),
        ..LogEntry::default()
    }
}
