//! Bits of HTTP both transports and the control routes write.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::errors::OdooError;

/// Marks an answer that is not to be sent: the connection is closed instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct CloseConnection;

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(super) fn json(status: StatusCode, body: &Json) -> Response {
    respond(status, "application/json; charset=utf-8", body.to_string())
}

pub(super) fn html(status: StatusCode, body: &str) -> Response {
    respond(status, "text/html; charset=utf-8", body.to_owned())
}

/// Nothing is sent; the connection is closed.
pub(super) fn close() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(CloseConnection);
    response
}

/// The `data` of an exception.
pub(super) fn error_data(error: &OdooError, arguments: &Json) -> Json {
    let debug = format!("Traceback (most recent call last):\n{}: {}\n", error.name, error.message);
    json!({
        "name": error.name, "message": error.message, "arguments": arguments,
        "context": {}, "debug": debug,
    })
}
