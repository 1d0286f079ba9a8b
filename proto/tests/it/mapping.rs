use prost::Message as _;
use proto::api;
use proto::auth::v1::{AddIvrApplicationRequest, CustomerInfo, OnAppGone};
use proto::call::v1::{CallInfo, CallRef, CausedBy, Party, State, Type};
use proto::callcontrol::v1::{
    EnableApiNotificationsRequest, EnableApiNotificationsResponse, GetRecordingListRequest,
    GetSipCallsListResponse, HoldCallRequest, HoldCallResponse, OriginateCallRequest, PlayRequest,
    StartDtmfDetectRequest,
};
use proto::conference::v1::{Participant, UpdateOnSpotConferenceParticipantRequest};
use proto::json::{self, Kind, Message, Problems};
use proto::options::v1::{Level, Realm};
use proto::session::v1::{AuthenticateResponse, CallStateNotification, LoginRequest, Permissions};
use serde_json::{Value, json};

fn read<T: Message>(value: &Value) -> T {
    json::from_value(value).unwrap_or_else(|problems| panic!("{problems}"))
}

fn refuse<T: Message + std::fmt::Debug>(value: &Value) -> Problems {
    json::from_value::<T>(value).unwrap_err()
}

fn written(message: &impl Message) -> Value {
    serde_json::from_slice(&message.to_json()).unwrap()
}

fn paths(problems: &[json::Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.path.as_str()).collect()
}

#[test]
fn the_call_object_is_written_as_the_contract_shows_it() {
    let info = CallInfo {
        call: Some(CallRef { id: "n1.x".into(), tag: Some("t1".into()) }),
        tracking_id: "tr".into(),
        state: State::Connected.into(),
        r#type: Type::Outgoing.into(),
        caller: Some(Party {
            i_account: Some(1),
            account_id: Some("101".into()),
            number: "101".into(),
            name: "Alice".into(),
            huntgroup_id: None,
        }),
        callee: Some(Party { number: "17335550100".into(), ..Party::default() }),
        i_customer: 1,
        i_account: Some(1),
        start_time: 1_709_251_199_000_000,
        connect_time: Some(1_709_251_200_500_000),
        update_time: 1_709_251_201_000_000,
        duration: 12,
        caused_by: Some(CausedBy {
            request_id: None,
            login: "a".into(),
            method: "CallControl/hold_call".into(),
        }),
        sequence: 5,
        site: "main".into(),
        ..CallInfo::default()
    };

    assert_eq!(
        written(&info),
        json!({
            "call": {"id": "n1.x", "tag": "t1"},
            "tracking_id": "tr",
            "state": "connected",
            "type": "outgoing",
            "is_external_call": false,
            "caller": {"i_account": 1, "account_id": "101", "number": "101", "name": "Alice"},
            "callee": {"number": "17335550100", "name": ""},
            "i_customer": 1,
            "i_account": 1,
            "start_time": "2024-02-29 23:59:59",
            "connect_time": "2024-03-01 00:00:00",
            "update_time": "2024-03-01 00:00:01",
            "duration": 12,
            "caused_by": {"login": "a", "method": "CallControl/hold_call"},
            "sequence": 5,
            "site": "main",
        })
    );
    assert_eq!(
        read::<CallInfo>(&written(&info)),
        CallInfo { connect_time: Some(1_709_251_200_000_000), ..info }
    );
}

