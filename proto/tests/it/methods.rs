use std::collections::BTreeSet;

use proto::api::{self, METHODS, Method};
use proto::options::v1::{Component, HandledBy, Level, Realm};
use serde_json::json;

/// The names that the API promises.
const NAMES: &[&str] = &[
    "Session/login",
    "Session/login_to_realm",
    "Session/authenticate",
    "Session/ping",
    "Session/refresh_access_token",
    "Session/get_session_data",
    "Session/change_password",
    "Session/logout",
    "rpc.discover",
    "CallControl/get_sip_calls_list",
    "CallControl/get_call_info",
    "CallControl/originate_call",
    "CallControl/originate_advanced_call",
    "CallControl/answer_call",
    "CallControl/terminate_call",
    "CallControl/reject_call",
    "CallControl/hold_call",
    "CallControl/resume_call",
    "CallControl/transfer_call",
    "CallControl/redirect_call",
    "CallControl/park_call",
    "CallControl/retrieve_call",
    "CallControl/pickup_call",
    "CallControl/send_dtmf",
    "CallControl/play",
    "CallControl/play_prompt",
    "CallControl/stop_play_prompt",
    "CallControl/start_dtmf_detect",
    "CallControl/stop_dtmf_detect",
    "CallControl/start_recording",
    "CallControl/stop_recording",
    "CallControl/supervise_call",
    "CallControl/get_recording_list",
    "CallControl/enable_api_notifications",
    "CallControl/disable_api_notifications",
    "OnSpotConference/create_on_spot_conference",
    "OnSpotConference/add_on_spot_conference_participant",
    "OnSpotConference/update_on_spot_conference_participant",
    "OnSpotConference/delete_on_spot_conference_participant",
    "OnSpotConference/leave_on_spot_conference",
    "OnSpotConference/join_on_spot_conference",
    "OnSpotConference/terminate_on_spot_conference",
    "OnSpotConference/update_on_spot_conference",
    "OnSpotConference/merge_on_spot_conference",
    "OnSpotConference/get_on_spot_conference_list",
    "OnSpotConference/get_on_spot_conference_participant_list",
    "CallControl/create_on_spot_conference",
    "CallControl/add_on_spot_conference_participant",
    "CallControl/update_on_spot_conference_participant",
    "CallControl/delete_on_spot_conference_participant",
    "CallControl/leave_on_spot_conference",
    "CallControl/join_on_spot_conference",
    "CallControl/terminate_on_spot_conference",
    "CallControl/update_on_spot_conference",
    "CallControl/merge_on_spot_conference",
    "CallControl/get_on_spot_conference_list",
    "CallControl/get_on_spot_conference_participant_list",
    "IVRApplications/add_ivr_application",
    "IVRApplications/get_ivr_application_list",
    "IVRApplications/add_access_number",
    "IVRApplications/get_access_number_list",
    "Customer/get_huntgroup_list",
    "Customer/update_huntgroups_subscription",
    "Customer/get_callqueue_list",
    "Customer/get_customer_info",
    "Account/get_account_list",
    "Account/get_account_info",
    "Generic/get_version",
    "CDR/get_xdr_list",
];

fn method(name: &str) -> &'static Method {
    api::method(name).unwrap_or_else(|| panic!("no method {name}"))
}

#[test]
fn every_promised_name_reaches_a_method_and_no_other_does() {
    for name in NAMES {
        let found = method(name);
        assert_eq!(found.name, *name);
    }

    let promised: BTreeSet<&str> = NAMES.iter().copied().collect();
    let declared: BTreeSet<&str> = METHODS
        .iter()
        .flat_map(|method| method.aliases.iter().chain([&method.name]).copied())
        .collect();
    assert_eq!(declared, promised);
}

#[test]
fn names_are_taken_as_they_are_written() {
    for name in ["callcontrol/hold_call", "CallControl/Hold_call", "CallControl/hold_call/", ""] {
        assert!(api::method(name).is_none(), "{name}");
    }
}

#[test]
fn every_rpc_serves_one_method() {
    let paths: BTreeSet<&str> = METHODS.iter().map(|method| method.grpc_path).collect();

    assert_eq!(paths.len(), METHODS.len());
    assert_eq!(
        method("CallControl/hold_call").grpc_path,
        "/cordboard.callcontrol.v1.CallControlService/HoldCall"
    );
    assert_eq!(method("CallControl/hold_call").owner, "callcontrol");
    assert_eq!(method("CDR/get_xdr_list").owner, "auth");
}

#[test]
fn everything_but_the_session_and_the_version_needs_a_permission() {
    for method in METHODS {
        let is_free = matches!(method.service, "Session" | "Generic" | "rpc");
        assert_eq!(method.component == Component::Unspecified, is_free, "{}", method.name);
        assert_eq!(method.level == Level::Unspecified, is_free, "{}", method.name);
    }
}

#[test]
fn only_who_may_modify_may_change_something() {
    for method in METHODS.iter().filter(|method| method.component != Component::Unspecified) {
        // A subscription changes nothing but what its own session is told.
        let is_subscription = method.name.ends_with("able_api_notifications");
        let modifies = method.mutates && !is_subscription;
        assert_eq!(method.level == Level::Modify, modifies, "{}", method.name);
    }
}

#[test]
fn commands_on_calls_and_conferences_take_a_request_id() {
    for method in METHODS {
        let is_command = matches!(method.service, "CallControl" | "OnSpotConference")
            && method.mutates
            && method.handled_by != HandledBy::Edge;
        assert_eq!(method.takes_request_id, is_command, "{}", method.name);
        assert_eq!(method.fault("REQUEST_ID_REUSED").is_some(), is_command, "{}", method.name);
    }
}

