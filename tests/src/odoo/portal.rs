//! The portal's public routes: a visitor with a document's token begins to pay it.
//!
//! Facts: `odoo-api.md` 3. The form the visitor's browser would be sent on with is not rendered.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value as Json, json};

use super::engine::{Engine, lock};
use super::errors::{Outcome, Raise, names};
use super::fields::Series;
use super::jsonrpc;
use super::models::{decimals, portal};
use super::orm::Values;
use super::value::{Amount, Id};
use super::world::Tx;

/// What may be said besides the token.
const WHITELIST: [&str; 9] = [
    "provider_id",
    "payment_method_id",
    "token_id",
    "amount",
    "flow",
    "tokenization_requested",
    "landing_route",
    "is_validation",
    "csrf_token",
];

pub(super) fn router(engine: Arc<Engine>) -> Router {
    Router::new()
        .route("/invoice/transaction/{id}", post(invoice))
        .route("/my/orders/{id}/transaction", post(order))
        .with_state(engine)
}

async fn invoice(State(engine): State<Arc<Engine>>, Path(id): Path<Id>, body: Bytes) -> Response {
    answer(&engine, "account.move", id, &body)
}

async fn order(State(engine): State<Arc<Engine>>, Path(id): Path<Id>, body: Bytes) -> Response {
    answer(&engine, "sale.order", id, &body)
}

fn answer(engine: &Engine, model: &str, id: Id, body: &[u8]) -> Response {
    let envelope: Json = serde_json::from_slice(body).unwrap_or_default();
    let params = envelope["params"].as_object().cloned().unwrap_or_default();
    let series = lock(&engine.world).series;
    let made = engine.edit(|tx| {
        let point = tx.savepoint();
        let made = begin(tx, model, id, &params);
        if made.is_err() {
            tx.rollback_to(point);
        }
        made
    });
    jsonrpc::write(series, &envelope["id"], made.map_err(Raise::to_odoo))
}

fn begin(tx: &mut Tx<'_>, model: &str, id: Id, params: &Values) -> Outcome<Json> {
    let document = tx.record(model, id)?;
    let token = params.get("access_token").and_then(Json::as_str).unwrap_or_default();
    if token.is_empty() || document.text("access_token") != token {
        return Err(Raise::validation("The access token is invalid."));
    }
    let mut rejected =
        params.keys().filter(|key| *key != "access_token" && !WHITELIST.contains(&key.as_str()));
    if let Some(first) = rejected.next() {
        let all = rejected.fold(first.clone(), |all, key| format!("{all}, {key}"));
        return Err(Raise::odoo(
            "werkzeug.exceptions.BadRequest",
            format!("400 Bad Request: The following kwargs are not whitelisted: {all}"),
        ));
    }
    let provider = params.get("provider_id").and_then(Json::as_i64).unwrap_or(0);
    let code = tx.record("payment.provider", provider)?.text("code").to_owned();
    let Some(amount) = params.get("amount").and_then(Amount::from_json) else {
        return Err(Raise::odoo(names::TYPE, "must be real number, not NoneType"));
    };
    let (made, reference) = portal::transaction(tx, model, id, provider, amount)?;
    let row = tx.record("payment.transaction", made)?;
    let places = decimals(tx, row.reference("currency_id"));
    let mut values = json!({
        "provider_id": provider, "provider_code": code, "reference": reference,
        "amount": amount.rounded(places).to_json(), "currency_id": row.reference("currency_id"),
        "partner_id": row.reference("partner_id"), "redirect_form_html": false,
    });
    if tx.series() != Series::V17 {
        values["should_tokenize"] = json!(false);
    }
    if tx.series() == Series::V19 {
        values["state"] = json!("draft");
        values["state_message"] = json!(false);
    }
    Ok(values)
}
