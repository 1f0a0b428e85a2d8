//! `/jsonrpc`: reading its envelope and writing its answers, right or wrong.
//!
//! Always HTTP 200, except for what is no JSON-RPC at all (`odoo-api.md` 8; the bodies of the
//! 400 and 415 were seen on real servers). What is called is in [`super::rpc`].

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::engine::{Job, Who};
use super::errors::OdooError;
use super::fields::Series;
use super::http;
use super::rpc::{Call, Transport};

/// A request that was read: its id, and what it asks for.
pub(super) struct Request {
    /// The caller's id of the request.
    pub(super) id: Json,
    /// What it asks for.
    pub(super) job: Job,
}

/// Reads a request, or says what Odoo answers to something that is none.
pub(super) fn read(
    series: Series,
    post: bool,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Request, Box<Response>> {
    if !post || !http::is_json(headers) {
        return Err(wrong_type(series).into());
    }
    let Ok(envelope) = serde_json::from_slice::<Json>(body) else {
        return Err(http::html(StatusCode::BAD_REQUEST, "Invalid JSON data").into());
    };
    if !envelope.is_object() {
        return Err(http::html(StatusCode::BAD_REQUEST, "Invalid JSON-RPC data").into());
    }
    let params = &envelope["params"];
    let args = params["args"].as_array().cloned().unwrap_or_default();
    let job = match (params["service"].as_str(), params["method"].as_str()) {
        (Some("common"), Some("version")) => Job::Version,
        (Some("common"), Some("authenticate" | "login")) => authenticate(&args),
        (Some("object"), Some("execute_kw" | "execute")) => execute(&args),
        (Some("db"), _) => {
            Job::Fail(OdooError::new("odoo.exceptions.AccessDenied", "Access Denied"))
        }
        (Some("common" | "object"), other) => {
            let text = format!("Method not found: {}", other.unwrap_or_default());
            Job::Fail(OdooError::new("builtins.NameError", text))
        }
        (Some(service), _) => Job::Fail(OdooError::new("builtins.KeyError", service)),
        (None, _) => Job::Fail(OdooError::new(
            "builtins.TypeError",
            "missing 3 required positional arguments: 'service', 'method', and 'args'",
        )),
    };
    Ok(Request { id: envelope["id"].clone(), job })
}

fn wrong_type(series: Series) -> Response {
    if series == Series::V19 {
        let text = "<!doctype html>\n<html lang=en>\n<title>415 Unsupported Media Type</title>\n\
            <h1>Unsupported Media Type</h1>\n<p>Request inferred type is compatible with [&#39;http&#39;] but \
            &#39;/jsonrpc&#39; is type=&#39;jsonrpc&#39;.<br><br>Please verify the Content-Type request header \
            and try again.</p>\n";
        return http::html(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    }
    let text = "<!doctype html>\n<html lang=en>\n<title>400 Bad Request</title>\n<h1>Bad Request</h1>\n\
        <p>Request inferred type is compatible with [&#39;http&#39;] but &#39;/jsonrpc&#39; is \
        type=&#39;json&#39;.</p>\n";
    http::html(StatusCode::BAD_REQUEST, text)
}

fn text(args: &[Json], at: usize) -> String {
    args.get(at).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn authenticate(args: &[Json]) -> Job {
    Job::Authenticate { database: text(args, 0), login: text(args, 1), secret: text(args, 2) }
}

fn execute(args: &[Json]) -> Job {
    let mut named = args.get(6).and_then(Json::as_object).cloned().unwrap_or_default();
    let context = named.remove("context").unwrap_or_else(|| json!({}));
    Job::Execute {
        database: Some(text(args, 0)),
        who: Who::User {
            uid: args.get(1).and_then(Json::as_i64).unwrap_or(0),
            secret: text(args, 2),
        },
        call: Call {
            transport: Transport::JsonRpc,
            model: text(args, 3),
            method: text(args, 4),
            positional: args.get(5).and_then(Json::as_array).cloned().unwrap_or_default(),
            named,
            context,
        },
    }
}

/// Writes an answer.
pub(super) fn write(series: Series, id: &Json, answer: Result<Json, OdooError>) -> Response {
    let body = match answer {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": {
            "code": if series == Series::V19 { 0 } else { 200 },
            "message": "Odoo Server Error",
            "data": http::error_data(&error, &json!([error.message])),
        }}),
    };
    http::json(StatusCode::OK, &body)
}
