//! Leases: what a claim is, and what its release leaves behind. Pure, shared by both stores.
//!
//! Not here: SQL.

use concilia_shared::id::StreamId;
use jiff::Timestamp;

use super::row::Moment;
use super::{Claim, StoreError, Then};

/// Who claims, and for how long.
pub(super) struct Lease<'a> {
    pub(super) holder: &'a str,
    pub(super) now: Moment,
    pub(super) until: Moment,
}

impl<'a> Lease<'a> {
    pub(super) fn new(holder: &'a str, now: Timestamp, until: Timestamp) -> Self {
        Self { holder, now: now.into(), until: until.into() }
    }

    /// Reads rows of `work` just claimed: stream and generation.
    pub(super) fn claims(&self, rows: Vec<(String, i64)>) -> Result<Vec<Claim>, StoreError> {
        rows.into_iter()
            .map(|(stream, generation)| {
                let stream = StreamId::parse(stream.clone()).map_err(|error| {
                    StoreError::Corrupt(format!("work.stream of {stream}: {error}"))
                })?;
                Ok(Claim { stream, holder: self.holder.to_owned(), generation })
            })
            .collect()
    }
}

/// Whether a fact that no claim made goes into a stream that is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claimed {
    /// Whoever claimed it sees the fact when it appends, and decides anew.
    Too,
    /// The fact would keep that from being seen.
    Never,
}

/// What a released row of `work` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Release {
    /// When it is due; `None` at rest.
    pub(super) due_at: Option<Moment>,
    /// Whether something never tried waits in it.
    pub(super) fresh: bool,
}

/// What a claim leaves behind, if it is released; `news`: something came since it was made.
pub(super) fn release(then: Then, news: bool, now: Moment) -> Option<Release> {
    let due_at = match then {
        Then::Continue => return None,
        Then::DueAt(_) | Then::Rest if news => Some(now),
        Then::DueAt(at) => Some(at.into()),
        Then::Rest => None,
    };
    Some(Release { due_at, fresh: news })
}
