//! Prompts and digits, as applications see them.

use std::time::Duration;

use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::{Client, Up};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A call from outside to Alice that her application has answered; gives the trunk's leg.
async fn answered(up: &Up, alice: &mut Client) -> (Value, String) {
    up.sim.manual("101").await;
    let placed = up.sim.trunk_call("12065550100", "101", "Mary").await;
    let leg = placed["leg"].as_str().unwrap().to_owned();
    let id = placed["call_id"].clone();
    alice.call_states_until(|states| states.iter().any(|info| info["state"] == "ringing")).await;
    alice.must("CallControl/answer_call", json!({"call": {"id": id}})).await;
    (json!({"id": id, "tag": leg}), leg)
}

async fn alice() -> (Up, Client, Value, String) {
    let up = Up::start_with(&["--sim-speed", "0"]).await;
    let mut alice = Client::subscribed(up.public, "101").await;
    let (call, leg) = answered(&up, &mut alice).await;
    (up, alice, call, leg)
}

/// The next event that is no key.
async fn next_ivr(client: &mut Client) -> Value {
    loop {
        let (method, params) = client.event().await;
        if method == "CallControl/ivr_event" && params["ivr_info"]["event"] != "dtmf" {
            return params;
        }
    }
}

async fn hears(up: &Up, leg: &str) -> Value {
    up.sim.leg(leg).await["hears"].clone()
}

#[tokio::test]
async fn a_prompt_asks_a_number_and_the_digits_come() {
    let (up, mut alice, call, leg) = alice().await;

    let ask = json!({
        "call": call, "prompts": ["visa/enter-number.au"], "interrupt_playback_on_input": "Y",
    });
    assert_eq!(alice.must("CallControl/play_prompt", ask).await, json!({"success": 1}));
    assert_eq!(hears(&up, &leg).await, "prompt:visa/enter-number.au");
    assert_eq!(up.sim.hears("101").await, json!(["12065550100"]));
    let detect = json!({"call": call, "max_digits": 8, "inter_digit_timeout": 5});
    alice.must("CallControl/start_dtmf_detect", detect).await;
    up.sim.far_end_keys(&leg, "1234#").await;

    let interrupted = next_ivr(&mut alice).await;
    assert_eq!(interrupted["ivr_info"], json!({"event": "prompt_playback_interrupted"}));
    let collected = next_ivr(&mut alice).await;
    let input = json!({
        "event": "input_collected", "digits": "1234", "terminator": "#", "reason": "terminator",
    });
    assert_eq!(collected["ivr_info"], input);
    assert_eq!(collected["call"], call);
    assert!(collected["tracking_id"].is_string() && collected["event_id"].is_string());
    assert_eq!(hears(&up, &leg).await, json!(["101"]));

    let approved = json!({"call": call, "prompts": ["visa/approved.g729"]});
    alice.must("CallControl/play", approved).await;
    assert_eq!(hears(&up, &leg).await, "prompt:visa/approved.g729");
    let completed = next_ivr(&mut alice).await;
    assert_eq!(completed["ivr_info"], json!({"event": "prompt_playback_completed"}));
}

#[tokio::test]
async fn who_types_nothing_is_told_of_and_what_is_stopped_ends() {
    let (_up, mut alice, call, _) = alice().await;

    let detect = json!({"call": call, "first_digit_timeout": 0.05});
    alice.must("CallControl/start_dtmf_detect", detect).await;
    let none = json!({"event": "input_timeout", "digits": "", "reason": "first_digit_timeout"});
    assert_eq!(next_ivr(&mut alice).await["ivr_info"], none);

    let endless = json!({"call": call, "prompts": ["busy.au"], "repeat": 0});
    alice.must("CallControl/play_prompt", endless).await;
    alice.must("CallControl/start_dtmf_detect", json!({"call": call})).await;
    for method in ["stop_play_prompt", "stop_dtmf_detect"] {
        let method = format!("CallControl/{method}");
        assert_eq!(alice.must(&method, json!({"call": call})).await, json!({"success": 1}));
        // Nothing is under way any more.
        assert_eq!(alice.must(&method, json!({"call": call})).await, json!({"success": 1}));
    }
    let stopped = next_ivr(&mut alice).await;
    assert_eq!(stopped["ivr_info"], json!({"event": "prompt_playback_interrupted"}));
    let stopped = next_ivr(&mut alice).await;
    let info = json!({"event": "input_timeout", "digits": "", "reason": "stopped"});
    assert_eq!(stopped["ivr_info"], info);

    alice.must("CallControl/start_dtmf_detect", json!({"call": call})).await;
    alice.must("CallControl/terminate_call", json!({"call": {"id": call["id"]}})).await;
    assert_eq!(next_ivr(&mut alice).await["ivr_info"]["reason"], "call_ended");
}

