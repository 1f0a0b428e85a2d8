//! How Ventipay's API says no (`ventipay-api.md` 3.4): an object under `error`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error of the API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// `type`, `invalid_request_error`.
    pub kind: &'static str,
    /// `code`, where it has one.
    pub code: Option<&'static str>,
    /// The one text of `messages`.
    pub message: String,
}

impl ApiError {
    /// 404: no such object in the key's mode.
    pub fn not_found(what: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            kind: "invalid_request_error",
            code: Some("not_found"),
            message: format!("No such {what}"),
        }
    }

    /// 400: the request makes no sense. The status is inferred: the page says 4xx.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "invalid_request_error",
            code: None,
            message: message.into(),
        }
    }

    /// 401: no key, or one that is not known.
    pub fn unauthenticated() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            kind: "authentication_error",
            code: None,
            message: "The API key is missing or not valid".to_owned(),
        }
    }

    /// A failure of Ventipay's own, or of its rate limit, with the given status.
    pub fn failing(status: StatusCode) -> Self {
        let kind = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "authentication_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            _ => "api_error",
        };
        Self { status, kind, code: None, message: "Something went wrong".to_owned() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut error = json!({"type": self.kind, "messages": [self.message]});
        if let Some(code) = self.code {
            error["code"] = json!(code);
        }
        (self.status, Json(json!({ "error": error }))).into_response()
    }
}
