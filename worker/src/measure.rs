//! Every metric of the worker: its name, its labels, its unit, its meaning.
//!
//! What has a closed set of labels is there, as zero, from the start: a rate misses the step
//! by which a counter appears. Not here: how they are collected ([`crate::telemetry`]) and
//! shown ([`crate::admin`]).

use std::collections::BTreeSet;
use std::time::Duration;

use concilia_shared::id::AccountName;
use concilia_shared::money::Money;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::store::Admission;

/// Messages of each batch taken off the broker.
pub const ADMIT_BATCH_SIZE: &str = "concilia_worker_admit_batch_size";
/// Webhook events the log had not seen.
pub const APPENDED: &str = "concilia_worker_events_appended_total";
/// Webhooks whose event the log had, with the same body.
pub const DUPLICATES: &str = "concilia_worker_duplicates_total";
/// Webhooks whose event the log had, with another body.
pub const CONFLICTS: &str = "concilia_worker_conflicts_total";
/// Messages read from the broker again because the log had lost them.
pub const GAP_MESSAGES: &str = "concilia_worker_gap_messages_total";
/// Seconds to settle one stream, calls included.
pub const SETTLE_SECONDS: &str = "concilia_worker_settle_seconds";
/// Streams settled, by outcome (`ok`, `conflict`, `error`, `crash`).
pub const SETTLED: &str = "concilia_worker_settled_total";
/// Seconds of each exchange with Odoo, by operation (`observe`, `book`, `find`,
/// `authenticate`, `other`) and class (`ok`, `unavailable`, `unknown`, `denied`, `not_ready`,
/// `fault`). Its count is the number of requests.
pub const ODOO_SECONDS: &str = "concilia_worker_odoo_request_seconds";
/// Seconds of each call of Ventipay's API, by operation (`checkout`, `dispute`,
/// `subscription`, `invoice`, `payment`, `customer`, `payment_method`) and class (`ok`,
/// `unreadable`, `unavailable`, `denied`). Its count is the number of requests.
pub const VENTIPAY_SECONDS: &str = "concilia_worker_ventipay_request_seconds";
/// 1 while an account's Odoo or Ventipay is not asked because it did not answer, by account and
/// system (`odoo`, `ventipay`).
pub const BREAKER_OPEN: &str = "concilia_worker_breaker_open";
/// Events that wait, by account and reason.
pub const PENDING: &str = "concilia_worker_pending_events";
/// Events given to a person, by account and reason.
pub const PARKED: &str = "concilia_worker_parked_events";
/// Seconds since the oldest Pending event was received, by account; 0 where none is.
pub const OLDEST_PENDING: &str = "concilia_worker_pending_oldest_age_seconds";
/// Paid − refunded − booked − pending − parked, in minor units (pesos), by currency. Anything
/// but 0 is a defect.
pub const UNEXPLAINED: &str = "concilia_worker_unexplained_minor_units";

/// 1 while the broker has acknowledged webhooks from before the log begins: it was lost, and a
/// person must rebuild it.
pub const LOG_EMPTY: &str = "concilia_worker_log_empty";

/// Gives each metric its help text and unit, and shows what may be shown as zero.
pub fn describe() {
    describe_histogram!(ADMIT_BATCH_SIZE, Unit::Count, "Messages of each batch admitted.");
    describe_counter!(APPENDED, Unit::Count, "Webhook events the log had not seen.");
    describe_counter!(DUPLICATES, Unit::Count, "Webhooks whose event the log had.");
    describe_counter!(
        CONFLICTS,
        Unit::Count,
        "Webhooks whose event the log had, with another body."
    );
    describe_counter!(GAP_MESSAGES, Unit::Count, "Messages read again because the log lost them.");
    describe_histogram!(SETTLE_SECONDS, Unit::Seconds, "Seconds to settle one stream.");
    describe_counter!(SETTLED, Unit::Count, "Streams settled, by outcome.");
    describe_histogram!(
        ODOO_SECONDS,
        Unit::Seconds,
        "Seconds of each exchange with Odoo, by operation and class of the answer."
    );
    describe_histogram!(
        VENTIPAY_SECONDS,
        Unit::Seconds,
        "Seconds of each call of Ventipay's API, by operation and class of the answer."
    );
    describe_gauge!(
        BREAKER_OPEN,
        "1 while a system of an account is not asked because it did not answer."
    );
    describe_gauge!(PENDING, Unit::Count, "Events that wait, by account and reason.");
    describe_gauge!(PARKED, Unit::Count, "Events given to a person, by account and reason.");
    describe_gauge!(
        OLDEST_PENDING,
        Unit::Seconds,
        "Seconds since the oldest pending event was received, by account; 0 where none is."
    );
    describe_gauge!(
        UNEXPLAINED,
        Unit::Count,
        "Paid - refunded - booked - pending - parked, in minor units, by currency. Must be 0."
    );
    describe_gauge!(
        LOG_EMPTY,
        "1 while the broker has acknowledged webhooks from before the log begins."
    );
    for name in [APPENDED, DUPLICATES, CONFLICTS, GAP_MESSAGES] {
        counter!(name).increment(0);
    }
    for outcome in ["ok", "conflict", "error", "crash"] {
        counter!(SETTLED, "outcome" => outcome).increment(0);
    }
}

