//! People at the simulator's phones, over its control port.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Behaviour, RINGING, Sound, Who};
use crate::commands::web;

/// The simulator's control port.
#[derive(Debug)]
pub(in crate::commands::demo) struct Sim {
    control: SocketAddr,
}

impl Sim {
    pub(in crate::commands::demo) fn new(control: SocketAddr) -> Self {
        Self { control }
    }

    pub(super) async fn set(&self, account: &str, behaviour: Behaviour) -> anyhow::Result<()> {
        let behaviour = match behaviour {
            Behaviour::Manual => json!({"behaviour": "manual"}),
            Behaviour::Usual => {
                let ms = u64::try_from(RINGING.as_millis())?;
                json!({"behaviour": "answer_after", "ms": ms})
            }
        };
        self.ask(Method::PUT, &format!("phones/{account}"), behaviour).await?;
        Ok(())
    }

    pub(super) async fn dial(&self, account: &str, destination: &str) -> anyhow::Result<()> {
        let path = format!("phones/{account}/dial");
        self.ask(Method::POST, &path, json!({"destination": destination})).await?;
        Ok(())
    }

    pub(super) async fn hang_up(&self, account: &str) -> anyhow::Result<()> {
        self.ask(Method::POST, &format!("phones/{account}/hangup"), json!({})).await?;
        Ok(())
    }

    /// Answers what rings; `false` when nothing does.
    pub(super) async fn answer(&self, account: &str) -> anyhow::Result<bool> {
        let path = format!("/sim/phones/{account}/answer");
        let answer = web::send(self.control, Method::POST, &path, Some(&json!({}))).await?;
        let status = answer.status;
        ensure!(status.is_success() || status == StatusCode::CONFLICT, "{path}: {status}");
        Ok(status.is_success())
    }

    pub(super) async fn call_in(&self, from: &str, name: &str, to: &str) -> anyhow::Result<String> {
        let call = json!({"from": from, "to": to, "name": name});
        let placed = self.ask(Method::POST, "trunk/call", call).await?;
        let leg = placed.get("leg").and_then(Value::as_str).context("the leg of the trunk")?;
        Ok(leg.to_owned())
    }

    pub(super) async fn press(&self, leg: &str, keys: &str) -> anyhow::Result<()> {
        let path = format!("trunk/legs/{leg}/dtmf");
        self.ask(Method::POST, &path, json!({"digits": keys})).await?;
        Ok(())
    }

    pub(super) async fn caller_hangs_up(&self, leg: &str) -> anyhow::Result<()> {
        self.ask(Method::POST, &format!("trunk/legs/{leg}/hangup"), json!({})).await?;
        Ok(())
    }

    pub(super) async fn hears(&self, who: Who<'_>, sound: Sound<'_>) -> anyhow::Result<()> {
        let path = match who {
            Who::Phone(account) => format!("phones/{account}"),
            Who::Caller(caller) => format!("trunk/legs/{}", caller.leg),
        };
        let state = self.ask(Method::GET, &path, Value::Null).await?;
        let mut heard = state.get("hears").cloned().unwrap_or_default();
        if let Some(parties) = heard.as_array_mut() {
            parties.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        }
        let expected = match sound {
            Sound::Parties(parties) => json!(parties),
            Sound::Music => json!("music"),
            Sound::Prompt(path) => json!(format!("prompt:{path}")),
        };
        ensure!(heard == expected, "{path} hears {heard}, not {expected}");
        Ok(())
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let body = (!body.is_null()).then_some(body);
        web::expect(self.control, method, &format!("/sim/{path}"), body.as_ref()).await
    }
}
