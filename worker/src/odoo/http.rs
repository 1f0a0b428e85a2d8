//! One bounded POST: time limits, no redirects, an answer of at most 8 MiB.
//!
//! Not here: what is posted and what the answer means (`jsonrpc`, `json2`,
//! [`super::classify`]). Bodies and keys are never logged.

use std::time::Duration;

use concilia_shared::secret::Secret;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::classify::{RpcError, classify_transfer, retry_after_s};
use crate::trace;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answer that is read. Fifty orders of an observation are some 30 KiB.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A pool of connections to one Odoo.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    base: String,
}

/// An HTTP answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after_s: Option<u64>,
    pub(super) body: Vec<u8>,
}

/// What `/json/2` wants in the headers.
pub(super) struct Bearer<'a> {
    pub(super) key: &'a Secret,
    pub(super) database: &'a str,
}

impl Http {
    /// A client of `base`, each of whose calls takes at most `timeout` in all.
    pub(super) fn new(base: &str, timeout: Duration) -> Result<Self, RpcError> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("concilia/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| RpcError::Misconfigured {
                detail: format!("The HTTP client could not be built: {}.", root(&error)),
            })?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned() })
    }

    /// Posts `body` as JSON and reads the whole answer.
    pub(super) async fn post(
        &self,
        path: &str,
        bearer: Option<&Bearer<'_>>,
        body: &Value,
    ) -> Result<Answer, RpcError> {
        let mut request = self.client.post(format!("{}{path}", self.base)).json(body);
        if let Some(Bearer { key, database }) = bearer {
            request = request.bearer_auth(key.expose()).header("X-Odoo-Database", *database);
        }
        if let Some(step) = trace::header() {
            request = request.header(trace::HEADER, step);
        }
        let mut response = request.send().await.map_err(|error| {
            let sent = !(error.is_connect() || error.is_builder());
            classify_transfer(sent, &describe(&error))
        })?;
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after_s: retry_after_s(
                text(response.headers(), &RETRY_AFTER),
                text(response.headers(), &DATE),
            ),
            body: Vec::new(),
        };
        loop {
            let chunk = response.chunk().await;
            match chunk.map_err(|error| classify_transfer(true, &describe(&error)))? {
                None => return Ok(answer),
                Some(chunk) if answer.body.len() + chunk.len() > BODY_BYTES_MAX => {
                    return Err(classify_transfer(true, "the answer is larger than 8 MiB"));
                }
                Some(chunk) => answer.body.extend_from_slice(&chunk),
            }
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &reqwest::header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What went wrong, without the address: it is in the configuration, and may hold a name.
fn describe(error: &reqwest::Error) -> String {
    let what = match (error.is_connect(), error.is_timeout()) {
        (true, true) => "no connection in time",
        (true, false) => "no connection",
        (false, true) => "no answer in time",
        (false, false) => "the connection failed",
    };
    format!("{what} ({})", root(error))
}

/// The innermost cause: the outer ones quote the address.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    super::classify::cut(&cause.to_string())
}
