//! The frames of `/json/2/<model>/<method>`: Odoo 19 and later (`odoo-api.md` sections 0, 8).
//!
//! Pure: building a body and reading an answer. Sending is [`super::transport`]'s. The result
//! is the bare value; an error is a status with `{name, message}`, and the name decides.

use serde_json::{Map, Value};

use super::classify::{RpcError, classify_fault, classify_not_json, classify_status};
use super::http::Answer;
use super::transport::Args;

/// Where a call is posted.
pub(super) fn path(model: &str, method: &str) -> String {
    format!("/json/2/{model}/{method}")
}

/// The keyword arguments, `ids` and `context` among them.
pub(super) fn body(args: Args) -> Value {
    let Args { ids, mut named, context, .. } = args;
    if let Some(ids) = ids {
        named.insert("ids".to_owned(), Value::from(ids));
    }
    if !context.is_empty() {
        named.insert("context".to_owned(), Value::Object(context));
    }
    Value::Object(named)
}

/// The result, or the error's class.
pub(super) fn decode(answer: &Answer) -> Result<Value, RpcError> {
    let by_status = || classify_status(answer.status, answer.retry_after_s);
    if answer.status == 200 {
        return serde_json::from_slice(&answer.body).map_err(|_| classify_not_json(&answer.body));
    }
    let Ok(error) = serde_json::from_slice::<Map<String, Value>>(&answer.body) else {
        return Err(by_status());
    };
    let text = |key: &str| error.get(key).and_then(Value::as_str);
    let (Some(name), Some(message)) = (text("name"), text("message")) else {
        return Err(by_status());
    };
    Err(match classify_fault(name, message) {
        RpcError::Fault { .. } if matches!(answer.status, 429 | 502 | 503) => by_status(),
        class => class,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(status: u16, body: &str) -> RpcError {
        decode(&Answer { status, retry_after_s: Some(7), body: body.as_bytes().to_vec() })
            .unwrap_err()
    }

    #[test]
    fn everything_goes_by_name() {
        let args = Args::on(&[387]).with("limit", 1).context("active_model", "payment.transaction");
        assert_eq!(
            body(args),
            json!({"ids": [387], "limit": 1, "context": {"active_model": "payment.transaction"}})
        );
        assert_eq!(body(Args::none()), json!({}));
    }

    #[test]
    fn recorded_errors_are_classed_by_their_name() {
        let denied = error(
            401,
            r#"{"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey", "arguments": ["Invalid apikey", 401], "context": {}, "debug": "…"}"#,
        );
        assert!(matches!(denied, RpcError::Denied { .. }), "{denied:?}");
        let missing = error(
            404,
            r#"{"name": "odoo.exceptions.MissingError", "message": "Record does not exist or has been deleted.\n(Record: ir.actions.server(9,), User: 2)", "arguments": [], "context": {}, "debug": "…"}"#,
        );
        assert!(matches!(missing, RpcError::Missing { .. }), "{missing:?}");
        let fault = error(
            422,
            r#"{"name": "odoo.exceptions.UserError", "message": "No.", "arguments": ["No."], "context": {}, "debug": "…"}"#,
        );
        assert!(matches!(fault, RpcError::Fault { .. }), "{fault:?}");
    }

    #[test]
    fn pages_and_proxies_are_classed_by_their_status() {
        let page = error(404, "<!DOCTYPE html>\n<title>404 Not Found</title>");
        assert!(matches!(page, RpcError::Misconfigured { .. }), "{page:?}");
        let busy = error(503, r#"{"name": "proxy", "message": "try later"}"#);
        assert!(matches!(busy, RpcError::Unavailable { retry_after_s: Some(7), .. }), "{busy:?}");
        let proxy = error(500, "<html>oops</html>");
        assert!(matches!(proxy, RpcError::Unknown { .. }), "{proxy:?}");
    }
}
