//! The real client: HTTP with the account's key (`ventipay-api.md` section 3).
//!
//! Everything is bounded: connecting, the whole call, the answer's size. Redirects are not
//! followed, because they would carry the key elsewhere. Neither key nor body nor address
//! enters a log or an error. Not here: what an answer means ([`super::wire`]).

use std::time::{Duration, Instant};

use async_trait::async_trait;
use concilia_shared::id::CheckoutId;
use concilia_shared::secret::Secret;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode, redirect};
use serde_json::Value;

use super::{Fetched, Ventipay, VentipayError, wire};
use crate::domain::observe::{
    AtVentipay, CustomerNow, DisputeNow, InvoiceNow, MethodNow, PaymentNow, Shown, SubscriptionNow,
};
use crate::{measure, trace};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept for the next call.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Most idle connections kept.
const IDLE_MAX: usize = 8;

/// Largest answer read, in bytes. A checkout is a few KiB.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Names us, as the official clients name themselves (`ventipay-api.md` 3.2).
const USER_AGENT: &str = concat!("Concilia/", env!("CARGO_PKG_VERSION"));

/// Ventipay's own id of a request: what their support asks for.
const REQUEST_ID_HEADER: &str = "venti-request-id";

/// Ventipay over HTTP, with one account's key.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Secret,
}

impl Client {
    /// A client of the API at `base` (`https://api.ventipay.com/v1`). `timeout` bounds a
    /// whole call. Connects to nothing yet; fails only if TLS cannot be set up.
    pub fn new(base: &str, key: Secret, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_MAX)
            .build()?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), key })
    }

    /// One object by its id; `kind` is the path it is under.
    async fn get(&self, kind: &str, id: &str) -> Result<Answer, VentipayError> {
        let mut request = self
            .http
            .get(format!("{}/{kind}/{id}", self.base))
            .basic_auth(self.key.expose(), None::<&str>);
        if let Some(step) = trace::header() {
            request = request.header(trace::HEADER, step);
        }
        let response = request.send().await.map_err(|error| unavailable(describe(&error)))?;
        let status = response.status();
        tracing::debug!(
            kind,
            id,
            status = status.as_u16(),
            request_id = request_id(response.headers()),
            "Ventipay answered"
        );
        match status {
            StatusCode::OK => match body(response).await? {
                Body::Json(answer) => Ok(Answer::Json(answer)),
                Body::TooLarge => Ok(Answer::Unreadable),
                Body::NotJson => Err(unavailable("the answer is not JSON")),
            },
            // Only Ventipay's own error object says that it knows no such thing
            // (`ventipay-api.md` 3.4); a proxy's or a wrong address's page says nothing.
            StatusCode::NOT_FOUND => match body(response).await? {
                Body::Json(answer) if wire::is_not_found(&answer) => Ok(Answer::Unknown),
                _ => Err(unavailable("404 without an error object of Ventipay's")),
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(VentipayError::Denied { status: status.as_u16() })
            }
            _ => Err(VentipayError::Unavailable {
                detail: format!("status {}", status.as_u16()),
                retry_after_s: retry_after_s(response.headers()),
            }),
        }
    }

    /// A checkout's answer; its id holds only letters, digits, '-' and '_': nothing to escape.
    async fn read_checkout(&self, id: &CheckoutId) -> Result<Fetched, VentipayError> {
        Ok(match self.get("checkouts", id.as_str()).await? {
            Answer::Unknown => Fetched { now: AtVentipay::Unknown, object: None },
            Answer::Unreadable => Fetched { now: wire::unreadable("$"), object: None },
            Answer::Json(answer) => {
                let now = wire::read(id, &answer);
                let object = match (&now, answer) {
                    (AtVentipay::Checkout(_), Value::Object(fields)) => Some(fields),
                    _ => None,
                };
                Fetched { now, object }
            }
        })
    }

    /// Any other object, measured under `operation`; `read` makes sense of the answer.
    async fn show<T>(
        &self,
        operation: &'static str,
        kind: &str,
        id: &str,
        read: fn(&str, &Value) -> Shown<T>,
    ) -> Result<Shown<T>, VentipayError> {
        // Such an id came in a webhook, where only its being text is checked: it must not lead
        // the call elsewhere.
        if !wire::is_plain_id(id) {
            return Ok(wire::not_shown("id"));
        }
        let started = Instant::now();
        let shown = self.get(kind, id).await.map(|answer| match answer {
            Answer::Unknown => Shown::Unknown,
            Answer::Unreadable => wire::not_shown("$"),
            Answer::Json(answer) => read(id, &answer),
        });
        let class = match &shown {
            Ok(Shown::Unreadable { .. }) => "unreadable",
            Ok(_) => "ok",
            Err(error) => class(error),
        };
        measure::ventipay_request(operation, class, started.elapsed());
        shown
    }
}

