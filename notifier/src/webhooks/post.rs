//! What is posted of an entry of the log.

use bytes::Bytes;
use mesh::cursor::{Cursor, Place};
use mesh::outward::{Address, Rules};
use prost::Message as _;
use proto::call::v1::CallRef;
use proto::json::Message as _;
use proto::session::v1::{PlaybackCallInfo, PlaybackWebhook, StateInfoWebhook};
use proto::switch::v1::LogEntry;
use proto::switch::v1::log_entry::Body;

use crate::domain::deliveries::Post;
use crate::domain::entry::Place as LogPlace;

/// The posts of an entry, one for each address; `life` counts the lives of the log. Addresses that
/// may no longer be used give none.
pub(super) fn posts_of(raw: &Bytes, place: &LogPlace, life: u64, rules: Rules) -> Vec<Post> {
    let Ok(entry) = LogEntry::decode(raw.clone()) else { return Vec::new() };
    let LogEntry { i_customer, callbacks, body, .. } = entry;
    let (partition, position) = (place.partition, place.position);
    let epoch = place.era.epoch.clone();
    let event_id = Cursor::One { i_customer, place: Place { partition, epoch, position } }.encode();
    let Some((call, body)) = body.and_then(|body| render(body, event_id)) else {
        return Vec::new();
    };
    let body = Bytes::from(body);
    let addresses = callbacks.iter().filter_map(|text| Address::parse(text, rules).ok());
    addresses
        .map(|address| Post {
            partition,
            life,
            position,
            i_customer,
            call_id: call.id.clone(),
            target: address.to_string(),
            address,
            body: body.clone(),
        })
        .collect()
}

/// The call, and the body as the contract says it.
fn render(body: Body, event_id: String) -> Option<(CallRef, Vec<u8>)> {
    match body {
        Body::CallState(info) => {
            let call = info.call.clone()?;
            Some((call, StateInfoWebhook { event_id, call_info: Some(info) }.to_json()))
        }
        Body::IvrEvent(event) => {
            let call = event.call.clone()?;
            let call_info = Some(PlaybackCallInfo {
                call: event.call,
                tracking_id: event.tracking_id,
                ivr_info: event.ivr_info,
            });
            Some((call, PlaybackWebhook { event_id, call_info }.to_json()))
        }
        Body::ConferenceEvent(_) | Body::QueueStats(_) | Body::Availability(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use mesh::ledger::{Epoch, Position};
    use proto::call::v1::CallInfo;
    use proto::switch::v1::{IvrEvent, IvrInfo};
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::entry::Era;

    fn posts(body: Body, callbacks: &[&str]) -> Vec<Post> {
        let entry = LogEntry {
            i_customer: 7,
            callbacks: callbacks.iter().map(|it| (*it).to_owned()).collect(),
            body: Some(body),
            ..LogEntry::default()
        };
        let era = Era::new(Epoch { born_millis: 1, nonce: 2 });
        let place = LogPlace { partition: 3, era, position: Position { millis: 4, sequence: 5 } };
        posts_of(&entry.encode_to_vec().into(), &place, 0, Rules::default())
    }

    fn call() -> CallRef {
        CallRef { id: "n.1".to_owned(), tag: Some("t".to_owned()) }
    }

    #[test]
    fn a_state_is_posted_as_the_contract_says() {
        let info = CallInfo { call: Some(call()), sequence: 5, ..CallInfo::default() };
        let made = posts(Body::CallState(info), &["https://crm.example.com/a?b=c"]);

        assert_eq!(
            (made[0].target.as_str(), made[0].call_id.as_str()),
            ("https://crm.example.com", "n.1")
        );
        assert_eq!(made[0].address.as_str(), "https://crm.example.com/a?b=c");
        let body: Value = serde_json::from_slice(&made[0].body).unwrap();
        assert_eq!(body["call_info"]["sequence"], 5);
        let place = Cursor::decode(body["event_id"].as_str().unwrap()).unwrap();
        assert!(matches!(place, Cursor::One { i_customer: 7, place } if place.partition == 3));
        assert_eq!(body.as_object().unwrap().len(), 2);
    }

    #[test]
    fn the_end_of_a_prompt_is_posted_with_call_and_tracking_id() {
        let info = IvrInfo { event: "prompt_playback_completed".to_owned(), ..IvrInfo::default() };
        let event =
            IvrEvent { call: Some(call()), tracking_id: "x".to_owned(), ivr_info: Some(info) };
        let made = posts(Body::IvrEvent(event), &["http://a.example/", "http://b.example/"]);

        assert_eq!(made.len(), 2);
        let body: Value = serde_json::from_slice(&made[1].body).unwrap();
        assert_eq!(
            body["call_info"],
            json!({"call": {"id": "n.1", "tag": "t"}, "tracking_id": "x",
                "ivr_info": {"event": "prompt_playback_completed"}})
        );
    }

    #[test]
    fn an_address_that_may_not_be_used_any_more_gets_nothing() {
        let info = CallInfo { call: Some(call()), ..CallInfo::default() };

        assert!(posts(Body::CallState(info), &["http://127.0.0.1/", "nonsense"]).is_empty());
    }
}
