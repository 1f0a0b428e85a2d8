//! Would this broker keep what it acknowledges? Pure: facts in, refusals out, each a sentence
//! with the next step.
//!
//! Not here: how the facts are found out ([`crate::stream`], [`crate::monitor`]) and what is
//! done about a refusal ([`crate::broker`]). Sources: `design.md`, section NATS;
//! `anchors.md` B3.

use async_nats::jetstream::stream::{
    Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType,
};
use concilia_shared::broker::SUBJECT_ALL;
use concilia_shared::webhook::BODY_BYTES_MAX;

/// Oldest server that syncs an atomic batch once instead of once a message (`anchors.md` B3).
const VERSION_MIN: [u64; 3] = [2, 15, 0];

/// Room a message needs beyond its body: our headers (the signature's is at most 1 KiB), the
/// batch's, the subject.
const HEADER_BYTES_MAX: usize = 4 * 1024;

/// What is known about the broker.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Version of the server this process is connected to.
    pub version: String,
    /// Longest message the server accepts, headers included, in bytes.
    pub max_payload: usize,
    /// How the server that holds the stream brings messages to disk; `None` before it was
    /// looked at.
    pub sync: Option<Sync>,
    /// Copies of the stream the configuration asks for.
    pub replicas: usize,
    /// The stream as it is; `None` before it was looked at.
    pub stream: Option<Config>,
}

/// How the server brings messages to disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sync {
    /// Before it acknowledges.
    Always,
    /// Every so often, in nanoseconds; what was acknowledged since is lost with the power.
    Every(u64),
    /// It could not be found out, and why.
    Unproven(String),
}

/// Why this broker is not trusted with a webhook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Older than 2.15.0, or of no version that reads.
    #[error("nats-server is version {0}, 2.15.0 or later is needed; upgrade the server")]
    Version(String),
    /// The sync interval is not `always`, and there is one copy.
    #[error(
        "nats-server syncs every {0} s, so a power cut loses what it acknowledged; \
         set sync_interval: always in its jetstream block"
    )]
    SyncInterval(u64),
    /// The sync interval is not known, and there is one copy.
    #[error(
        "durability is unproven: {0}; set nats.monitor_url to the monitoring address of the \
         server that holds the stream"
    )]
    Unproven(String),
    /// Genuine webhooks would not fit.
    #[error("nats-server accepts {0} bytes a message, {1} are needed; raise its max_payload")]
    Payload(usize, usize),
    /// Messages not yet consumed would be deleted to make room.
    #[error(
        "stream {0} discards old messages when it is full; run: nats stream edit {0} --discard new"
    )]
    DiscardOld(String),
    /// Messages of one subject would push each other out.
    #[error(
        "stream {0} keeps a limited number of messages a subject and deletes the rest; \
         run: nats stream edit {0} --max-msgs-per-subject=-1"
    )]
    PerSubject(String),
    /// Work-queue or interest retention: what is acknowledged disappears.
    #[error(
        "stream {0} has {1} retention, limits is needed; \
         move its messages to a stream made by this program"
    )]
    Retention(String, &'static str),
    /// In memory only.
    #[error("stream {0} is kept in memory; move its messages to a stream made by this program")]
    Memory(String),
    /// Acknowledged before it is written.
    #[error(
        "stream {0} has persist mode async and acknowledges before it writes; \
         move its messages to a stream made by this program"
    )]
    PersistAsync(String),
    /// Never acknowledges, or accepts nothing.
    #[error("stream {0} is {1} and can confirm nothing; name another one in nats.stream")]
    Mute(String, &'static str),
    /// Fewer copies than configured.
    #[error(
        "stream {0} has {1} replicas, nats.replicas asks for {2}; \
         run: nats stream edit {0} --replicas={2}"
    )]
    Replicas(String, usize, usize),
    /// Webhooks would go nowhere.
    #[error(
        "stream {0} does not listen to {SUBJECT_ALL}; run: nats stream edit {0} --subjects='{SUBJECT_ALL}'"
    )]
    Subjects(String),
}

