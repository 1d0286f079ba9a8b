//! The switch's process is killed under a call on a real Asterisk, with Redis as the store: the call
//! goes on, and an application that watches it sees nothing but what happens next.

use std::fs;
use std::path::Path;

use mesh::testing::ports;
use serde_json::{Value, json};
use system_tests::{Client, Mesh};

use crate::asterisk_config::{installation, start, until_heard, write_config};

/// Has Asterisk itself be the phones of 101 and 102, which answer: they are called over SIP at a
/// context of its own.
fn add_phones(folder: &Path, sip: &str) {
    let file = folder.join("etc/pjsip.conf");
    let mut pjsip = fs::read_to_string(&file).unwrap().replace("username,ip", "ip,username");
    for phone in ["101", "102"] {
        let aor = format!("[{phone}]\ntype = aor\n");
        pjsip = pjsip.replace(&aor, &format!("{aor}contact = sip:{phone}@{sip}\n"));
    }
    pjsip.push_str(
        "\n[phones](line)\ncontext = phones\n\
         [phones]\ntype = identify\nendpoint = phones\nmatch = 127.0.0.1\n",
    );
    fs::write(file, pjsip).unwrap();
    let file = folder.join("etc/extensions.conf");
    let mut extensions = fs::read_to_string(&file).unwrap();
    extensions.push_str("\n[phones]\nexten => _X.,1,Answer()\n same => n,Wait(600)\n");
    fs::write(file, extensions).unwrap();
}

fn is(state: &'static str, count: usize) -> impl Fn(&[Value]) -> bool {
    move |states| states.iter().filter(|info| info["state"] == state).count() == count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_on_over_the_death_of_the_switch_s_process() {
    let Some(asterisk) = installation() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (ari, first) = (ports::free_tcp(), ports::free_udp_range(101));
    let (ari, sip) = (format!("127.0.0.1:{ari}"), format!("127.0.0.1:{}", ports::free_udp()));
    let rtp = format!("{first}-{}", first + 100);
    let written =
        write_config(folder.path(), &["--ari-listen", &ari, "--sip-listen", &sip, "--rtp", &rtp]);
    assert!(written.status.success(), "{written:?}");
    add_phones(folder.path(), &sip);
    let _asterisk = start(&asterisk, folder.path());
    let password = folder.path().join("etc/ari-password");
    let mut mesh = Mesh::start_with(&[
        "switch.driver=asterisk",
        &format!("switch.asterisk.url=http://cordboard@{ari}"),
        &format!("switch.asterisk.password_file={}", password.display()),
    ])
    .await;
    until_heard(mesh.service("switch").address("admin")).await;
    let mut board = Client::subscribed(mesh.public(), "easymobile").await;
    let originate = json!({"account_id": "101", "destination": "102"});
    let call = board.must("CallControl/originate_call", originate).await["call"]["id"].clone();
    let before = board.call_states_until(is("connected", 2)).await;

    mesh.kill("switch");
    mesh.start_service("switch").await;
    until_heard(mesh.service("switch").address("admin")).await;

    let info = board.must("CallControl/get_call_info", json!({"call": {"id": call}})).await;
    assert!(info.to_string().contains("connected"), "{info}");
    let list = board.must("CallControl/get_sip_calls_list", json!({"get_total": 1})).await;
    assert_eq!(list["total"], 2, "{list}");
    board.must("CallControl/hold_call", json!({"call": {"id": call}})).await;
    board.must("CallControl/terminate_call", json!({"call": {"id": call}})).await;
    let after = board.call_states_until(is("terminated", 2)).await;
    let states: Vec<_> = after.iter().map(|info| info["state"].as_str().unwrap()).collect();
    let mut held = states[..2].to_vec();
    held.sort_unstable();
    assert_eq!((held.as_slice(), &states[2..]), (&["held", "holding"][..], &["terminated"; 2][..]));
    let numbers = before.iter().chain(&after).map(|info| info["sequence"].as_i64().unwrap());
    let numbers: Vec<_> = numbers.collect();
    let expected: Vec<_> = (1..).take(numbers.len()).collect();
    assert_eq!(numbers, expected, "the events of the call");
    let list = board.must("CallControl/get_sip_calls_list", json!({"get_total": 1})).await;
    assert_eq!(list["total"], 0, "{list}");
}
