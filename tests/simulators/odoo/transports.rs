//! `/jsonrpc` and `/json/2` of one database: the same facts in two envelopes.

use concilia_tests::odoo::fixtures::{Invoice, NewOrder};
use concilia_tests::odoo::{Series, SimOdoo, SimOdooOptions};
use serde_json::{Value as Json, json};

use super::client::{self, ALL, JSON, KEY, json2, rpc, send};

/// The same call both ways: what comes back, or the exception's name and text.
async fn both(
    odoo: &SimOdoo,
    model: &str,
    method: &str,
    ids: Option<Json>,
    named: Json,
) -> (Json, Json) {
    let args = ids.clone().map_or(json!([]), |ids| json!([ids]));
    let first = rpc(odoo, model, method, args, named.clone()).await;
    let first = match first.get("error") {
        Some(error) => json!([error["data"]["name"], error["data"]["message"]]),
        None => first["result"].clone(),
    };
    let mut body = named;
    if let Some(ids) = ids {
        body["ids"] = ids;
    }
    let second = json2(odoo, model, method, body).await;
    let parsed = second.json();
    let second = match second.status {
        200 => parsed,
        _ => json!([parsed["name"], parsed["message"]]),
    };
    (first, second)
}

#[tokio::test]
async fn both_transports_answer_the_same() {
    let odoo = client::ready(Series::V19).await;
    let made = odoo.add_order(&NewOrder::pesos(15_990, "1001").invoiced(Invoice::Posted));
    let observe = json!({"protocol": 3, "company_id": 1,
        "items": [{"name": "chk_1", "references": [], "domain": [], "probes": [{"field": "client_order_ref", "value": "1001"}]}]});
    let fields = json!(["name", "amount_total", "invoice_ids", "partner_id", "origin"]);
    for (model, method, ids, named) in [
        (
            "sale.order",
            "search_read",
            None,
            json!({"domain": [["client_order_ref", "=", "1001"]], "fields": fields}),
        ),
        ("sale.order", "read", Some(json!([made.id])), json!({"fields": fields})),
        ("sale.order", "search", None, json!({"domain": []})),
        ("sale.order", "action_confirm", Some(json!([made.id])), json!({})),
        ("sale.order", "write", Some(json!([99_999])), json!({"vals": {"origin": "x"}})),
        ("sale.order", "_action_confirm", Some(json!([made.id])), json!({})),
        ("sale.order", "search", None, json!({"domain": [["nope", "=", 1]]})),
        ("account.move", "action_post", Some(json!([made.invoice])), json!({})),
        (
            "ir.actions.server",
            "run",
            Some(json!([client::OBSERVE_ID])),
            json!({"context": {"concilia": observe}}),
        ),
        ("ir.actions.server", "run", Some(json!([999_999])), json!({"context": {}})),
    ] {
        let (first, second) = both(&odoo, model, method, ids, named).await;
        assert_eq!(first, second, "{model}.{method}");
    }
}

#[tokio::test]
async fn a_single_create_gives_an_id_over_json_rpc_and_a_list_over_json_2() {
    let odoo = SimOdoo::start(SimOdooOptions::new(Series::V19)).await.unwrap();
    let one = rpc(&odoo, "res.partner", "create", json!([{"name": "a"}]), json!({})).await;
    assert!(one["result"].is_i64(), "{one}");
    let many = rpc(&odoo, "res.partner", "create", json!([[{"name": "a"}]]), json!({})).await;
    assert_eq!(many["result"].as_array().unwrap().len(), 1);
    let second = json2(&odoo, "res.partner", "create", json!({"vals_list": {"name": "a"}})).await;
    assert_eq!(second.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_request_is_refused_as_odoo_refuses_it() {
    for series in ALL {
        let odoo = SimOdoo::start(SimOdooOptions::new(series)).await.unwrap();
        let wrong_type = if series == Series::V19 { 415 } else { 400 };
        for (headers, body, status, starts) in [
            (vec![JSON], "{bad", 400, "Invalid JSON data"),
            (vec![JSON], "[]", 400, "Invalid JSON-RPC data"),
            (vec![("content-type", "text/plain")], "{}", wrong_type, "<!doctype html>"),
        ] {
            let answer = send(&odoo, "/jsonrpc", &headers, body.to_owned()).await.unwrap();
            assert_eq!(answer.status, status, "{body}");
            assert!(answer.kind.starts_with("text/html"), "{answer:?}");
            assert!(answer.text.starts_with(starts), "{answer:?}");
        }
        let got = client::http().get(format!("{}/jsonrpc", odoo.url())).send().await.unwrap();
        assert_eq!(got.status().as_u16(), wrong_type);
    }
}

#[tokio::test]
async fn json_2_is_of_19_only_and_strict_about_its_requests() {
    let path = "/json/2/res.partner/search";
    let old = SimOdoo::start(SimOdooOptions::new(Series::V18)).await.unwrap();
    let answer = send(&old, path, &[JSON, KEY], "{}".to_owned()).await.unwrap();
    assert_eq!(answer.status, 404);

    let odoo = SimOdoo::start(SimOdooOptions::new(Series::V19)).await.unwrap();
    for (headers, body, status) in [
        (vec![JSON, KEY], r#"{"domain": []}"#, 200),
        (vec![JSON], r#"{"domain": []}"#, 401),
        (vec![JSON, ("authorization", "bearer admin")], r#"{"domain": []}"#, 401),
        (vec![JSON, KEY, ("x-odoo-database", "nodb")], r#"{"domain": []}"#, 404),
        (vec![("content-type", "text/plain"), KEY], "{}", 415),
        (vec![JSON, KEY], "{bad", 400),
        (vec![JSON, KEY], "5", 422),
    ] {
        let answer = send(&odoo, path, &headers, body.to_owned()).await.unwrap();
        assert_eq!(answer.status, status, "{headers:?} {body}: {answer:?}");
    }
    let got = client::http().get(format!("{}{path}", odoo.url())).send().await.unwrap();
    assert_eq!(got.status().as_u16(), 404);
    let got = client::read(got).await.unwrap();
    assert_eq!(got.json()["message"], "Did you mean POST /json/2/<model>/<method>?");
}
