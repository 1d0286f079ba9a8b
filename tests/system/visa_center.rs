//! The visa processing centre, step by step: an administrator sets it up, its program takes the
//! calls to its access number.

use std::time::Duration;

use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::client::{PATIENCE, states_of_trunk};
use system_tests::{Client, Up};
use tokio::time::Instant;

const NUMBER: &str = "1733355700";
const MARY: &str = "12065550100";

/// What comes for one call: states and what happened to prompts and digits, in order.
async fn next(client: &mut Client) -> (String, Value) {
    loop {
        let (method, mut params) = client.event().await;
        match method.as_str() {
            "CallControl/call_state" => {
                let info = params["call_info"].take();
                return (info["state"].as_str().unwrap_or_default().to_owned(), info);
            }
            "CallControl/ivr_event" => {
                let info = params["ivr_info"].take();
                return (info["event"].as_str().unwrap_or_default().to_owned(), info);
            }
            _ => {}
        }
    }
}

/// Waits for something of that name.
async fn until(client: &mut Client, name: &str) -> Value {
    loop {
        let (is, info) = next(client).await;
        if is == name {
            return info;
        }
        assert_ne!(is, "terminated", "the call ended before `{name}`: {info}");
    }
}

/// The program of the account `login`, listening to its number.
async fn listening(up: &Up, login: &str, number: &str) -> Client {
    let mut program = Client::log_in(up.public, login).await;
    let wanted = json!({"access_number": number});
    program.must("CallControl/enable_api_notifications", wanted).await;
    program
}

async fn mary_calls(up: &Up) -> (Value, String) {
    let placed = up.sim.trunk_call(MARY, NUMBER, "Mary Smith").await;
    let leg = placed["leg"].as_str().unwrap().to_owned();
    (json!({"id": placed["call_id"]}), leg)
}

async fn answered(up: &Up) -> (Client, Value, String) {
    let mut program = listening(up, "301", NUMBER).await;
    let (call, leg) = mary_calls(up).await;
    until(&mut program, "ringing").await;
    program.must("CallControl/answer_call", json!({"call": call})).await;
    (program, call, leg)
}

#[tokio::test]
async fn an_administrator_sets_up_an_application_with_numbers() {
    let up = Up::start().await;
    let mut admin = Client::log_in(up.public, "admin").await;
    let owner = admin.must("Account/get_account_info", json!({"id": "301"})).await;
    let owner = owner["account_info"]["i_account"].clone();

    let new = json!({"name": "visa-appointments", "type": "User Application", "i_account": owner,
        "on_app_gone": "terminate"});
    let made = admin.must("IVRApplications/add_ivr_application", new).await;
    let made = made["i_ivr_application"].clone();
    let number = json!({"i_ivr_application": made, "number": "1733355799"});
    let added = admin.must("IVRApplications/add_access_number", number).await;
    assert_eq!(added, json!({"success": 1}));

    let list = json!({"i_account": owner, "get_total": 1});
    let listed = admin.must("IVRApplications/get_ivr_application_list", list.clone()).await;
    assert_eq!(listed["total"], 2);
    let application = &listed["ivr_application_list"][0];
    assert_eq!(application["name"], "visa-appointments");
    assert_eq!(application["type"], "User Application");
    assert_eq!(application["on_app_gone"], "terminate");
    let mut program = listening(&up, "301", "1733355799").await;
    let own = program.must("IVRApplications/get_access_number_list", json!({})).await;
    let numbers: Vec<_> =
        own["access_number_list"].as_array().unwrap().iter().map(|it| &it["number"]).collect();
    assert_eq!(numbers, [NUMBER, "1733355799"]);

    // It works at once.
    up.sim.trunk_call(MARY, "1733355799", "Mary Smith").await;
    let ringing = until(&mut program, "ringing").await;
    assert_eq!(ringing["access_number"], "1733355799");
    program.must("CallControl/answer_call", json!({"call": ringing["call"]})).await;

    // Alice's product has no user applications.
    let mut telco = Client::log_in(up.public, "telco").await;
    let new = json!({"name": "x", "type": "User Application", "i_account": 1});
    let refused = telco.refused("IVRApplications/add_ivr_application", new).await;
    assert_eq!(refused.code(), -32003);
    let expected = "Server.IVRApplications.add_ivr_application.service_disabled";
    assert_eq!(refused.faultcode(), expected);
    let new = json!({"name": "x", "type": "User Application", "i_account": 1});
    let refused = program.refused("IVRApplications/add_ivr_application", new).await;
    assert_eq!(refused.code(), -32003, "administrators and resellers only");
}

