//! Which broker sequences were never seen: the walk both databases share.
//!
//! Positions are looked through page by page above a watermark, a range known to be without
//! gaps that moves up as gaps close; so a call costs what is new since the last, not what
//! the log holds. Not here: SQL, and reading the messages again (`consume`).

use async_trait::async_trait;

use super::StoreError;

/// Sequences in one page.
const PAGE: usize = 5_000;

/// Pages one call looks through; what lies above is the next call's.
const PAGES_MAX: usize = 20;

/// Highest sequence a column holds; a broker at a million messages a second reaches it in
/// 290,000 years.
const SEQUENCE_MAX: u64 = i64::MAX.unsigned_abs();

/// An inclusive range of sequences.
pub(super) type Range = (u64, u64);

/// The tables of the broker's positions.
#[async_trait]
pub(super) trait Positions {
    /// The range known to be without gaps.
    async fn watermark(&self, broker_stream: &str) -> Result<Option<Range>, StoreError>;

    /// Moves the watermark. It may be set back by a slower caller; that costs only time.
    async fn set_watermark(&self, broker_stream: &str, range: Range) -> Result<(), StoreError>;

    /// The lowest sequences seen within `within`, ascending, at most `limit`.
    async fn seen(
        &self,
        broker_stream: &str,
        within: Range,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError>;

    /// The ranges noted as gone that overlap `within`, by their first, at most `limit`.
    async fn gone(
        &self,
        broker_stream: &str,
        within: Range,
        limit: usize,
    ) -> Result<Vec<Range>, StoreError>;
}

/// See [`super::EventStore::missing`].
pub(super) async fn missing(
    positions: &(impl Positions + Sync),
    broker_stream: &str,
    (from, through): Range,
    limit: usize,
) -> Result<Vec<Range>, StoreError> {
    let mut missing: Vec<Range> = Vec::new();
    // There is no sequence 0.
    let (from, through) = (from.max(1), through.min(SEQUENCE_MAX));
    if from > through || limit == 0 {
        return Ok(missing);
    }
    let known = positions.watermark(broker_stream).await?;
    let (first, mut start) = match known {
        // It reaches into the range asked for, or up to it.
        Some((first, last)) if first <= from && from <= last.saturating_add(1) => {
            (first, last.saturating_add(1))
        }
        _ => (from, from),
    };
    for _ in 0..PAGES_MAX {
        if start > through || missing.len() > limit {
            break;
        }
        let seen = positions.seen(broker_stream, (start, through), PAGE).await?;
        let mut end = page_end(&seen, through);
        let gone = positions.gone(broker_stream, (start, end), PAGE).await?;
        if let Some((first_of_last, _)) = gone.last()
            && gone.len() == PAGE
        {
            // What starts after it was not read; at least one sequence is covered.
            end = end.min((*first_of_last).max(start));
        }
        for range in uncovered((start, end), &seen, &gone) {
            join(&mut missing, range);
        }
        start = end.saturating_add(1);
    }
    let without_gaps = missing.first().map_or(start, |(gap, _)| *gap);
    if without_gaps > first && known != Some((first, without_gaps - 1)) {
        let watermark = (first, without_gaps - 1);
        positions.set_watermark(broker_stream, watermark).await?;
    }
    missing.truncate(limit);
    Ok(missing)
}

/// How far a page of sequences seen speaks for what was not seen.
fn page_end(seen: &[u64], through: u64) -> u64 {
    match seen.last() {
        Some(last) if seen.len() == PAGE => *last,
        _ => through,
    }
}

/// The parts of `within` that neither list covers.
fn uncovered((from, through): Range, seen: &[u64], gone: &[Range]) -> Vec<Range> {
    let mut covered: Vec<Range> = seen.iter().map(|sequence| (*sequence, *sequence)).collect();
    covered.extend_from_slice(gone);
    covered.sort_unstable();
    let mut parts = Vec::new();
    let mut next = from;
    for (first, last) in covered {
        if next > through {
            break;
        }
        if first > next {
            parts.push((next, (first - 1).min(through)));
        }
        next = next.max(last.saturating_add(1));
    }
    if next <= through {
        parts.push((next, through));
    }
    parts
}

/// Adds a range, joining it to the last where they touch across a page border.
fn join(ranges: &mut Vec<Range>, range: Range) {
    match ranges.last_mut() {
        Some(last) if last.1.saturating_add(1) == range.0 => last.1 = range.1,
        _ => ranges.push(range),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;

    /// The tables, in memory.
    #[derive(Default)]
    struct Tables {
        seen: BTreeSet<u64>,
        gone: BTreeSet<Range>,
        watermark: Mutex<Option<Range>>,
        pages: Mutex<usize>,
    }

    #[async_trait]
    impl Positions for Tables {
        async fn watermark(&self, _: &str) -> Result<Option<Range>, StoreError> {
            Ok(*self.watermark.lock().unwrap())
        }

        async fn set_watermark(&self, _: &str, range: Range) -> Result<(), StoreError> {
            *self.watermark.lock().unwrap() = Some(range);
            Ok(())
        }

        async fn seen(
            &self,
            _: &str,
            (from, through): Range,
            limit: usize,
        ) -> Result<Vec<u64>, StoreError> {
            *self.pages.lock().unwrap() += 1;
            let page = self.seen.range(from..=through).take(limit);
            Ok(page.copied().collect())
        }

        async fn gone(
            &self,
            _: &str,
            (from, through): Range,
            limit: usize,
        ) -> Result<Vec<Range>, StoreError> {
            let overlaps = |range: &&Range| range.1 >= from && range.0 <= through;
            Ok(self.gone.iter().filter(overlaps).take(limit).copied().collect())
        }
    }

    fn ask(tables: &Tables, from: u64, through: u64, limit: usize) -> Vec<Range> {
        futures_util::FutureExt::now_or_never(missing(tables, "s", (from, through), limit))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn gaps_at_either_end_and_between_are_found() {
        let tables =
            Tables { seen: [3, 4, 7, 9].into(), gone: [(8, 8)].into(), ..Tables::default() };
        assert_eq!(ask(&tables, 1, 12, 9), [(1, 2), (5, 6), (10, 12)]);
        assert_eq!(ask(&tables, 1, 12, 2), [(1, 2), (5, 6)]);
        assert_eq!(ask(&tables, 3, 4, 9), []);
        assert_eq!(ask(&tables, 5, 4, 9), []);
        assert_eq!(ask(&Tables::default(), 0, u64::MAX, 9), [(1, SEQUENCE_MAX)]);
    }

    #[test]
    fn what_has_no_gaps_is_not_looked_through_again() {
        let tables = Tables { seen: (1..=12_000).collect(), ..Tables::default() };
        assert_eq!(ask(&tables, 1, 12_001, 9), [(12_001, 12_001)]);
        assert_eq!(*tables.watermark.lock().unwrap(), Some((1, 12_000)));
        let before = *tables.pages.lock().unwrap();
        assert_eq!(ask(&tables, 1, 12_000, 9), []);
        assert_eq!(*tables.pages.lock().unwrap(), before);
    }

    #[test]
    fn a_gap_across_pages_is_one_range() {
        let tables =
            Tables { seen: (1..=5_000).chain(6_001..=12_000).collect(), ..Tables::default() };
        assert_eq!(ask(&tables, 1, 12_000, 9), [(5_001, 6_000)]);
    }

    #[test]
    fn a_lower_from_is_not_answered_from_a_higher_watermark() {
        let tables = Tables { seen: (10..=20).collect(), ..Tables::default() };
        assert_eq!(ask(&tables, 10, 20, 9), []);
        assert_eq!(ask(&tables, 1, 20, 9), [(1, 9)]);
    }

    proptest! {
        #[test]
        fn the_answer_is_that_of_counting(
            seen in proptest::collection::btree_set(1_u64..60, 0..40),
            gone in proptest::collection::btree_set((1_u64..60, 0_u64..5), 0..6),
            asked in proptest::collection::vec((1_u64..60, 1_u64..60), 1..5),
        ) {
            let gone: BTreeSet<Range> = gone.into_iter().map(|(at, more)| (at, at + more)).collect();
            let tables = Tables { seen: seen.clone(), gone: gone.clone(), ..Tables::default() };
            for (from, through) in asked {
                let answer: Vec<u64> = ask(&tables, from, through, usize::MAX)
                    .into_iter()
                    .flat_map(|(first, last)| first..=last)
                    .collect();
                let counted: Vec<u64> = (from..=through)
                    .filter(|at| !seen.contains(at))
                    .filter(|at| !gone.iter().any(|range| range.0 <= *at && *at <= range.1))
                    .collect();
                prop_assert_eq!(answer, counted);
            }
        }
    }
}
