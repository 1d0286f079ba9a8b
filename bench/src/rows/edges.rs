//! Row 6: CPU of an event for the same clients on one, two and four edges.

use serde_json::json;

use super::Setting;
use super::command::seat_of;
use super::delivery::{Round, singles};
use crate::client::{Fleet, Seat};
use crate::product::{Product, QUEUE};
use crate::report::{Aim, Figures, Line, micros_each, progress};

pub(super) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Line>> {
    let mut product = Product::start(&setting.program, setting.core, setting.sockets).await?;
    let round = Round::of(setting);
    let mut all: Vec<(usize, Figures, Figures)> = Vec::new();
    for edges in [1, 2, 4] {
        while product.edges.len() < edges {
            product.add_edge()?;
        }
        let (mut total, mut redis) = (Figures::default(), Figures::default());
        for _ in 0..setting.rounds {
            let on_queue = json!({"i_c_queue": QUEUE});
            let seats = (0..setting.sockets).map(|number| {
                Ok(Seat { subscription: Some(on_queue.clone()), ..seat_of(&product, number)? })
            });
            let fleet = Fleet::open(seats.collect::<anyhow::Result<_>>()?).await?;
            let path =
                singles(&mut product, &fleet, u64::try_from(setting.sockets)?, round).await?;
            let figure = micros_each(path.total(), round.singles);
            progress("6", &format!("{edges} edges"), figure);
            total.push(figure);
            redis.push(micros_each(path.redis, round.singles));
        }
        all.push((edges, total, redis));
    }
    let Some((_, one, one_redis)) = all.first().cloned() else { return Ok(Vec::new()) };
    let mut lines = Vec::new();
    for (edges, total, redis) in all {
        let (aim, redis_aim) = match edges {
            1 => (Aim::None, Aim::None),
            2 => (Aim::Ratio(1.1), Aim::Ratio(1.1)),
            _ => (Aim::Ratio(1.2), Aim::Ratio(1.1)),
        };
        let base = |one: &Figures| (edges > 1).then(|| one.clone());
        lines.push(Line {
            row: "6",
            what: format!("CPU of an event, all processes, {edges} edge(s); bare: 1 edge"),
            unit: "µs",
            bare: base(&one),
            product: total,
            aim,
            parts: format!("{} sockets", setting.sockets),
        });
        lines.push(Line {
            row: "6",
            what: format!("Redis's CPU of an event, {edges} edge(s); bare: 1 edge"),
            unit: "µs",
            bare: base(&one_redis),
            product: redis,
            aim: redis_aim,
            parts: String::new(),
        });
    }
    Ok(lines)
}
