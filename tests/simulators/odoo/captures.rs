//! Recorded requests, asked again: the answers must have the recorded shape and meaning.
//!
//! `tests/simulators/captures/odoo-<series>.jsonl` holds the calls we use as they were recorded
//! on real servers, in order, keys blanked and tracebacks left out. Ids are translated both
//! ways while replaying ([`super::ids`]); everything else is compared, numbers within texts
//! excepted. What is known to differ is listed in [`DIFFERS`], and nothing else may.

use concilia_tests::odoo::errors::{PostgresError, Raise};
use concilia_tests::odoo::value::{Record, Value};
use concilia_tests::odoo::{Series, SimOdoo, SimOdooOptions, seed};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::client::{ALL, JSON, send};
use super::ids::{Ids, model_of};

/// One recorded call.
#[derive(Debug, Clone, Deserialize)]
struct Capture {
    name: String,
    url: String,
    #[serde(default)]
    headers: serde_json::Map<String, Json>,
    request: Json,
    status: u16,
    content_type: String,
    response: Json,
}

/// What need not be the same: the beginning of a capture's name, the key, and why. `*` is for
/// keys that only the recorded answer has.
const DIFFERS: &[(&str, &str, &str)] = &[
    ("1_00", "server_version", "nightly builds carry a date"),
    ("1_15", "*", "a window action with its views and help: nobody reads them"),
    ("1_15", "context", "the same"),
    ("1_15", "domain", "the same"),
    ("1_15", "view_mode", "the same"),
    ("1_1", "l10n_latam_available_document_type_ids", "only a few document types are there"),
    ("2_12", "lastcall", "the time of recording"),
    ("2_35", "provider_reference", "written between two recorded calls"),
];

fn captures(series: Series) -> Vec<Capture> {
    let path = format!(
        "{}/simulators/captures/odoo-{}.jsonl",
        env!("CARGO_MANIFEST_DIR"),
        series.number()
    );
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn recorded_requests_are_answered_as_they_were() {
    for series in ALL {
        let odoo = recorded_world(series).await;
        let mut ids = Ids::new(series);
        let mut differences = Vec::new();
        let all = captures(series);
        let asked = all.iter().filter(|capture| !capture.name.starts_with("10_1"));
        for capture in asked {
            prepare(&odoo, &capture.name);
            if let Err(difference) = replay(&odoo, &mut ids, capture).await {
                differences.push(format!("{}: {difference}", capture.name));
            }
        }
        assert!(all.len() > 100, "only {} captures", all.len());
        assert!(differences.is_empty(), "{series:?}:\n{}", differences.join("\n"));
    }
}

/// The users that were there, and the administrator's time.
async fn recorded_world(series: Series) -> SimOdoo {
    let options = SimOdooOptions {
        now: Some("2026-11-23T06:41:00Z".parse().unwrap()),
        ..SimOdooOptions::new(series)
    };
    let odoo = SimOdoo::start(options).await.unwrap();
    odoo.edit(|tx| {
        let groups = tx.series().groups_field();
        let users = if series == Series::V19 {
            [(5, "billing"), (6, "accmgr"), (7, "plain"), (9, "bot")]
        } else {
            [(6, "billing"), (7, "accmgr"), (8, "plain"), (10, "bot")]
        };
        for (id, login) in users {
            let user = Record::default()
                .with("name", login)
                .with("login", login)
                .with("active", true)
                .with("sim_password", login)
                .with(groups, vec![seed::GROUP_USER]);
            tx.put_at("res.users", id, user);
            seed::add_key(tx, id, login);
        }
        // The customer of fixtures was not there.
        tx.delete("res.partner", seed::CUSTOMER).unwrap();
    });
    odoo
}

/// What happened between two recorded calls.
fn prepare(odoo: &SimOdoo, name: &str) {
    let account = match name {
        "1_64_C_first_create" => Some(195),
        "2_03_provider_none_enabled" => None,
        _ => return,
    };
    odoo.edit(|tx| {
        let written = tx.update("account.payment.method.line", 1, |line| match account {
            Some(account) => line.set("payment_account_id", Value::Ref(account)),
            None => line.clear("payment_account_id"),
        });
        written.unwrap();
    });
}

async fn replay(odoo: &SimOdoo, ids: &mut Ids, capture: &Capture) -> Result<(), String> {
    let request = ids.translate(odoo, &capture.name, &capture.url, &capture.request);
    let mut headers = vec![JSON];
    for (name, value) in &capture.headers {
        let value = value.as_str().unwrap();
        let value = match (name.as_str(), capture.name.as_str()) {
            ("Authorization", "8_json2_bad_key" | "8_json2_password_as_key") => "bearer admin",
            ("Authorization", "8_json2_access_error") => "bearer plain",
            ("Authorization", _) => "bearer admin-key",
            _ => value,
        };
        headers.push((name, value));
    }
    let body = request.to_string().replace("<api key>", "admin-key");
    let answer = send(odoo, &capture.url, &headers, body).await.unwrap();
    if answer.status != capture.status {
        return Err(format!("status {} instead of {}", answer.status, capture.status));
    }
    if answer.kind != capture.content_type {
        return Err(format!("content type {}", answer.kind));
    }
    if let Some(page) = capture.response.get("_nonjson") {
        return if page == &json!(answer.text) { Ok(()) } else { Err(answer.text) };
    }
    let mut found = answer.json();
    if let Some(data) = found.pointer_mut("/error/data") {
        data.as_object_mut().unwrap().remove("debug");
    }
    if answer.status != 200 {
        found.as_object_mut().unwrap().remove("debug");
    }
    ids.learn(&capture.url, &capture.request, &capture.response, &found);
    compare(
        &capture.name,
        "",
        &found,
        &capture.response,
        ids,
        &model_of(&capture.url, &capture.request),
    )
}

/// Numbers within texts are those of another database.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        if !letter.is_ascii_digit() {
            out.push(letter);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
    out
}

