//! `cordboard admin explain`: why a session did not get an event.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::Value;
use tokio::net::lookup_host;

use super::say;
use crate::commands::web;

/// Asks the edges one after the other: which of them has a socket of the session is for them to
/// know.
pub(super) async fn ask(admin: &[String], event_id: &str, session: &str) -> anyhow::Result<()> {
    let is_plain = |text: &str| {
        !text.is_empty()
            && text.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.'))
    };
    anyhow::ensure!(is_plain(event_id), "`{event_id}` is no event_id");
    anyhow::ensure!(is_plain(session), "`{session}` is no session_id");
    let path = format!("/explain?event_id={event_id}&session={session}");
    let mut strangers = Vec::new();
    let mut silent = Vec::new();
    for name in admin {
        let addresses = lookup_host(name)
            .await
            .with_context(|| format!("`{name}` is no HOST:PORT that can be found"))?;
        for address in addresses {
            match ask_one(address, &path).await {
                Ok(answer) if knows(&answer) => {
                    say_all(&answer);
                    return Ok(());
                }
                Ok(answer) => strangers.push(answer),
                Err(error) => silent.push(format!("{address}: {error:#}")),
            }
        }
    }
    let Some(answer) = strangers.first() else {
        bail!("no edge answers on its admin port: {}", silent.join("; "));
    };
    for edge in silent {
        say(format!("not asked   {edge}"));
    }
    say_all(answer);
    Ok(())
}

async fn ask_one(admin: SocketAddr, path: &str) -> anyhow::Result<Value> {
    let answer = web::expect(admin, Method::GET, path, None).await?;
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        bail!("{error}");
    }
    Ok(answer)
}

/// Whether the edge has a subscription of the session.
fn knows(answer: &Value) -> bool {
    answer.get("subscriptions").and_then(Value::as_array).is_some_and(|all| !all.is_empty())
}

fn say_all(answer: &Value) {
    for line in lines(answer) {
        say(line);
    }
}

/// One line for each subscription, or the sentence that there is none.
fn lines(answer: &Value) -> Vec<String> {
    let text = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let subscriptions = answer.get("subscriptions").and_then(Value::as_array);
    let mut lines: Vec<_> = subscriptions
        .into_iter()
        .flatten()
        .map(|it| {
            format!(
                "{:<8} {} ({}): {}",
                text(it, "verdict"),
                text(it, "subscription_id"),
                text(it, "scope"),
                text(it, "why")
            )
        })
        .collect();
    if lines.is_empty() {
        lines.push(text(answer, "why"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_subscription_has_a_line() {
        let answer = json!({"subscriptions": [
            {"verdict": "scope", "subscription_id": "a", "scope": "account:2", "why": "foreign"},
        ]});
        assert_eq!(lines(&answer), ["scope    a (account:2): foreign"]);
        assert_eq!(lines(&json!({"why": "no subscription"})), ["no subscription"]);
    }
}
