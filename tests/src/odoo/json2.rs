//! `/json/2/<model>/<method>` of 19: reading its requests and writing its answers.
//!
//! Arguments by name, the bare value as the result, errors as HTTP statuses (`odoo-api.md` 0
//! and 8, captures `8_json2_*`). 17 and 18 do not have it. What is called is in [`super::rpc`].

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::engine::{Job, Who};
use super::errors::{OdooError, names};
use super::fields::Series;
use super::http;
use super::rpc::{Call, Transport};

/// Where a request went and with what.
pub(super) struct Request<'r> {
    /// Whether it is a POST.
    pub(super) post: bool,
    /// The model of the path.
    pub(super) model: &'r str,
    /// The method of the path.
    pub(super) method: &'r str,
    /// Its headers.
    pub(super) headers: &'r HeaderMap,
    /// Its body.
    pub(super) body: &'r [u8],
}

/// Reads a request, or says what Odoo answers to something that is none.
pub(super) fn read(
    series: Series,
    database: &str,
    request: &Request<'_>,
) -> Result<Job, Box<Response>> {
    if series != Series::V19 {
        return Err(http::html(
            StatusCode::NOT_FOUND,
            "<!DOCTYPE html>\n<title>404 Not Found</title>\n",
        )
        .into());
    }
    let wanted = request.headers.get("x-odoo-database").and_then(|value| value.to_str().ok());
    if wanted.is_some_and(|wanted| wanted != database) {
        return Err(http::html(StatusCode::NOT_FOUND, NO_DATABASE).into());
    }
    if !request.post {
        let text = "Did you mean POST /json/2/<model>/<method>?";
        return Err(write(Err(OdooError::new("werkzeug.exceptions.NotFound", text))).into());
    }
    if !http::is_json(request.headers) {
        return Err(http::html(StatusCode::UNSUPPORTED_MEDIA_TYPE, WRONG_TYPE).into());
    }
    let body = serde_json::from_slice::<Json>(request.body).map_err(|error| {
        let text = format!("could not parse the body as json: {error}");
        write(Err(OdooError::new("werkzeug.exceptions.BadRequest", text)))
    })?;
    let mut named = body.as_object().cloned().unwrap_or_default();
    let context = named.remove("context").unwrap_or_else(|| json!({}));
    Ok(Job::Execute {
        database: None,
        who: Who::Key(bearer(request.headers)),
        call: Call {
            transport: Transport::Json2,
            model: request.model.to_owned(),
            method: request.method.to_owned(),
            positional: Vec::new(),
            named,
            context,
        },
    })
}

const NO_DATABASE: &str = "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n\
    <p>No database is selected and the requested URL was not found in the server-wide controllers.</p>\n\
    <p>Please verify the hostname, <a href=/web/login>login</a> and try again.</p>\n\n\
    <!-- Alternatively, use the X-Odoo-Database header. -->\n";

const WRONG_TYPE: &str = "<!doctype html>\n<html lang=en>\n<title>415 Unsupported Media Type</title>\n\
    <h1>Unsupported Media Type</h1>\n<p>Request inferred type is compatible with [&#39;http&#39;] but \
    &#39;/json/2/&lt;__model__&gt;/&lt;__method__&gt;&#39; is type=&#39;json2&#39;.<br><br>Please verify the \
    Content-Type request header and try again.</p>\n";

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
}

/// Writes an answer.
pub(super) fn write(answer: Result<Json, OdooError>) -> Response {
    let error = match answer {
        Ok(result) => return http::json(StatusCode::OK, &result),
        Err(error) => error,
    };
    let status = status_of(error.name);
    // Exceptions of the HTTP layer carry their status among their arguments.
    let arguments = if error.name.starts_with("werkzeug.") {
        json!([error.message, status.as_u16()])
    } else {
        json!([error.message])
    };
    let mut response = http::json(status, &http::error_data(&error, &arguments));
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer ");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn status_of(name: &str) -> StatusCode {
    match name {
        "werkzeug.exceptions.Unauthorized" => StatusCode::UNAUTHORIZED,
        names::ACCESS | names::ACCESS_DENIED => StatusCode::FORBIDDEN,
        names::MISSING | "werkzeug.exceptions.NotFound" => StatusCode::NOT_FOUND,
        names::USER | names::VALIDATION | "werkzeug.exceptions.UnprocessableEntity" => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        "werkzeug.exceptions.BadRequest" => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
