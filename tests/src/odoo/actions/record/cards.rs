//! Saved cards: the last four digits and the brand, nothing else.

use serde_json::Value as Json;

use super::{Call, Told, customers, is_name};
use crate::odoo::actions::common::need;
use crate::odoo::actions::effects::name_of;
use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::fields::Series;
use crate::odoo::value::{Record, Value};
use crate::odoo::world::Tx;

const KEYS: [&str; 7] = ["kind", "name", "provider_ref", "last4", "brand", "active", "customer"];

fn fence(tx: &Tx<'_>, call: &Call, item: &Json) -> Outcome<Option<&'static str>> {
    let last4 = need(item, "last4")?.as_str().unwrap_or_default();
    let brand = need(item, "brand")?.as_str().unwrap_or_default();
    let letters = |byte: u8| byte.is_ascii_alphabetic() || byte == b' ' || byte == b'-';
    let provider_ref = need(item, "provider_ref")?.as_str().unwrap_or_default();
    let prefix = provider_ref.split('_').next().unwrap_or_default();
    let alphabetic = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_alphabetic());
    let known = |key: &String| KEYS.contains(&key.as_str());
    Ok(if !item.as_object().is_some_and(|item| item.keys().all(known)) {
        Some("card_data")
    } else if last4.len() != 4 || !last4.bytes().all(|byte| byte.is_ascii_digit()) {
        Some("last4")
    } else if brand.len() > 32 || !brand.bytes().all(letters) {
        Some("brand")
    } else if !is_name(provider_ref, "") || !alphabetic {
        Some("provider_ref")
    } else {
        match &call.request.provider {
            None => Some("no_provider"),
            Some(provider) if provider.method.is_none() => Some("not_ready"),
            Some(_) => customers::fence(call, tx, need(item, "customer")?),
        }
    })
}

pub(super) fn card(tx: &mut Tx<'_>, call: &mut Call, item: &Json) -> Outcome<Told> {
    if let Some(why) = fence(tx, call, item)? {
        return Ok(Told::stopped("refused", why));
    }
    let name = name_of(item)?;
    let known = call.known_as(name, "payment.token")?;
    let token = known.map(|id| tx.record("payment.token", id)).transpose()?;
    let company = |row: &Record| {
        let provider = row.reference("provider_id").and_then(|id| tx.get("payment.provider", id));
        provider.and_then(|row| row.reference("company_id"))
    };
    if token.as_ref().is_some_and(|row| company(row) != Some(call.company())) {
        return Ok(Told::stopped("changed", "company"));
    }
    let (by, partner) = customers::customer_of(tx, call, item)?;
    let text = |key: &str| item[key].as_str().unwrap_or_default();
    let details = format!("{} {}", text("last4"), text("brand")).trim_end().to_owned();
    let active = need(item, "active")? == true;
    let (Some(id), Some(token)) = (known, token) else {
        let Some(partner) = partner else {
            let status = if by == "ambiguous" { "ambiguous_customer" } else { "no_customer" };
            return Ok(Told::status(status).of((by, None)));
        };
        let provider = call.request.provider.as_ref();
        let mut row = Record::default()
            .with("partner_id", Value::Ref(partner))
            .with("provider_ref", text("provider_ref"))
            .with("payment_details", details)
            .with("active", active);
        if let Some((provider, method)) = provider.and_then(|one| Some((one.id, one.method?))) {
            row.set("provider_id", Value::Ref(provider));
            row.set("payment_method_id", Value::Ref(method));
        }
        call.make(tx, name, "payment.token", row)?;
        return Ok(Told::status("done").of((by, Some(partner))));
    };
    let owner = token.reference("partner_id");
    if partner
        .is_some_and(|one| owner.map(|id| customers::top(tx, id)) != Some(customers::top(tx, one)))
    {
        return Ok(Told::stopped("changed", "partner").of((by, partner)));
    }
    if token.text("payment_details") == details && token.flag("active") == active {
        return Ok(Told::status("same").of((by, owner)));
    }
    if tx.series() == Series::V17 && active && !token.flag("active") {
        return Err(Raise::user("A token cannot be unarchived once it has been archived."));
    }
    tx.update("payment.token", id, |row| {
        row.set("payment_details", details);
        row.set("active", active);
    })?;
    Ok(Told::status("done").of((by, owner)))
}
