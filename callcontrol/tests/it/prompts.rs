//! What may be played is judged before the call is looked up.

use proto::callcontrol::v1::{PlayPromptRequest, PlayRequest};
use tonic::Code;

use crate::harness::{ALICE, Harness, Reply, call, refusal};

#[tokio::test]
async fn a_bad_path_is_refused_before_the_call_is_looked_up() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();

    for path in ["../secret.au", "/etc/passwd.au", "hello.mp3", "a\\b.au", ""] {
        let play = PlayPromptRequest {
            call: Some(call("nonsense", "")),
            prompts: vec!["hello.au".to_owned(), path.to_owned()],
            ..PlayPromptRequest::default()
        };
        let (code, _, metadata) = refusal(client.play_prompt(harness.request(ALICE, play)).await);
        assert_eq!(
            (code, metadata["params"].as_str()),
            (Code::InvalidArgument, "prompts"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn any_node_judges_the_prompts_for_a_call_of_none() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();

    for (judged, expected) in [
        (
            Reply::Refuse(Code::InvalidArgument, "INVALID_PROMPT"),
            (Code::InvalidArgument, "INVALID_PROMPT"),
        ),
        (Reply::Refuse(Code::NotFound, "CALL_NOT_FOUND"), (Code::NotFound, "CALL_NOT_FOUND")),
        (Reply::Status(503), (Code::NotFound, "CALL_NOT_FOUND")),
    ] {
        harness.switch.reply(judged);
        for id in ["nonsense", "other-0.c1"] {
            let play = PlayPromptRequest {
                call: Some(call(id, "")),
                prompts: vec!["nowhere.au".to_owned()],
                ..PlayPromptRequest::default()
            };

            let answer = client.play_prompt(harness.request(ALICE, play)).await;

            let (code, reason, _) = refusal(answer);
            assert_eq!((code, reason.as_str()), expected, "{id}");
        }
    }
}

#[tokio::test]
async fn a_bad_address_is_refused_before_the_call_is_looked_up() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();

    for url in ["nowhere", "ftp://example.com/a.wav", "http://10.0.0.1/a.wav"] {
        let play = PlayRequest {
            call: Some(call("nonsense", "")),
            url: Some(url.to_owned()),
            ..PlayRequest::default()
        };
        let (code, reason, metadata) = refusal(client.play(harness.request(ALICE, play)).await);
        assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "URL_REFUSED"), "{url}");
        assert_eq!(metadata["params"], "url");
    }
}
