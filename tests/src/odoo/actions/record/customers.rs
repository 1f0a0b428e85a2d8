//! Customers: by RUT, then e-mail, then our own name; made where asked.

use serde_json::{Map, Value as Json, json};

use super::{Call, is_name};
use crate::odoo::errors::Outcome;
use crate::odoo::models::base::is_rut;
use crate::odoo::value::{Id, Record, Value};
use crate::odoo::world::Tx;

/// What stands against a customer that is asked for.
pub(in crate::odoo::actions) fn fence(
    call: &Call,
    tx: &Tx<'_>,
    customer: &Json,
) -> Option<&'static str> {
    let wrong = |id: &str| !is_name(&format!("customer-{id}"), "customer-");
    if customer["id"].as_str().is_some_and(wrong) {
        Some("customer")
    } else if customer["rut"].as_str().is_some_and(|rut| !is_plain_rut(rut)) {
        Some("rut")
    } else if customer["create"] == true && provider_name(tx, call).is_none() {
        Some("no_provider")
    } else {
        None
    }
}

/// `12345678-5`, and the check digit right.
fn is_plain_rut(rut: &str) -> bool {
    let Some((digits, check)) = rut.split_once('-') else { return false };
    let padded = format!("{digits:0>7}-{check}");
    (1..=9).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(check.as_bytes(), [b'0'..=b'9' | b'K'])
        && is_rut(&padded)
}

fn provider_name(tx: &Tx<'_>, call: &Call) -> Option<Id> {
    let name = format!("provider_company_{}", call.company());
    let ours = |row: &Record| row.text("module") == "concilia" && row.text("name") == name;
    tx.tables().find("ir.model.data", ours).map(|(id, _)| id)
}

/// How an item's customer was found, and which it is.
pub(super) fn customer_of(
    tx: &mut Tx<'_>,
    call: &mut Call,
    item: &Json,
) -> Outcome<(&'static str, Option<Id>)> {
    let customer = &item["customer"];
    if !customer.is_object() {
        return Ok(("", None));
    }
    let key = ["id", "rut", "email", "create"].map(|part| customer[part].to_string()).join(" ");
    if let Some(found) = call.customers.get(&key) {
        return Ok(*found);
    }
    let found = find(tx, call, customer)?;
    if found.0 == "created" {
        call.customers.clear();
    }
    call.customers.insert(key, found);
    Ok(found)
}

/// How a customer was found or made, and which it is.
pub(in crate::odoo::actions) fn find(
    tx: &mut Tx<'_>,
    call: &mut Call,
    customer: &Json,
) -> Outcome<(&'static str, Option<Id>)> {
    let text = |key: &str| customer[key].as_str().unwrap_or_default();
    let (rut, create) = (text("rut"), customer["create"] == true);
    let own = call.known_as(&format!("customer-{}", text("id")), "res.partner")?;
    let typed = |thoroughly: bool| {
        partners(tx, call, |row| {
            let vat = row.text("vat");
            if thoroughly {
                compact(vat) == compact(rut)
            } else {
                forms(rut).contains(&vat.to_owned())
            }
        })
    };
    for (by, found) in [
        ("rut", if rut.is_empty() { Vec::new() } else { commercial(tx, &typed(false)) }),
        ("email", by_email(tx, call, text("email"), rut)),
        ("id", own.into_iter().collect()),
        ("rut", if rut.is_empty() || !create { Vec::new() } else { commercial(tx, &typed(true)) }),
    ] {
        match found.as_slice() {
            [] => {}
            [one] => return Ok((by, Some(*one))),
            _ => return Ok(("ambiguous", None)),
        }
    }
    if create && !text("id").is_empty() {
        return Ok(("created", Some(make(tx, call, customer)?)));
    }
    Ok(("none", None))
}

/// Living partners of the company, or of all.
fn partners(tx: &Tx<'_>, call: &Call, fits: impl Fn(&Record) -> bool) -> Vec<Id> {
    tx.ids_where("res.partner", |row| {
        let of_company = row.reference("company_id").is_none_or(|id| id == call.company());
        row.flag("active") && of_company && fits(row)
    })
}

