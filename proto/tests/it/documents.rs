use std::collections::BTreeSet;

use proto::api::{ALIASED, METHODS, Method};
use proto::doc;
use proto::options::v1::Realm;
use serde_json::Value;

fn openrpc() -> Value {
    serde_json::from_str(doc::openrpc()).unwrap()
}

fn openapi(realm: Realm) -> Value {
    serde_json::from_str(doc::openapi(realm).unwrap()).unwrap()
}

/// Collects every `$ref` of a document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(target) if name == "$ref" => {
                        found.insert(target.clone());
                    }
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn assert_references_resolve(document: &Value) {
    let mut found = BTreeSet::new();
    references(document, &mut found);
    assert!(!found.is_empty());
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}

/// The methods under each of their names.
fn all() -> impl Iterator<Item = &'static Method> {
    METHODS.iter().chain(ALIASED)
}

#[test]
fn what_is_called_by_another_name_is_refused_in_that_name() {
    for method in ALIASED {
        assert_ne!(method.name, method.canonical);
        let own = format!(".{}.{}.", method.service, method.verb);
        assert_eq!(method.name, format!("{}/{}", method.service, method.verb));
        assert!(
            method.faults.iter().all(|fault| fault.faultcode.contains(&own)),
            "{}",
            method.name
        );
    }
    let create = proto::api::method("CallControl/create_on_spot_conference").unwrap();
    let fault = create.fault("CALL_NOT_FOUND").unwrap();
    assert_eq!(fault.faultcode, "Client.CallControl.create_on_spot_conference.call_not_found");
    assert_eq!(create.canonical, "OnSpotConference/create_on_spot_conference");
}

#[test]
fn openrpc_lists_every_method_with_its_params_and_faults() {
    let document = openrpc();

    assert_eq!(document["openrpc"], "1.3.2");
    let methods = document["methods"].as_array().unwrap();
    assert_eq!(methods.len(), all().count());
    for (entry, method) in methods.iter().zip(all()) {
        assert_eq!(entry["name"], method.name);
        let params: Vec<&str> = entry["params"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["name"].as_str().unwrap())
            .collect();
        assert_eq!(params, method.params, "{}", method.name);
        let errors = entry["errors"].as_array().unwrap();
        for fault in method.faults.iter().chain(method.common_faults) {
            let error = errors.iter().find(|error| error["code"] == fault.code).unwrap();
            let faults = error["data"]["faults"].as_array().unwrap();
            let listed = faults.iter().any(|entry| entry["faultcode"] == fault.faultcode);
            assert!(listed, "{}: {}", method.name, fault.faultcode);
        }
    }
}

#[test]
fn openrpc_gives_each_code_once_a_method() {
    for entry in openrpc()["methods"].as_array().unwrap() {
        let codes: Vec<i64> = entry["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["code"].as_i64().unwrap())
            .collect();
        let unique: BTreeSet<i64> = codes.iter().copied().collect();
        assert_eq!(codes.len(), unique.len(), "{}", entry["name"]);
    }
}

#[test]
fn openrpc_describes_everything() {
    let document = openrpc();

    for entry in document["methods"].as_array().unwrap() {
        assert!(!entry["summary"].as_str().unwrap().is_empty(), "{}", entry["name"]);
        for param in entry["params"].as_array().unwrap() {
            let description = param["description"].as_str().unwrap();
            assert!(!description.is_empty(), "{} {}", entry["name"], param["name"]);
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(!schema["description"].as_str().unwrap().is_empty(), "{name}");
    }
    assert_references_resolve(&document);
}

#[test]
fn openrpc_names_what_the_server_sends_unasked() {
    let document = openrpc();

    let names = |list: &str| -> BTreeSet<String> {
        let list = document[list].as_array().unwrap();
        list.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    };
    let notifications = proto::api::NOTIFICATIONS.iter().map(ToString::to_string).collect();
    assert_eq!(names("x-notifications"), notifications);
    for name in [
        "CallControl/call_state",
        "CallControl/ivr_event",
        "CallControl/conference_event",
        "CallControl/queue_stats",
        "CallControl/availability",
        "CallControl/notifications_gap",
        "Session/token_expiring",
    ] {
        assert!(notifications.contains(name), "{name}");
    }
    assert!(names("x-webhooks").contains("state_info_callback"));
}

#[test]
fn openapi_offers_a_realm_what_it_may_call_and_no_more() {
    for realm in [Realm::Admin, Realm::Reseller, Realm::Customer, Realm::Account] {
        let document = openapi(realm);

        assert_eq!(document["openapi"], "3.1.0");
        let offered: BTreeSet<String> =
            document["paths"].as_object().unwrap().keys().cloned().collect();
        let allowed: BTreeSet<String> = all()
            .filter(|method| method.is_open_to(realm) && !method.websocket_only)
            .filter(|method| method.name.contains('/'))
            .map(|method| format!("/rest/{}", method.name))
            .collect();
        assert_eq!(offered, allowed);
        assert_references_resolve(&document);
    }
    assert!(doc::openapi(Realm::Unspecified).is_none());
}

#[test]
fn openapi_of_accounts_has_no_admin_methods() {
    let account = openapi(Realm::Account);
    let admin = openapi(Realm::Admin);

    let path = "/rest/IVRApplications/add_ivr_application";
    assert!(account["paths"].get(path).is_none());
    assert!(admin["paths"].get(path).is_some());
    assert!(account["components"]["schemas"].get("AddIvrApplicationRequest").is_none());
}

#[test]
fn the_reference_has_a_section_for_every_method_and_notification() {
    let page = doc::markdown();

    for name in
        METHODS.iter().map(|method| method.name).chain(proto::api::NOTIFICATIONS.iter().copied())
    {
        assert!(page.contains(&format!("\n### `{name}`\n")), "{name}");
    }
    for fault in proto::api::COMMON_FAULTS {
        assert!(page.contains(fault.faultcode), "{}", fault.faultcode);
    }
}