/// Every reason not to trust the broker; none means that a 2xx can be promised.
pub fn judge(facts: &Facts) -> Vec<Refusal> {
    let mut refusals = judge_server(facts);
    if let Some(stream) = &facts.stream {
        refusals.extend(judge_stream(stream, facts.replicas));
    }
    refusals
}

fn judge_server(facts: &Facts) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if !is_new_enough(&facts.version) {
        refusals.push(Refusal::Version(facts.version.clone()));
    }
    // With several copies the others still have it when one loses power.
    if facts.replicas == 1 {
        match &facts.sync {
            None | Some(Sync::Always) => {}
            Some(Sync::Every(nanoseconds)) => {
                refusals.push(Refusal::SyncInterval(nanoseconds / 1_000_000_000));
            }
            Some(Sync::Unproven(why)) => refusals.push(Refusal::Unproven(why.clone())),
        }
    }
    let needed = BODY_BYTES_MAX + HEADER_BYTES_MAX;
    if facts.max_payload < needed {
        refusals.push(Refusal::Payload(facts.max_payload, needed));
    }
    refusals
}

fn judge_stream(stream: &Config, replicas: usize) -> Vec<Refusal> {
    let name = || stream.name.clone();
    let retention = match stream.retention {
        RetentionPolicy::Limits => None,
        RetentionPolicy::Interest => Some("interest"),
        RetentionPolicy::WorkQueue => Some("work-queue"),
    };
    let mute = [
        (stream.no_ack, "set to acknowledge nothing"),
        (stream.sealed, "sealed"),
        (stream.mirror.is_some(), "a mirror"),
    ];
    let per_subject = stream.max_messages_per_subject > 0 && !stream.discard_new_per_subject;
    let found = [
        (stream.discard == DiscardPolicy::Old).then(|| Refusal::DiscardOld(name())),
        per_subject.then(|| Refusal::PerSubject(name())),
        retention.map(|retention| Refusal::Retention(name(), retention)),
        (stream.storage == StorageType::Memory).then(|| Refusal::Memory(name())),
        (stream.persist_mode == Some(PersistenceMode::Async))
            .then(|| Refusal::PersistAsync(name())),
        (stream.num_replicas < replicas)
            .then(|| Refusal::Replicas(name(), stream.num_replicas, replicas)),
        (stream.mirror.is_none() && !stream.subjects.iter().any(|s| s == SUBJECT_ALL))
            .then(|| Refusal::Subjects(name())),
    ];
    let mute = mute.into_iter().filter(|(is, _)| *is).map(|(_, what)| Refusal::Mute(name(), what));
    found.into_iter().flatten().chain(mute).collect()
}

