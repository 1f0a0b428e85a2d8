//! Days as an accountant of the merchant's counts them: in America/Santiago, not in UTC.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

static SANTIAGO: LazyLock<TimeZone> = LazyLock::new(|| {
    TimeZone::get("America/Santiago")
        .unwrap_or_else(|_| unreachable!("the time zone database is part of the build"))
});

/// The day of a moment.
pub fn of(at: Timestamp) -> Date {
    at.to_zoned(SANTIAGO.clone()).date()
}

/// The moment a day begins: midnight, or one o'clock where clocks skip that hour.
pub fn start(day: Date) -> Timestamp {
    day.to_zoned(SANTIAGO.clone()).map_or(Timestamp::MIN, |midnight| midnight.timestamp())
}

/// The moment a day ends: the next one's beginning.
pub fn end(day: Date) -> Timestamp {
    day.tomorrow().map_or(Timestamp::MAX, start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_chiles() {
        let late: Timestamp = "2026-02-01T02:59:59Z".parse().unwrap();
        let next: Timestamp = "2026-02-01T03:00:00Z".parse().unwrap();
        assert_eq!(of(late).to_string(), "2026-01-31");
        assert_eq!(of(next).to_string(), "2026-02-01");
        assert_eq!(start(of(next)), next);
        assert_eq!(end(of(late)), next);
    }

    #[test]
    fn a_day_that_begins_at_one_o_clock_begins_there() {
        // Clocks skip the first hour of 2026-09-06.
        let day: Date = "2026-09-06".parse().unwrap();
        assert_eq!(start(day).to_string(), "2026-09-06T04:00:00Z");
        assert_eq!(of(start(day)), day);
    }
}
