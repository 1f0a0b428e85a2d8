//! One call to Odoo over whichever of its two APIs the server speaks.
//!
//! [`Rpc`] asks the server once, at its first call, and keeps the answer, the uid included:
//! authenticating costs 0.4 s (`odoo-api.md` section 0). What a refusal teaches it forgets, so
//! that a key, a database or a server that was put right is found without a restart.
//! Not here: the frames (`jsonrpc`, `json2`), error classes
//! ([`super::classify`]), and what is called ([`super::client`], [`super::setup`]).

use std::sync::Arc;
use std::time::{Duration, Instant};

use concilia_shared::config::{Odoo, Transport};
use concilia_shared::secret::Secret;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::classify::{RpcError, classify_status};
use super::http::{Bearer, Http};
use super::{json2, jsonrpc};
use crate::measure;

/// First series that has `/json/2`.
const JSON2_SINCE: u64 = 19;

/// An Odoo database and who we are there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Base address, `https://shop.odoo.com`.
    pub url: String,
    /// Database name.
    pub database: String,
    /// Login (JSON-RPC only).
    pub login: String,
    /// API key; over JSON-RPC a password works too.
    pub key: Secret,
    /// Which API is spoken.
    pub transport: Transport,
    /// Longest one call may take.
    pub timeout: Duration,
}

impl Endpoint {
    /// The endpoint of a configuration, with a login and a key (the bot's or an administrator's).
    pub fn new(odoo: &Odoo, login: &str, key: Secret) -> Self {
        Self {
            url: odoo.url.clone(),
            database: odoo.database.clone(),
            login: login.to_owned(),
            key,
            transport: odoo.transport,
            timeout: Duration::from_millis(odoo.timeout_ms),
        }
    }

    #[cfg(test)]
    pub(super) fn for_tests(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            database: "db".to_owned(),
            login: "bot".to_owned(),
            key: Secret::new("key"),
            transport: Transport::Auto,
            timeout: Duration::from_secs(10),
        }
    }
}

/// Arguments of a call, by name: the one form both APIs share.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Args {
    pub(super) ids: Option<Vec<i64>>,
    pub(super) named: Map<String, Value>,
    pub(super) context: Map<String, Value>,
    operation: Option<&'static str>,
}

impl Args {
    /// Of a method of the model.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Of a method of these records.
    #[must_use]
    pub fn on(ids: &[i64]) -> Self {
        Self { ids: Some(ids.to_vec()), ..Self::default() }
    }

    /// Counted under this name.
    #[must_use]
    pub fn operation(mut self, name: &'static str) -> Self {
        self.operation = Some(name);
        self
    }

    /// With a named argument.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.named.insert(name.to_owned(), value.into());
        self
    }

    /// Whether the context has a key.
    pub(super) fn has_context(&self, name: &str) -> bool {
        self.context.contains_key(name)
    }

    /// With a key of the context.
    #[must_use]
    pub fn context(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.context.insert(name.to_owned(), value.into());
        self
    }
}

/// The API in use, and what is known about us there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    JsonRpc { uid: i64 },
    Json2,
}

/// Calls to one Odoo database as one user.
#[derive(Debug)]
pub struct Rpc {
    http: Http,
    endpoint: Endpoint,
    /// Held while connecting, so that many first calls authenticate once.
    api: Mutex<Option<Arc<Api>>>,
}

impl Rpc {
    /// Builds it; nothing is sent before the first call.
    pub fn new(endpoint: Endpoint) -> Result<Self, RpcError> {
        Ok(Self {
            http: Http::new(&endpoint.url, endpoint.timeout)?,
            endpoint,
            api: Mutex::new(None),
        })
    }

    /// Where and as whom it calls.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Calls `model.method`.
    pub async fn call(&self, model: &str, method: &str, args: Args) -> Result<Value, RpcError> {
        let api = self.connected().await.map_err(RpcError::of_a_read)?;
        let operation = args.operation.unwrap_or("other");
        let started = Instant::now();
        let result = match *api {
            Api::JsonRpc { uid } => {
                let frame = jsonrpc::execute(&self.endpoint, uid, model, method, args);
                self.jsonrpc(&frame).await
            }
            Api::Json2 => self.json2(model, method, args).await,
        };
        measure::odoo_request(operation, class(&result), started.elapsed());
        if let Err(RpcError::Denied { .. } | RpcError::Misconfigured { .. }) = &result {
            self.forget(&api).await;
        }
        result
    }

    /// Whether login and key are accepted: connects anew and says so.
    pub async fn check_login(&self) -> Result<bool, RpcError> {
        *self.api.lock().await = None;
        match self.connected().await {
            Ok(_) => Ok(true),
            Err(RpcError::Denied { .. }) => Ok(false),
            Err(other) => Err(other.of_a_read()),
        }
    }

