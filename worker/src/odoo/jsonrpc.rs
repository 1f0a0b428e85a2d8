//! The frames of `/jsonrpc`: Odoo 17 to 19 (`odoo-api.md` sections 0 and 8).
//!
//! Pure: building a request and reading an answer. Sending is [`super::transport`]'s.
//! Everything goes by name in the keyword arguments, but for the values of `create` and `write`.

use serde_json::{Map, Value, json};

use super::classify::{RpcError, classify_fault, classify_not_json, classify_status};
use super::http::Answer;
use super::transport::{Args, Endpoint};

/// Where it is posted.
pub(super) const PATH: &str = "/jsonrpc";

/// `common.version`: needs no login.
pub(super) fn version() -> Value {
    frame("common", "version", &json!([]))
}

/// `common.authenticate`: answers the uid, or `false`. Costs Odoo 0.4 s.
pub(super) fn authenticate(endpoint: &Endpoint) -> Value {
    let args = json!([endpoint.database, endpoint.login, endpoint.key.expose(), {}]);
    frame("common", "authenticate", &args)
}

/// `object.execute_kw`.
pub(super) fn execute(
    endpoint: &Endpoint,
    uid: i64,
    model: &str,
    method: &str,
    args: Args,
) -> Value {
    let Args { ids, mut named, context, .. } = args;
    let mut positional: Vec<Value> = ids.map(Value::from).into_iter().collect();
    if let Some(by_position) = by_position(method) {
        positional.extend(named.remove(by_position));
    }
    if !context.is_empty() {
        named.insert("context".to_owned(), Value::Object(context));
    }
    let call =
        json!([endpoint.database, uid, endpoint.key.expose(), model, method, positional, named]);
    frame("object", "execute_kw", &call)
}

/// What goes by position: on 17 and 18 some models call these arguments otherwise
/// (`payment.provider.write` wants `values`); from 19 on they are named alike everywhere.
fn by_position(method: &str) -> Option<&'static str> {
    match method {
        "create" => Some("vals_list"),
        "write" => Some("vals"),
        _ => None,
    }
}

/// The result, or the error's class. Odoo leaves `result` out when it is nothing.
pub(super) fn decode(answer: &Answer) -> Result<Value, RpcError> {
    if answer.status != 200 {
        return Err(classify_status(answer.status, answer.retry_after_s));
    }
    let Ok(mut whole) = serde_json::from_slice::<Map<String, Value>>(&answer.body) else {
        return Err(classify_not_json(&answer.body));
    };
    if let Some(error) = whole.get("error") {
        let data = &error["data"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let message = match &data["message"] {
            Value::String(message) => message.clone(),
            _ => text(&error["message"]),
        };
        return Err(classify_fault(&text(&data["name"]), &message));
    }
    if !whole.contains_key("jsonrpc") {
        return Err(RpcError::Misconfigured {
            detail: "What answers at odoo.url does not speak Odoo's JSON-RPC.".to_owned(),
        });
    }
    Ok(whole.remove("result").unwrap_or(Value::Null))
}

fn frame(service: &str, method: &str, args: &Value) -> Value {
    let params = json!({"service": service, "method": method, "args": args});
    json!({"jsonrpc": "2.0", "method": "call", "id": 1, "params": params})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after_s: None, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn values_go_by_position_and_the_rest_by_name() {
        let endpoint = Endpoint::for_tests("http://odoo");
        let create = Args::none().with("vals_list", json!([{"name": "x"}])).context("tz", "UTC");
        let sent = execute(&endpoint, 2, "res.partner", "create", create);
        assert_eq!(
            sent["params"]["args"],
            json!(["db", 2, "key", "res.partner", "create", [[{"name": "x"}]], {"context": {"tz": "UTC"}}])
        );
        let write = Args::on(&[7]).with("vals", json!({"name": "y"}));
        let sent = execute(&endpoint, 2, "res.partner", "write", write);
        assert_eq!(
            sent["params"]["args"],
            json!(["db", 2, "key", "res.partner", "write", [[7], {"name": "y"}], {}])
        );
        let read = Args::on(&[7]).with("fields", json!(["name"]));
        let sent = execute(&endpoint, 2, "res.partner", "read", read);
        assert_eq!(
            sent["params"]["args"],
            json!(["db", 2, "key", "res.partner", "read", [[7]], {"fields": ["name"]}])
        );
    }

    #[test]
    fn recorded_answers_of_17_and_19_are_read_alike() {
        let version = r#"{"jsonrpc": "2.0", "id": 1, "result": {"server_serie": "17.0"}}"#;
        assert_eq!(decode(&answer(200, version)).unwrap()["server_serie"], "17.0");
        for code in [200, 0] {
            let denied = format!(
                r#"{{"jsonrpc": "2.0", "id": 1, "error": {{"code": {code}, "message": "Odoo Server Error", "data": {{"name": "odoo.exceptions.AccessDenied", "message": "Access Denied", "arguments": ["Access Denied"], "context": {{}}, "debug": "…"}}}}}}"#
            );
            let error = decode(&answer(200, &denied)).unwrap_err();
            assert!(matches!(error, RpcError::Denied { .. }), "{error:?}");
        }
    }

    #[test]
    fn a_missing_result_is_nothing_and_a_stranger_s_json_is_named() {
        assert_eq!(decode(&answer(200, r#"{"jsonrpc": "2.0", "id": 1}"#)).unwrap(), Value::Null);
        let error = decode(&answer(200, r#"{"hello": 1}"#)).unwrap_err();
        assert!(matches!(error, RpcError::Misconfigured { .. }), "{error:?}");
        let error = decode(&answer(200, "[1]")).unwrap_err();
        assert!(matches!(error, RpcError::Unknown { .. }), "{error:?}");
        let error = decode(&answer(400, "Invalid JSON data")).unwrap_err();
        assert!(matches!(error, RpcError::Misconfigured { .. }), "{error:?}");
    }
}
