//! Rows of the views as columns: what both databases share between SQL and
//! [`crate::views`].
//!
//! Not here: SQL ([`super::postgres`], [`super::sqlite`]).

use concilia_shared::config::Mode;
use concilia_shared::money::Currency;

use super::row::{self, Moment};
use super::{Cursor, StoreError, ViewCursor};
use crate::say;
use crate::views::balance::Sums;
use crate::views::day;
use crate::views::events::Row;
use crate::views::filter::{Count, Filter, Place};
use crate::views::fold::{Folded, Named};

/// Most values one question about what waits may hold.
pub(super) const VALUES_AT_ONCE: usize = 1_000;

/// Rows one transaction drops from each view.
pub(super) const DROP_PAGE: i64 = 5_000;

/// A row of `view_events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventColumns {
    pub(super) stream: String,
    pub(super) event_id: String,
    pub(super) account: String,
    pub(super) event_type: Option<String>,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) received_at: Moment,
    pub(super) day: String,
    pub(super) minor: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) due_at: Option<Moment>,
    pub(super) since: Option<Moment>,
    pub(super) held: bool,
    pub(super) mode: Option<String>,
    pub(super) looked_for: String,
    pub(super) search: String,
    pub(super) row: String,
}

/// A row of `view_payments`: stream, currency, account, day, paid, refunded, booked, pending,
/// parked, other.
pub(super) type PaymentColumns = (String, String, String, String, i64, i64, i64, i64, i64, i64);

/// A row of `view_keys`: account, value, stream.
pub(super) type KeyColumns = (String, String, String);

/// All rows of some streams, sorted as their keys are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ViewRows {
    pub(super) events: Vec<EventColumns>,
    pub(super) payments: Vec<PaymentColumns>,
    pub(super) keys: Vec<KeyColumns>,
}

impl ViewRows {
    /// The rows folded streams should have.
    pub(super) fn of(folded: &[Folded]) -> Result<Self, StoreError> {
        let mut rows = Self::default();
        for of_stream in folded {
            let stream = of_stream.stream.as_str();
            let account = of_stream.stream.account();
            for named in &of_stream.rows {
                rows.events.push(event_columns(named)?);
            }
            for sums in &of_stream.payments {
                rows.payments.push((
                    stream.to_owned(),
                    sums.currency.code().to_owned(),
                    account.to_owned(),
                    sums.day.map(|day| day.to_string()).unwrap_or_default(),
                    sums.paid,
                    sums.refunded,
                    sums.booked,
                    sums.pending,
                    sums.parked,
                    sums.ignored_or_recorded,
                ));
            }
            for value in &of_stream.keys {
                let value = row::header(value).into_owned();
                rows.keys.push((account.to_owned(), value, stream.to_owned()));
            }
        }
        rows.sort();
        Ok(rows)
    }

    pub(super) fn sort(&mut self) {
        let key = |row: &EventColumns| (row.stream.clone(), row.event_id.clone());
        self.events.sort_by_cached_key(key);
        self.payments.sort();
        self.keys.sort();
    }

    /// The first place where `kept` is not what these rows say.
    pub(super) fn difference(&self, kept: &Self) -> Option<String> {
        let of_event = |row: &EventColumns| format!("view_events of {}", row.event_id);
        let of_payment = |row: &PaymentColumns| format!("view_payments of {}", row.0);
        let of_key = |row: &KeyColumns| format!("view_keys of {}", row.2);
        first_difference(&self.events, &kept.events, of_event)
            .or_else(|| first_difference(&self.payments, &kept.payments, of_payment))
            .or_else(|| first_difference(&self.keys, &kept.keys, of_key))
    }
}

fn first_difference<T: PartialEq>(
    expected: &[T],
    kept: &[T],
    place: impl Fn(&T) -> String,
) -> Option<String> {
    let differs = expected.iter().zip(kept).find(|(expected, kept)| expected != kept);
    match differs {
        Some((expected, _)) => Some(format!("{} is not what the log says", place(expected))),
        None if expected.len() > kept.len() => {
            Some(format!("{} is missing", place(&expected[kept.len()])))
        }
        None => {
            let strange = kept.get(expected.len())?;
            Some(format!("{} is not in the log", place(strange)))
        }
    }
}