#[test]
fn json_is_compact() {
    let notification = CallStateNotification {
        subscription_id: "s".into(),
        event_id: "e\"1".into(),
        call_info: None,
    };

    assert_eq!(notification.to_json(), br#"{"subscription_id":"s","event_id":"e\"1"}"#);
}

#[test]
fn params_are_read_into_the_encoded_request_and_results_written_from_the_response() {
    let method = api::method("CallControl/hold_call").unwrap();

    let request = (method.read_params)(&json!({"call": {"id": "c"}, "request_id": "r"})).unwrap();
    let result = (method.write_result)(&HoldCallResponse { success: 1 }.encode_to_vec()).unwrap();

    let request = HoldCallRequest::decode(request).unwrap();
    assert_eq!(request.call.unwrap().id, "c");
    assert_eq!(request.request_id.as_deref(), Some("r"));
    assert_eq!(result, br#"{"success":1}"#);
    assert!((method.write_result)(&[0xff]).is_err());
}

#[test]
fn absent_params_are_an_empty_object() {
    let method = api::method("CallControl/enable_api_notifications").unwrap();

    assert_eq!((method.read_params)(&Value::Null), (method.read_params)(&json!({})));
    assert!((method.read_params)(&Value::Null).is_ok());
}

#[test]
fn params_by_position_are_refused() {
    let problems = refuse::<HoldCallRequest>(&json!([1]));

    assert_eq!(problems.kind(), Some(Kind::Invalid));
    assert_eq!(paths(problems.reported()), ["params"]);
}

#[test]
fn null_is_the_same_as_absent() {
    let request: OriginateCallRequest = read(
        &json!({"destination": "102", "caller_id": null, "timeout": null, "state_info_events": null}),
    );

    assert_eq!(request.caller_id, None);
    assert_eq!(request.timeout, 60);
    assert_eq!(paths(refuse::<HoldCallRequest>(&json!({"call": null})).missing()), ["call"]);
}

#[test]
fn defaults_are_filled_in() {
    let given: StartDtmfDetectRequest = read(&json!({
        "call": {"id": "c"}, "max_digits": 32, "min_digits": 1, "terminators": "#",
        "first_digit_timeout": 10, "inter_digit_timeout": 3.0, "total_timeout": 60,
    }));
    let left_out: StartDtmfDetectRequest = read(&json!({"call": {"id": "c"}}));
    let application: AddIvrApplicationRequest =
        read(&json!({"name": "n", "type": "User Application", "i_account": 1}));

    assert_eq!(given, left_out);
    assert_eq!(application.on_app_gone(), OnAppGone::Fallback);
    let untyped = refuse::<AddIvrApplicationRequest>(&json!({"name": "n", "i_account": 1}));
    assert_eq!(paths(untyped.missing()), ["type"]);
}

#[test]
fn unknown_is_reported_before_missing_before_invalid() {
    let mut params = json!({
        "call": {"id": 7, "leg": "x"}, "reqest_id": "r", "request_id": 1,
    });

    let problems = refuse::<HoldCallRequest>(&params);
    assert_eq!(problems.kind(), Some(Kind::Unknown));
    assert_eq!(paths(problems.reported()), ["reqest_id", "call.leg"]);
    assert_eq!(paths(problems.invalid()), ["call.id", "request_id"]);

    params = json!({"call": {}, "request_id": 1});
    let problems = refuse::<HoldCallRequest>(&params);
    assert_eq!(problems.kind().map(Kind::reason), Some("MISSING_PARAM"));
    assert_eq!(paths(problems.reported()), ["call.id"]);
    let all: Vec<(Kind, &str)> =
        problems.all().map(|(kind, problem)| (kind, problem.path.as_str())).collect();
    assert_eq!(all, [(Kind::Missing, "call.id"), (Kind::Invalid, "request_id")]);
}

#[test]
fn each_problem_says_what_would_be_right() {
    let problems = refuse::<OriginateCallRequest>(&json!({
        "destination": "102", "timeout": 601, "caller_id": true, "state_info_events": ["busy"],
    }));

    let messages: Vec<&str> =
        problems.reported().iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`caller_id` must be a string of at most 64 characters, not a boolean",
            "`timeout` must be an integer from 1 to 600",
            "`state_info_events.0` must be one of `trying`, `ringing`, `early`, `connected`, \
             `held`, `holding`, `queued`, `dequeued`, `transferred`, `parked`, `terminated`",
        ]
    );
}

#[test]
fn problems_never_repeat_the_value() {
    let secret = "x".repeat(300);

    let problems = refuse::<LoginRequest>(&json!({"login": "a", "password": secret}));

    assert_eq!(paths(problems.reported()), ["password"]);
    assert!(!problems.to_string().contains("xxx"));
}

#[test]
fn integers_are_numbers_without_a_fraction() {
    for wrong in [json!("60"), json!(60.5), json!(60.0), json!(true), json!([60]), json!(1e30)] {
        let problems =
            refuse::<OriginateCallRequest>(&json!({"destination": "1", "timeout": wrong}));
        assert_eq!(paths(problems.reported()), ["timeout"], "{wrong}");
    }
    for wrong in [json!(0), json!(-1), json!(u64::MAX), json!("1")] {
        let params = json!({"destination": "1", "i_account": wrong});
        assert_eq!(paths(refuse::<OriginateCallRequest>(&params).reported()), ["i_account"]);
    }
}

