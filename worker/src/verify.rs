//! Checks everything the log says of itself: chains, bodies, signatures, places in the broker,
//! and that the views are what the log shows. Reads only.
//!
//! Safe while traffic goes on: what is still on its way is asked about again. What no chain can
//! show is an end that was cut off; the views and the tables beside the log betray most of
//! that, a copy of the last hashes kept elsewhere all of it. Not here: what a chain is
//! ([`crate::store::chain`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use concilia_shared::id::{AccountName, StreamId};
use concilia_shared::secret::Secret;
use concilia_shared::signature::SignatureHeader;
use concilia_shared::webhook::body_hash;
use serde::Serialize;

use crate::domain::event::Event;
use crate::store::chain::{self, Link};
use crate::store::raw::{BodyKey, Payload, hash_told};
use crate::store::{EventStore, Recorded, StoreError};
use crate::views::fold::fold;
use crate::views::project;

/// Streams checked at once.
const STREAMS: usize = 100;

/// Bodies held at once: up to 256 KiB each.
const BODIES: usize = 50;

/// How often views that differ are looked at again, in case they were only behind.
const LOOKS: usize = 12;

/// Between two looks.
const BETWEEN: Duration = Duration::from_millis(250);

/// The webhook secrets of each account.
pub type Secrets = BTreeMap<AccountName, Vec<Secret>>;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Streams whose chains hold.
    pub streams: u64,
    /// Events in them.
    pub events: u64,
    /// Webhooks.
    pub webhooks: u64,
    /// Other bodies under a known id.
    pub conflicts: u64,
    /// Bodies that are what was hashed.
    pub bodies: u64,
    /// Bodies that were erased.
    pub erased: u64,
    /// Signatures that one of the account's secrets made.
    pub proven: u64,
    /// Signatures no secret at hand can prove: the account has none, or it was replaced.
    pub unproven: u64,
    /// Streams whose views could not be compared: another transaction holds them up.
    pub not_compared: u64,
    /// The first place that is off.
    pub problem: Option<String>,
}

/// Why checking stopped.
enum Stop {
    Off(String),
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Checks the whole log, and stops at the first place that is off. `strict`: an erased body and
/// a signature that cannot be proven are off too. `seen` is told how many events were checked.
pub async fn verify(
    store: &dyn EventStore,
    secrets: &Secrets,
    strict: bool,
    mut seen: impl FnMut(u64),
) -> Result<Report, StoreError> {
    let mut check = Check { store, secrets, strict, report: Report::default() };
    match check.all(&mut seen).await {
        Ok(()) => {}
        Err(Stop::Off(place)) => check.report.problem = Some(place),
        Err(Stop::Store(error)) => return Err(error),
    }
    Ok(check.report)
}

struct Check<'a> {
    store: &'a dyn EventStore,
    secrets: &'a Secrets,
    strict: bool,
    report: Report,
}

/// What a stream's facts say stands beside the log.
struct Body {
    key: BodyKey,
    place: String,
    stream: String,
    /// Of a webhook: when it was received, in microseconds, and how late.
    received: Option<(i64, Option<i64>)>,
}

