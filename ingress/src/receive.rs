//! The one handler: bound, read raw, verify, judge the freshness, wrap, publish, answer.
//!
//! The order is the promise (`design.md`, invariants 1 and 2): the signature is checked over
//! the raw bytes before anything reads them; what verified is published whatever it says; the
//! answer is 200 only once the broker synced it. Unknown accounts are refused before the body
//! is read, at no cost.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use concilia_shared::config::LatePolicy;
use concilia_shared::id::EventId;
use concilia_shared::signature::{Freshness, HeaderError, SIGNATURE_HEADER, SignatureHeader};
use concilia_shared::trace::{self, Traceparent};
use concilia_shared::webhook::{Webhook, peek};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::accounts::{Accounts, NoAccount};
use crate::answer::Answer;
use crate::clock::Clock;
use crate::publish::Message;
use crate::queue::Queue;
use crate::recent::{RECENT_MAX, Recent};
use crate::sample::Sampler;
use crate::{body, measure};

/// The settings the handler goes by; see `concilia_shared::config::Ingress`.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Longest wait for the whole body.
    pub request_timeout: Duration,
    /// How far `t` of the signature may be from now, in seconds, in either direction.
    pub tolerance_s: i64,
    /// What becomes of a genuine webhook outside the tolerance.
    pub late_policy: LatePolicy,
}

/// What the handler needs.
#[derive(Debug)]
pub struct Ingress {
    accounts: watch::Receiver<Arc<Accounts>>,
    queue: Queue,
    clock: Clock,
    rules: Rules,
    recent: Recent,
    refusals: Sampler,
}

impl Ingress {
    /// Puts it together. The accounts may be replaced while it runs.
    pub fn new(
        accounts: watch::Receiver<Arc<Accounts>>,
        queue: Queue,
        clock: Clock,
        rules: Rules,
    ) -> Self {
        Self {
            accounts,
            queue,
            clock,
            rules,
            recent: Recent::new(RECENT_MAX),
            refusals: Sampler::default(),
        }
    }
}

/// The public routes.
pub fn router(ingress: Arc<Ingress>) -> Router {
    Router::new()
        .route("/ventipay/webhook", post(of_default_account))
        .route("/ventipay/webhook/{account}", post(of_account))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_such_path)
        .with_state(ingress)
}

async fn of_default_account(State(ingress): State<Arc<Ingress>>, request: Request) -> Response {
    respond(&ingress, None, request).await
}

async fn of_account(
    State(ingress): State<Arc<Ingress>>,
    account: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    // A segment that is not UTF-8 names no account either.
    let account = account.map_or_else(|_| String::new(), |Path(account)| account);
    respond(&ingress, Some(&account), request).await
}

async fn method_not_allowed(State(ingress): State<Arc<Ingress>>) -> Response {
    tell(&ingress, Answer::MethodNotAllowed)
}

async fn no_such_path(State(ingress): State<Arc<Ingress>>) -> Response {
    tell(&ingress, Answer::NoSuchPath)
}

async fn respond(ingress: &Ingress, account: Option<&str>, request: Request) -> Response {
    let answer = receive(ingress, account, request).await.unwrap_or_else(|answer| answer);
    tell(ingress, answer)
}

/// Counts and logs a refusal; what was received is logged where its id is known.
fn tell(ingress: &Ingress, answer: Answer) -> Response {
    measure::answered(answer.outcome(), 1);
    if !answer.status().is_success()
        && let Some(held_back) = ingress.refusals.pass((ingress.clock)())
    {
        let status = answer.status().as_u16();
        tracing::info!(outcome = answer.outcome(), status, held_back, "refused a request");
    }
    answer.into_response()
}

