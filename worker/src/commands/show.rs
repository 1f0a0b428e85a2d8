//! `events show`: one stream's story in plain words, and whether its proofs still hold: the
//! signature over the raw bytes, and the hash chain.
//!
//! A payload holds personal data: its size and hash are told, its text only when asked for.

use concilia_shared::id::AccountName;
use concilia_shared::secret::Secret;
use concilia_shared::signature::SignatureHeader;
use concilia_shared::webhook::Webhook;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::desk::{Desk, Target};
use super::lists::Troubles;
use super::stop::Done;
use crate::domain::event::WebhookReceived;
use crate::domain::state::Told;
use crate::say::{Lang, timeline, when};
use crate::store::Recorded;
use crate::store::chain::Break;
use crate::views::events::Shown;
use crate::views::fold::fold;
use crate::wire;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  concilia-worker events show evt_1A2b
  concilia-worker events show chk_KaIq81 --lang es
  concilia-worker events show shop/checkout-chk_KaIq81 --payload
  concilia-worker events show shop/account        # pauses, settings, outages";

/// What is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// An event id, a checkout id or a stream; `account/…` where several accounts have it.
    #[arg(value_name = "ID")]
    pub id: String,
    /// The account, where several have it.
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Prints the raw payload too; it holds personal data.
    #[arg(long)]
    pub payload: bool,
}

/// What is left of a webhook's proof.
#[derive(Debug, PartialEq, Eq)]
enum Signature {
    /// This secret of the account signed it, counted from 1.
    Valid { secret: usize, signed_at_s: i64 },
    /// None of the secrets configured now did.
    NoSecret,
    /// The header does not read.
    Unreadable,
    /// It cannot be checked; why.
    Unchecked(String),
}

/// A payload with what it proves; `None` if it was erased.
type Proof = Option<(Webhook, Signature)>;

/// Prints the story.
pub async fn run(desk: &mut Desk<'_>, options: &Options) -> Done {
    desk.catch_up().await?;
    let account = desk.account_of(options.account.as_deref()).await?;
    let target = desk.find(&options.id, account.as_ref()).await?;
    let chain = desk.store.verify(&target.stream).await?;
    let mut proofs = Vec::new();
    for told in target.told() {
        proofs.push((told, proof(desk, &target, told).await?));
    }
    let events = shown(desk, &target).await?;
    if desk.screen.is_json() {
        let value = as_json(&target, &events, &proofs, &chain, options.payload, desk.lang());
        desk.screen.json(&value)?;
        return Ok(());
    }
    let lang = desk.lang();
    for event in &events {
        let kind = event.event_type.as_deref().unwrap_or("-");
        let amount = event.amount.map(|amount| format!(" · {amount}")).unwrap_or_default();
        desk.screen.say(&format!("{} · {kind}{amount}", event.event_id))?;
        desk.screen.say(&format!("  {}", event.sentence))?;
    }
    let heading = lang.either(["when", "who", "what"], ["cuándo", "quién", "qué"]);
    desk.screen.table(&heading, target.history.iter().map(|recorded| line(recorded, lang)))?;
    for (told, proof) in &proofs {
        desk.screen.say(&proven(&told.webhook, proof.as_ref(), lang))?;
    }
    desk.screen.say(&chained(&target, &chain, lang))?;
    for (_, proof) in proofs.iter().filter(|_| options.payload) {
        if let Some((webhook, _)) = proof {
            desk.screen.say(&pretty(&webhook.body))?;
        }
    }
    Ok(())
}

async fn shown(desk: &Desk<'_>, target: &Target) -> Done<Vec<Shown>> {
    let troubles = Troubles::read(desk).await?;
    let events: Vec<_> = target.history.iter().map(|recorded| &recorded.event).collect();
    let folded = fold(&target.stream, &events);
    let named = |id: &str| target.event.as_deref().is_none_or(|event| event == id);
    Ok(folded
        .rows
        .iter()
        .filter(|named_row| named(named_row.row.told.webhook.event_id.as_str()))
        .map(|named_row| troubles.show(&named_row.row, desk.lang()))
        .collect())
}

fn line(recorded: &Recorded, lang: Lang) -> Vec<String> {
    let event = &recorded.event;
    vec![
        when::moment(recorded.recorded_at),
        timeline::who(event).to_owned(),
        timeline::sentence(event, lang),
    ]
}

async fn proof(desk: &Desk<'_>, target: &Target, told: &Told) -> Done<Proof> {
    let account = AccountName::parse(target.stream.account())?;
    let Some(webhook) = desk.store.payload(&account, &told.webhook.event_id).await? else {
        return Ok(None);
    };
    let signature = check(desk, &account, &webhook);
    Ok(Some((webhook, signature)))
}

/// Checks the signature with the secrets the account has now.
fn check(desk: &Desk<'_>, name: &AccountName, webhook: &Webhook) -> Signature {
    let Some(account) = desk.config.accounts.get(name) else {
        let why =
            desk.lang().either("the account is not configured", "la cuenta no está configurada");
        return Signature::Unchecked(why.to_owned());
    };
    let mut secrets: Vec<Secret> = account.webhook_secrets.clone();
    for file in &account.webhook_secret_files {
        match wire::secret(None, Some(file)) {
            Ok(secret) => secrets.extend(secret),
            Err(error) => return Signature::Unchecked(format!("{error:#}")),
        }
    }
    match SignatureHeader::parse(&webhook.signature) {
        Err(_) => Signature::Unreadable,
        Ok(header) => match header.signer(&secrets, &webhook.body) {
            Some(index) => Signature::Valid { secret: index + 1, signed_at_s: header.signed_at_s },
            None => Signature::NoSecret,
        },
    }
}

