//! What the set-up did, object by object. Not here: doing it.

use std::fmt;

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    Created,
    /// It was of another version or setting.
    Updated(String),
    /// It was as it must be.
    Unchanged,
    /// Something would have kept booking from working, or let others book.
    Fixed(String),
}

/// One object of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLine {
    /// What it is: `payment provider Ventipay (test)`.
    pub object: String,
    /// What became of it.
    pub change: Change,
}

/// What the set-up found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupReport {
    /// Odoo's series: 17, 18 or 19.
    pub series: u64,
    /// The company's name.
    pub company: String,
    /// One line an object, in the order of the steps.
    pub lines: Vec<ReportLine>,
}

impl SetupReport {
    pub(super) fn new(series: u64, company: &str) -> Self {
        Self { series, company: company.to_owned(), lines: Vec::new() }
    }

    pub(super) fn line(&mut self, object: impl Into<String>, change: Change) {
        self.lines.push(ReportLine { object: object.into(), change });
    }

    /// Whether the run changed nothing.
    pub fn is_unchanged(&self) -> bool {
        self.lines.iter().all(|line| line.change == Change::Unchanged)
    }
}

impl Change {
    /// [`Self::Unchanged`] if nothing was repaired, else [`Self::Fixed`] with all of it.
    pub(super) fn fixed(repairs: &[String]) -> Self {
        if repairs.is_empty() { Self::Unchanged } else { Self::Fixed(repairs.join(", ")) }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => f.write_str("created"),
            Self::Updated(what) => write!(f, "updated: {what}"),
            Self::Unchanged => f.write_str("unchanged"),
            Self::Fixed(why) => write!(f, "fixed: {why}"),
        }
    }
}

impl fmt::Display for SetupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Odoo {}, company {}", self.series, self.company)?;
        for line in &self.lines {
            writeln!(f, "  {}: {}", line.object, line.change)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_line_by_line() {
        let mut report = SetupReport::new(19, "Tienda SpA");
        report.line("group Concilia bot", Change::Unchanged);
        assert!(report.is_unchanged());
        report.line(
            "bot concilia-bot",
            Change::fixed(&["made active again".to_owned(), "given an e-mail address".to_owned()]),
        );
        assert!(!report.is_unchanged());
        assert_eq!(
            report.to_string(),
            "Odoo 19, company Tienda SpA\n  group Concilia bot: unchanged\n  \
             bot concilia-bot: fixed: made active again, given an e-mail address\n"
        );
    }
}
