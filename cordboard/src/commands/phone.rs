//! `cordboard phone`: a person's hand on the simulated phones.

use http::Method;
use serde_json::{Value, json};

use super::{say, web};
use crate::cli::{Hand, OnPhone, Phone};

pub(super) async fn run(args: Phone) -> anyhow::Result<()> {
    let (method, path, body) = request(args.hand);
    let answer = web::expect(args.control, method, &path, body.as_ref()).await?;
    say(serde_json::to_string_pretty(&answer)?);
    Ok(())
}

/// The request that stands for a hand.
fn request(hand: Hand) -> (Method, String, Option<Value>) {
    let on_phone = |OnPhone { account, call_id }: OnPhone, what: &str| {
        let body = call_id.map_or_else(|| json!({}), |call_id| json!({"call_id": call_id}));
        (Method::POST, format!("/sim/phones/{account}/{what}"), Some(body))
    };
    match hand {
        Hand::Show { account } => (Method::GET, format!("/sim/phones/{account}"), None),
        Hand::Set { account, behaviour, ms } => {
            let mut body = json!({"behaviour": behaviour});
            if let (Some(ms), Some(body)) = (ms, body.as_object_mut()) {
                body.insert("ms".to_owned(), json!(ms));
            }
            (Method::PUT, format!("/sim/phones/{account}"), Some(body))
        }
        Hand::Dial { account, destination } => {
            let body = json!({"destination": destination});
            (Method::POST, format!("/sim/phones/{account}/dial"), Some(body))
        }
        Hand::Answer(on) => on_phone(on, "answer"),
        Hand::Decline(on) => on_phone(on, "decline"),
        Hand::Hangup(on) => on_phone(on, "hangup"),
        Hand::Hold(on) => on_phone(on, "hold"),
        Hand::Resume(on) => on_phone(on, "resume"),
        Hand::Dtmf { account, digits, gap_ms } => {
            let mut body = json!({"digits": digits});
            if let (Some(gap_ms), Some(body)) = (gap_ms, body.as_object_mut()) {
                body.insert("gap_ms".to_owned(), json!(gap_ms));
            }
            (Method::POST, format!("/sim/phones/{account}/dtmf"), Some(body))
        }
        Hand::Incoming { from, to, name } => {
            let body = json!({"from": from, "to": to, "name": name.unwrap_or_default()});
            (Method::POST, "/sim/trunk/call".to_owned(), Some(body))
        }
    }
}
