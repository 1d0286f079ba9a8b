//! Row 2: CPU of the edge for a command, against a bare WebSocket server that forwards by a
//! unary call. Both at the same fixed rate, on the same number of sockets.
//!
//! The command is `CallControl/resume_call` of a call that nobody holds: it goes the whole way
//! to the switch and back with all checks, changes nothing and tells no event.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Setting;
use crate::client::{self, Fleet, Seat, request};
use crate::pace;
use crate::process::Server;
use crate::product::{Product, account_id};
use crate::report::{Aim, Figures, Line, micros_each, progress};

/// Commands a second: below half of what one core can do, and of each session's rate.
const RATE: u64 = 2_000;

/// Commands of a round.
const COMMANDS: u64 = 8_000;

/// Time for the calls to be set up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sockets of the two figures.
const FEW: usize = 64;

pub(super) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Line>> {
    let upstream = setting.bare(&["bare-upstream"])?;
    let upstream_address = upstream.address("listen")?.to_string();
    let product = Product::start(&setting.program, setting.core, setting.sockets).await?;
    let calls = connect_pairs(&product, setting.sockets).await?;

    let mut lines = Vec::new();
    for sockets in [FEW, setting.sockets] {
        let (mut bare_figures, mut figures) = (Figures::default(), Figures::default());
        for _ in 0..setting.rounds {
            let bare = setting.bare(&["bare-proxy", &upstream_address])?;
            let address = bare.address("listen")?;
            let seat = Seat { address, token: None, subscription: None };
            let fleet = Fleet::open(vec![seat; sockets]).await?;
            let message = request(1, "CallControl/resume_call", &json!({"call": {"id": "a.b"}}));
            let figure = round(setting, fleet, &bare, &[message]).await?;
            progress("2", "bare proxy", figure);
            bare_figures.push(figure);

            let seats = (0..sockets).map(|number| seat_of(&product, number));
            let fleet = Fleet::open(seats.collect::<anyhow::Result<_>>()?).await?;
            let messages: Vec<String> = (0..sockets)
                .filter_map(|number| calls.get(number / 2))
                .map(|id| request(1, "CallControl/resume_call", &json!({"call": {"id": id}})))
                .collect();
            let edge = product.edges.first().context("there is an edge")?;
            let figure = round(setting, fleet, edge, &messages).await?;
            progress("2", "edge", figure);
            figures.push(figure);
        }
        lines.push(Line {
            row: "2",
            what: format!("edge CPU of a command, {sockets} sockets"),
            unit: "µs",
            bare: Some(bare_figures),
            product: figures,
            aim: Aim::Ratio(1.0),
            parts: "the edge alone".to_owned(),
        });
    }
    Ok(lines)
}

/// Sends one round of commands; gives the server's CPU of each.
async fn round(
    setting: &Setting,
    mut fleet: Fleet,
    server: &Server,
    messages: &[String],
) -> anyhow::Result<f64> {
    let commands = setting.share_of(COMMANDS);
    // What is done once for a socket is no part of a command.
    let warm = messages.len().max(FEW) as u64;
    for number in 0..warm {
        fleet.send(number, of(messages, number)?).await?;
    }
    fleet.wait_for(warm).await?;
    let before = server.cpu()?;
    pace::keep(RATE, commands, async |number| fleet.send(number, of(messages, number)?).await)
        .await?;
    fleet.wait_for(warm + commands).await?;
    Ok(micros_each(server.cpu()?.saturating_sub(before), commands))
}

fn of(messages: &[String], number: u64) -> anyhow::Result<&String> {
    messages.get(usize::try_from(number)? % messages.len()).context("there are messages")
}

/// The seat of the account with this number, from 0, subscribed to its own scope.
pub(super) fn seat_of(product: &Product, number: usize) -> anyhow::Result<Seat> {
    Ok(Seat {
        address: product.edge(number)?,
        token: product.tokens.get(number % product.tokens.len()).cloned(),
        subscription: Some(json!({})),
    })
}

/// Has each account with an odd number call the next one; gives the ids of the calls.
async fn connect_pairs(product: &Product, accounts: usize) -> anyhow::Result<Vec<String>> {
    let mut calls = Vec::new();
    for number in (0..accounts).step_by(2) {
        let mut socket = client::open(seat_of(product, number)?).await?;
        let params = json!({"destination": account_id(number + 2)});
        let made = client::call(&mut socket, "CallControl/originate_call", &params).await?;
        let id = made["call"]["id"].as_str().context("a call has an id")?.to_owned();
        let deadline = Instant::now() + PATIENCE;
        let params = json!({"call": {"id": &id}});
        loop {
            let info = client::call(&mut socket, "CallControl/get_call_info", &params).await?;
            let legs = info["call_info"].as_array().map_or(&[] as &[Value], Vec::as_slice);
            if legs.len() == 2 && legs.iter().all(|leg| leg["state"] == "connected") {
                break;
            }
            anyhow::ensure!(Instant::now() < deadline, "a call is not connected: {info}");
            sleep(Duration::from_millis(5)).await;
        }
        calls.push(id);
    }
    Ok(calls)
}