impl Check<'_> {
    async fn all(&mut self, seen: &mut impl FnMut(u64)) -> Result<(), Stop> {
        let mut after = String::new();
        loop {
            let names = self.store.stream_names(&after, STREAMS).await?;
            let Some(last) = names.last() else { break };
            after.clone_from(last);
            let links = self.store.links_of(&names).await?;
            self.chains(&links)?;
            self.bodies(&links).await?;
            self.views(&names).await?;
            seen(self.report.events);
        }
        match self.store.stranger().await? {
            Some(place) => Err(Stop::Off(place)),
            None => Ok(()),
        }
    }

    fn chains(&mut self, links: &[Link]) -> Result<(), Stop> {
        for stream in links.chunk_by(|a, b| a.stream == b.stream) {
            let name = &stream[0].stream;
            let off = |sequence: i64, why: &dyn std::fmt::Display| {
                Stop::Off(format!("events: {name}#{sequence}: {why}"))
            };
            chain::verify(name, stream).map_err(|broken| off(broken.sequence, &broken.why))?;
            for link in stream {
                let recorded = link.read().map_err(|error| off(link.sequence, &error))?;
                if recorded.stream.account() != link.account {
                    return Err(off(link.sequence, &"it is of another account than its stream"));
                }
            }
            self.report.streams += 1;
            self.report.events += stream.len() as u64;
        }
        Ok(())
    }

    async fn bodies(&mut self, links: &[Link]) -> Result<(), Stop> {
        let told = bodies_told(links)?;
        let (webhooks, conflicts): (Vec<&Body>, Vec<&Body>) =
            told.iter().partition(|body| body.received.is_some());
        self.entries(&webhooks).await?;
        let keys: Vec<BodyKey> = conflicts.iter().map(|body| body.key.clone()).collect();
        let known: BTreeSet<BodyKey> = self.store.conflicts(&keys).await?.into_iter().collect();
        if let Some(body) = conflicts.iter().find(|body| !known.contains(&body.key)) {
            return Err(Stop::Off(format!("conflicts: {} is missing", body.place)));
        }
        self.report.webhooks += webhooks.len() as u64;
        self.report.conflicts += conflicts.len() as u64;
        for some in told.chunks(BODIES) {
            let keys: Vec<BodyKey> = some.iter().map(|body| body.key.clone()).collect();
            let kept = self.store.payloads(&keys).await?;
            let kept: HashMap<&BodyKey, &Payload> =
                kept.iter().map(|payload| (&payload.key, payload)).collect();
            for body in some {
                self.body(body, kept.get(&body.key).copied())?;
            }
        }
        Ok(())
    }

    /// The rows under which duplicates end.
    async fn entries(&self, webhooks: &[&Body]) -> Result<(), Stop> {
        let keys: Vec<(String, String)> =
            webhooks.iter().map(|body| (body.key.0.clone(), body.key.1.clone())).collect();
        let mut entries = HashMap::new();
        for entry in self.store.entries(&keys).await? {
            entries.insert((entry.account.clone(), entry.event_id.clone()), entry);
        }
        for (body, key) in webhooks.iter().zip(&keys) {
            let off = |why: &str| Err(Stop::Off(format!("webhooks: {} {why}", body.place)));
            match entries.get(key) {
                None => return off("is missing"),
                Some(entry) if entry.body_hash != body.key.2 => return off("names another body"),
                Some(entry) if entry.stream != body.stream => return off("names another stream"),
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn body(&mut self, body: &Body, kept: Option<&Payload>) -> Result<(), Stop> {
        let off = |why: &str| Err(Stop::Off(format!("payloads: {} {why}", body.place)));
        let Some(payload) = kept else {
            self.report.erased += 1;
            return if self.strict { off("was erased") } else { Ok(()) };
        };
        if body_hash(&payload.bytes) != body.key.2 {
            return off("is not the body that was hashed");
        }
        if body
            .received
            .is_some_and(|received| received != (payload.received_at_us, payload.late_s))
        {
            return off("was received at another time than the event says");
        }
        self.report.bodies += 1;
        if self.is_proven(payload) {
            self.report.proven += 1;
            return Ok(());
        }
        self.report.unproven += 1;
        if self.strict {
            off("has a signature that none of the account's secrets made")
        } else {
            Ok(())
        }
    }

    fn is_proven(&self, payload: &Payload) -> bool {
        let secrets = AccountName::parse(payload.key.0.as_str())
            .ok()
            .and_then(|account| self.secrets.get(&account));
        let header = SignatureHeader::parse(&payload.signature);
        matches!((secrets, header), (Some(secrets), Ok(header))
            if header.signer(secrets, &payload.bytes).is_some())
    }

    /// The views of these streams, made anew, are those that stand there.
    async fn views(&mut self, names: &[String]) -> Result<(), Stop> {
        let streams: Vec<StreamId> =
            names.iter().filter_map(|name| StreamId::parse(name.as_str()).ok()).collect();
        let streams: Vec<&StreamId> = streams.iter().collect();
        let mut off = None;
        let mut behind = 0;
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(BETWEEN).await;
            }
            project::catch_up(self.store, project::PAGES_MAX).await?;
            let passed = self.store.view_cursor().await?.cursor;
            let histories = self.store.histories(&streams).await?;
            let (there, ahead): (Vec<&[Recorded]>, Vec<&[Recorded]>) = histories
                .chunk_by(|a, b| a.stream == b.stream)
                .partition(|history| history.iter().all(|recorded| recorded.cursor <= passed));
            let folded: Vec<_> = there
                .iter()
                .map(|history| {
                    let facts: Vec<&Event> = history.iter().map(|it| &it.event).collect();
                    fold(&history[0].stream, &facts)
                })
                .collect();
            off = self.store.compare(&folded).await?;
            behind = ahead.len() as u64;
            if off.is_none() && behind == 0 {
                break;
            }
        }
        self.report.not_compared += behind;
        off.map_or(Ok(()), |place| Err(Stop::Off(place)))
    }
}

fn bodies_told(links: &[Link]) -> Result<Vec<Body>, StoreError> {
    let mut told = Vec::new();
    for link in links {
        let recorded = link.read()?;
        let Some(hash) = hash_told(&recorded.event) else { continue };
        let received = match &recorded.event {
            Event::WebhookReceived(webhook) => {
                let nanoseconds = webhook.received_at.as_nanosecond();
                let microseconds = i64::try_from(nanoseconds.div_euclid(1_000)).unwrap_or(i64::MAX);
                Some((microseconds, webhook.late_s))
            }
            _ => None,
        };
        told.push(Body {
            key: (link.account.clone(), link.about.clone(), hash.to_owned()),
            place: format!("{}/{} of {}#{}", link.account, link.about, link.stream, link.sequence),
            stream: link.stream.clone(),
            received,
        });
    }
    Ok(told)
}
