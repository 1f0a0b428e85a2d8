//! `verify`: checks the log, and names the first place that is off.

use anyhow::{Context as _, bail};
use concilia_shared::config::Config;

use super::screen::Output;
use super::{print, print_json};
use crate::consume::Source;
use crate::progress;
use crate::say::Lang;
use crate::store::EventStore;
use crate::verify::{Report, Secrets, verify};
use crate::wire::{self, secret};

/// How it is checked.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Erased bodies and signatures no secret at hand can prove are failures too.
    #[arg(long)]
    strict: bool,
    /// Also asks the broker whether it acknowledged messages the log has never seen.
    #[arg(long)]
    broker: bool,
    /// How it is printed.
    #[command(flatten)]
    output: Output,
}

/// Checks, prints what was seen, and fails if something is off.
pub async fn run(config: &Config, options: &Options) -> anyhow::Result<()> {
    let store = wire::store(&config.store).await?;
    let bar = progress::bar(store.log_size().await?, "checking");
    let secrets = secrets(config)?;
    let seen = |events| progress::at(&bar, events);
    let mut report = verify(store.as_ref(), &secrets, options.strict, seen).await?;
    bar.finish_and_clear();
    if options.broker && report.problem.is_none() {
        report.problem = lost(store.as_ref(), config).await?;
    }
    if options.output.json {
        print_json(&report)?;
    } else {
        print(&sentences(&report, options.output.lang))?;
    }
    match (report.problem, options.output.lang) {
        (None, _) => Ok(()),
        (Some(place), Lang::En) => bail!("The log is not whole: {place}."),
        (Some(place), Lang::Es) => bail!("El registro no está íntegro: {place}."),
    }
}

/// The first messages the broker was told are in the log, and are not.
async fn lost(store: &dyn EventStore, config: &Config) -> anyhow::Result<Option<String>> {
    let addresses = config.nats.addresses().unwrap_or_default();
    let client = super::run::options(config).await?.connect(&addresses[..]).await?;
    let mut source = Source::open(&client, &config.nats).await?;
    let info = source.consumer.info().await.context("asking for the ack floor")?;
    let floor = info.ack_floor.stream_sequence;
    let first =
        source.stream.info().await.context("asking for the first sequence")?.state.first_sequence;
    let missing = store.missing(&source.identity, first.max(1), floor, 1).await?;
    Ok(missing.first().map(|(from, through)| {
        format!("broker_positions: messages {from} to {through} of {} are missing", source.identity)
    }))
}

fn secrets(config: &Config) -> anyhow::Result<Secrets> {
    let mut secrets = Secrets::new();
    for (name, account) in &config.accounts {
        let mut of_account = account.webhook_secrets.clone();
        for file in &account.webhook_secret_files {
            let found = secret(None, Some(file))
                .with_context(|| format!("accounts.{name}.webhook_secret_files"))?;
            of_account.extend(found);
        }
        secrets.insert(name.clone(), of_account);
    }
    Ok(secrets)
}

fn sentences(report: &Report, lang: Lang) -> String {
    let Report { streams, events, webhooks, conflicts, bodies, .. } = report;
    let Report { erased, proven, unproven, not_compared, .. } = report;
    match lang {
        Lang::En => format!(
            "Chains: {events} events in {streams} streams hold.\n\
             Webhooks: {webhooks}, and {conflicts} other bodies under a known id.\n\
             Bodies: {bodies} are what was hashed, {erased} were erased.\n\
             Signatures: {proven} proven, {unproven} not provable with the secrets at hand.\n\
             Views: compared, but for {not_compared} streams that other transactions hold up."
        ),
        Lang::Es => format!(
            "Cadenas: {events} eventos en {streams} flujos están íntegros.\n\
             Webhooks: {webhooks}, y {conflicts} cuerpos distintos con un id ya conocido.\n\
             Cuerpos: {bodies} son los que se firmaron, {erased} fueron borrados.\n\
             Firmas: {proven} comprobadas, {unproven} no comprobables con los secretos actuales.\n\
             Vistas: comparadas, salvo {not_compared} flujos retenidos por otras transacciones."
        ),
    }
}
