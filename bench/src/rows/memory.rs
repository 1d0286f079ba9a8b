//! Row 4: resident memory of an idle socket, authenticated and subscribed.

use anyhow::Context as _;
use tokio::time::{Duration, sleep};

use super::Setting;
use super::command::seat_of;
use crate::client::{Fleet, Seat};
use crate::process::Server;
use crate::product::Product;
use crate::report::{Aim, Figures, Line, progress};

/// Sockets of one account, below the limit of sockets of a user.
pub(super) const OF_ONE: usize = 50;

/// After which memory no longer changes: buffers of the handshakes have been given back.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Line>> {
    let (mut bare_figures, mut figures) = (Figures::default(), Figures::default());
    let accounts = setting.idle.div_ceil(OF_ONE);
    for _ in 0..setting.rounds {
        let bare = setting.bare(&["bare-fanout"])?;
        let seat = Seat { address: bare.address("listen")?, token: None, subscription: None };
        let before = bare.resident()?;
        let fleet = Fleet::open(vec![seat; setting.idle]).await?;
        let figure = settled(&bare, before, setting.idle).await?;
        progress("4", "bare", figure);
        bare_figures.push(figure);
        drop(fleet);

        // A new process each time: what one round has touched is not given back to the kernel.
        let product = Product::start(&setting.program, setting.core, accounts).await?;
        let edge = product.edges.first().context("there is an edge")?;
        let before = edge.resident()?;
        let seats = (0..setting.idle).map(|number| seat_of(&product, number));
        let fleet = Fleet::open(seats.collect::<anyhow::Result<_>>()?).await?;
        let figure = settled(edge, before, setting.idle).await?;
        progress("4", "edge", figure);
        figures.push(figure);
        drop(fleet);
    }
    Ok(vec![Line {
        row: "4",
        what: format!("memory of an idle socket, {} sockets", setting.idle),
        unit: "KiB",
        bare: Some(bare_figures),
        product: figures,
        aim: Aim::Value(6.0),
        parts: "the edge alone".to_owned(),
    }])
}

/// KiB that each socket has added.
async fn settled(server: &Server, before: u64, sockets: usize) -> anyhow::Result<f64> {
    sleep(SETTLE).await;
    let added = server.resident()?.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^52")]
    let each = added as f64 / sockets as f64 / 1024.0;
    Ok(each)
}
