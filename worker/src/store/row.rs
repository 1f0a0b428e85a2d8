//! Rows and what they mean: what both databases share between SQL and the domain.
//!
//! Not here: SQL ([`super::postgres`], [`super::sqlite`]) and hashes ([`super::chain`]).

use std::borrow::Cow;
use std::collections::BTreeSet;

use concilia_shared::id::{AccountName, EventId, StreamId};
use concilia_shared::signature::encode_hex;
use concilia_shared::webhook::{self, Webhook};
use jiff::Timestamp;

use super::chain::{Digest, Head, Link};
use super::{Cursor, Recorded, StoreError};
use crate::domain::event::{Event, VERSION};

/// A moment as the databases keep it: microseconds, the finest PostgreSQL knows. What is
/// finer is cut off, towards the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    pub(super) fn from_microseconds(microseconds: i64) -> Self {
        Self(microseconds)
    }

    pub(super) fn microseconds(self) -> i64 {
        self.0
    }

    /// `place` names the cell, should it not read.
    pub(super) fn timestamp(self, place: &str) -> Result<Timestamp, StoreError> {
        Timestamp::from_microsecond(self.0)
            .map_err(|_| StoreError::Corrupt(format!("{place} is not a time")))
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        // A count of nanoseconds within the years jiff knows is far within an i64 once divided.
        let microseconds = timestamp.as_nanosecond().div_euclid(1_000);
        Self(i64::try_from(microseconds).unwrap_or(i64::MAX))
    }
}

/// A row of `events`, in the order both stores select it: position, transaction (0 in
/// SQLite), stream, sequence, account, about, kind, version, data, `recorded_at`, previous,
/// hash.
pub(super) type EventRow =
    (i64, i64, String, i64, String, String, String, i32, String, Moment, Vec<u8>, Vec<u8>);

/// A row of the log with its place in it.
pub(super) struct Placed {
    pub(super) cursor: Cursor,
    pub(super) link: Link,
}

impl From<EventRow> for Placed {
    fn from(row: EventRow) -> Self {
        let (
            position,
            transaction,
            stream,
            sequence,
            account,
            about,
            kind,
            version,
            data,
            recorded_at,
            previous,
            hash,
        ) = row;
        Self {
            cursor: Cursor { transaction, position },
            link: Link {
                stream,
                sequence,
                account,
                about,
                kind,
                version,
                data,
                recorded_at_us: recorded_at.microseconds(),
                previous,
                hash,
            },
        }
    }
}

impl Placed {
    pub(super) fn into_parts(self) -> (Cursor, Link) {
        (self.cursor, self.link)
    }
}

impl TryFrom<Placed> for Recorded {
    type Error = StoreError;

    fn try_from(placed: Placed) -> Result<Self, StoreError> {
        let Placed { cursor, link } = placed;
        let corrupt = |column: &str, why: &dyn std::fmt::Display| {
            StoreError::Corrupt(format!(
                "events.{column} of {}#{}: {why}",
                link.stream, link.sequence
            ))
        };
        let stream =
            StreamId::parse(link.stream.clone()).map_err(|error| corrupt("stream", &error))?;
        if !(1..=VERSION).contains(&link.version) {
            let why = format!("version {} is not one this build knows", link.version);
            return Err(corrupt("version", &why));
        }
        let event: Event =
            serde_json::from_str(&link.data).map_err(|error| corrupt("data", &error))?;
        if event.kind() != link.kind {
            return Err(corrupt("kind", &"the data is of another kind"));
        }
        if event.about() != link.about {
            return Err(corrupt("about", &"the data is about another event"));
        }
        let recorded_at = Moment::from_microseconds(link.recorded_at_us)
            .timestamp(&format!("events.recorded_at of {}#{}", link.stream, link.sequence))?;
        Ok(Self {
            cursor,
            stream,
            sequence: link.sequence,
            recorded_at,
            event,
            hash: encode_hex(&link.hash),
        })
    }
}

/// Reads rows of `events`.
pub(super) fn recorded(rows: Vec<EventRow>) -> Result<Vec<Recorded>, StoreError> {
    rows.into_iter().map(|row| Placed::from(row).try_into()).collect()
}

/// Reads the end of a stream.
pub(super) fn head(stream: &str, sequence: i64, hash: &[u8]) -> Result<Head, StoreError> {
    let hash = Digest::try_from(hash)
        .map_err(|_| StoreError::Corrupt(format!("events.hash of {stream}#{sequence}: no hash")))?;
    Ok(Head { sequence, hash })
}

/// A row of `payloads`: body hash, signature, `received_at`, `late_s`, traceparent, bytes.
pub(super) type PayloadRow = (String, String, Moment, Option<i64>, Option<String>, Vec<u8>);

/// A webhook as it was kept, if its body still is what was hashed.
pub(super) fn webhook(
    account: &AccountName,
    event: &EventId,
    row: PayloadRow,
) -> Result<Webhook, StoreError> {
    let (body_hash, signature, received_at, late_s, traceparent, body) = row;
    if webhook::body_hash(&body) != body_hash {
        let why = format!("payloads.bytes of {account}/{event}: not the body that was hashed");
        return Err(StoreError::Corrupt(why));
    }
    let received_at =
        received_at.timestamp(&format!("payloads.received_at of {account}/{event}"))?;
    Ok(Webhook { account: account.clone(), signature, received_at, late_s, traceparent, body })
}

