//! The hash chain of a stream: canonical form, hash, and where a chain breaks. Pure.
//!
//! `hash = sha256(previous ‖ canonical)`, written as one list of fields: the previous hash (of
//! the first: 32 zero bytes), the words `concilia event 1`, stream, sequence, account, about,
//! kind, version, data, and the time in microseconds since 1970. Each field is preceded by
//! its length (8 bytes, big endian), so that no two rows share a form; numbers are 8 bytes,
//! big endian. What raw bytes a webhook had is covered through the body hash inside its
//! data, so that erasing the bytes leaves the chain whole.
//!
//! A chain proves that nothing in it was changed, left out or put in. It cannot prove that
//! its end was not cut off: for that, compare with a copy of the last hash kept elsewhere.
//!
//! Not here: reading rows (the two stores).

use concilia_shared::id::StreamId;
use sha2::{Digest as _, Sha256};

use super::row::Moment;
use crate::domain::event::{Event, VERSION};

/// A SHA-256.
pub type Digest = [u8; 32];

/// What the first link of every stream follows.
pub const FIRST_PREVIOUS: Digest = [0; 32];

/// Separates these hashes from any others, and this canonical form from a later one.
const DOMAIN: &[u8] = b"concilia event 1";

/// A row of the log as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its stream.
    pub stream: String,
    /// Its place in the stream, from 1.
    pub sequence: i64,
    /// The stream's account.
    pub account: String,
    /// The webhook event it is about.
    pub about: String,
    /// The kind of fact.
    pub kind: String,
    /// The version of the shape of its data.
    pub version: i32,
    /// The data: JSON text, byte for byte.
    pub data: String,
    /// When it was appended, in microseconds since 1970, UTC.
    pub recorded_at_us: i64,
    /// The hash it follows; 32 bytes unless somebody meddled.
    pub previous: Vec<u8>,
    /// Its own hash; 32 bytes unless somebody meddled.
    pub hash: Vec<u8>,
}

/// Where a chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{stream} breaks at sequence {sequence}: {why}")]
pub struct Break {
    /// The stream.
    pub stream: String,
    /// The sequence that should stand there.
    pub sequence: i64,
    /// What is wrong.
    pub why: BreakKind,
}

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BreakKind {
    /// Another sequence or another stream stands there: something is missing or put in.
    #[error("another event stands in its place")]
    Misplaced,
    /// It does not follow the hash of the one before.
    #[error("it does not follow the event before it")]
    Previous,
    /// Its hash is not that of its content.
    #[error("its content is not what was hashed")]
    Content,
}

/// The end of a stream: what the next link follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) sequence: i64,
    pub(super) hash: Digest,
}

impl Default for Head {
    fn default() -> Self {
        Self { sequence: 0, hash: FIRST_PREVIOUS }
    }
}

impl Head {
    /// Makes the next link and moves on to it.
    pub(super) fn extend(
        &mut self,
        stream: &StreamId,
        event: &Event,
        recorded_at: Moment,
    ) -> Result<Link, serde_json::Error> {
        let mut link = Link {
            stream: stream.to_string(),
            sequence: self.sequence + 1,
            account: stream.account().to_owned(),
            about: event.about().to_owned(),
            kind: event.kind().to_owned(),
            version: VERSION,
            data: serde_json::to_string(event)?,
            recorded_at_us: recorded_at.microseconds(),
            previous: self.hash.to_vec(),
            hash: Vec::new(),
        };
        let hash = link.content_hash();
        link.hash = hash.to_vec();
        *self = Self { sequence: link.sequence, hash };
        Ok(link)
    }
}