#[async_trait]
impl Ventipay for Client {
    async fn fetch(&self, id: &CheckoutId) -> Result<Fetched, VentipayError> {
        let started = Instant::now();
        let answer = self.read_checkout(id).await;
        let class = match &answer {
            // An answer too, but nothing can be done with it.
            Ok(Fetched { now: AtVentipay::Unreadable { .. }, .. }) => "unreadable",
            Ok(_) => "ok",
            Err(error) => class(error),
        };
        measure::ventipay_request("checkout", class, started.elapsed());
        answer
    }

    async fn dispute(&self, id: &str) -> Result<Shown<DisputeNow>, VentipayError> {
        self.show("dispute", "disputes", id, wire::read_dispute).await
    }

    async fn subscription(&self, id: &str) -> Result<Shown<SubscriptionNow>, VentipayError> {
        self.show("subscription", "subscriptions", id, wire::read_subscription).await
    }

    async fn invoice(&self, id: &str) -> Result<Shown<InvoiceNow>, VentipayError> {
        self.show("invoice", "invoices", id, wire::read_invoice).await
    }

    async fn payment(&self, id: &str) -> Result<Shown<PaymentNow>, VentipayError> {
        self.show("payment", "payments", id, wire::read_payment).await
    }

    async fn customer(&self, id: &str) -> Result<Shown<CustomerNow>, VentipayError> {
        self.show("customer", "customers", id, wire::read_customer).await
    }

    async fn payment_method(&self, id: &str) -> Result<Shown<MethodNow>, VentipayError> {
        self.show("payment_method", "payment_methods", id, wire::read_method).await
    }
}

/// An answer that says something, if only that there is nothing.
enum Answer {
    Json(Value),
    Unknown,
    Unreadable,
}

fn class(error: &VentipayError) -> &'static str {
    match error {
        VentipayError::Unavailable { .. } => "unavailable",
        VentipayError::Denied { .. } => "denied",
    }
}

enum Body {
    Json(Value),
    NotJson,
    TooLarge,
}

async fn body(mut response: Response) -> Result<Body, VentipayError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unavailable(describe(&error)))? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Ok(Body::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(serde_json::from_slice(&bytes).map_or(Body::NotJson, Body::Json))
}

fn unavailable(detail: &str) -> VentipayError {
    VentipayError::Unavailable { detail: detail.to_owned(), retry_after_s: None }
}

/// What went wrong, in our words: the library's own sentence would show the address.
fn describe(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "no answer in time"
    } else {
        "the connection was cut"
    }
}