#[tokio::test]
async fn what_cannot_be_played_is_refused_before_anything_is_heard() {
    let (up, mut alice, call, leg) = alice().await;
    let bad = [
        json!({"prompts": ["../../etc/passwd"]}),
        json!({"prompts": ["/etc/passwd.au"]}),
        json!({"prompts": ["visa/enter-number.au", "visa/nothing.au"]}),
        json!({"prompts": ["visa/enter-number.mp3"]}),
        json!({"url": "http://127.0.0.1:9/a.au"}),
        json!({"url": "http://localhost/a.au"}),
        json!({"url": "ftp://example.com/a.au"}),
        json!({"url": "no address"}),
        json!({"url": "http://example.com/a.au", "prompts": ["busy.au"]}),
        json!({"prompts": ["busy.au"], "callback_url": "http://127.0.0.1/"}),
        json!({
            "prompts": ["busy.au"], "callback_url": "http://example.com/",
            "callback_on_events": ["nonsense"],
        }),
    ];
    for mut params in bad {
        // What is to be played comes before the call is looked up.
        for call in [call.clone(), json!({"id": "nonsense"})] {
            params["call"] = call;
            let fault = alice.refused("CallControl/play", params.clone()).await;
            assert_eq!(fault.code(), -32602, "{params}: {fault:?}");
            assert_eq!(fault.faultcode(), "Client.CallControl.play.invalid_param", "{params}");
        }
    }
    for nothing in [json!({"call": call}), json!({"call": call, "prompts": []})] {
        let fault = alice.refused("CallControl/play", nothing).await;
        assert_eq!(fault.faultcode(), "Client.CallControl.play.missing_param");
        assert_eq!(fault.0["data"]["params"], json!(["url", "prompts"]));
    }
    let prompts = json!({"call": call, "prompts": ["nothing.au"]});
    let fault = alice.refused("CallControl/play_prompt", prompts).await;
    assert_eq!(fault.faultcode(), "Client.CallControl.play_prompt.invalid_param");
    assert_eq!(fault.0["data"]["params"], json!(["prompts"]));
    let rules = json!({"call": call, "max_digits": 2, "min_digits": 3});
    assert_eq!(alice.refused("CallControl/start_dtmf_detect", rules).await.code(), -32602);
    assert_eq!(hears(&up, &leg).await, json!(["101"]));
}

#[tokio::test]
async fn only_a_party_on_the_line_hears_and_only_who_sees_the_call_may_play() {
    let (up, mut alice, call, _) = alice().await;

    let started = alice.must("CallControl/originate_call", json!({"destination": "102"})).await;
    let ringing = json!({"call": started["call"], "prompts": ["busy.au"]});
    for method in ["play", "play_prompt"] {
        let fault = alice.refused(&format!("CallControl/{method}"), ringing.clone()).await;
        assert_eq!(fault.code(), -32009, "{fault:?}");
        let expected = ["early", "connected", "held", "holding", "parked", "queued"];
        assert_eq!(fault.0["data"]["expected_states"], json!(expected));
    }
    let mut bistro = Client::log_in(up.public, "quicktasty").await;
    let foreign = json!({"call": call, "prompts": ["busy.au"]});
    assert_eq!(bistro.refused("CallControl/play_prompt", foreign).await.code(), -32004);
}

/// Answers every request with this body.
async fn file_server(body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/audio", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            assert_ne!(stream.read(&mut asked).await.unwrap(), 0);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn audio_at_an_address_is_fetched_afterwards() {
    let up = Up::start_with(&["--sim-speed", "0", "--set", "webhooks.allow_private=true"]).await;
    let mut alice = Client::subscribed(up.public, "101").await;
    let (call, leg) = answered(&up, &mut alice).await;
    let mut au = b".snd".to_vec();
    for field in [24_u32, 800, 1, 8_000, 1] {
        au.extend(field.to_be_bytes());
    }
    au.resize(824, 0xff);
    let (audio, page) = (file_server(au).await, file_server(b"<html></html>".to_vec()).await);

    let play = json!({"call": call, "url": audio, "repeat": 0});
    assert_eq!(alice.must("CallControl/play", play).await, json!({"success": 1}));
    let name = format!("prompt:{audio}");
    eventually(Duration::from_secs(10), "the audio is heard", || async {
        let heard = hears(&up, &leg).await;
        if heard == name { Ok(()) } else { Err(heard.to_string()) }
    })
    .await;
    alice.must("CallControl/stop_play_prompt", json!({"call": call})).await;
    let event = next_ivr(&mut alice).await;
    assert_eq!(event["ivr_info"]["event"], "prompt_playback_interrupted");
    for nothing in [page.as_str(), "http://127.0.0.1:1/a.au", "http://nobody.invalid/a.au"] {
        let play = json!({"call": call, "url": nothing});
        assert_eq!(alice.must("CallControl/play", play).await, json!({"success": 1}));
        let event = next_ivr(&mut alice).await;
        assert_eq!(event["ivr_info"], json!({"event": "prompt_playback_failed"}), "{nothing}");
    }
}
