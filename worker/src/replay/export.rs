//! `replay export`: the whole log into one file.
//!
//! Not here: the format ([`super::file`]).

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use concilia_shared::config::Config;
use concilia_shared::signature::encode_hex;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::file::{BrokerLine, EventLine, FORMAT, Header, Line, PAGE, Trailer, WebhookLine};
use crate::clock::{Clock as _, SystemClock};
use crate::commands::print;
use crate::progress;
use crate::store::chain::Link;
use crate::store::raw::{BodyKey, Payload, hash_told};
use crate::store::{Cursor, EventStore, StoreError};
use crate::wire;

/// Bodies held at once: up to 256 KiB each.
const BODIES: usize = 50;

/// Where to.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The file to write; it must not be there yet.
    file: PathBuf,
}

/// Writes the file, and its last line once everything is in.
pub async fn run(config: &Config, options: &Options) -> anyhow::Result<()> {
    let store = wire::store(&config.store).await?;
    let bar = progress::bar(store.log_size().await?, "exporting");
    let seen = |events| progress::at(&bar, events);
    let trailer = to_file(store.as_ref(), &options.file, seen).await?;
    bar.finish_and_clear();
    print(&format!("{} events are in {}.", trailer.events, options.file.display()))
}

/// Writes the log to a new file. What is cut off leaves a file without a trailer under another
/// name, `….part`, and none under its own.
pub async fn to_file(
    store: &dyn EventStore,
    path: &Path,
    seen: impl FnMut(u64),
) -> anyhow::Result<Trailer> {
    anyhow::ensure!(!path.exists(), "{} is there already: name another file.", path.display());
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let file = create(&part).with_context(|| format!("{} cannot be made", part.display()))?;
    let mut zipped = GzEncoder::new(BufWriter::new(file), Compression::default());
    let trailer = write(store, &mut zipped, SystemClock.now(), seen).await?;
    let file = zipped.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
        .with_context(|| format!("{} cannot be renamed", part.display()))?;
    Ok(trailer)
}

/// A file only its owner reads: it will hold bodies.
fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Writes the lines of the log, as far as it is certain at the end.
pub async fn write(
    store: &dyn EventStore,
    to: &mut impl Write,
    now: Timestamp,
    mut seen: impl FnMut(u64),
) -> anyhow::Result<Trailer> {
    let mut file = Lines { to, hasher: Sha256::new() };
    let header = Header { format: "concilia-log".to_owned(), version: FORMAT, exported_at: now };
    file.write(&Line::Header(header))?;
    let mut trailer = Trailer::default();
    let mut cursor = Cursor::default();
    loop {
        let page = store.links_since(cursor, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        cursor = *last;
        let links: Vec<Link> = page.into_iter().map(|(_, link)| link).collect();
        for some in links.chunks(BODIES) {
            for event in events(store, some).await? {
                trailer.count(&event);
                file.write(&Line::Event(Box::new(event)))?;
            }
        }
        seen(trailer.events);
    }
    trailer.sha256 = encode_hex(&file.hasher.clone().finalize());
    file.write(&Line::Trailer(trailer.clone()))?;
    Ok(trailer)
}

/// What writes lines, and hashes them on the way.
struct Lines<'a, W> {
    to: &'a mut W,
    hasher: Sha256,
}

impl<W: Write> Lines<'_, W> {
    fn write(&mut self, line: &Line) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.hasher.update(&text);
        self.to.write_all(&text).context("writing the file")
    }
}

/// Events with what stands beside them.
async fn events(store: &dyn EventStore, links: &[Link]) -> Result<Vec<EventLine>, StoreError> {
    let mut bodies: Vec<Option<BodyKey>> = Vec::with_capacity(links.len());
    for link in links {
        let recorded = link.read()?;
        let hash = hash_told(&recorded.event);
        bodies.push(hash.map(|hash| (link.account.clone(), link.about.clone(), hash.to_owned())));
    }
    let keys: Vec<BodyKey> = bodies.iter().flatten().cloned().collect();
    let mut payloads: HashMap<BodyKey, Payload> = HashMap::new();
    for payload in store.payloads(&keys).await? {
        payloads.insert(payload.key.clone(), payload);
    }
    let names: Vec<(String, String)> =
        keys.iter().map(|key| (key.0.clone(), key.1.clone())).collect();
    let mut entries = HashMap::new();
    for entry in store.entries(&names).await? {
        entries.insert((entry.account.clone(), entry.event_id.clone()), entry.position);
    }
    let events = links.iter().zip(bodies).map(|(link, body)| {
        let received = link.kind == "webhook_received";
        let position = entries.get(&(link.account.clone(), link.about.clone()));
        EventLine {
            stream: link.stream.clone(),
            sequence: link.sequence,
            account: link.account.clone(),
            about: link.about.clone(),
            kind: link.kind.clone(),
            version: link.version,
            data: link.data.clone(),
            recorded_at: link.recorded_at_us,
            previous: encode_hex(&link.previous),
            hash: encode_hex(&link.hash),
            broker: position
                .filter(|_| received)
                .map(|at| BrokerLine { stream: at.stream.clone(), sequence: at.sequence }),
            webhook: body.and_then(|body| payloads.get(&body)).map(webhook),
        }
    });
    Ok(events.collect())
}

fn webhook(payload: &Payload) -> WebhookLine {
    WebhookLine {
        body_hash: payload.key.2.clone(),
        signature: payload.signature.clone(),
        late_s: payload.late_s,
        received_at: payload.received_at_us,
        traceparent: payload.traceparent.clone(),
        body: STANDARD.encode(&payload.bytes),
    }
}
