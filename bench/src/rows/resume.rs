//! Row 5: many clients that were cut off come back at once, each with the place up to which it has
//! everything, and get what they missed.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Setting;
use super::command::seat_of;
use super::delivery::event;
use super::memory::OF_ONE;
use crate::client::{self, Fleet, Seat};
use crate::product::{Product, QUEUE};
use crate::report::{Aim, Figures, Line, progress};

/// Events that each client has missed, written in one commit.
const MISSED: u64 = 5;

/// After which the edge has forgotten the sockets of before.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Line>> {
    let accounts = setting.idle.div_ceil(OF_ONE);
    let mut product = Product::start(&setting.program, setting.core, accounts).await?;
    let (mut figures, mut parts) = (Figures::default(), String::new());
    for _ in 0..setting.rounds {
        drop(Fleet::open(seats(&product, setting.idle, None)?).await?);
        sleep(SETTLE).await;
        let mut probe = client::open(seat_of(&product, 0)?).await?;
        let params = json!({"i_c_queue": QUEUE});
        let enabled = client::call(&mut probe, "CallControl/enable_api_notifications", &params);
        let enabled = enabled.await?;
        let cursor = enabled["cursor"].as_str().context("a subscription has a cursor")?;
        let missed: Vec<_> = (0..MISSED).map(|number| event(number, None)).collect();
        product.write(&missed).await?;

        let (begin, before) = (Instant::now(), product.path()?);
        let fleet = Fleet::open(seats(&product, setting.idle, Some(cursor))?).await?;
        fleet.wait_for(MISSED * u64::try_from(setting.idle)?).await?;
        let (took, path) = (begin.elapsed(), product.path()?.since(before));
        progress("5", "servers, seconds", path.total().as_secs_f64());
        figures.push(path.total().as_secs_f64());
        parts = format!(
            "edge {:.2}, notifier {:.2}, Redis {:.2}; all had everything after {:.2} s",
            path.edges.as_secs_f64(),
            path.notifier.as_secs_f64(),
            path.redis.as_secs_f64(),
            took.as_secs_f64()
        );
    }
    Ok(vec![Line {
        row: "5",
        what: format!(
            "CPU of {} sockets that reconnect, resume and get {MISSED} missed events each",
            setting.idle
        ),
        unit: "s",
        bare: None,
        product: figures,
        aim: Aim::Value(2.0),
        parts,
    }])
}

/// Seats that are subscribed to the queue; with a cursor they resume from there.
fn seats(product: &Product, sockets: usize, cursor: Option<&str>) -> anyhow::Result<Vec<Seat>> {
    let mut params = json!({"i_c_queue": QUEUE});
    if let Some(cursor) = cursor {
        params["resume_from"] = json!(cursor);
    }
    let seat =
        |number| Ok(Seat { subscription: Some(params.clone()), ..seat_of(product, number)? });
    (0..sockets).map(seat).collect()
}