/// A batch is in the log.
pub fn admitted(admissions: &[Admission]) {
    histogram!(ADMIT_BATCH_SIZE).record(u32::try_from(admissions.len()).unwrap_or(u32::MAX));
    for admission in admissions {
        let name = match admission {
            Admission::Appended => APPENDED,
            Admission::Duplicate => DUPLICATES,
            Admission::Conflict => CONFLICTS,
        };
        counter!(name).increment(1);
    }
}

/// Messages were read again.
pub fn gap_messages(messages: u64) {
    counter!(GAP_MESSAGES).increment(messages);
}

/// A stream was brought to rest, or not.
pub fn settled(outcome: &'static str, took: Duration) {
    histogram!(SETTLE_SECONDS).record(took);
    counter!(SETTLED, "outcome" => outcome).increment(1);
}

/// Settling a stream ended in a crash, however long it took.
pub fn crashed() {
    counter!(SETTLED, "outcome" => "crash").increment(1);
}

/// Odoo was asked.
pub fn odoo_request(operation: &'static str, class: &'static str, took: Duration) {
    histogram!(ODOO_SECONDS, "operation" => operation, "class" => class).record(took);
}

/// Ventipay was asked.
pub fn ventipay_request(operation: &'static str, class: &'static str, took: Duration) {
    histogram!(VENTIPAY_SECONDS, "operation" => operation, "class" => class).record(took);
}

/// A system of an account (`odoo`, `ventipay`) is, or is not, left alone for a while.
pub fn breaker(account: &AccountName, system: &'static str, open: bool) {
    gauge!(BREAKER_OPEN, "account" => account.to_string(), "system" => system).set(u8::from(open));
}

/// Whether the broker has acknowledged webhooks from before the log begins.
pub fn log_empty(empty: bool) {
    gauge!(LOG_EMPTY).set(u8::from(empty));
}

/// Age of the oldest Pending event of an account; zero where none is.
pub fn oldest_pending(account: &AccountName, age: Duration) {
    gauge!(OLDEST_PENDING, "account" => account.to_string()).set(age);
}

