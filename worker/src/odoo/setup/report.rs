//! What the set-up found and did, object by object, and how that reads. Not here: doing it.
//!
//! One list of lines serves three readers: `odoo setup` says what was done, `--plan` what would
//! be done, `odoo check` what is wrong. They cannot disagree: the lines are the same ones.

use std::fmt;

/// One thing that is wrong with an object, and its cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// What is wrong: `is archived`.
    pub wrong: String,
    /// What is done about it: `made active again`.
    pub cure: String,
}

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    Created,
    /// It was not as it must be: of another version or setting, or spoilt by hand.
    Changed(Vec<Repair>),
    /// It was as it must be.
    Unchanged,
    /// It was taken away.
    Removed(String),
    /// It is left as it is, on purpose.
    Kept(String),
    /// Something is wrong that the set-up does not touch: a person must.
    Attention {
        /// What is wrong.
        wrong: String,
        /// What to do, as a sentence.
        todo: String,
    },
}

/// One object of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLine {
    /// What it is: `payment provider Ventipay (test)`.
    pub object: String,
    /// What became of it.
    pub change: Change,
}

/// What the set-up found and did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupReport {
    /// Odoo's series: 17, 18 or 19.
    pub series: u64,
    /// The company's name.
    pub company: String,
    /// Whether nothing was written: the lines say what would be done.
    pub planned: bool,
    /// One line an object, in the order of the steps.
    pub lines: Vec<ReportLine>,
}

impl Repair {
    pub(super) fn new(wrong: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { wrong: wrong.into(), cure: cure.into() }
    }
}

impl SetupReport {
    pub(super) fn new(series: u64, company: &str, planned: bool) -> Self {
        Self { series, company: company.to_owned(), planned, lines: Vec::new() }
    }

    pub(super) fn line(&mut self, object: impl Into<String>, change: Change) {
        self.lines.push(ReportLine { object: object.into(), change });
    }

    pub(super) fn attention(
        &mut self,
        object: impl Into<String>,
        wrong: impl Into<String>,
        todo: impl Into<String>,
    ) {
        let change = Change::Attention { wrong: wrong.into(), todo: todo.into() };
        self.line(object, change);
    }

    /// Whether the run changed (or would change) nothing.
    pub fn is_unchanged(&self) -> bool {
        self.lines.iter().all(|line| !line.change.writes())
    }

    /// What is not as it must be, one sentence each: what is wrong and what to do.
    pub fn findings(&self) -> Vec<String> {
        self.lines.iter().filter_map(ReportLine::finding).collect()
    }
}

impl ReportLine {
    /// The line as a finding, if something is wrong.
    pub fn finding(&self) -> Option<String> {
        const RUN: &str = "Run `concilia-worker odoo setup`.";
        let object = capital(&self.object);
        match &self.change {
            Change::Unchanged | Change::Removed(_) | Change::Kept(_) => None,
            Change::Created => Some(format!("{object} is missing. {RUN}")),
            Change::Changed(repairs) => {
                let wrong: Vec<&str> = repairs.iter().map(|repair| repair.wrong.as_str()).collect();
                Some(format!("{object} {}. {RUN}", wrong.join(", ")))
            }
            Change::Attention { wrong, todo } => Some(format!("{object} {wrong}. {todo}")),
        }
    }

    /// What became of the object; `planned`: what would become of it.
    pub fn done(&self, planned: bool) -> String {
        match (&self.change, planned) {
            (Change::Created, true) => "would be created".to_owned(),
            (Change::Changed(repairs), true) => format!("would be {}", cures(repairs)),
            (Change::Removed(how), true) => format!("would be {how}"),
            (change, _) => change.to_string(),
        }
    }
}

impl Change {
    /// [`Self::Unchanged`] if there is nothing to repair.
    pub(super) fn of(repairs: Vec<Repair>) -> Self {
        if repairs.is_empty() { Self::Unchanged } else { Self::Changed(repairs) }
    }

    /// Whether it is one that writes.
    pub fn writes(&self) -> bool {
        matches!(self, Self::Created | Self::Changed(_) | Self::Removed(_))
    }
}

fn cures(repairs: &[Repair]) -> String {
    let cures: Vec<&str> = repairs.iter().map(|repair| repair.cure.as_str()).collect();
    cures.join(", ")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => f.write_str("created"),
            Self::Changed(repairs) => f.write_str(&cures(repairs)),
            Self::Unchanged => f.write_str("unchanged"),
            Self::Removed(how) => f.write_str(how),
            Self::Kept(why) => write!(f, "kept: {why}"),
            Self::Attention { wrong, todo } => write!(f, "{wrong}. {todo}"),
        }
    }
}

impl fmt::Display for SetupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Odoo {}, company {}", self.series, self.company)?;
        for line in &self.lines {
            writeln!(f, "  {}: {}", line.object, line.done(self.planned))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archived() -> Change {
        let email = Repair::new("has no e-mail address", "given an e-mail address");
        Change::of(vec![Repair::new("is archived", "made active again"), email])
    }

    #[test]
    fn a_report_reads_line_by_line() {
        let mut report = SetupReport::new(19, "Tienda SpA", false);
        report.line("group Concilia bot", Change::Unchanged);
        report.attention("the cron", "is switched off", "Switch it on.");
        assert!(report.is_unchanged());
        report.line("bot concilia-bot", archived());
        assert!(!report.is_unchanged());
        assert_eq!(
            report.to_string(),
            "Odoo 19, company Tienda SpA\n  group Concilia bot: unchanged\n  \
             the cron: is switched off. Switch it on.\n  \
             bot concilia-bot: made active again, given an e-mail address\n"
        );
    }

    #[test]
    fn a_plan_says_what_would_be_done() {
        let line = |change| ReportLine { object: "bot".to_owned(), change };
        assert_eq!(line(Change::Created).done(true), "would be created");
        assert_eq!(
            line(archived()).done(true),
            "would be made active again, given an e-mail address"
        );
        assert_eq!(line(Change::Removed("archived".to_owned())).done(true), "would be archived");
        assert_eq!(line(Change::Unchanged).done(true), "unchanged");
    }

    #[test]
    fn a_finding_says_what_is_wrong_and_what_to_run() {
        let mut report = SetupReport::new(17, "Tienda SpA", true);
        report.line("bot concilia-bot", archived());
        report.line("group Concilia bot", Change::Created);
        report.line("journal BNK1", Change::Unchanged);
        report.attention("the cron", "is switched off", "Switch it on.");
        assert_eq!(
            report.findings(),
            [
                "Bot concilia-bot is archived, has no e-mail address. Run `concilia-worker odoo setup`.",
                "Group Concilia bot is missing. Run `concilia-worker odoo setup`.",
                "The cron is switched off. Switch it on.",
            ]
        );
    }
}
