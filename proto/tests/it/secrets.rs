//! Secrets stay out of logs.

use proto::auth::v1::OpenSessionRequest;
use proto::session::v1::LoginRequest;

#[test]
fn a_message_with_secrets_does_not_show_them() {
    let login = LoginRequest {
        login: "101".to_owned(),
        password: Some("hunter2".to_owned()),
        ..LoginRequest::default()
    };
    let open = OpenSessionRequest {
        login: "101".to_owned(),
        token: Some("hunter2".to_owned()),
        ..OpenSessionRequest::default()
    };

    for shown in [format!("{login:?}"), format!("{open:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("101"), "{shown}");
    }
}