#[test]
fn the_request_id_is_found_where_one_is_taken() {
    let params = json!({"request_id": "r1"});

    assert_eq!(method("CallControl/hold_call").request_id_of(&params), Some("r1"));
    assert_eq!(method("CallControl/get_call_info").request_id_of(&params), None);
    assert_eq!(method("CallControl/hold_call").request_id_of(&json!({"request_id": 1})), None);
}

#[test]
fn the_edge_answers_sessions_subscriptions_and_discovery() {
    let edge: BTreeSet<&str> =
        METHODS.iter().filter(|m| m.is_handled_by_edge()).map(|m| m.name).collect();

    let expected: BTreeSet<&str> = NAMES
        .iter()
        .copied()
        .filter(|name| {
            name.starts_with("Session/")
                || name.ends_with("able_api_notifications")
                || *name == "rpc.discover"
        })
        .collect();
    assert_eq!(edge, expected);
}

#[test]
fn realms_are_those_of_the_contract() {
    let all = [Realm::Admin, Realm::Reseller, Realm::Customer, Realm::Account];

    assert_eq!(method("CallControl/hold_call").realms, all);
    assert_eq!(method("Session/login_to_realm").realms, [Realm::Admin, Realm::Reseller]);
    assert_eq!(
        method("IVRApplications/add_ivr_application").realms,
        [Realm::Admin, Realm::Reseller]
    );
    assert!(!method("Session/login_to_realm").is_open_to(Realm::Account));
}

#[test]
fn publicly_known_faults_keep_their_names_and_codes() {
    let known = [
        ("Session/login", "AUTH_FAILED", "Server.Session.auth_failed", -32001),
        ("Session/login", "REALM_REQUIRED", "Client.Session.login.realm_required", -32602),
        ("Session/login", "LOCKED", "Server.Session.cannot_login_brute_force_activity", -32029),
        (
            "Session/login",
            "MUST_CHANGE_PASSWORD",
            "Server.Session.alert_You_must_change_password",
            -32001,
        ),
        (
            "Session/ping",
            "ACCESS_TOKEN_INVALID",
            "Client.Session.ping.failed_to_process_access_token",
            -32602,
        ),
        (
            "Session/logout",
            "ACCESS_TOKEN_INVALID",
            "Client.Session.logout.failed_to_process_access_token",
            -32602,
        ),
        (
            "Session/refresh_access_token",
            "REFRESH_FAILED",
            "Server.Session.refresh_access_token.refresh_failed",
            -32001,
        ),
        (
            "CallControl/get_sip_calls_list",
            "DISABLED_API_NOTIFICATIONS",
            "Server.CallControl.sip.disabled_api_notifications",
            -32009,
        ),
        (
            "CallControl/get_sip_calls_list",
            "ACCESS_DENIED",
            "Server.CallControl.get_sip_calls_list.access_denied",
            -32003,
        ),
        ("CallControl/hold_call", "AUTH_FAILED", "Server.Session.check_auth.auth_failed", -32001),
        (
            "CallControl/hold_call",
            "ACCESS_TOKEN_INVALID",
            "Client.Session.check_auth.failed_to_process_access_token",
            -32001,
        ),
        (
            "CallControl/hold_call",
            "JWT_INVALID",
            "Client.Session.check_auth.failed_to_process_jwt",
            -32001,
        ),
        ("CallControl/hold_call", "ENVELOPE_MISSED", "Client.check_auth.envelope_missed", -32001),
        ("CallControl/hold_call", "STANDALONE_MODE", "standalone_mode", -32003),
        (
            "CallControl/hold_call",
            "CALL_NOT_FOUND",
            "Client.CallControl.hold_call.call_not_found",
            -32004,
        ),
        (
            "CallControl/originate_advanced_call",
            "NOT_ALLOWED",
            "Client.CallControl.originate_advanced_call.not_allowed",
            -32003,
        ),
        (
            "OnSpotConference/create_on_spot_conference",
            "SERVICE_DISABLED",
            "Server.CallControl.create_on_spot_conference.service_disabled",
            -32003,
        ),
    ];

    for (name, reason, faultcode, code) in known {
        let fault = method(name).fault(reason).unwrap_or_else(|| panic!("{name}: no {reason}"));
        assert_eq!((fault.faultcode, fault.code), (faultcode, code), "{name}: {reason}");
    }
}

#[test]
fn every_fault_has_a_code_of_the_contract_and_a_sentence() {
    let codes = [
        -32700, -32600, -32601, -32602, -32603, -32001, -32003, -32004, -32009, -32029, -32050,
        -32051,
    ];

    for method in METHODS {
        for fault in method.faults.iter().chain(method.common_faults) {
            assert!(codes.contains(&fault.code), "{}: {fault:?}", method.name);
            assert!(!fault.when.is_empty(), "{}: {fault:?}", method.name);
            assert!(!fault.faultcode.contains('<'), "{}: {fault:?}", method.name);
        }
    }
}

#[test]
fn a_method_may_be_unknown_to_an_older_service_and_not_to_the_edge() {
    for method in METHODS {
        let may_be_unknown = method.fault("NOT_IMPLEMENTED").is_some();
        assert_eq!(may_be_unknown, !method.is_handled_by_edge(), "{}", method.name);
    }
}

#[test]
fn passwords_and_tokens_are_secret() {
    assert_eq!(method("Session/login").secrets, ["password", "token"]);
    assert_eq!(method("Session/refresh_access_token").secrets, ["refresh_token"]);
}