impl Link {
    /// The hash its content should have.
    pub fn content_hash(&self) -> Digest {
        let mut hasher = Sha256::new();
        for field in [
            &self.previous[..],
            DOMAIN,
            self.stream.as_bytes(),
            &self.sequence.to_be_bytes(),
            self.account.as_bytes(),
            self.about.as_bytes(),
            self.kind.as_bytes(),
            &i64::from(self.version).to_be_bytes(),
            self.data.as_bytes(),
            &self.recorded_at_us.to_be_bytes(),
        ] {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        hasher.finalize().into()
    }
}

/// Checks a whole stream, its links in order; says where it breaks first.
pub fn verify(stream: &str, links: &[Link]) -> Result<(), Break> {
    let mut previous = &FIRST_PREVIOUS[..];
    for (sequence, link) in (1..).zip(links) {
        let why = if link.sequence != sequence || link.stream != stream {
            BreakKind::Misplaced
        } else if link.previous != previous {
            BreakKind::Previous
        } else if link.hash != link.content_hash() {
            BreakKind::Content
        } else {
            previous = &link.hash;
            continue;
        };
        return Err(Break { stream: stream.to_owned(), sequence, why });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use concilia_shared::id::EventId;
    use concilia_shared::signature::encode_hex;

    use super::*;
    use crate::domain::reason::RecordReason;

    const STREAM: &str = "main/checkout-chk_1";

    type Change = fn(&mut Link);

    fn chain(length: usize) -> Vec<Link> {
        let stream = StreamId::parse(STREAM).unwrap();
        let mut head = Head::default();
        (0..length)
            .map(|n| {
                let event = Event::Recorded {
                    about: EventId::parse(format!("evt_{n}")).unwrap(),
                    reason: RecordReason::NothingToDo,
                };
                let at = Moment::from_microseconds(1_700_000_000_000_000);
                head.extend(&stream, &event, at).unwrap()
            })
            .collect()
    }

    fn broken(links: &[Link]) -> (i64, BreakKind) {
        let at = verify(STREAM, links).unwrap_err();
        (at.sequence, at.why)
    }

    #[test]
    fn a_chain_as_written_holds() {
        assert_eq!(verify(STREAM, &chain(5)), Ok(()));
        assert_eq!(verify(STREAM, &[]), Ok(()));
    }

    /// The canonical form is a promise: every log ever written rests on it. The value was
    /// computed apart from this code, from the description at the top.
    #[test]
    fn the_hash_of_a_known_event_never_changes() {
        assert_eq!(
            encode_hex(&chain(1)[0].hash),
            "8833220f6e66106c4c1769ea9d74dd07ba69e013f92a248e02d90d8b45fb32f7"
        );
    }

    #[test]
    fn every_changed_field_is_noticed_where_it_is() {
        let changes: [(&str, Change); 6] = [
            ("account", |link| link.account.push('x')),
            ("about", |link| link.about.push('x')),
            ("kind", |link| link.kind.push('x')),
            ("version", |link| link.version += 1),
            ("data", |link| link.data.push(' ')),
            ("recorded_at", |link| link.recorded_at_us += 1),
        ];
        for (field, change) in changes {
            let mut links = chain(3);
            change(&mut links[1]);
            assert_eq!(broken(&links), (2, BreakKind::Content), "{field}");
        }
    }

    #[test]
    fn a_link_hashed_anew_after_a_change_betrays_itself_at_the_next() {
        let mut links = chain(3);
        links[1].data = "{}".to_owned();
        links[1].hash = links[1].content_hash().to_vec();
        assert_eq!(broken(&links), (3, BreakKind::Previous));
    }

    #[test]
    fn a_link_left_out_put_in_or_moved_is_noticed() {
        let mut without = chain(3);
        without.remove(1);
        assert_eq!(broken(&without), (2, BreakKind::Misplaced));
        let mut renumbered = chain(3);
        renumbered.remove(0);
        renumbered[0].sequence = 1;
        assert_eq!(broken(&renumbered), (1, BreakKind::Previous));
        let mut swapped = chain(3);
        swapped.swap(1, 2);
        assert_eq!(broken(&swapped), (2, BreakKind::Misplaced));
        let mut foreign = chain(2);
        foreign[1].stream = "main/checkout-chk_2".to_owned();
        assert_eq!(broken(&foreign), (2, BreakKind::Misplaced));
    }

    #[test]
    fn text_moved_across_a_field_border_is_another_event() {
        let mut link = chain(1).remove(0);
        let before = link.content_hash();
        link.about.push('k');
        link.kind.remove(0);
        assert_ne!(link.content_hash(), before);
    }
}
