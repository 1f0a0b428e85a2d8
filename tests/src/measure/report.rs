//! What was measured, as a table for people and as JSON for scripts: ratios first, and beside
//! them the numbers of this machine, which say little about another one.
//!
//! Not here: how a figure comes about (the other modules of [`super`]).

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::figures::{Ratio, Unit, median};

/// What is said of the numbers, once.
const LEGEND: &str = "ratio: the figure by its baseline, the median over pairs that were measured \
one right after the other.\nThe two columns on the right are this machine's, today: compare \
ratios, not them.";

/// A part of the measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name: `durable`, `log`, …
    pub name: &'static str,
    /// What it measures, in a sentence.
    pub title: String,
    /// Its figures.
    pub rows: Vec<Row>,
}

/// One figure beside one baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Under which circumstances: `128 connections`.
    pub case: String,
    /// What: `acks`, `p99`.
    pub what: &'static str,
    /// Its unit, and the baseline's.
    pub unit: Unit,
    /// What it is compared with.
    pub baseline: String,
    /// What was measured and its baseline, repetition by repetition.
    pub pairs: Vec<(u64, u64)>,
}

impl Row {
    /// The median of the ratios.
    pub fn ratio(&self) -> Option<Ratio> {
        let ratios: Option<Vec<Ratio>> =
            self.pairs.iter().map(|(value, baseline)| Ratio::of(*value, *baseline)).collect();
        median(&ratios?)
    }

    /// The median of what was measured, and of the baseline.
    pub fn here(&self) -> (u64, u64) {
        let (values, baselines): (Vec<u64>, Vec<u64>) = self.pairs.iter().copied().unzip();
        (median(&values).unwrap_or_default(), median(&baselines).unwrap_or_default())
    }

    fn shown_ratio(&self) -> String {
        self.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio}×"))
    }

    fn json(&self) -> Value {
        let (value, baseline) = self.here();
        let ratio = self.ratio().and_then(|it| serde_json::from_str(&it.to_string()).ok());
        json!({
            "case": self.case,
            "what": self.what,
            "ratio": ratio.unwrap_or(Value::Null),
            "baseline": self.baseline,
            "unit": self.unit.name(),
            "this_machine": {"value": value, "baseline": baseline, "pairs": self.pairs},
        })
    }
}

/// Everything as text.
pub fn text(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        let _ = writeln!(text, "\n{}: {}\n{}", section.name, section.title, table(section));
    }
    let _ = writeln!(text, "\n{LEGEND}");
    text
}

/// Everything as JSON.
pub fn json(sections: &[Section]) -> Value {
    let sections = sections.iter().map(|section| {
        let rows: Vec<Value> = section.rows.iter().map(Row::json).collect();
        json!({"name": section.name, "title": section.title, "rows": rows})
    });
    json!({"sections": sections.collect::<Vec<_>>()})
}

fn table(section: &Section) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["case", "what", "ratio", "to", "here", "baseline here"]);
    for row in &section.rows {
        let (value, baseline) = row.here();
        table.add_row([
            row.case.clone(),
            row.what.to_owned(),
            row.shown_ratio(),
            row.baseline.clone(),
            row.unit.show(value),
            row.unit.show(baseline),
        ]);
    }
    for number in [2, 4, 5] {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Section {
        let row = Row {
            case: "16 connections".to_owned(),
            what: "acks",
            unit: Unit::PerSecond,
            baseline: "single publishes".to_owned(),
            pairs: vec![(2_000, 1_000), (900, 300), (5_000, 1_000)],
        };
        Section { name: "durable", title: "acks".to_owned(), rows: vec![row] }
    }

    #[test]
    fn the_ratio_is_the_median_over_pairs() {
        let row = &section().rows[0];
        assert_eq!(row.ratio().unwrap().to_string(), "3.00");
        assert_eq!(row.here(), (2_000, 1_000));
        let json = json(&[section()]);
        let row = &json["sections"][0]["rows"][0];
        assert_eq!(row["ratio"].to_string(), "3.0");
        assert_eq!(row["this_machine"]["value"], 2_000);
        let text = text(&[section()]);
        assert!(text.contains("3.00×") && text.contains("2,000/s"), "{text}");
    }

    #[test]
    fn a_baseline_of_nothing_has_no_ratio() {
        let mut section = section();
        section.rows[0].pairs[1].1 = 0;
        assert_eq!(section.rows[0].ratio(), None);
        assert_eq!(json(&[section])["sections"][0]["rows"][0]["ratio"], Value::Null);
    }
}
