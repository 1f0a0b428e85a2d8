//! Users, groups, partners, server actions: the records `odoo setup` writes.
//!
//! Not here: what a server action does when it is run ([`crate::odoo::actions`]).

use super::default_company;
use crate::odoo::errors::{Outcome, Raise, names, python_repr};
use crate::odoo::fields::Series;
use crate::odoo::orm;
use crate::odoo::rights;
use crate::odoo::seed;
use crate::odoo::value::{Id, Record, Value};
use crate::odoo::world::Tx;

/// A new user has a partner, and a company.
pub fn prepare_user(tx: &mut Tx<'_>, record: &mut Record) -> Outcome<()> {
    let company = default_company(tx);
    record.fill("company_id", Value::Ref(company));
    record.fill("company_ids", vec![company]);
    record.fill("active", true);
    record.fill("share", false);
    record.fill("notification_type", "email");
    if !record.has("partner_id") {
        let partner = Record::default()
            .with("name", record.text("name"))
            .with("email", record.text("email"))
            .with("active", true);
        let partner = tx.insert("res.partner", partner)?;
        record.set("partner_id", Value::Ref(partner));
    }
    Ok(())
}

/// A password can be written, never read; a portal user is one who shares, no employee.
pub fn user_written(tx: &mut Tx<'_>, id: Id) -> Outcome<()> {
    hide_password(tx, id)?;
    let groups = rights::groups(tx, id);
    let share = groups.contains(&seed::GROUP_PORTAL) && !groups.contains(&seed::GROUP_USER);
    if tx.record("res.users", id)?.flag("share") == share {
        return Ok(());
    }
    tx.update("res.users", id, |row| row.set("share", share))
}

fn hide_password(tx: &mut Tx<'_>, id: Id) -> Outcome<()> {
    let user = tx.record("res.users", id)?;
    if user.text("password").is_empty() {
        return Ok(());
    }
    tx.update("res.users", id, |row| {
        row.set("sim_password", user.text("password"));
        row.clear("password");
    })
}

/// Defaults of a new server action.
pub fn prepare_action(tx: &mut Tx<'_>, record: &mut Record) {
    record.fill("type", "ir.actions.server");
    record.fill("usage", "ir_actions_server");
    record.fill("binding_type", "action");
    record.fill("binding_view_types", "list,form");
    record.fill("sequence", Value::Int(5));
    let model = record.reference("model_id").and_then(|id| tx.get("ir.model", id));
    if let Some(name) = model.map(|row| row.text("model").to_owned()) {
        record.set("model_name", name);
    }
}

/// Defaults of the remaining models.
pub fn prepare_other(tx: &mut Tx<'_>, model: &str, record: &mut Record) {
    if orm::field(tx, model, "active").is_some() {
        record.fill("active", true);
    }
    if model == "res.partner" {
        // VAT, the first of l10n_latam's kinds.
        record.fill("l10n_latam_identification_type_id", Value::Ref(1));
    }
    if model == "product.template" {
        // One variant a template; they share their fields here.
        let number = tx.world.sequences.get("product.template").copied().unwrap_or(0) + 1;
        record.fill("taxes_id", vec![1]);
        record.fill("invoice_policy", "order");
        let variant = record.clone().with("product_tmpl_id", Value::Ref(number));
        let _ = tx.insert("product.product", variant);
    }
    if model == "product.product" {
        record.fill("taxes_id", vec![1]);
        record.fill("invoice_policy", "order");
        if !record.has("product_tmpl_id")
            && let Ok(template) = tx.insert("product.template", record.clone())
        {
            record.set("product_tmpl_id", Value::Ref(template));
        }
    }
}

