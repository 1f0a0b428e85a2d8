//! Keeps the views up with the log while a worker runs, and shows what they hold as gauges.
//!
//! One process does it at a time (the lead of the role `views`); whoever reads a list catches
//! up by itself first, so a worker that is not running delays nobody. Far behind booking: a
//! page at a time, with a pause in between. Not here: how a page is folded ([`super::project`]).

use std::collections::BTreeMap;
use std::time::Duration;

use concilia_shared::id::AccountName;
use concilia_shared::money::Money;
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use tokio_util::sync::CancellationToken;

use super::filter::{Count, Filter, Period};
use super::project;
use crate::measure::{self, ByReason};
use crate::shell::Shell;
use crate::store::StoreError;

/// The role one process leads.
const ROLE: &str = "views";

/// Pause between two looks at the log.
const PAUSE: Duration = Duration::from_secs(1);

/// Pages in a row before stopping is looked for again.
const PAGES: usize = 20;

/// How long the lead holds without being renewed.
const LEAD: SignedDuration = SignedDuration::from_secs(15);

/// Between two readings of the gauges: they count all that waits and sum every payment.
const GAUGES_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Follows until told to stop.
pub async fn run(shell: &Shell, stop: &CancellationToken) {
    let holder = format!("{:032x}", rand::rng().random::<u128>());
    let mut gauges = Gauges { pending: ByReason::pending(), parked: ByReason::parked() };
    let mut shown = None;
    loop {
        let now = shell.clock.now();
        let done = async {
            if shell.store.lead(ROLE, &holder, now, now + LEAD).await? {
                project::catch_up(shell.store.as_ref(), PAGES).await?;
                if is_time(shown, now) {
                    gauges.show(shell).await?;
                    shown = Some(now);
                }
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = done.await {
            tracing::warn!(%error, "the views could not follow the log, trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Whether the gauges are read again: once when the lead is taken, then now and then.
fn is_time(shown: Option<Timestamp>, now: Timestamp) -> bool {
    shown.is_none_or(|shown| now.duration_since(shown).abs() >= GAUGES_EVERY)
}

struct Gauges {
    pending: ByReason,
    parked: ByReason,
}

impl Gauges {
    async fn show(&mut self, shell: &Shell) -> Result<(), StoreError> {
        let waiting = ["pending", "parked", "received"].map(str::to_owned).to_vec();
        let filter = Filter { statuses: waiting, ..Filter::default() };
        let counts = shell.store.counts(&filter).await?;
        self.pending.show(by_reason(&counts, "pending"));
        self.parked.show(by_reason(&counts, "parked"));
        let now = shell.clock.now();
        for account in shell.accounts.keys() {
            let since = shell.store.oldest_pending(account).await?;
            let age = since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
            measure::oldest_pending(account, age.try_into().unwrap_or_default());
        }
        for sums in shell.store.sums(&Period::default()).await? {
            measure::unexplained(Money::new(sums.difference, sums.currency));
        }
        Ok(())
    }
}

/// Counts of one status, currencies together.
fn by_reason(
    counts: &[Count],
    status: &str,
) -> impl Iterator<Item = (AccountName, String, u32)> + use<> {
    let mut sums: BTreeMap<(AccountName, String), u32> = BTreeMap::new();
    for count in counts.iter().filter(|count| count.status == status) {
        let Ok(account) = AccountName::parse(count.account.as_str()) else { continue };
        let reason = count.reason.clone().unwrap_or_else(|| "none".to_owned());
        let sum = sums.entry((account, reason)).or_default();
        *sum = sum.saturating_add(u32::try_from(count.events).unwrap_or(u32::MAX));
    }
    sums.into_iter().map(|((account, reason), events)| (account, reason, events))
}

#[cfg(test)]
mod tests {
    use concilia_shared::money::Currency;

    use super::*;

    #[test]
    fn gauges_are_read_at_once_and_then_every_minute() {
        let now = Timestamp::UNIX_EPOCH;
        assert!(is_time(None, now));
        assert!(!is_time(Some(now), now + SignedDuration::from_secs(59)));
        assert!(is_time(Some(now), now + SignedDuration::from_secs(60)));
        assert!(is_time(Some(now), now - SignedDuration::from_hours(1)), "the clock was set back");
    }

    #[test]
    fn events_of_one_reason_are_counted_together_whatever_their_currency() {
        let count = |status: &str, currency, events| Count {
            account: "main".to_owned(),
            status: status.to_owned(),
            reason: Some("no_match".to_owned()),
            currency,
            events,
            minor: 0,
            oldest: jiff::Timestamp::UNIX_EPOCH,
            next: None,
        };
        let counts = [
            count("pending", Some(Currency::Clp), 3),
            count("pending", None, 2),
            count("parked", None, 7),
        ];
        let shown: Vec<_> = by_reason(&counts, "pending").collect();
        assert_eq!(shown.len(), 1);
        assert_eq!((shown[0].1.as_str(), shown[0].2), ("no_match", 5));
    }
}
