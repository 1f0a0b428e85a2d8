//! When a Pending event is tried again. Pure: time and jitter are parameters.
//!
//! Equal jitter: half of the wait is fixed, half is random. With the defaults (base 15 s,
//! factor 2, cap 1 h, give up after 30 days), before jitter:
//!
//! | attempt | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 and on |
//! |---|---|---|---|---|---|---|---|---|---|
//! | wait | 15 s | 30 s | 1 min | 2 min | 4 min | 8 min | 16 min | 32 min | 1 h |
//!
//! Not here: what is retried ([`crate::domain::decide`]) and the loop that waits
//! ([`crate::settle`]).

use concilia_shared::config::Retry;
use jiff::{SignedDuration, Timestamp};

/// A random number of the shell's, the whole range of `u32`, standing for 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter(pub u32);

/// The wait after `attempt` (from 1), before jitter, in seconds.
pub fn wait_s(schedule: &Retry, attempt: u32) -> u64 {
    let factor = schedule.factor.saturating_pow(attempt.saturating_sub(1));
    schedule.base_s.saturating_mul(factor).min(schedule.cap_s)
}

/// The wait after `attempt` (from 1), with equal jitter: from half of [`wait_s`] to all of it.
pub fn due_after(schedule: &Retry, attempt: u32, jitter: Jitter) -> SignedDuration {
    spread(wait_s(schedule, attempt), jitter)
}

fn spread(wait_s: u64, jitter: Jitter) -> SignedDuration {
    let whole_ms = u128::from(wait_s) * 1000;
    let half_ms = whole_ms / 2;
    let random_ms = (whole_ms - half_ms) * u128::from(jitter.0) / u128::from(u32::MAX);
    SignedDuration::from_millis(i64::try_from(half_ms + random_ms).unwrap_or(i64::MAX))
}

/// Longest wait for a system that does not answer, in seconds, before jitter.
const WEATHER_CAP_S: u64 = 300;

/// The wait while a system we need does not answer: half as long as it has been away, from the
/// schedule's base to five minutes, with equal jitter.
pub fn weather_after(
    schedule: &Retry,
    since: Timestamp,
    now: Timestamp,
    jitter: Jitter,
) -> SignedDuration {
    let away_s = u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0);
    let cap_s = WEATHER_CAP_S.min(schedule.cap_s).max(schedule.base_s);
    spread((away_s / 2).clamp(schedule.base_s, cap_s), jitter)
}

/// How long an event may be Pending before it is given to a person.
pub fn give_up_after(schedule: &Retry) -> SignedDuration {
    let days = i64::try_from(schedule.give_up_days).unwrap_or(i64::MAX);
    SignedDuration::from_hours(days.saturating_mul(24))
}

/// Whether an event Pending since `since` has been tried long enough.
pub fn exhausted(schedule: &Retry, since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(since) >= give_up_after(schedule)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_of_the_documentation_is_what_the_schedule_does() {
        let waits: Vec<u64> = (1..=10).map(|attempt| wait_s(&Retry::default(), attempt)).collect();
        assert_eq!(waits, [15, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
    }

    #[test]
    fn jitter_spans_half_of_the_wait_to_all_of_it() {
        let due = |jitter| due_after(&Retry::default(), 2, Jitter(jitter)).as_millis();
        assert_eq!((due(0), due(u32::MAX)), (15_000, 30_000));
    }

    #[test]
    fn bad_weather_is_waited_out_ever_more_patiently_up_to_five_minutes() {
        let since = Timestamp::UNIX_EPOCH;
        let wait = |away_s| {
            let now = since + SignedDuration::from_secs(away_s);
            weather_after(&Retry::default(), since, now, Jitter(u32::MAX)).as_secs()
        };
        assert_eq!([wait(0), wait(60), wait(240), wait(86_400)], [15, 30, 120, 300]);
    }

    #[test]
    fn giving_up_counts_from_the_first_time_it_was_pending() {
        let since: Timestamp = "2026-10-01T00:00:00Z".parse().unwrap();
        let at = |text: &str| exhausted(&Retry::default(), since, text.parse().unwrap());
        assert!(!at("2026-10-30T23:59:59Z"));
        assert!(at("2026-10-31T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn waits_are_bounded_and_never_shrink(
            attempt in 1_u32..10_000, jitter in any::<u32>(),
            base_s in 1_u64..100, factor in 1_u64..10, cap_s in 100_u64..100_000,
        ) {
            let schedule = Retry { base_s, factor, cap_s, give_up_days: 30 };
            prop_assert!(wait_s(&schedule, attempt) <= wait_s(&schedule, attempt + 1));
            let due_ms = due_after(&schedule, attempt, Jitter(jitter)).as_millis();
            let wait_ms = i128::from(wait_s(&schedule, attempt)) * 1000;
            prop_assert!(due_ms <= wait_ms && due_ms >= wait_ms / 2);
        }
    }
}