async fn receive(
    ingress: &Ingress,
    account: Option<&str>,
    request: Request,
) -> Result<Answer, Answer> {
    let account = ingress.accounts.borrow().resolve(account)?;
    let (head, body) = request.into_parts();
    let body = body::read(body, ingress.rules.request_timeout).await?;
    let received_at = (ingress.clock)();
    measure::body(body.len());

    let (signature, header) = signature_of(&head.headers).inspect_err(|answer| {
        let missing = matches!(answer, Answer::SignatureMissing);
        measure::signatures(if missing { "missing" } else { "malformed" }, "none", 1);
    })?;
    // Looked up only now: a slow body must not be judged by secrets replaced meanwhile.
    let secrets = ingress.accounts.borrow().secrets(&account);
    let signer = header.signer(&secrets, &body);
    let form = if header.is_several() { "several" } else { "one" };
    measure::signatures(signature_result(signer, secrets.len()), form, 1);
    let signer = signer.ok_or(Answer::NotAccepted)?;
    let late_s = lateness(&ingress.rules, &header, received_at)?;

    let step = step_of(&head.headers);
    let webhook = Webhook {
        account,
        signature,
        received_at,
        late_s,
        traceparent: Some(step.to_string()),
        body,
    };
    publish(ingress, webhook, step, signer).await
}

/// Hands a verified webhook to the broker, and answers once it is synced there.
async fn publish(
    ingress: &Ingress,
    webhook: Webhook,
    step: Traceparent,
    signer: usize,
) -> Result<Answer, Answer> {
    let account = webhook.account.clone();
    let (late_s, body_hash) = (webhook.late_s, webhook.body_hash());
    let words = peek(&webhook.body);
    let id = words.id.and_then(|id| EventId::parse(id).ok());
    let message = Message::of(webhook, words.event_type.as_deref());
    let subject = message.subject.clone();
    let id = id.map(String::from);
    let trace_id = step.trace_id();

    if let Err(error) = ingress.queue.submit(message).await {
        tracing::debug!(%account, id, trace_id, subject, body_hash, %error, "not confirmed");
        return Err(Answer::Unconfirmed(error));
    }
    let duplicate = ingress.recent.note(&account, &body_hash);
    tracing::debug!(
        %account,
        id,
        trace_id,
        subject,
        body_hash,
        late_s,
        secret = signer,
        duplicate,
        "received"
    );
    Ok(Answer::Received { id, duplicate })
}

/// The header verbatim (it is kept as proof) and as read.
fn signature_of(headers: &HeaderMap) -> Result<(String, SignatureHeader), Answer> {
    let mut lines = headers.get_all(SIGNATURE_HEADER).iter();
    let line = lines.next().ok_or(Answer::SignatureMissing)?;
    if lines.next().is_some() {
        return Err(Answer::SignatureMalformed(HeaderError::Repeated));
    }
    let text = line.to_str().map_err(|_| Answer::SignatureMalformed(HeaderError::Unreadable))?;
    let header = SignatureHeader::parse(text).map_err(Answer::SignatureMalformed)?;
    Ok((text.to_owned(), header))
}

fn signature_result(signer: Option<usize>, secrets: usize) -> &'static str {
    match signer {
        Some(_) => "valid",
        None if secrets == 0 => "no_secret",
        None => "invalid",
    }
}

/// Seconds outside the tolerance of a genuine webhook, negative when it was signed in the
/// future; or the refusal, where the policy says so.
fn lateness(
    rules: &Rules,
    header: &SignatureHeader,
    received_at: Timestamp,
) -> Result<Option<i64>, Answer> {
    let (late_s, direction) = match header.freshness(received_at.as_second(), rules.tolerance_s) {
        Freshness::Fresh => return Ok(None),
        Freshness::Stale { age_s } => (age_s, "stale"),
        // A clock is wrong, here or there; the bytes are genuine all the same.
        Freshness::Future { ahead_s } => (-ahead_s, "future"),
    };
    measure::late(direction);
    match rules.late_policy {
        LatePolicy::Keep => Ok(Some(late_s)),
        LatePolicy::Refuse => Err(Answer::NotAccepted),
    }
}

/// Our step of the trace the request belongs to, or of a new one. Two headers are none: which
/// of them is meant is anybody's guess.
fn step_of(headers: &HeaderMap) -> Traceparent {
    let mut lines = headers.get_all(trace::HEADER).iter();
    let line = lines.next().filter(|_| lines.next().is_none());
    let given = line.and_then(|line| Traceparent::parse(line.to_str().ok()?));
    let span_id = rand::random();
    match given {
        Some(parent) => parent.child(span_id),
        None => Traceparent::first(rand::random(), span_id),
    }
}

impl From<NoAccount> for Answer {
    fn from(none: NoAccount) -> Self {
        match none {
            NoAccount::NoDefault => Self::NoDefaultAccount,
            NoAccount::Unknown => Self::UnknownAccount,
        }
    }
}
