//! `replay import`: a file's log into a database that is empty, or holds the beginning of it.
//!
//! The file is read twice: once to see that it is whole, once to append. Every chain is checked
//! on its way in; equal events are skipped, so that an import that was cut off goes on where it
//! was. Where file and log part, nothing of that batch is written. It is refused while a worker
//! is at work. What is open in the file goes on as soon as a worker runs, unless it is held:
//! what people decided after the export is not in it. Not here: the format ([`super::file`]), what a batch must fulfil
//! ([`crate::store::raw`]).

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use concilia_shared::config::Config;
use concilia_shared::id::StreamId;
use concilia_shared::signature::encode_hex;
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::file::{EventLine, FORMAT, LINE_BYTES_MAX, Line, PAGE, Trailer};
use super::words;
use crate::clock::{Clock as _, SystemClock};
use crate::commands::screen::Output;
use crate::commands::{print, print_json};
use crate::domain::event::Event;
use crate::domain::state::{State, Status, Told};
use crate::progress;
use crate::store::chain::Link;
use crate::store::raw::{Due, Imported, Payload, Record};
use crate::store::{BrokerPosition, EventStore};
use crate::views::project::{self, VERSION};
use crate::wire;

/// Bytes of bodies appended at once.
const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Streams scheduled at once.
const STREAMS: usize = 100;

/// Where from.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// A file `replay export` wrote.
    file: PathBuf,
    /// Holds what is open: nothing is done about it until `replay release`.
    #[arg(long)]
    hold: bool,
    /// How it is printed.
    #[command(flatten)]
    output: Output,
}

/// What an import came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Its events.
    pub events: Imported,
    /// Streams with something open: they go on as soon as a worker runs.
    pub open: u64,
    /// Streams with something open that are held, by this import or an earlier one.
    pub held: u64,
}

/// Reads the file into the database, and prints what became of it.
pub async fn run(config: &Config, options: &Options) -> anyhow::Result<()> {
    let store = wire::store(&config.store).await?;
    let trailer = check(&options.file)?;
    let bar = progress::bar(trailer.events, "importing");
    let seen = |events| progress::at(&bar, events);
    let (now, hold) = (SystemClock.now(), options.hold);
    let outcome = from_file(store.as_ref(), &options.file, hold, now, seen).await?;
    bar.finish_and_clear();
    let Outcome { events: Imported { new, known }, open, held } = outcome;
    if options.output.json {
        let value = json!({ "new": new, "known": known, "open": open, "held": held });
        return print_json(&value);
    }
    print(&words::imported(&outcome, options.output.lang))
}

/// Reads a file that [`check`] found whole into a database; then makes work and views anew.
/// `hold`: what is open is held.
pub async fn from_file(
    store: &dyn EventStore,
    path: &Path,
    hold: bool,
    now: Timestamp,
    mut seen: impl FnMut(u64),
) -> anyhow::Result<Outcome> {
    if let Some(until) = store.worked_until(now).await? {
        bail!(
            "A worker is at work in this database, or was until a moment ago: stop it, and try \
             again after {until:.0}."
        );
    }
    let mut all = Imported::default();
    let mut batch = Batch::default();
    let mut lines = Lines::open(path)?;
    while let Some(line) = lines.next()? {
        if let Line::Event(event) = line {
            batch.push(*event)?;
        }
        if batch.is_full() {
            batch.append(store, &mut all).await?;
            seen((all.new + all.known) as u64);
        }
    }
    batch.append(store, &mut all).await?;
    if hold {
        hold_open(store, now).await?;
    }
    let (open, are_held) = make_work(store, now).await?;
    store.drop_views(VERSION).await?;
    project::catch_up(store, project::PAGES_MAX).await?;
    Ok(Outcome { events: all, open, held: are_held })
}

/// Reads a whole file, and answers its trailer if nothing is missing and nothing was changed.
pub fn check(path: &Path) -> anyhow::Result<Trailer> {
    let mut lines = Lines::open(path)?;
    let mut counted = Trailer::default();
    let first = lines.next()?;
    let Some(Line::Header(header)) = first else {
        bail!("{} does not begin as a log of concilia does.", path.display());
    };
    ensure!(
        header.format == "concilia-log" && header.version <= FORMAT,
        "{} is of version {} of its format; this build reads up to {FORMAT}.",
        path.display(),
        header.version
    );
    loop {
        let before = encode_hex(&lines.hasher.clone().finalize());
        match lines.next()? {
            Some(Line::Event(event)) => counted.count(&event),
            Some(Line::Trailer(trailer)) => {
                counted.sha256 = before;
                ensure!(
                    counted == trailer,
                    "{} was changed: its last line tells of other lines than it holds.",
                    path.display()
                );
                ensure!(lines.next()?.is_none(), "{} goes on after its end.", path.display());
                return Ok(trailer);
            }
            Some(Line::Header(_)) => bail!("{} begins twice.", path.display()),
            None => bail!(
                "{} was cut off after {} events: export it again.",
                path.display(),
                counted.events
            ),
        }
    }
}