/// Story 2 of the manual, step by step.
#[tokio::test]
async fn mary_is_told_that_her_visa_is_approved() {
    let up = Up::start().await;
    // An administrator creates an application and gives it a number; the option is on through
    // the owner's product.
    let mut admin = Client::log_in(up.public, "admin").await;
    let new = json!({"name": "visa-answers", "type": "User Application", "i_account": 8});
    let made = admin.must("IVRApplications/add_ivr_application", new).await;
    let number = json!({"i_ivr_application": made["i_ivr_application"], "number": "1733355788"});
    admin.must("IVRApplications/add_access_number", number).await;

    // The owner's program connects, asks for its access numbers and subscribes to one.
    let mut program = Client::log_in(up.public, "301").await;
    let own = program.must("IVRApplications/get_access_number_list", json!({})).await;
    let number = own["access_number_list"][1]["number"].clone();
    assert_eq!(number, "1733355788");
    let wanted = json!({"access_number": number});
    program.must("CallControl/enable_api_notifications", wanted).await;

    // Mary calls; the system matches the number and tells the program, which answers.
    let placed = up.sim.trunk_call(MARY, "1733355788", "Mary Smith").await;
    let leg = placed["leg"].as_str().unwrap();
    let ringing = until(&mut program, "ringing").await;
    assert_eq!(ringing["caller"]["name"], "Mary Smith");
    let call = json!({"id": ringing["call"]["id"]});
    program.must("CallControl/answer_call", json!({"call": call})).await;

    // A prompt asks for her registration number, and her digits go to the program.
    let ask = json!({"call": call, "prompts": ["visa/enter-number.au"],
        "interrupt_playback_on_input": "Y"});
    program.must("CallControl/play_prompt", ask).await;
    program.must("CallControl/start_dtmf_detect", json!({"call": call})).await;
    up.sim.far_end_keys(leg, "20260117#").await;
    let collected = until(&mut program, "input_collected").await;
    assert_eq!((&collected["digits"], &collected["terminator"]), (&json!("20260117"), &json!("#")));

    // The program looks them up, and has her told that her visa is approved.
    let tell = json!({"call": call, "prompts": ["visa/approved.g729"]});
    program.must("CallControl/play_prompt", tell).await;
    assert_eq!(up.sim.leg(leg).await["hears"], "prompt:visa/approved.g729");
    until(&mut program, "prompt_playback_completed").await;
    program.must("CallControl/terminate_call", json!({"call": call})).await;
    let ended = until(&mut program, "terminated").await;
    assert_eq!(ended["reason"], "Answer Leg Disconnected Via Call Control API");
}

#[tokio::test]
async fn the_program_is_told_of_a_call_and_answers_it() {
    let up = Up::start().await;
    let mut program = listening(&up, "301", NUMBER).await;

    let (call, leg) = mary_calls(&up).await;
    let mut all = program
        .call_states_until(|states| states.last().is_some_and(|it| it["state"] == "ringing"))
        .await;
    assert_eq!(up.sim.leg(&leg).await["hears"], "ringback");
    program.must("CallControl/answer_call", json!({"call": call})).await;
    let heard = up.sim.leg(&leg).await;
    assert_eq!((&heard["state"], &heard["hears"]), (&json!("connected"), &json!([])));
    let listed = program.must("CallControl/get_sip_calls_list", json!({})).await;
    assert_eq!(listed["calls_list"][0]["state"], "connected");
    up.sim.far_end(&leg, "hangup").await;
    all.extend(program.until_over(1).await);

    assert_eq!(states_of_trunk(&all), ["trying", "ringing", "connected", "terminated"]);
    for info in &all {
        assert_eq!(info["access_number"], NUMBER);
        assert_eq!(info["is_external_call"], true);
        assert_eq!(info["type"], "incoming");
        assert_eq!(info["i_account"], Value::Null);
        assert_eq!(info["i_customer"], 3);
        assert_eq!(
            (&info["caller"]["number"], &info["caller"]["name"]),
            (&json!(MARY), &json!("Mary Smith"))
        );
        assert_eq!(
            (&info["callee"]["number"], &info["callee"]["account_id"]),
            (&json!(NUMBER), &json!("301"))
        );
    }
    assert_eq!(all[2]["caused_by"]["method"], "CallControl/answer_call");
    assert_eq!((&all[3]["reason"], &all[3]["reason_code"]), (&json!("BYE Received"), &json!(487)));
}