/// What the balance of a currency leaves unexplained.
pub fn unexplained(difference: Money) {
    let currency = difference.currency.code();
    gauge!(UNEXPLAINED, "currency" => currency).set(exact(difference.minor));
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53; beyond it any digit alarms")]
fn exact(minor: i64) -> f64 {
    minor as f64
}

/// How many events rest where, by account and reason. Remembers what it showed, so that a
/// reason nobody has any more goes back to zero; as many as there are accounts and reasons.
#[derive(Debug)]
pub struct ByReason {
    name: &'static str,
    shown: BTreeSet<(AccountName, String)>,
}

impl ByReason {
    /// Of [`PENDING`].
    pub fn pending() -> Self {
        Self { name: PENDING, shown: BTreeSet::new() }
    }

    /// Of [`PARKED`].
    pub fn parked() -> Self {
        Self { name: PARKED, shown: BTreeSet::new() }
    }

    /// Shows these counts and no others. The reason is the word the log has for it
    /// (`no_match`, `amount_mismatch`, …).
    pub fn show(&mut self, counts: impl IntoIterator<Item = (AccountName, String, u32)>) {
        let mut gone = std::mem::take(&mut self.shown);
        for (account, reason, events) in counts {
            self.set(&account, &reason, events);
            let shown = (account, reason);
            gone.remove(&shown);
            self.shown.insert(shown);
        }
        for (account, reason) in gone {
            self.set(&account, &reason, 0);
        }
    }

    fn set(&self, account: &AccountName, reason: &str, events: u32) {
        gauge!(self.name, "account" => account.to_string(), "reason" => reason.to_owned())
            .set(events);
    }
}

#[cfg(test)]
mod tests {
    use concilia_shared::money::Currency;

    use super::*;
    use crate::telemetry;

    const ALL: [&str; 14] = [
        ADMIT_BATCH_SIZE,
        APPENDED,
        DUPLICATES,
        CONFLICTS,
        GAP_MESSAGES,
        SETTLE_SECONDS,
        SETTLED,
        ODOO_SECONDS,
        VENTIPAY_SECONDS,
        BREAKER_OPEN,
        PENDING,
        PARKED,
        OLDEST_PENDING,
        UNEXPLAINED,
    ];

    /// What a scrape shows after `work`.
    fn scraped(work: impl FnOnce()) -> String {
        let recorder = telemetry::metrics().unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            describe();
            work();
        });
        recorder.handle().render()
    }

    fn account() -> AccountName {
        AccountName::parse("main").unwrap()
    }

    #[test]
    fn every_metric_has_its_help_its_type_and_a_unit_in_its_name() {
        let text = scraped(|| {
            admitted(&[Admission::Appended, Admission::Duplicate, Admission::Conflict]);
            gap_messages(1);
            settled("ok", Duration::from_millis(20));
            crashed();
            odoo_request("observe", "ok", Duration::from_millis(20));
            ventipay_request("checkout", "denied", Duration::from_millis(20));
            breaker(&account(), "odoo", true);
            ByReason::pending().show([(account(), "no_match".to_owned(), 3)]);
            ByReason::parked().show([(account(), "amount_mismatch".to_owned(), 1)]);
            oldest_pending(&account(), Duration::from_secs(90));
            unexplained(Money::new(-15_990, Currency::Clp));
        });
        for name in ALL {
            for kind in ["HELP", "TYPE"] {
                assert!(text.contains(&format!("# {kind} {name} ")), "{kind} {name}\n{text}");
            }
            let kind = text.split(&format!("# TYPE {name} ")).nth(1).unwrap();
            let kind = kind.split('\n').next().unwrap();
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        }
        for line in [
            "concilia_worker_admit_batch_size_count 1",
            "concilia_worker_events_appended_total 1",
            "concilia_worker_settled_total{outcome=\"crash\"} 1",
            "concilia_worker_odoo_request_seconds_bucket{operation=\"observe\",class=\"ok\",le=\"0.025\"} 1",
            "concilia_worker_ventipay_request_seconds_count{operation=\"checkout\",class=\"denied\"} 1",
            "concilia_worker_breaker_open{account=\"main\",system=\"odoo\"} 1",
            "concilia_worker_pending_events{account=\"main\",reason=\"no_match\"} 3",
            "concilia_worker_parked_events{account=\"main\",reason=\"amount_mismatch\"} 1",
            "concilia_worker_pending_oldest_age_seconds{account=\"main\"} 90",
            "concilia_worker_unexplained_minor_units{currency=\"CLP\"} -15990",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn counters_are_there_before_they_count() {
        let text = scraped(|| ());
        for line in [
            "concilia_worker_events_appended_total 0",
            "concilia_worker_conflicts_total 0",
            "concilia_worker_settled_total{outcome=\"ok\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_reason_nobody_has_any_more_goes_back_to_zero() {
        let text = scraped(|| {
            let mut pending = ByReason::pending();
            pending.show([(account(), "no_match".to_owned(), 3)]);
            pending.show([(account(), "odoo_unavailable".to_owned(), 3)]);
        });
        for line in [
            "concilia_worker_pending_events{account=\"main\",reason=\"no_match\"} 0",
            "concilia_worker_pending_events{account=\"main\",reason=\"odoo_unavailable\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
