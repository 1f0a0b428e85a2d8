//! Moments and ages as people in Chile read them.
//!
//! Not here: which day a payment counts to ([`crate::views::day`]).

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Lang;

static SANTIAGO: LazyLock<TimeZone> = LazyLock::new(|| {
    TimeZone::get("America/Santiago")
        .unwrap_or_else(|_| unreachable!("the time zone database is part of the build"))
});

const MINUTE_S: i64 = 60;

const HOUR_S: i64 = 60 * MINUTE_S;

const DAY_S: i64 = 24 * HOUR_S;

/// `2026-01-05 09:00:03`, in America/Santiago.
pub fn moment(at: Timestamp) -> String {
    at.to_zoned(SANTIAGO.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long before `now` it was: `8 s`, `12 min`, `5 h`, `3 d`; never less than nothing.
pub fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    match seconds {
        ..MINUTE_S => format!("{seconds} s"),
        MINUTE_S..HOUR_S => format!("{} min", seconds / MINUTE_S),
        HOUR_S..DAY_S => format!("{} h", seconds / HOUR_S),
        DAY_S.. => format!("{} d", seconds / DAY_S),
    }
}

/// When something is tried next: `now` once its time has come, else `in 5 min`.
pub fn ahead(at: Timestamp, now: Timestamp, lang: Lang) -> String {
    if at <= now {
        return lang.either("now", "ahora").to_owned();
    }
    let wait = age(now, at);
    match lang {
        Lang::En => format!("in {wait}"),
        Lang::Es => format!("en {wait}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_moment_is_chiles_in_summer_and_in_winter() {
        assert_eq!(moment(at("2026-01-05T12:00:03.5Z")), "2026-01-05 09:00:03");
        assert_eq!(moment(at("2026-07-05T12:00:03Z")), "2026-07-05 08:00:03");
    }

    #[test]
    fn an_age_has_one_unit() {
        let now = at("2026-01-05T12:00:00Z");
        for (then, said) in [
            ("2026-01-05T12:00:08Z", "0 s"),
            ("2026-01-05T11:59:52Z", "8 s"),
            ("2026-01-05T11:48:00Z", "12 min"),
            ("2026-01-05T07:00:00Z", "5 h"),
            ("2026-01-02T12:00:00Z", "3 d"),
        ] {
            assert_eq!(age(at(then), now), said);
        }
    }

    #[test]
    fn what_is_due_is_due_now() {
        let now = at("2026-01-05T12:00:00Z");
        assert_eq!(ahead(now, now, Lang::Es), "ahora");
        assert_eq!(ahead(at("2026-01-05T12:05:00Z"), now, Lang::En), "in 5 min");
    }
}
