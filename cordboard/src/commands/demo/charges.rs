//! What the scenarios cost: their charges as a table, when all have been written.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::Client;
use super::scenarios::Stage;
use crate::cli::Scenario;

/// Charges are written within two seconds; the demo waits longer before it says that some are
/// missing.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the demo looks whether all have been written.
const PAUSE: Duration = Duration::from_millis(100);

/// Prints the charges of the scenarios that were played, oldest first.
pub(super) async fn show(stage: &Stage, played: &[Scenario]) -> anyhow::Result<()> {
    stage.timeline.title("Who pays for these calls, and what");
    let mut admin = stage.sign_in("admin").await?;
    written(&mut admin, played.iter().map(|it| charges_of(*it)).sum()).await?;
    let listed = admin.call(METHOD, everything()).await?;
    let charges = charges(&listed)?;
    stage.timeline.check(&format!("{} charges are written", charges.len()));
    if !charges.is_empty() {
        let head = row(["paid by", "service", "direction", "from", "to", "sec", "price"]);
        let rows: Vec<_> = charges.iter().rev().map(charge_row).collect();
        stage.timeline.table(&head, &rows);
    }
    Ok(())
}

const METHOD: &str = "CDR/get_xdr_list";

fn everything() -> Value {
    json!({"limit": 1000})
}

/// How many charges a scenario gives: one for each leg, payer and service. Those of `Refusals` are
/// not waited for, as its call ends at once, usually before it is answered.
fn charges_of(scenario: Scenario) -> usize {
    match scenario {
        Scenario::Refusals => 0,
        Scenario::Incoming | Scenario::VisaCenter => 1,
        Scenario::Call | Scenario::Queue | Scenario::Callback | Scenario::Resume => 2,
        Scenario::Redirect => 4,
        Scenario::Conference => 9,
    }
}

/// Waits until at least that many charges are written.
async fn written(reader: &mut Client, count: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = reader.ask(METHOD, everything()).await?;
        let listed = answer.map_err(|error| anyhow::anyhow!("{METHOD} was refused: {error}"))?;
        let found = charges(&listed)?.len();
        if found >= count {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{found} charges of {count} are written");
        tokio::time::sleep(PAUSE).await;
    }
}

fn charges(listed: &Value) -> anyhow::Result<&Vec<Value>> {
    listed.get("xdr_list").and_then(Value::as_array).context("the answer lists no charges")
}

fn charge_row(charge: &Value) -> String {
    let text = |name: &str| charge.get(name).and_then(Value::as_str).unwrap_or_default();
    let seconds = charge.get("charged_quantity").and_then(Value::as_i64).unwrap_or_default();
    let price = format!("{} {}", text("charged_amount"), text("currency"));
    row([
        text("account_id"),
        text("service"),
        text("direction"),
        text("cli"),
        text("cld"),
        &seconds.to_string(),
        &price,
    ])
}

fn row([account, service, direction, from, to, seconds, price]: [&str; 7]) -> String {
    format!(
        "{account:<8} {service:<12} {direction:<9} {from:<12} {to:<12} {seconds:>4} {price:>14}"
    )
}
