//! What the sender is told: every outcome of a request, and its status, in one match.
//!
//! Not here: how an outcome comes about ([`crate::receive`]). The sentences depend on the
//! request alone, never on a secret or on what the broker said.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use concilia_shared::signature::HeaderError;
use serde_json::json;

use crate::queue::SubmitError;

/// Seconds after which a sender that was answered 503 should come again.
pub const RETRY_AFTER_S: u32 = 5;

/// The outcome of one request.
#[derive(Debug)]
pub enum Answer {
    /// On disk in the broker.
    Received {
        /// The event id the body names, if it names a usable one.
        id: Option<String>,
        /// Whether the same bytes were acknowledged a moment ago; a courtesy.
        duplicate: bool,
    },
    /// No signature header.
    SignatureMissing,
    /// A signature header that does not read.
    SignatureMalformed(HeaderError),
    /// The body ended before it was whole.
    BodyBroken,
    /// No active secret signed it, or the account refuses late webhooks.
    NotAccepted,
    /// The path names no account and there is no default one.
    NoDefaultAccount,
    /// The path names an account that is not configured.
    UnknownAccount,
    /// Any other path.
    NoSuchPath,
    /// Any method but POST.
    MethodNotAllowed,
    /// The body did not arrive in time.
    TooSlow,
    /// The body is longer than is accepted.
    TooLarge,
    /// The broker did not confirm it. It may be stored or not: the sender must come again.
    Unconfirmed(SubmitError),
}

/// Status, outcome (the metric's label and the answer's `error`), sentence with the next step.
type Shape = (StatusCode, &'static str, String);

impl Answer {
    /// The outcome in one word: the `outcome` label of the metric, the `error` of the answer.
    pub fn outcome(&self) -> &'static str {
        self.shape().1
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.shape().0
    }

    fn shape(&self) -> Shape {
        let (status, code, sentence) = match self {
            Self::Received { .. } => (StatusCode::OK, "received", ""),
            Self::SignatureMissing => (
                StatusCode::BAD_REQUEST,
                "signature_missing",
                "The request has no venti-signature header; send the signed webhook as Ventipay does.",
            ),
            Self::SignatureMalformed(error) => {
                let sentence = format!("The signature does not read: {error}.");
                return (StatusCode::BAD_REQUEST, "signature_malformed", sentence);
            }
            Self::BodyBroken => (
                StatusCode::BAD_REQUEST,
                "body_incomplete",
                "The body ended before it was whole; send the request again.",
            ),
            Self::NotAccepted => {
                (StatusCode::UNAUTHORIZED, "not_accepted", "The webhook was not accepted.")
            }
            Self::NoDefaultAccount => (
                StatusCode::NOT_FOUND,
                "no_default_account",
                "There is no default account; post to /ventipay/webhook/{account}.",
            ),
            Self::UnknownAccount => (
                StatusCode::NOT_FOUND,
                "unknown_account",
                "There is no such account; check the last part of the address.",
            ),
            Self::NoSuchPath => (
                StatusCode::NOT_FOUND,
                "not_found",
                "Nothing is here; webhooks go to /ventipay/webhook.",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Webhooks are sent with POST.",
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "The body did not arrive in time; send the request again.",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "The body is longer than 256 KiB, more than any webhook of Ventipay's.",
            ),
            Self::Unconfirmed(SubmitError::Full) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too many webhooks are waiting; send it again in a few seconds.",
            ),
            Self::Unconfirmed(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unconfirmed",
                "The webhook is not confirmed as stored; send it again in a few seconds.",
            ),
        };
        (status, code, sentence.to_owned())
    }

    /// The header an answer carries beyond its body, if any.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::MethodNotAllowed => Some((header::ALLOW, HeaderValue::from_static("POST"))),
            Self::Unconfirmed(_) => Some((header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))),
            // The rest of the body is still on its way: this connection cannot be used again.
            Self::TooSlow | Self::TooLarge | Self::BodyBroken => {
                Some((header::CONNECTION, HeaderValue::from_static("close")))
            }
            _ => None,
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (status, code, sentence) = self.shape();
        let extra = self.header();
        let body = match self {
            Self::Received { id, duplicate } => {
                json!({"received": true, "id": id, "duplicate": duplicate})
            }
            _ => json!({"error": code, "message": sentence}),
        };
        let mut response = (status, Json(body)).into_response();
        if let Some((name, value)) = extra {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