fn event_columns(Named { row, search }: &Named) -> Result<EventColumns, StoreError> {
    let webhook = &row.told.webhook;
    let amount = row.amount();
    Ok(EventColumns {
        stream: row.stream.to_string(),
        event_id: webhook.event_id.to_string(),
        account: row.stream.account().to_owned(),
        event_type: webhook.event_type.clone(),
        status: row.told.status.word().to_owned(),
        reason: say::reason_name(&row.told.status),
        received_at: webhook.received_at.into(),
        day: day::of(webhook.received_at).to_string(),
        minor: amount.map(|amount| amount.minor),
        currency: amount.map(|amount| amount.currency.code().to_owned()),
        due_at: row.due_at().map(Moment::from),
        since: row.since().map(Moment::from),
        held: row.held,
        mode: row.mode.map(Mode::word).map(str::to_owned),
        looked_for: json(&row.looked_for())?,
        search: row::header(search).into_owned(),
        row: json(row)?,
    })
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Corrupt(format!("a row of a view cannot be written: {error}")))
}

/// Reads `view_events.row`.
pub(super) fn rows(texts: Vec<String>) -> Result<Vec<Row>, StoreError> {
    let read = |text: String| {
        serde_json::from_str(&text)
            .map_err(|error| StoreError::Corrupt(format!("view_events.row: {error}")))
    };
    texts.into_iter().map(read).collect()
}

/// Account, status, reason, currency, events, minor, oldest, next.
pub(super) type CountColumns =
    (String, String, Option<String>, Option<String>, i64, i64, Moment, Option<Moment>);

/// Reads counted rows, in one order for both databases.
pub(super) fn counts(rows: Vec<CountColumns>) -> Result<Vec<Count>, StoreError> {
    let read = |(account, status, reason, code, events, minor, oldest, next): CountColumns| {
        let currency = code.as_deref().map(currency).transpose()?;
        let oldest = oldest.timestamp("view_events.since")?;
        let next = next.map(|next| next.timestamp("view_events.due_at")).transpose()?;
        Ok(Count { account, status, reason, currency, events, minor, oldest, next })
    };
    let mut counts = rows.into_iter().map(read).collect::<Result<Vec<Count>, StoreError>>()?;
    counts.sort_by_cached_key(|it| {
        (it.account.clone(), it.status.clone(), it.reason.clone(), it.currency.map(Currency::code))
    });
    Ok(counts)
}

/// Day, currency, paid, refunded, booked, pending, parked, other.
pub(super) type SumColumns = (Option<String>, String, i64, i64, i64, i64, i64, i64);

/// Reads summed rows.
pub(super) fn sums(rows: Vec<SumColumns>) -> Result<Vec<Sums>, StoreError> {
    rows.into_iter()
        .map(|(day, code, paid, refunded, booked, pending, parked, ignored_or_recorded)| {
            let day = day
                .map(|day| day.parse())
                .transpose()
                .map_err(|_| StoreError::Corrupt("view_payments.day is not a day".to_owned()))?;
            let sums = Sums {
                paid,
                refunded,
                booked,
                pending,
                parked,
                ignored_or_recorded,
                ..Sums::none(day, currency(&code)?)
            };
            Ok(sums.balanced())
        })
        .collect()
}

fn currency(code: &str) -> Result<Currency, StoreError> {
    Currency::parse(code)
        .ok_or_else(|| StoreError::Corrupt(format!("a view names a currency {code}")))
}

/// Version, transaction, position.
pub(super) fn cursor((version, transaction, position): (i32, i64, i64)) -> ViewCursor {
    ViewCursor { version, cursor: Cursor { transaction, position } }
}

/// A filter's text as `view_events.search` holds it.
pub(super) fn text(filter: &Filter) -> Option<String> {
    filter.text.as_deref().map(|text| row::header(&text.trim().to_lowercase()).into_owned())
}

/// A place as columns.
pub(super) fn place(after: Option<&Place>) -> (Option<Moment>, Option<&str>, Option<&str>) {
    (
        after.map(|place| place.received_at.into()),
        after.map(|place| place.event_id.as_str()),
        after.map(|place| place.stream.as_str()),
    )
}