/// A header as a text column takes it. PostgreSQL refuses NUL, which no genuine header holds;
/// one message of a stranger's must not hold up its batch for ever.
pub(super) fn header(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Reads names of streams; sorted, each once.
pub(super) fn streams(table: &str, names: Vec<String>) -> Result<Vec<StreamId>, StoreError> {
    let names: BTreeSet<String> = names.into_iter().collect();
    let read = |name: String| {
        StreamId::parse(name)
            .map_err(|error| StoreError::Corrupt(format!("{table}.stream: {error}")))
    };
    names.into_iter().map(read).collect()
}

/// A broker sequence as a column holds it.
pub(super) fn column(sequence: u64) -> Result<i64, StoreError> {
    i64::try_from(sequence)
        .map_err(|_| StoreError::Corrupt(format!("broker sequence {sequence} is out of range")))
}

/// A broker sequence as a column held it.
pub(super) fn sequence(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column)
        .map_err(|_| StoreError::Corrupt(format!("broker sequence {column} is negative")))
}

/// A range of broker sequences as a row held it.
pub(super) fn range((first, last): (i64, i64)) -> Result<(u64, u64), StoreError> {
    Ok((sequence(first)?, sequence(last)?))
}

/// Ranges of broker sequences as two columns, sorted; empty ones left out.
pub(super) fn columns(ranges: &[(u64, u64)]) -> Result<(Vec<i64>, Vec<i64>), StoreError> {
    let mut ranges: Vec<_> = ranges.iter().filter(|(first, last)| first <= last).collect();
    ranges.sort_unstable();
    let mut columns = (Vec::new(), Vec::new());
    for (first, last) in ranges {
        columns.0.push(column(*first)?);
        columns.1.push(column(*last)?);
    }
    Ok(columns)
}

/// A limit as SQL takes it.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

mod sqlite {
    use sqlx::encode::IsNull;
    use sqlx::error::BoxDynError;
    use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
    use sqlx::{Decode, Encode, Sqlite, Type};

    use super::Moment;

    impl Type<Sqlite> for Moment {
        fn type_info() -> SqliteTypeInfo {
            <i64 as Type<Sqlite>>::type_info()
        }

        fn compatible(kind: &SqliteTypeInfo) -> bool {
            <i64 as Type<Sqlite>>::compatible(kind)
        }
    }

    impl Encode<'_, Sqlite> for Moment {
        fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
            <i64 as Encode<'_, Sqlite>>::encode(self.0, buffer)
        }
    }

    impl<'r> Decode<'r, Sqlite> for Moment {
        fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
            <i64 as Decode<'r, Sqlite>>::decode(value).map(Self)
        }
    }
}

mod postgres {
    use sqlx::encode::IsNull;
    use sqlx::error::BoxDynError;
    use sqlx::postgres::{
        PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef, Postgres,
    };
    use sqlx::{Decode, Encode, Type};

    use super::Moment;

    /// On the wire a `timestamptz` is microseconds since 2000-01-01, UTC.
    const EPOCH_2000_US: i64 = 946_684_800_000_000;

    impl Type<Postgres> for Moment {
        fn type_info() -> PgTypeInfo {
            PgTypeInfo::with_name("timestamptz")
        }
    }

    impl PgHasArrayType for Moment {
        fn array_type_info() -> PgTypeInfo {
            PgTypeInfo::with_name("timestamptz[]")
        }
    }

    impl Encode<'_, Postgres> for Moment {
        fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
            <i64 as Encode<'_, Postgres>>::encode(self.0.saturating_sub(EPOCH_2000_US), buffer)
        }
    }

    impl<'r> Decode<'r, Postgres> for Moment {
        fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
            if value.format() == PgValueFormat::Text {
                return Err("a time is read from prepared statements only".into());
            }
            let since_2000 = <i64 as Decode<'r, Postgres>>::decode(value)?;
            Ok(Self(since_2000.saturating_add(EPOCH_2000_US)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Link);

    fn placed(change: impl FnOnce(&mut Link)) -> Result<Recorded, StoreError> {
        let mut link = Link {
            stream: "main/event-evt_1".to_owned(),
            sequence: 3,
            account: "main".to_owned(),
            about: "evt_1".to_owned(),
            kind: "recorded".to_owned(),
            version: 1,
            data: r#"{"kind":"recorded","about":"evt_1","reason":{"reason":"nothing_to_do"}}"#
                .to_owned(),
            recorded_at_us: 0,
            previous: vec![0; 32],
            hash: vec![0xab; 32],
        };
        change(&mut link);
        let cursor = Cursor::default();
        Placed { cursor, link }.try_into()
    }

    #[test]
    fn a_bad_cell_is_named_by_table_column_and_row() {
        assert_eq!(placed(|_| ()).unwrap().hash, "ab".repeat(32));
        let cases: [(&str, Change); 6] = [
            ("events.stream", |link| "nothing".clone_into(&mut link.stream)),
            ("events.version", |link| link.version = VERSION + 1),
            ("events.data", |link| link.data.truncate(9)),
            ("events.kind", |link| "booked".clone_into(&mut link.kind)),
            ("events.about", |link| "evt_2".clone_into(&mut link.about)),
            ("events.recorded_at", |link| link.recorded_at_us = i64::MAX),
        ];
        for (column, change) in cases {
            let error = placed(change).unwrap_err().to_string();
            assert!(error.contains(&format!("{column} of ")) && error.contains("#3"), "{error}");
        }
    }

    #[test]
    fn a_moment_is_cut_to_microseconds_towards_the_past() {
        let late: Timestamp = "2026-01-05T12:00:03.000001999Z".parse().unwrap();
        let early: Timestamp = "1969-12-31T23:59:59.999999999Z".parse().unwrap();
        assert_eq!(Moment::from(late).microseconds() % 1_000_000, 1);
        assert_eq!(Moment::from(early).microseconds(), -1);
    }
}