fn proven(told: &WebhookReceived, proof: Option<&(Webhook, Signature)>, lang: Lang) -> String {
    let id = &told.event_id;
    let Some((webhook, signature)) = proof else {
        return match lang {
            Lang::En => format!("Payload of {id}: erased; its SHA-256 was {}.", told.body_hash),
            Lang::Es => format!("Contenido de {id}: borrado; su SHA-256 era {}.", told.body_hash),
        };
    };
    let signed = match (signature, lang) {
        (Signature::Valid { secret, signed_at_s }, Lang::En) => {
            format!("Signature valid with secret {secret}, signed at {}.", signed_at(*signed_at_s))
        }
        (Signature::Valid { secret, signed_at_s }, Lang::Es) => format!(
            "Firma válida con el secreto {secret}, firmado a las {}.",
            signed_at(*signed_at_s)
        ),
        (Signature::NoSecret, Lang::En) => {
            "No secret of the account matches its signature any more.".to_owned()
        }
        (Signature::NoSecret, Lang::Es) => {
            "Ningún secreto de la cuenta calza ya con su firma.".to_owned()
        }
        (Signature::Unreadable, Lang::En) => "Its signature does not read.".to_owned(),
        (Signature::Unreadable, Lang::Es) => "Su firma no se puede leer.".to_owned(),
        (Signature::Unchecked(why), Lang::En) => format!("Its signature was not checked: {why}."),
        (Signature::Unchecked(why), Lang::Es) => format!("Su firma no se revisó: {why}."),
    };
    let (bytes, hash) = (webhook.body.len(), webhook.body_hash());
    let (whole, changed) = lang.either(
        ("SHA-256", "NOT the body that was recorded; SHA-256"),
        ("SHA-256", "NO es el cuerpo registrado; SHA-256"),
    );
    let hashed = if hash == told.body_hash { whole } else { changed };
    match lang {
        Lang::En => format!("Payload of {id}: {bytes} bytes, {hashed} {hash}. {signed}"),
        Lang::Es => format!("Contenido de {id}: {bytes} bytes, {hashed} {hash}. {signed}"),
    }
}

fn signed_at(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), when::moment)
}

fn chained(target: &Target, chain: &Result<(), Break>, lang: Lang) -> String {
    let facts = target.history.len();
    match (chain, lang) {
        (Ok(()), Lang::En) => {
            let word = if facts == 1 { "fact" } else { "facts" };
            format!("Chain of {}: whole, {facts} {word}.", target.stream)
        }
        (Ok(()), Lang::Es) => {
            let word = if facts == 1 { "hecho" } else { "hechos" };
            format!("Cadena de {}: íntegra, {facts} {word}.", target.stream)
        }
        (Err(broken), Lang::En) => format!("Chain: {broken}. Somebody changed the database."),
        (Err(broken), Lang::Es) => format!("Cadena: {broken}. Alguien cambió la base de datos."),
    }
}

/// JSON as people read it, else the text as it is.
fn pretty(body: &[u8]) -> String {
    serde_json::from_slice::<Value>(body)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned())
}

fn as_json(
    target: &Target,
    events: &[Shown],
    proofs: &[(&Told, Proof)],
    chain: &Result<(), Break>,
    with_payload: bool,
    lang: Lang,
) -> Value {
    let facts: Vec<Value> = target.history.iter().map(|recorded| fact(recorded, lang)).collect();
    let payloads: Vec<Value> = proofs
        .iter()
        .map(|(told, proof)| {
            let signature = match proof.as_ref().map(|(_, signature)| signature) {
                None => "erased",
                Some(Signature::Valid { .. }) => "valid",
                Some(Signature::NoSecret) => "no_secret_matches",
                Some(Signature::Unreadable) => "unreadable",
                Some(Signature::Unchecked(_)) => "unchecked",
            };
            let secret = match proof.as_ref().map(|(_, signature)| signature) {
                Some(Signature::Valid { secret, .. }) => Some(*secret),
                _ => None,
            };
            let webhook = proof.as_ref().map(|(webhook, _)| webhook);
            json!({
                "event_id": told.webhook.event_id,
                "body_hash": told.webhook.body_hash,
                "body_matches": webhook.map(|it| it.body_hash() == told.webhook.body_hash),
                "bytes": webhook.map(|it| it.body.len()),
                "signature": signature,
                "secret": secret,
                "text": webhook
                    .filter(|_| with_payload)
                    .map(|it| String::from_utf8_lossy(&it.body)),
            })
        })
        .collect();
    json!({
        "stream": target.stream,
        "events": events,
        "facts": facts,
        "payloads": payloads,
        "chain": { "whole": chain.is_ok(), "break": chain.as_ref().err().map(Break::to_string) },
    })
}

/// A fact for scripts, with the sentence for people.
pub fn fact(recorded: &Recorded, lang: Lang) -> Value {
    json!({
        "recorded_at": recorded.recorded_at,
        "account": recorded.stream.account(),
        "stream": recorded.stream,
        "sequence": recorded.sequence,
        "who": timeline::who(&recorded.event),
        "sentence": timeline::sentence(&recorded.event, lang),
        "fact": recorded.event,
    })
}