    async fn connected(&self) -> Result<Arc<Api>, RpcError> {
        let mut known = self.api.lock().await;
        if let Some(api) = &*known {
            return Ok(Arc::clone(api));
        }
        let started = Instant::now();
        let connected = self.connect().await;
        measure::odoo_request("authenticate", class(&connected), started.elapsed());
        let api = Arc::new(connected?);
        tracing::info!(
            api = match *api {
                Api::JsonRpc { .. } => "JSON-RPC",
                Api::Json2 => "JSON-2",
            },
            login = %self.endpoint.login,
            "connected to Odoo"
        );
        *known = Some(Arc::clone(&api));
        Ok(api)
    }

    /// Forgets `stale`, unless somebody has connected anew since.
    async fn forget(&self, stale: &Arc<Api>) {
        let mut known = self.api.lock().await;
        if known.as_ref().is_some_and(|api| Arc::ptr_eq(api, stale)) {
            *known = None;
        }
    }

    async fn connect(&self) -> Result<Api, RpcError> {
        match self.endpoint.transport {
            Transport::Jsonrpc => self.authenticate().await,
            Transport::Json2 => self.check_key().await,
            Transport::Auto => self.ask_the_server().await,
        }
    }

    /// 19 and later: JSON-2, if the key works there (a password does not). Older: JSON-RPC.
    /// No `/jsonrpc` any more: JSON-2.
    async fn ask_the_server(&self) -> Result<Api, RpcError> {
        let answer = self.http.post(jsonrpc::PATH, None, &jsonrpc::version()).await?;
        if matches!(answer.status, 404 | 410) {
            return self.check_key().await;
        }
        let version = jsonrpc::decode(&answer)?;
        if series(&version)? < JSON2_SINCE {
            return self.authenticate().await;
        }
        match self.check_key().await {
            Err(RpcError::Denied { .. }) => {
                let api = self.authenticate().await?;
                tracing::warn!(
                    login = %self.endpoint.login,
                    "JSON-2 refuses the key, JSON-RPC accepts it: it is a password; give an API key, \
                     JSON-RPC goes away with Odoo 20"
                );
                Ok(api)
            }
            other => other,
        }
    }

    async fn authenticate(&self) -> Result<Api, RpcError> {
        match self.jsonrpc(&jsonrpc::authenticate(&self.endpoint)).await? {
            Value::Number(uid) => {
                let uid = uid.as_i64().ok_or_else(not_odoo)?;
                Ok(Api::JsonRpc { uid })
            }
            Value::Bool(false) => Err(RpcError::Denied {
                detail: format!("login or key of {} is wrong", self.endpoint.login),
            }),
            _ => Err(not_odoo()),
        }
    }

    /// The cheapest call any user may make.
    async fn check_key(&self) -> Result<Api, RpcError> {
        self.json2("res.users", "context_get", Args::none()).await?;
        Ok(Api::Json2)
    }

    async fn jsonrpc(&self, frame: &Value) -> Result<Value, RpcError> {
        jsonrpc::decode(&self.http.post(jsonrpc::PATH, None, frame).await?)
    }

    async fn json2(&self, model: &str, method: &str, args: Args) -> Result<Value, RpcError> {
        let bearer = Bearer { key: &self.endpoint.key, database: &self.endpoint.database };
        let path = json2::path(model, method);
        let answer = self.http.post(&path, Some(&bearer), &json2::body(args)).await?;
        json2::decode(&answer)
    }
}

/// The major series in what `common.version` answered: `server_version_info`, else
/// `server_serie` (`saas~18.2` is 18).
fn series(version: &Value) -> Result<u64, RpcError> {
    let listed = version["server_version_info"][0].as_u64();
    let named = || major(version["server_serie"].as_str()?);
    listed.or_else(named).ok_or_else(not_odoo)
}

/// The first number in a version: 19 of `19.0.1.3`, 18 of `saas~18.2`.
pub(super) fn major(version: &str) -> Option<u64> {
    let digits: String = version
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

/// How metrics name what came of a call.
fn class<T>(result: &Result<T, RpcError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(RpcError::Unavailable { .. }) => "unavailable",
        Err(RpcError::Unknown { .. }) => "unknown",
        Err(RpcError::Denied { .. }) => "denied",
        Err(RpcError::Missing { .. } | RpcError::Misconfigured { .. }) => "not_ready",
        Err(RpcError::Fault { .. }) => "fault",
    }
}

fn not_odoo() -> RpcError {
    // What answers is no Odoo, or one that changed its first word: the same as no Odoo there.
    classify_status(404, None)
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