/// `Retry-After` in seconds; its other form, a date, is not used with an API.
fn retry_after_s(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

fn request_id(headers: &HeaderMap) -> &str {
    headers.get(REQUEST_ID_HEADER).and_then(|value| value.to_str().ok()).unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const PAID: &str =
        r#"{"id":"chk_1","object":"checkout","status":"paid","amount":15990,"currency":"clp"}"#;

    /// A server that answers every connection with `answer`, then closes it, and keeps what it
    /// was asked. An empty answer is never sent: the connection just hangs.
    async fn server(answer: String) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1/", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut hanging = Vec::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    match socket.read_u8().await {
                        Ok(byte) => request.push(byte),
                        Err(_) => break,
                    }
                }
                kept.lock().unwrap().push(String::from_utf8(request).unwrap());
                if answer.is_empty() {
                    hanging.push(socket);
                } else {
                    // The client may hang up first when the answer is too large for it.
                    let _ = socket.write_all(answer.as_bytes()).await;
                }
            }
        });
        (base, asked)
    }

    fn http(status: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
        )
    }

    fn client(base: &str, timeout_ms: u64) -> Client {
        // Another test may have been first; one provider is as good as the next.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = Secret::new("key_test_hidden");
        Client::new(base, key, Duration::from_millis(timeout_ms)).unwrap()
    }

    async fn ask(answer: String) -> Result<AtVentipay, VentipayError> {
        let (base, _) = server(answer).await;
        let id = CheckoutId::parse("chk_1").unwrap();
        client(&base, 5_000).checkout(&id).await
    }

    fn detail(result: Result<AtVentipay, VentipayError>) -> String {
        match result {
            Err(VentipayError::Unavailable { detail, .. }) => detail,
            other => panic!("expected Unavailable, got {other:?}"),
        }
    }

    #[tokio::test]
    async fn the_key_is_the_user_name_and_the_password_is_empty() {
        let (base, asked) = server(http("200 OK", "", PAID)).await;
        let id = CheckoutId::parse("chk_1").unwrap();
        let answer = client(&base, 5_000).checkout(&id).await.unwrap();
        assert!(matches!(answer, AtVentipay::Checkout(_)), "{answer:?}");
        let request = asked.lock().unwrap()[0].to_lowercase();
        assert!(request.starts_with("get /v1/checkouts/chk_1 http/1.1"), "{request}");
        // base64 of "key_test_hidden:".
        assert!(request.contains("authorization: basic a2v5x3rlc3rfaglkzgvuog=="), "{request}");
    }

    #[tokio::test]
    async fn a_fetched_checkout_comes_with_all_it_says_and_debug_shows_none_of_it() {
        let more = PAID.replace('}', r#","external_id":"S00042","new":{"a":1}}"#);
        let (base, _) = server(http("200 OK", "", &more)).await;
        let id = CheckoutId::parse("chk_1").unwrap();
        let fetched = client(&base, 5_000).fetch(&id).await.unwrap();
        assert!(!format!("{fetched:?}").contains("S00042"));
        let object = Value::Object(fetched.object.unwrap());
        assert_eq!(object, serde_json::from_str::<Value>(&more).unwrap());

        let other = more.replace("chk_1", "chk_2");
        let (base, _) = server(http("200 OK", "", &other)).await;
        let fetched = client(&base, 5_000).fetch(&id).await.unwrap();
        assert_eq!(fetched, Fetched { now: wire::unreadable("id"), object: None });
    }

    #[tokio::test]
    async fn other_objects_are_asked_for_under_their_own_address() {
        let body = r#"{"id":"x_1","status":"lost"}"#;
        let (base, asked) = server(http("200 OK", "", body)).await;
        let client = client(&base, 5_000);
        let Shown::Now(dispute) = client.dispute("x_1").await.unwrap() else { panic!("reads") };
        assert_eq!(dispute.status, "lost");
        assert!(matches!(client.subscription("x_1").await, Ok(Shown::Now(_))));
        assert!(matches!(client.invoice("x_1").await, Ok(Shown::Now(_))));
        assert!(matches!(client.payment("x_1").await, Ok(Shown::Now(_))));
        assert!(matches!(client.customer("x_1").await, Ok(Shown::Now(_))));
        assert!(matches!(client.payment_method("x_1").await, Ok(Shown::Now(_))));
        let asked = asked.lock().unwrap().clone();
        let paths =
            ["disputes", "subscriptions", "invoices", "payments", "customers", "payment_methods"];
        assert_eq!(asked.len(), paths.len());
        for (request, path) in asked.iter().zip(paths) {
            assert!(request.starts_with(&format!("GET /v1/{path}/x_1 ")), "{request}");
        }
    }

    #[tokio::test]
    async fn an_object_ventipay_does_not_know_is_unknown_and_weather_is_weather() {
        let error = r#"{"error":{"type":"invalid_request_error","code":"not_found"}}"#;
        let (base, _) = server(http("404 Not Found", "", error)).await;
        assert_eq!(client(&base, 5_000).dispute("dsp_1").await, Ok(Shown::Unknown));
        let (base, _) = server(http("503 Busy", "", "")).await;
        let busy = client(&base, 5_000).invoice("inv_1").await;
        assert!(matches!(busy, Err(VentipayError::Unavailable { .. })), "{busy:?}");
    }

    #[tokio::test]
    async fn an_id_that_leads_elsewhere_is_not_asked_for() {
        let (base, asked) = server(http("200 OK", "", "{}")).await;
        for id in ["", "..", "a/b", "a?b", "a#b", "a%2fb", "ñ"] {
            let shown = client(&base, 5_000).dispute(id).await;
            assert_eq!(shown, Ok(wire::not_shown("id")), "{id}");
        }
        assert!(asked.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_call_carries_the_trace_it_is_made_in_and_none_outside() {
        let (base, asked) = server(http("200 OK", "", PAID)).await;
        let id = CheckoutId::parse("chk_1").unwrap();
        let client = client(&base, 5_000);
        let event = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        trace::scope(Some(event), client.checkout(&id)).await.unwrap();
        client.checkout(&id).await.unwrap();
        let asked = asked.lock().unwrap();
        assert!(
            asked[0].contains("traceparent: 00-0af7651916cd43dd8448eb211c80319c-"),
            "{asked:?}"
        );
        assert!(!asked[0].contains("b7ad6b7169203331"), "a step of its own");
        assert!(!asked[1].contains("traceparent"));
    }

    #[tokio::test]
    async fn a_checkout_ventipay_does_not_know_is_unknown() {
        let error = r#"{"error":{"type":"invalid_request_error","code":"not_found"}}"#;
        assert_eq!(ask(http("404 Not Found", "", error)).await, Ok(AtVentipay::Unknown));
    }

    #[tokio::test]
    async fn a_404_that_is_not_ventipays_says_nothing_about_the_checkout() {
        let page = "<html>nginx</html>";
        assert!(detail(ask(http("404 Not Found", "", page)).await).contains("404"));
    }

    #[tokio::test]
    async fn a_refused_key_is_not_weather() {
        for (line, status) in [("401 Unauthorized", 401), ("403 Forbidden", 403)] {
            assert_eq!(ask(http(line, "", "{}")).await, Err(VentipayError::Denied { status }));
        }
        let sentence = VentipayError::Denied { status: 401 }.to_string();
        assert!(sentence.contains("ventipay.key"), "{sentence}");
    }

    #[tokio::test]
    async fn every_other_status_is_weather_and_retry_after_is_heard() {
        for line in ["500 Oops", "503 Busy", "400 Bad", "204 Empty", "302 Found"] {
            let answer = http(line, "Location: /elsewhere\r\n", "");
            assert!(detail(ask(answer).await).contains(&line[..3]), "{line}");
        }
        let Err(VentipayError::Unavailable { retry_after_s, .. }) =
            ask(http("429 Slow", "Retry-After: 7\r\n", "")).await
        else {
            panic!("429 is weather");
        };
        assert_eq!(retry_after_s, Some(7));
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let (elsewhere, asked) = server(http("200 OK", "", PAID)).await;
        let to_there = format!("Location: {elsewhere}checkouts/chk_1\r\n");
        assert!(detail(ask(http("307 There", &to_there, "")).await).contains("307"));
        assert!(asked.lock().unwrap().is_empty(), "the key went elsewhere");
    }

    #[tokio::test]
    async fn a_page_instead_of_json_is_weather_and_other_json_is_unreadable() {
        assert!(detail(ask(http("200 OK", "", "<html>")).await).contains("not JSON"));
        let other = r#"{"id":"chk_1","status":"paid","amount":"15990","currency":"clp"}"#;
        assert_eq!(ask(http("200 OK", "", other)).await, Ok(wire::unreadable("amount")));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_given_up() {
        let huge = "x".repeat(ANSWER_BYTES_MAX + 1);
        assert_eq!(ask(http("200 OK", "", &huge)).await, Ok(wire::unreadable("$")));
    }

    #[tokio::test]
    async fn silence_refusal_and_a_cut_are_weather_and_show_no_address() {
        let (silent, _) = server(String::new()).await;
        let id = CheckoutId::parse("chk_1").unwrap();
        let waited = client(&silent, 100).checkout(&id).await;
        assert_eq!(detail(waited), "no answer in time");

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        assert_eq!(detail(client(&closed, 5_000).checkout(&id).await), "no connection");

        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{";
        assert_eq!(detail(ask(cut.to_owned()).await), "the connection was cut");
    }

    #[test]
    fn debug_of_a_client_shows_no_key() {
        assert!(!format!("{:?}", client("http://x", 1)).contains("hidden"));
    }
}