fn differs(name: &str, key: &str) -> bool {
    DIFFERS.iter().any(|(capture, field, _)| name.starts_with(capture) && *field == key)
}

fn compare(
    name: &str,
    key: &str,
    found: &Json,
    recorded: &Json,
    ids: &Ids,
    model: &str,
) -> Result<(), String> {
    if differs(name, key) {
        return Ok(());
    }
    let wrong = || Err(format!("{key}: found {found}, recorded {recorded}"));
    if ids.same_records(model, key, found, recorded) {
        return Ok(());
    }
    match (found, recorded) {
        (Json::Object(own), Json::Object(other)) => {
            let (left, right): (Vec<_>, Vec<_>) = (own.keys().collect(), other.keys().collect());
            if left != right && !differs(name, "*") {
                return Err(format!("{key}: found {found}, recorded keys {right:?}"));
            }
            let mut both = own.iter().filter(|(inner, _)| other.contains_key(*inner));
            both.try_for_each(|(inner, value)| {
                compare(name, inner, value, &other[inner], ids, model)
            })
        }
        (Json::Array(own), Json::Array(other)) if own.len() == other.len() => own
            .iter()
            .zip(other)
            .try_for_each(|(left, right)| compare(name, key, left, right, ids, model)),
        (Json::String(left), Json::String(right)) if plain(left) == plain(right) => Ok(()),
        (left, right) if left == right => Ok(()),
        _ => wrong(),
    }
}

/// A race lost outside our own handling: the recorded sentence around PostgreSQL's.
#[test]
fn an_exception_of_an_action_is_wrapped_as_recorded() {
    for series in ALL {
        let all = captures(series);
        let action = all.iter().find(|capture| capture.name.starts_with("10_01")).unwrap();
        let code = action.request.pointer("/params/args/5/0/code").unwrap().as_str().unwrap();
        let lost = all.iter().find(|capture| capture.name.starts_with("10_1")).unwrap();
        let recorded = lost.response.pointer("/error/data/message").unwrap().as_str().unwrap();
        let name = recorded.split_once("(concilia, ").unwrap().1.split_once(')').unwrap().0;
        let refused = Raise::Postgres(PostgresError {
            code: "23505".to_owned(),
            message: format!(
                "duplicate key value violates unique constraint \"ir_model_data_module_name_uniq_index\"\n\
                 DETAIL:  Key (module, name)=(concilia, {name}) already exists.\n"
            ),
            sentence: None,
        });
        let error = refused.out_of_action(series, code).to_odoo();
        assert_eq!(error.name, "builtins.ValueError");
        assert_eq!(error.message, recorded, "{series:?}");
    }
}
