//! Who hears whom in a conference.

use proto::conference::v1::JoinMode;
use proto::switch::v1 as pb;
use proto::switch::v1::command_request::Command;
use proto::switch::v1::conference_command::Command as Deed;

use super::stage::{ALICE, BOB, DORA, EMIL, Hears, Stage, number_of};
use crate::engine::harness::account;
use crate::scenarios;

scenarios!(
    a_call_becomes_a_conference_and_each_hears_who_is_to_be_heard,
    who_joins_listens_talks_in_private_and_with_all,
);

/// Alice and Bob talk, Alice makes a conference of it and brings Dora in.
async fn three(stage: &Stage) -> (String, pb::Done) {
    let call = stage.connect(ALICE, BOB).await;
    let leg = stage.leg(&call, ALICE).await;
    let conference = stage.desk.confer(leg, number_of(ALICE)).await;
    let add = pb::AddParticipant {
        i_conference: conference.clone(),
        whom: Some(pb::add_participant::Whom::Destination(DORA.to_owned())),
        ..pb::AddParticipant::default()
    };
    let dora = stage.desk.conference(Deed::Add(add)).await;
    all_hear(stage, &[BOB, DORA], &[ALICE, DORA], &[ALICE, BOB]).await;
    (conference, dora)
}

type People = &'static [&'static str];

async fn all_hear(stage: &Stage, alice: People, bob: People, dora: People) {
    for (who, whom) in [(ALICE, alice), (BOB, bob), (DORA, dora)] {
        stage.hears(who, Hears::Voices(whom)).await;
    }
}

async fn end(stage: &Stage, i_conference: String) {
    let terminate = pb::TerminateConference { i_conference };
    stage.desk.conference(Deed::Terminate(terminate)).await;
}

async fn a_call_becomes_a_conference_and_each_hears_who_is_to_be_heard(stage: &Stage) {
    let (i_conference, added) = three(stage).await;
    let participant = added.participant.unwrap().participant;
    let update = async |mute: Option<bool>, hold: Option<bool>| {
        let (i_conference, participant) = (i_conference.clone(), participant.clone());
        let update = pb::UpdateParticipant { i_conference, participant, mute, hold };
        stage.desk.conference(Deed::Update(update)).await;
    };

    update(Some(true), None).await;
    all_hear(stage, &[BOB], &[ALICE], &[ALICE, BOB]).await;
    update(Some(false), None).await;
    all_hear(stage, &[BOB, DORA], &[ALICE, DORA], &[ALICE, BOB]).await;
    update(None, Some(true)).await;
    stage.hears(DORA, Hears::Music).await;
    stage.hears(ALICE, Hears::Voices(&[BOB])).await;
    update(None, Some(false)).await;
    all_hear(stage, &[BOB, DORA], &[ALICE, DORA], &[ALICE, BOB]).await;

    // The owner hangs up; the others go on.
    stage.hangs_up(ALICE).await;
    stage.hears(BOB, Hears::Voices(&[DORA])).await;
    stage.hears(DORA, Hears::Voices(&[BOB])).await;
    end(stage, i_conference).await;
}

async fn who_joins_listens_talks_in_private_and_with_all(stage: &Stage) {
    let (i_conference, _) = three(stage).await;
    let join = async |mode: JoinMode| {
        let account = Some(account(number_of(EMIL)));
        let join =
            pb::JoinConference { i_conference: i_conference.clone(), account, mode: mode.into() };
        let command = pb::ConferenceCommand { command: Some(Deed::Join(join)) };
        stage.desk.command(Command::Conference(command)).await;
        stage.hears(EMIL, Hears::Voices(&[ALICE, BOB, DORA])).await;
    };

    join(JoinMode::ListenOnly).await;
    all_hear(stage, &[BOB, DORA], &[ALICE, DORA], &[ALICE, BOB]).await;
    // What the moderator says meanwhile is for one alone.
    join(JoinMode::PrivateTalk).await;
    all_hear(stage, &[BOB, DORA, EMIL], &[DORA], &[BOB]).await;
    join(JoinMode::Full).await;
    all_hear(stage, &[BOB, DORA, EMIL], &[ALICE, DORA, EMIL], &[ALICE, BOB, EMIL]).await;
    join(JoinMode::ListenOnly).await;
    all_hear(stage, &[BOB, DORA], &[ALICE, DORA], &[ALICE, BOB]).await;

    end(stage, i_conference).await;
}