#[test]
fn strings_are_strings_within_their_length() {
    for wrong in [json!(102), json!(""), json!("1".repeat(129)), json!({})] {
        let problems = refuse::<OriginateCallRequest>(&json!({"destination": wrong}));
        assert_eq!(paths(problems.reported()), ["destination"], "{wrong}");
    }
    // Characters count, not bytes.
    read::<OriginateCallRequest>(&json!({"destination": "ü".repeat(128)}));
}

#[test]
fn flags_are_read_in_every_form() {
    let read = |value: Value| -> bool {
        let request: UpdateOnSpotConferenceParticipantRequest =
            read(&json!({"i_conference": "c", "participant": "p", "mute": value}));
        request.mute.unwrap()
    };

    for yes in [json!(1), json!("Y"), json!("y"), json!(true), json!("1"), json!("true")] {
        assert!(read(yes.clone()), "{yes}");
    }
    for no in [json!(0), json!("N"), json!("n"), json!(false), json!("0"), json!("false")] {
        assert!(!read(no.clone()), "{no}");
    }
    for wrong in [json!(2), json!("2"), json!("yes"), json!(""), json!([]), json!(1.0)] {
        let params = json!({"call": {"id": "c"}, "interrupt_playback_on_input": wrong});
        assert!(!refuse::<PlayRequest>(&params).invalid().is_empty(), "{wrong}");
    }
}

#[test]
fn flags_are_written_in_the_form_of_the_field() {
    let participant = Participant { muted: true, ..Participant::default() };
    let customer = CustomerInfo { blocked: true, ..CustomerInfo::default() };

    assert_eq!(written(&participant)["muted"], 1);
    assert_eq!(written(&Participant::default())["muted"], 0);
    assert_eq!(written(&customer)["blocked"], "Y");
    assert_eq!(written(&CustomerInfo::default())["blocked"], "N");
}

#[test]
fn enums_are_lower_case_names() {
    let request: EnableApiNotificationsRequest =
        read(&json!({"states": ["connected", "terminated"], "kinds": ["ivr_event"]}));

    assert_eq!(request.states, [State::Connected as i32, State::Terminated as i32]);
    for wrong in ["CONNECTED", "STATE_CONNECTED", "unspecified", "connecteds", ""] {
        let problems = refuse::<EnableApiNotificationsRequest>(&json!({"states": [wrong]}));
        assert_eq!(paths(problems.invalid()), ["states.0"], "{wrong}");
    }
}

#[test]
fn realms_are_read_in_the_plural_and_written_in_the_singular() {
    for name in ["account", "accounts"] {
        let request: LoginRequest = read(&json!({"login": "a", "realm": name}));
        assert_eq!(request.realm(), Realm::Account);
    }
    let response = AuthenticateResponse { realm: Realm::Admin.into(), ..Default::default() };
    assert_eq!(written(&response)["realm"], "admin");
}

#[test]
fn what_is_unspecified_is_left_out_unless_it_has_a_name() {
    let unknown = CallInfo { state: 99, ..CallInfo::default() };
    let permissions = Permissions { call_control: Level::Modify.into(), ..Default::default() };

    assert_eq!(written(&unknown).get("state"), None);
    assert_eq!(written(&CallInfo::default()).get("type"), None);
    assert_eq!(written(&permissions)["call_control"], "modify");
    assert_eq!(written(&permissions)["xdrs"], "none");
}

#[test]
fn date_times_are_read_in_their_one_form() {
    let request: GetRecordingListRequest = read(&json!({"from_date": "2024-02-29 23:59:59"}));

    assert_eq!(request.from_date, Some(1_709_251_199_000_000));
    for wrong in [json!("2024-02-30 00:00:00"), json!("2024-02-29"), json!(1_709_251_199)] {
        let problems = refuse::<GetRecordingListRequest>(&json!({"from_date": wrong}));
        assert_eq!(paths(problems.invalid()), ["from_date"], "{wrong}");
    }
}

#[test]
fn empty_lists_are_written_unless_they_belong_to_a_wish() {
    let list = GetSipCallsListResponse { cursor: "c".into(), ..Default::default() };
    let subscription = EnableApiNotificationsResponse { success: 1, ..Default::default() };

    assert_eq!(written(&list), json!({"calls_list": [], "cursor": "c"}));
    assert_eq!(written(&subscription).get("calls_list"), None);
}

#[test]
fn lists_have_a_length() {
    let params = json!({"call": {"id": "c"}, "prompts": vec!["a.au"; 33]});

    assert_eq!(paths(refuse::<PlayRequest>(&params).invalid()), ["prompts"]);
}
