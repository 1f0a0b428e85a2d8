//! The table: one row a case, with the sentence why where one failed.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::bench::Bench;

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Pass,
    /// Not as expected: the sentence why.
    Fail(String),
    /// It cannot be tried here: the sentence why.
    NotRun(String),
}

/// One case.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name, for `--only`.
    pub case: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// Every case of a run.
#[derive(Debug, Clone)]
pub struct Table {
    /// Odoo's series.
    pub series: u64,
    /// What everything of this run is named by.
    pub run: String,
    /// The company worked in.
    pub company: i64,
    /// In the order they were run.
    pub rows: Vec<Row>,
}

impl Verdict {
    fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "FAIL",
            Self::NotRun(_) => "not run",
        }
    }

    fn why(&self) -> Option<&str> {
        match self {
            Self::Pass => None,
            Self::Fail(why) | Self::NotRun(why) => Some(why),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        write!(
            f,
            "{:<8} {:<26} {:>6.1} s  {}",
            self.verdict.word(),
            self.case,
            seconds,
            self.about
        )?;
        match self.verdict.why() {
            Some(why) => write!(f, "\n         {}", why.replace('\n', " ")),
            None => Ok(()),
        }
    }
}

impl Table {
    pub(super) fn new(bench: &Bench) -> Self {
        Self {
            series: bench.series,
            run: bench.run.clone(),
            company: bench.company,
            rows: Vec::new(),
        }
    }

    /// Whether every case passed; one that could not be tried is none that passed.
    pub fn all_pass(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.verdict == Verdict::Pass)
    }

    /// The last line: how many of each.
    pub fn summary(&self) -> String {
        let count = |word: &str| self.rows.iter().filter(|row| row.verdict.word() == word).count();
        format!(
            "Odoo {}, company {}, run {}: {} passed, {} failed, {} not run.",
            self.series,
            self.company,
            self.run,
            count("pass"),
            count("FAIL"),
            count("not run")
        )
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({"case": row.case, "about": row.about, "result": row.verdict.word().to_lowercase(),
                       "why": row.verdict.why(), "ms": u64::try_from(row.took.as_millis()).ok()})
            })
            .collect();
        json!({"series": self.series, "company": self.company, "run": self.run,
               "all_pass": self.all_pass(), "cases": rows})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(verdicts: &[Verdict]) -> Table {
        let row = |verdict: &Verdict| Row {
            case: "order-invoiced",
            about: "A payment is booked",
            verdict: verdict.clone(),
            took: Duration::from_millis(1_240),
        };
        let rows = verdicts.iter().map(row).collect();
        Table { series: 19, run: "abc".to_owned(), company: 7, rows }
    }

    #[test]
    fn only_what_passed_passes() {
        let not_run = Verdict::NotRun("x".to_owned());
        assert!(table(&[Verdict::Pass]).all_pass());
        assert!(!table(&[]).all_pass());
        assert!(!table(&[Verdict::Pass, not_run.clone()]).all_pass());
        assert!(!table(&[Verdict::Fail("x".to_owned())]).all_pass());
        let summary = table(&[Verdict::Pass, not_run]).summary();
        assert_eq!(summary, "Odoo 19, company 7, run abc: 1 passed, 0 failed, 1 not run.");
    }

    #[test]
    fn a_failure_says_why_below_its_row() {
        let table = table(&[Verdict::Fail("the state is\n\"draft\"".to_owned())]);
        let text = table.rows[0].to_string();
        assert!(text.starts_with("FAIL     order-invoiced"), "{text}");
        assert!(text.ends_with("\n         the state is \"draft\""), "{text}");
        assert_eq!(table.json()["cases"][0]["result"], "fail");
    }
}