/// Each customer once: a contact stands for its company.
fn commercial(tx: &Tx<'_>, ids: &[Id]) -> Vec<Id> {
    let mut tops: Vec<Id> = ids.iter().map(|id| top(tx, *id)).collect();
    tops.sort_unstable();
    tops.dedup();
    tops
}

/// The company of a contact, else itself.
pub(super) fn top(tx: &Tx<'_>, id: Id) -> Id {
    let parent = tx.get("res.partner", id).and_then(|row| row.reference("parent_id"));
    parent.map_or(id, |parent| top(tx, parent))
}

fn by_email(tx: &Tx<'_>, call: &Call, email: &str, rut: &str) -> Vec<Id> {
    let email = email.to_lowercase();
    let mut found = partners(tx, call, |row| {
        let vat = row.text("vat");
        let another = !rut.is_empty() && !vat.is_empty() && compact(vat) != compact(rut);
        !email.is_empty() && row.text("email").to_lowercase() == email && !another
    });
    if found.iter().any(|id| top(tx, *id) == *id) {
        found.retain(|id| top(tx, *id) == *id);
    }
    if found.len() > 1 { commercial(tx, &found) } else { found }
}

fn compact(vat: &str) -> String {
    let upper = vat.to_uppercase();
    let kept: String = upper.chars().filter(|one| one.is_ascii_digit() || *one == 'K').collect();
    kept.trim_start_matches('0').to_owned()
}

/// As people and Odoo write it.
fn forms(rut: &str) -> Vec<String> {
    let (digits, check) = rut.split_once('-').unwrap_or((rut, ""));
    let cut = |from: usize, to: usize| {
        let end = digits.len().saturating_sub(to);
        &digits[digits.len().saturating_sub(from).min(end)..end]
    };
    let dotted = format!("{}.{}.{}", cut(usize::MAX, 6), cut(6, 3), cut(3, 0));
    let dotted = dotted.trim_start_matches('.');
    let mut forms = Vec::new();
    for check in [check.to_owned(), check.to_lowercase()] {
        for form in
            [format!("{digits}-{check}"), format!("{digits}{check}"), format!("{dotted}-{check}")]
        {
            forms.extend([format!("CL{form}"), format!("cl{form}"), form]);
        }
    }
    forms
}

fn make(tx: &mut Tx<'_>, call: &mut Call, customer: &Json) -> Outcome<Id> {
    // The mutex of two callers who both found nobody.
    if let Some(row) = provider_name(tx, call) {
        tx.touch("ir.model.data", row)?;
    }
    let text = |key: &str| customer[key].as_str().unwrap_or_default();
    let called = ["name", "email", "id"].into_iter().map(text).find(|text| !text.is_empty());
    let mut row = Record::default().with("name", called.unwrap_or_default());
    if !text("email").is_empty() {
        row.set("email", text("email"));
    }
    if !text("rut").is_empty() {
        row.set("vat", text("rut"));
        row.set("l10n_cl_sii_taxpayer_type", "3");
        let found = [
            ("country_id", tx.tables().find("res.country", |row| row.text("code") == "CL")),
            (
                "l10n_latam_identification_type_id",
                tx.tables().find("l10n_latam.identification.type", |row| row.text("name") == "RUT"),
            ),
        ];
        for (field, id) in found.map(|(field, found)| (field, found.map(|(id, _)| id))) {
            if let Some(id) = id {
                row.set(field, Value::Ref(id));
            }
        }
    }
    call.make(tx, &format!("customer-{}", text("id")), "res.partner", row)
}

/// A new partner as `create` takes it.
pub(super) fn as_json(row: &Record) -> Map<String, Json> {
    let fields = [
        "name",
        "email",
        "vat",
        "l10n_cl_sii_taxpayer_type",
        "country_id",
        "l10n_latam_identification_type_id",
    ];
    let value = |field: &str| match row.get(field) {
        Some(Value::Ref(id)) => json!(id),
        Some(Value::Text(text)) => json!(text),
        _ => json!(false),
    };
    fields
        .iter()
        .filter(|field| row.has(field))
        .map(|field| ((*field).to_owned(), value(field)))
        .collect()
}
