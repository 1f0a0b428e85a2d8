//! The transport against servers that misbehave in each way that has a class.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Status, headers, body.
type Canned = (u16, Vec<(&'static str, &'static str)>, Vec<u8>);

/// What the served Odoo does; its calls are counted by path.
#[derive(Default)]
struct Served {
    series: u64,
    /// `/json/2` accepts the key.
    bearer: bool,
    /// `/jsonrpc` is gone.
    no_jsonrpc: bool,
    /// What `common.authenticate` answers.
    uid: Value,
    /// How `execute_kw` and `/json/2` calls are answered; else with what they carried.
    answer: Option<Canned>,
    authenticated: AtomicUsize,
    versions: AtomicUsize,
    /// The trace each request came with.
    traces: Mutex<Vec<Option<String>>>,
}

fn result(value: &Value) -> Response {
    axum::Json(json!({"jsonrpc": "2.0", "id": 1, "result": value})).into_response()
}

async fn handle(State(served): State<Arc<Served>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let bearer = request.headers().get("authorization").cloned();
    let trace = request.headers().get("traceparent").map(|it| it.to_str().unwrap().to_owned());
    served.traces.lock().unwrap().push(trace);
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    if path == "/jsonrpc" {
        if served.no_jsonrpc {
            return StatusCode::NOT_FOUND.into_response();
        }
        match body["params"]["method"].as_str().unwrap() {
            "version" => {
                served.versions.fetch_add(1, Ordering::SeqCst);
                return result(
                    &json!({"server_version_info": [served.series, 0, 0, "final", 0, ""]}),
                );
            }
            "authenticate" => {
                served.authenticated.fetch_add(1, Ordering::SeqCst);
                return result(&served.uid);
            }
            _ => {}
        }
    } else {
        assert_eq!(bearer.unwrap(), "Bearer key");
        if !served.bearer {
            let refused =
                json!({"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey"});
            return (StatusCode::UNAUTHORIZED, axum::Json(refused)).into_response();
        }
        if path.ends_with("/context_get") {
            return axum::Json(json!({"uid": 2})).into_response();
        }
    }
    let Some((status, headers, body)) = &served.answer else {
        return if path == "/jsonrpc" {
            result(&body["params"]["args"])
        } else {
            axum::Json(json!([path, body])).into_response()
        };
    };
    let mut response = Response::builder().status(*status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body.clone())).unwrap()
}

/// Serves until the test ends.
async fn serve(served: Served) -> (Rpc, Arc<Served>) {
    let served = Arc::new(served);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = Router::new().fallback(handle).with_state(Arc::clone(&served));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (rpc(Endpoint::for_tests(&url)), served)
}

fn rpc(endpoint: Endpoint) -> Rpc {
    // Another test of this process may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Rpc::new(endpoint).unwrap()
}

fn odoo(series: u64) -> Served {
    Served { series, bearer: true, uid: json!(2), ..Served::default() }
}

async fn ping(rpc: &Rpc) -> Result<Value, RpcError> {
    rpc.call("res.partner", "read", Args::on(&[1])).await
}