/// `safe_eval` refuses an action's text when it is written, not when it is run (captures
/// `10_02`). Only the refusals a line tells at sight; what Python compiles is not known here.
pub fn check_action(record: &Record) -> Outcome<()> {
    let code = record.text("code");
    if record.text("state") != "code" {
        return Ok(());
    }
    let statements = || code.lines().map(str::trim_start);
    let opcodes = if statements().any(|line| line.starts_with("with ")) {
        "WITH_EXCEPT_START, BEFORE_WITH"
    } else if statements().any(|line| line.starts_with("import ")) {
        "IMPORT_NAME"
    } else if statements().any(|line| line.starts_with("from ") && line.contains(" import ")) {
        "IMPORT_NAME, IMPORT_FROM"
    } else {
        return check_names(code);
    };
    let code = python_repr(code.trim());
    Err(Raise::validation(format!("forbidden opcode(s) in {code}: {opcodes}")))
}

fn check_names(code: &str) -> Outcome<()> {
    let words = code
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split(|letter: char| !letter.is_alphanumeric() && letter != '_'));
    match words.into_iter().find(|word| word.contains("__")) {
        Some(word) => Err(Raise::odoo(
            "builtins.NameError",
            format!("Access to forbidden name '{word}' ({})", python_repr(code.trim())),
        )),
        None => Ok(()),
    }
}

/// A Chilean RUT is checked by its last digit (`odoo-api.md` 1).
pub fn check_partner(tx: &Tx<'_>, record: &Record) -> Outcome<()> {
    let country = record.reference("country_id").and_then(|id| tx.get("res.country", id));
    let vat = record.text("vat");
    if vat.is_empty() || country.is_none_or(|row| row.text("code") != "CL") || is_rut(vat) {
        return Ok(());
    }
    let name = record.text("name");
    // 19 shows a number it cannot put into the usual form without its separators.
    let compact: String = vat.chars().filter(char::is_ascii_alphanumeric).collect();
    let vat = if tx.series() == Series::V19 && compact.len() < 8 { compact.as_str() } else { vat };
    Err(Raise::odoo(
        names::VALIDATION,
        if tx.series() == Series::V19 {
            format!(
                "\nThe VAT number [{vat}] for partner [{name}] does not seem to be valid.  \
                 \nNote: the expected format is 76086428-5"
            )
        } else {
            format!(
                "\nThe RUT number [{vat}] for partner [{name}] does not seem to be valid. \
                 \nNote: the expected format is CL76086428-5"
            )
        },
    ))
}

/// Whether the check digit of a RUT is right (modulo 11).
pub fn is_rut(text: &str) -> bool {
    let plain: Vec<char> =
        text.trim_start_matches("CL").chars().filter(char::is_ascii_alphanumeric).collect();
    let Some((check, digits)) = plain.split_last() else {
        return false;
    };
    if digits.len() < 7 || !digits.iter().all(char::is_ascii_digit) {
        return false;
    }
    let weights = [2, 3, 4, 5, 6, 7].into_iter().cycle();
    let sum: u32 = digits
        .iter()
        .rev()
        .zip(weights)
        .map(|(digit, weight)| digit.to_digit(10).unwrap_or(0) * weight)
        .sum();
    let expected = match 11 - sum % 11 {
        11 => '0',
        10 => 'K',
        rest => char::from_digit(rest, 10).unwrap_or('?'),
    };
    check.to_ascii_uppercase() == expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_of_a_rut_is_checked() {
        assert!(is_rut("12345678-5"));
        assert!(is_rut("66666666-6"));
        assert!(!is_rut("12345678-9"));
        assert!(!is_rut("1-1"));
    }

    #[test]
    fn texts_that_safe_eval_forbids_are_refused_when_written() {
        let action = |code: &str| {
            let record = Record::default().with("state", "code").with("code", code);
            check_action(&record)
        };
        assert!(action("env.cr.savepoint()").is_ok());
        assert!(action("with env.cr.savepoint():\n    pass").is_err());
        assert!(action("import json").is_err());
        assert!(action("a.__class__").is_err());
        assert!(action("# no two underscores __ in names\nx = 1").is_ok());
    }
}