/// The lines of a file.
struct Lines {
    from: BufReader<MultiGzDecoder<BufReader<File>>>,
    hasher: Sha256,
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let file =
            File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let from = BufReader::new(MultiGzDecoder::new(BufReader::new(file)));
        Ok(Self { from, hasher: Sha256::new(), number: 0 })
    }

    fn next(&mut self) -> anyhow::Result<Option<Line>> {
        let mut text = Vec::new();
        self.number += 1;
        let bounded = self.from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text);
        match bounded {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) => bail!("the file was cut off or changed at line {}: {error}", self.number),
        }
        ensure!(text.ends_with(b"\n"), "line {} of the file has no end", self.number);
        self.hasher.update(&text);
        serde_json::from_slice(&text)
            .map(Some)
            .with_context(|| format!("line {} of the file does not read", self.number))
    }
}

/// Records to append at once.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, event: EventLine) -> anyhow::Result<()> {
        let record = record(event)?;
        self.bytes += record.payload.as_ref().map_or(0, |payload| payload.bytes.len());
        self.records.push(record);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.records.len() >= PAGE || self.bytes >= BATCH_BYTES_MAX
    }

    async fn append(&mut self, store: &dyn EventStore, all: &mut Imported) -> anyhow::Result<()> {
        if self.records.is_empty() {
            return Ok(());
        }
        let Imported { new, known } = store.import(&self.records).await?;
        all.new += new;
        all.known += known;
        *self = Self::default();
        Ok(())
    }
}

fn record(event: EventLine) -> anyhow::Result<Record> {
    let place = format!("{}#{}", event.stream, event.sequence);
    let hex = |text: &str| {
        decode_hex(text).with_context(|| format!("a hash of {place} is not hexadecimal"))
    };
    let (previous, hash) = (hex(&event.previous)?, hex(&event.hash)?);
    let payload = match event.webhook {
        None => None,
        Some(webhook) => Some(Payload {
            key: (event.account.clone(), event.about.clone(), webhook.body_hash),
            signature: webhook.signature,
            late_s: webhook.late_s,
            received_at_us: webhook.received_at,
            traceparent: webhook.traceparent,
            bytes: STANDARD
                .decode(&webhook.body)
                .with_context(|| format!("the body of {place} is not base64"))?,
        }),
    };
    let position =
        event.broker.map(|at| BrokerPosition { stream: at.stream, sequence: at.sequence });
    let link = Link {
        stream: event.stream,
        sequence: event.sequence,
        account: event.account,
        about: event.about,
        kind: event.kind,
        version: event.version,
        data: event.data,
        recorded_at_us: event.recorded_at,
        previous,
        hash,
    };
    Ok(Record { link, payload, position })
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect())
}

/// Holds every stream with something open; nothing is due yet.
async fn hold_open(store: &dyn EventStore, now: Timestamp) -> anyhow::Result<()> {
    let mut streams = States::default();
    while let Some(page) = streams.next(store).await? {
        let fact = |(stream, state): (StreamId, State)| {
            let about = state.told.first()?.webhook.event_id.clone();
            (is_open(&state) && !state.held).then_some((stream, Event::Held { about }))
        };
        let facts: Vec<(StreamId, Event)> = page.into_iter().filter_map(fact).collect();
        store.record(&facts, false, now).await?;
    }
    Ok(())
}

/// Every stream becomes due when its state says so; answers how many are open, and how many
/// would be if they were not held.
async fn make_work(store: &dyn EventStore, now: Timestamp) -> anyhow::Result<(u64, u64)> {
    let (mut open, mut held) = (0, 0);
    let mut streams = States::default();
    while let Some(page) = streams.next(store).await? {
        let mut due = Vec::with_capacity(page.len());
        for (stream, state) in page {
            if is_open(&state) {
                *if state.held { &mut held } else { &mut open } += 1;
            }
            let fresh = state.work(now).is_some();
            let at = if fresh { Some(now) } else { state.next_due() };
            due.push(Due { stream, at, fresh });
        }
        store.schedule(&due).await?;
    }
    Ok((open, held))
}

/// Whether a worker would ever do something about it by itself, were it not held.
fn is_open(state: &State) -> bool {
    let waits = |told: &Told| matches!(told.status, Status::Received | Status::Pending { .. });
    state.credit_of.is_some() || state.told.iter().any(waits)
}

/// Every stream, folded, a page at a time.
#[derive(Default)]
struct States {
    after: String,
}

impl States {
    async fn next(
        &mut self,
        store: &dyn EventStore,
    ) -> anyhow::Result<Option<Vec<(StreamId, State)>>> {
        let names = store.stream_names(&self.after, STREAMS).await?;
        let Some(last) = names.last() else { return Ok(None) };
        self.after.clone_from(last);
        let mut states = Vec::with_capacity(names.len());
        for stream in store.links_of(&names).await?.chunk_by(|a, b| a.stream == b.stream) {
            let facts: Result<Vec<_>, _> = stream.iter().map(Link::read).collect();
            let facts = facts?;
            let state = State::replay(facts.iter().map(|recorded| &recorded.event));
            states.push((facts[0].stream.clone(), state));
        }
        Ok(Some(states))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_reads_or_does_not() {
        assert_eq!(decode_hex("00fF1a"), Some(vec![0, 255, 26]));
        for bad in ["0", "0g", "ñ0"] {
            assert_eq!(decode_hex(bad), None, "{bad}");
        }
    }
}
