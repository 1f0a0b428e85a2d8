//! Whole numbers only: medians, percentiles, rates and ratios of what was measured.
//!
//! Pure. Not here: what is measured, nor how it is shown ([`super::report`]).

use std::time::Duration;

/// Decimal places of a ratio.
const PLACES: u32 = 2;

/// Hundredths in a whole.
const HUNDREDTHS: u128 = 10_u128.pow(PLACES);

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// So many in a second: more is better.
    PerSecond,
    /// So many microseconds: fewer is better.
    Microseconds,
}

impl Unit {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "per_second",
            Self::Microseconds => "microseconds",
        }
    }

    /// A value as people read it: `12,800/s`, `4.25 ms`.
    pub fn show(self, value: u64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", grouped(value)),
            Self::Microseconds => {
                format!("{}.{:02} ms", grouped(value / 1_000), value % 1_000 / 10)
            }
        }
    }
}

/// One number divided by another, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio(u128);

impl Ratio {
    /// `value / baseline`, rounded; `None` where the baseline is nothing.
    pub fn of(value: u64, baseline: u64) -> Option<Self> {
        let baseline = u128::from(baseline);
        (baseline > 0).then(|| Self((u128::from(value) * HUNDREDTHS + baseline / 2) / baseline))
    }
}

/// `0.87`, `12.40`; also a number in JSON.
impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.0 / HUNDREDTHS, self.0 % HUNDREDTHS)
    }
}

/// So many in so long, by the second.
pub fn per_second(count: usize, within: Duration) -> u64 {
    let count = u128::try_from(count).unwrap_or(u128::MAX);
    let rate = count.saturating_mul(1_000_000) / within.as_micros().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// A duration in whole microseconds.
pub fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The middle one; of an even number the lower of the two in the middle. `None` of nothing.
pub fn median<T: Copy + Ord>(values: &[T]) -> Option<T> {
    percentile(values, 50)
}

/// The smallest value that `percent` of all do not exceed. `None` of nothing.
pub fn percentile<T: Copy + Ord>(values: &[T], percent: usize) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent.min(100)).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// `12,800`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_rounded_to_hundredths() {
        let show = |value, baseline| Ratio::of(value, baseline).map(|ratio| ratio.to_string());
        assert_eq!(show(1, 3).as_deref(), Some("0.33"));
        assert_eq!(show(2, 3).as_deref(), Some("0.67"));
        assert_eq!(show(12_400, 1_000).as_deref(), Some("12.40"));
        assert_eq!(show(0, 5).as_deref(), Some("0.00"));
        assert_eq!(show(5, 0), None);
        assert!(Ratio::of(u64::MAX, 1) > Ratio::of(u64::MAX - 1, 1));
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(percentile(&values, 50), Some(50));
        assert_eq!(percentile(&values, 99), Some(99));
        assert_eq!(percentile(&values, 100), Some(100));
        assert_eq!(percentile(&[7], 99), Some(7));
        assert_eq!(percentile::<u64>(&[], 50), None);
        assert_eq!(median(&[3, 1, 2]), Some(2));
        assert_eq!(median(&[4, 1, 2, 3]), Some(2));
    }

    #[test]
    fn values_read_well() {
        assert_eq!(Unit::PerSecond.show(1_234_567), "1,234,567/s");
        assert_eq!(Unit::PerSecond.show(999), "999/s");
        assert_eq!(Unit::Microseconds.show(4_259), "4.25 ms");
        assert_eq!(per_second(3_000, Duration::from_millis(1_500)), 2_000);
        assert_eq!(per_second(0, Duration::ZERO), 0);
    }
}