#[tokio::test]
async fn before_19_json_rpc_is_spoken_and_the_uid_is_kept() {
    let (rpc, served) = serve(odoo(17)).await;
    let (one, two) = tokio::join!(ping(&rpc), ping(&rpc));
    assert_eq!(one.unwrap(), json!(["db", 2, "key", "res.partner", "read", [[1]], {}]));
    two.unwrap();
    assert_eq!(served.authenticated.load(Ordering::SeqCst), 1);
    assert_eq!(served.versions.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn from_19_on_json_2_is_spoken() {
    let (rpc, served) = serve(odoo(19)).await;
    let answer = ping(&rpc).await.unwrap();
    assert_eq!(answer, json!(["/json/2/res.partner/read", {"ids": [1]}]));
    assert_eq!(served.authenticated.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn calls_in_a_scope_carry_the_event_s_trace_each_as_a_step_of_its_own() {
    let event = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for series in [17, 19] {
        let (rpc, served) = serve(odoo(series)).await;
        crate::trace::scope(Some(event), ping(&rpc)).await.unwrap();
        ping(&rpc).await.unwrap();
        let mut traces = served.traces.lock().unwrap().clone();
        assert_eq!(traces.pop(), Some(None), "outside there is none");
        let traces: Vec<String> = traces.into_iter().map(Option::unwrap).collect();
        assert_eq!(traces.len(), 3, "version, login and the call itself");
        let spans: std::collections::BTreeSet<&str> = traces
            .iter()
            .map(|trace| trace.strip_prefix("00-0af7651916cd43dd8448eb211c80319c-").unwrap())
            .collect();
        assert!(spans.len() == 3 && !spans.contains("b7ad6b7169203331-01"), "{spans:?}");
    }
}

#[tokio::test]
async fn a_password_on_19_falls_back_to_json_rpc() {
    let (rpc, _) = serve(Served { bearer: false, ..odoo(19) }).await;
    assert_eq!(ping(&rpc).await.unwrap()[0], "db");
}

#[tokio::test]
async fn where_json_rpc_is_gone_json_2_is_spoken() {
    let (rpc, _) = serve(Served { no_jsonrpc: true, ..odoo(20) }).await;
    assert_eq!(ping(&rpc).await.unwrap()[0], "/json/2/res.partner/read");
}

#[tokio::test]
async fn the_configuration_overrides_what_the_server_says() {
    let (auto, served) = serve(odoo(19)).await;
    let forced = Endpoint { transport: Transport::Jsonrpc, ..auto.endpoint().clone() };
    assert_eq!(ping(&rpc(forced)).await.unwrap()[0], "db");
    let forced = Endpoint { transport: Transport::Json2, ..auto.endpoint().clone() };
    assert_eq!(ping(&rpc(forced)).await.unwrap()[0], "/json/2/res.partner/read");
    assert_eq!(served.versions.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_wrong_login_is_denied_and_asked_again_the_next_time() {
    let (rpc, served) = serve(Served { uid: json!(false), ..odoo(18) }).await;
    for tries in 1..=2 {
        let error = ping(&rpc).await.unwrap_err();
        assert!(matches!(error, RpcError::Denied { .. }), "{error:?}");
        assert_eq!(served.authenticated.load(Ordering::SeqCst), tries);
    }
    assert!(!rpc.check_login().await.unwrap());
}

#[tokio::test]
async fn a_refused_key_is_forgotten_so_that_a_new_login_is_tried() {
    let denied =
        br#"{"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "Odoo Server Error",
        "data": {"name": "odoo.exceptions.AccessDenied", "message": "Access Denied"}}}"#;
    let answer = Some((200, vec![], denied.to_vec()));
    let (rpc, served) = serve(Served { answer, ..odoo(17) }).await;
    for tries in 1..=2 {
        let error = ping(&rpc).await.unwrap_err();
        assert!(matches!(error, RpcError::Denied { .. }), "{error:?}");
        assert_eq!(served.authenticated.load(Ordering::SeqCst), tries);
    }
}

/// What a call over JSON-RPC makes of an answer.
async fn met_with(
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: &[u8],
) -> RpcError {
    let answer = Some((status, headers, body.to_vec()));
    let (rpc, _) = serve(Served { answer, ..odoo(17) }).await;
    ping(&rpc).await.unwrap_err()
}

#[tokio::test]
async fn too_many_requests_says_when_to_come_back() {
    let error = met_with(429, vec![("retry-after", "17")], b"slow down").await;
    let RpcError::Unavailable { retry_after_s, .. } = error else { panic!("{error:?}") };
    assert_eq!(retry_after_s, Some(17));
}

#[tokio::test]
async fn a_maintenance_page_is_weather() {
    for status in [200, 502, 503] {
        let error = met_with(status, vec![], b"<html>back soon</html>").await;
        assert!(matches!(error, RpcError::Unavailable { .. }), "{status}: {error:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_gave_up_leaves_the_outcome_unknown() {
    for status in [500, 504] {
        let error = met_with(status, vec![], b"<html>gateway</html>").await;
        assert!(matches!(error, RpcError::Unknown { .. }), "{status}: {error:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let error = met_with(302, vec![("location", "https://elsewhere.example/")], b"").await;
    assert!(matches!(error, RpcError::Misconfigured { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    let error = met_with(200, vec![], &vec![b' '; 8 * 1024 * 1024 + 1]).await;
    let RpcError::Unknown { detail } = error else { panic!("{error:?}") };
    assert!(detail.contains("8 MiB"), "{detail}");
}

#[tokio::test]
async fn json_that_is_no_answer_is_not_taken_for_one() {
    let error = met_with(200, vec![], b"{\"hello\": 1}").await;
    assert!(matches!(error, RpcError::Misconfigured { .. }), "{error:?}");
    let error = met_with(200, vec![], b"{\"jsonrpc\": \"2.0\", \"resul").await;
    assert!(matches!(error, RpcError::Unknown { .. }), "{error:?}");
}

#[tokio::test]
async fn nobody_listening_means_nothing_was_done() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = ping(&rpc(Endpoint::for_tests(&url))).await.unwrap_err();
    assert!(matches!(error, RpcError::Unavailable { .. }), "{error:?}");
    assert!(!error.to_string().contains(&url), "{error}");
}

/// What becomes of the connection that carried the call.
#[derive(Clone, Copy)]
enum Stumble {
    CutBeforeTheAnswer,
    CutWithinTheAnswer,
    Silence,
}

/// Answers the version and the login, then stumbles over the call.
async fn stumbling(timeout: Duration, stumble: Stumble) -> RpcError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let first = r#"{"jsonrpc": "2.0", "id": 1, "result": {"server_version_info": [17]}}"#;
        let second = r#"{"jsonrpc": "2.0", "id": 1, "result": 2}"#;
        for body in [first, second] {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        match stumble {
            Stumble::CutBeforeTheAnswer => {}
            Stumble::CutWithinTheAnswer => {
                let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"jsonrpc\":";
                stream.write_all(half).await.unwrap();
            }
            Stumble::Silence => std::future::pending().await,
        }
    });
    let endpoint = Endpoint { timeout, ..Endpoint::for_tests(&url) };
    ping(&rpc(endpoint)).await.unwrap_err()
}

/// Reads a small request: all of them end with the frame's closing braces.
async fn read_request(stream: &mut tokio::net::TcpStream) {
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    while !seen.ends_with(b"}}") {
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "the client left");
        seen.extend_from_slice(&chunk[..read]);
    }
}

#[tokio::test]
async fn a_connection_cut_after_sending_leaves_the_outcome_unknown() {
    for cut in [Stumble::CutBeforeTheAnswer, Stumble::CutWithinTheAnswer] {
        let error = stumbling(Duration::from_secs(10), cut).await;
        assert!(matches!(error, RpcError::Unknown { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_leaves_the_outcome_unknown() {
    let error = stumbling(Duration::from_secs(2), Stumble::Silence).await;
    let RpcError::Unknown { detail } = error else { panic!("{error:?}") };
    assert!(detail.contains("no answer in time"), "{detail}");
}

#[test]
fn the_series_is_read_from_whatever_the_server_tells() {
    assert_eq!(series(&json!({"server_version_info": [18, 0, 0, "final", 0, "e"]})).unwrap(), 18);
    assert_eq!(
        series(&json!({"server_version_info": ["saas~18", 2], "server_serie": "saas~18.2"}))
            .unwrap(),
        18
    );
    assert!(series(&json!("19.0")).is_err());
}

#[test]
fn debug_shows_no_key() {
    let shown = format!(
        "{:?}",
        rpc(Endpoint { key: Secret::new("hidden"), ..Endpoint::for_tests("http://o") })
    );
    assert!(!shown.contains("hidden"), "{shown}");
}