/// A preview of the oldest version comes before it (`2.15.0-RC.1`).
fn is_new_enough(version: &str) -> bool {
    let (numbers, preview) =
        version.split_once('-').map_or((version, false), |(numbers, _)| (numbers, true));
    let parsed: Option<Vec<u64>> = numbers.split('.').map(|part| part.parse().ok()).collect();
    match parsed {
        Some(numbers) if numbers.len() == 3 => {
            numbers[..] > VERSION_MIN[..] || (numbers[..] == VERSION_MIN[..] && !preview)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::stream::Source;
    use concilia_shared::config::Nats;

    use super::*;

    fn sound() -> Facts {
        Facts {
            version: "2.15.1".to_owned(),
            max_payload: 1_048_576,
            sync: Some(Sync::Always),
            replicas: 1,
            stream: Some(crate::stream::wanted(&Nats::default())),
        }
    }

    fn with(change: impl Fn(&mut Facts)) -> Vec<Refusal> {
        let mut facts = sound();
        change(&mut facts);
        judge(&facts)
    }

    fn with_stream(change: impl Fn(&mut Config)) -> Vec<Refusal> {
        with(|facts| change(facts.stream.as_mut().unwrap()))
    }

    #[test]
    fn the_stream_this_program_makes_on_a_synced_server_is_trusted() {
        assert_eq!(judge(&sound()), []);
    }

    #[test]
    fn a_server_that_could_lose_what_it_acknowledged_is_refused() {
        let v = |version: &str| with(|facts| version.clone_into(&mut facts.version));
        for old in ["2.14.6", "2.9.10", "1.99.99", "2.15.0-RC.1", "2.15", "", "x.y.z"] {
            assert_eq!(v(old), [Refusal::Version(old.to_owned())]);
        }
        for new in ["2.15.0", "2.15.1", "2.15.1-RC.2", "2.16.0-dev", "3.0.0"] {
            assert_eq!(v(new), []);
        }
        assert_eq!(
            with(|facts| facts.sync = Some(Sync::Every(120_000_000_000))),
            [Refusal::SyncInterval(120)]
        );
        assert_eq!(
            with(|facts| facts.sync = Some(Sync::Unproven("why".to_owned()))),
            [Refusal::Unproven("why".to_owned())]
        );
        assert_eq!(
            with(|facts| facts.max_payload = 256 * 1024),
            [Refusal::Payload(262_144, 266_240)]
        );
    }

    #[test]
    fn the_sync_interval_matters_only_with_one_copy() {
        let three = |sync: Sync| {
            with(|facts| {
                facts.sync = Some(sync.clone());
                facts.replicas = 3;
                facts.stream.as_mut().unwrap().num_replicas = 3;
            })
        };
        assert_eq!(three(Sync::Every(1)), []);
        assert_eq!(three(Sync::Unproven(String::new())), []);
    }

    #[test]
    fn each_dangerous_stream_setting_is_refused() {
        let v = || "VENTIPAY".to_owned();
        for (found, expected) in [
            (with_stream(|s| s.discard = DiscardPolicy::Old), Refusal::DiscardOld(v())),
            (with_stream(|s| s.max_messages_per_subject = 1), Refusal::PerSubject(v())),
            (
                with_stream(|s| s.retention = RetentionPolicy::WorkQueue),
                Refusal::Retention(v(), "work-queue"),
            ),
            (
                with_stream(|s| s.retention = RetentionPolicy::Interest),
                Refusal::Retention(v(), "interest"),
            ),
            (with_stream(|s| s.storage = StorageType::Memory), Refusal::Memory(v())),
            (
                with_stream(|s| s.persist_mode = Some(PersistenceMode::Async)),
                Refusal::PersistAsync(v()),
            ),
            (with(|facts| facts.replicas = 3), Refusal::Replicas(v(), 1, 3)),
            (
                with_stream(|s| s.subjects = vec!["ventipay.events.main.>".to_owned()]),
                Refusal::Subjects(v()),
            ),
            (with_stream(|s| s.no_ack = true), Refusal::Mute(v(), "set to acknowledge nothing")),
            (with_stream(|s| s.sealed = true), Refusal::Mute(v(), "sealed")),
            (with_stream(|s| s.mirror = Some(Source::default())), Refusal::Mute(v(), "a mirror")),
        ] {
            assert_eq!(found, [expected]);
        }
        assert_eq!(
            with_stream(|s| {
                s.max_messages_per_subject = 1;
                s.discard_new_per_subject = true;
            }),
            [],
            "a limit that refuses the new is only a limit"
        );
        assert_eq!(with_stream(|s| s.num_replicas = 3), [], "more is better");
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let refusals = with(|facts| {
            facts.version = "2.9.0".to_owned();
            facts.sync = Some(Sync::Every(1));
            facts.stream.as_mut().unwrap().discard = DiscardPolicy::Old;
        });
        assert_eq!(refusals.len(), 3, "{refusals:?}");
    }
}