#[tokio::test]
async fn nobody_listens_so_the_caller_hears_the_fallback_prompt_and_is_released() {
    let up = Up::start().await;
    let mut watcher = Client::subscribed(up.public, "visacenter").await;

    let (call, leg) = mary_calls(&up).await;
    let mut all = watcher
        .call_states_until(|states| states.last().is_some_and(|it| it["state"] == "early"))
        .await;
    eventually(Duration::from_secs(1), "the fallback prompt is heard", async || {
        let heard = up.sim.leg(&leg).await["hears"].clone();
        if heard == "prompt:ivr/fallback.au" { Ok(()) } else { Err(heard.to_string()) }
    })
    .await;
    let late = watcher.refused("CallControl/answer_call", json!({"call": call})).await;
    assert_eq!(late.code(), -32009);
    all.extend(watcher.until_over(1).await);

    assert_eq!(states_of_trunk(&all), ["trying", "early", "terminated"]);
    let ended = up.sim.leg(&leg).await;
    assert_eq!((&ended["reason_code"], &ended["state"]), (&json!(480), &json!("terminated")));
}

#[tokio::test]
async fn of_two_programs_that_answer_at_once_one_gets_the_call() {
    let up = Up::start().await;
    let mut programs = Vec::new();
    for _ in 0..4 {
        programs.push(listening(&up, "301", NUMBER).await);
    }
    for _ in 0..10 {
        let (call, leg) = mary_calls(&up).await;
        let answering = programs.iter_mut().map(|program| async {
            until(program, "ringing").await;
            program.call("CallControl/answer_call", json!({"call": call})).await.unwrap()
        });

        let answers = futures::future::join_all(answering).await;

        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(won, 1, "{answers:?}");
        for fault in answers.into_iter().filter_map(Result::err) {
            assert_eq!((fault.code(), &fault.0["data"]["state"]), (-32009, &json!("connected")));
        }
        assert_eq!(up.sim.leg(&leg).await["state"], "connected");
        programs[0].must("CallControl/terminate_call", json!({"call": call})).await;
        for program in &mut programs {
            while next(program).await.0 != "terminated" {}
        }
    }
}

#[tokio::test]
async fn a_program_that_is_cut_off_and_resumes_in_time_carries_on() {
    let up = Up::start().await;
    let mut watcher = Client::subscribed(up.public, "visacenter").await;
    let (mut program, call, leg) = answered(&up).await;
    watcher.call_states_until(|states| states.len() == 3).await;
    let (_, params) = loop {
        let event = program.event().await;
        if event.1["call_info"]["state"] == "connected" {
            break event;
        }
    };
    let last = params["event_id"].clone();

    drop(program);
    watcher.nothing_for(Duration::from_secs(6)).await;
    let mut program = Client::log_in(up.public, "301").await;
    let resumed = json!({"access_number": NUMBER, "resume_from": last});
    program.must("CallControl/enable_api_notifications", resumed).await;

    // Well beyond the ten seconds after the cut.
    watcher.nothing_for(Duration::from_secs(6)).await;
    assert_eq!(up.sim.leg(&leg).await["state"], "connected");
    program.must("CallControl/terminate_call", json!({"call": call})).await;
    until(&mut program, "terminated").await;
}

