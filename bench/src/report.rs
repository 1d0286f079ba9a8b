//! Medians, ratios, and the table that is printed.

use std::time::Duration;

/// One measured figure: the product beside what it is compared with.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) row: &'static str,
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) bare: Option<Figures>,
    pub(crate) product: Figures,
    /// The most that the figure, or its ratio to the bare one, may be.
    pub(crate) aim: Aim,
    /// Where the product's figure goes.
    pub(crate) parts: String,
}

/// What a figure has to keep to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim {
    /// So many times the bare server's.
    Ratio(f64),
    /// So much by itself.
    Value(f64),
    /// Nothing by itself.
    None,
}

/// The same figure of several rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures(Vec<f64>);

impl Figures {
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn spread(&self) -> String {
        let low = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{:.2} ({low:.2}–{high:.2})", self.median())
    }
}

/// Microseconds of each of so many.
pub(crate) fn micros_each(time: Duration, count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let count = count as f64;
    time.as_secs_f64() * 1e6 / count
}

/// Prints a figure as it is measured, so that a long run shows that it goes on.
pub(crate) fn progress(row: &str, what: &str, figure: f64) {
    eprintln!("row {row}: {what}: {figure:.2}");
}

/// Prints the table.
pub(crate) fn print(lines: &[Line]) {
    println!("| row | figure | bare | product | ratio | aim | met | where it goes |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for line in lines {
        let bare = line.bare.as_ref();
        let ratio = bare.map(|bare| line.product.median() / bare.median());
        let (aim, is_met) = match line.aim {
            Aim::Ratio(most) => (format!("≤ {most:.2} ×"), ratio.map(|ratio| ratio <= most)),
            Aim::Value(most) => {
                (format!("≤ {most} {}", line.unit), Some(line.product.median() <= most))
            }
            Aim::None => ("–".to_owned(), None),
        };
        println!(
            "| {} | {}, {} | {} | {} | {} | {aim} | {} | {} |",
            line.row,
            line.what,
            line.unit,
            bare.map_or_else(|| "–".to_owned(), Figures::spread),
            line.product.spread(),
            ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2} ×")),
            match is_met {
                Some(true) => "yes",
                Some(false) => "no",
                None => "–",
            },
            line.parts,
        );
    }
}