#[tokio::test]
async fn a_caller_whose_program_stays_away_is_released_with_the_fallback_prompt() {
    let up = Up::start().await;
    let mut watcher = Client::subscribed(up.public, "visacenter").await;
    let (program, _, leg) = answered(&up).await;

    let cut = Instant::now();
    drop(program);
    let all = watcher.until_over(1).await;

    let away = cut.elapsed();
    assert!(away >= Duration::from_secs(10), "released after {away:?}");
    assert!(away < PATIENCE, "released after {away:?}");
    assert_eq!(states_of_trunk(&all), ["trying", "ringing", "connected", "terminated"]);
    assert_eq!(all[3]["reason_code"], 480);
    assert_eq!(up.sim.leg(&leg).await["reason"], "Temporarily Unavailable");
}

#[tokio::test]
async fn the_program_hands_its_caller_over_and_gets_back_whom_nobody_takes() {
    let up = Up::start().await;
    up.sim.manual("301").await;
    let (mut program, call, leg) = answered(&up).await;

    let to_desk = json!({"call": call, "destination": "301"});
    program.must("CallControl/transfer_call", to_desk.clone()).await;
    until(&mut program, "ringing").await;
    up.sim.hand("301", "decline").await;
    let back = loop {
        let (state, info) = next(&mut program).await;
        if info["is_external_call"] == true && state == "connected" && info["reason_code"] == 603 {
            break info;
        }
    };
    assert_eq!(back["callee"]["number"], NUMBER);

    let moved = program.must("CallControl/transfer_call", to_desk).await;
    until(&mut program, "ringing").await;
    up.sim.hand("301", "answer").await;
    let through = loop {
        let (state, info) = next(&mut program).await;
        if info["is_external_call"] == true && state == "connected" {
            break info;
        }
    };
    assert_eq!(through["tracking_id"], moved["tracking_id"]);
    assert_eq!(through["callee"]["number"], "301");
    assert_eq!(up.sim.leg(&leg).await["hears"], json!(["301"]));
}

#[tokio::test]
async fn another_customer_s_account_reaches_the_program_as_over_a_trunk() {
    let up = Up::start().await;
    let mut alice = Client::subscribed(up.public, "101").await;
    let mut program = listening(&up, "301", NUMBER).await;

    up.sim.dial("101", NUMBER).await;
    let ringing = until(&mut program, "ringing").await;
    assert_eq!((&ringing["caller"]["number"], &ringing["i_customer"]), (&json!("101"), &json!(3)));
    assert_eq!(ringing["is_external_call"], true);
    let call = json!({"id": ringing["call"]["id"]});
    program.must("CallControl/answer_call", json!({"call": call})).await;
    until(&mut alice, "connected").await;
    let ask = json!({"call": call, "prompts": ["visa/enter-number.au"], "repeat": 0,
        "interrupt_playback_on_input": "Y"});
    program.must("CallControl/play_prompt", ask).await;
    assert_eq!(up.sim.hears("101").await, "prompt:visa/enter-number.au");
    program.must("CallControl/start_dtmf_detect", json!({"call": call})).await;
    up.sim.keys("101", "4711#").await;
    let collected = until(&mut program, "input_collected").await;
    assert_eq!(collected["digits"], "4711");
    program.must("CallControl/terminate_call", json!({"call": call})).await;

    let all = alice.until_over(2).await;
    assert!(all.iter().all(|info| info["i_customer"] == 1 && info["access_number"].is_null()));
    assert!(all.iter().all(|info| info["callee"]["number"] == NUMBER));
}

#[tokio::test]
async fn a_number_whose_option_is_off_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("directory.toml");
    let demo = include_str!("../../cordboard/demo.toml");
    assert!(demo.contains("user_application = true"));
    let off = demo.replace("user_application = true", "user_application = false");
    std::fs::write(&file, off).unwrap();
    let database = format!("sqlite://{}/c.db", folder.path().display());
    let imported = std::process::Command::new(system_tests::process::program())
        .args(["admin", "import", file.to_str().unwrap(), "--database", &database])
        .output()
        .unwrap();
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let up = Up::start_with(&["--sim-speed", "0", "--database", &database]).await;
    let mut desk = Client::subscribed(up.public, "301").await;

    let started = json!({"account_id": "301", "destination": NUMBER});
    desk.must("CallControl/originate_call", started).await;

    let all = desk.until_over(1).await;
    assert_eq!(all.last().unwrap()["reason_code"], 404);
}
