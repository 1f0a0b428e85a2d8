//! What must be so before anything is written; and the version note.
//!
//! Each failure is one sentence that says what to do next.

use serde_json::{Value, json};

use super::records::{Records, Row, id, text};
use super::report::{Change, Repair, SetupReport};
use super::{SETUP_VERSION, SetupError, SetupRequest};
use crate::odoo::transport::{Args, Rpc, major};

/// The series this program has been tried with.
const SERIES: std::ops::RangeInclusive<u64> = 17..=19;

/// What booking needs, and what to install to get it.
const MODULES: [(&str, &str); 4] = [
    ("account", "Invoicing"),
    ("sale", "Sales"),
    ("payment", "Payment Engine"),
    ("account_payment", "Payment - Account"),
];

/// Where the version note is.
const VERSION_KEY: &str = "concilia.setup_version";

/// What the set-up stands on.
pub(super) struct Ground {
    pub(super) series: u64,
    pub(super) company: String,
    /// The version note, if there is one: its row, and what it says.
    pub(super) version: Option<(i64, u32)>,
}

/// Looks before anything is written.
pub(super) async fn check(admin: &Rpc, request: &SetupRequest) -> Result<Ground, SetupError> {
    let step = "the checks";
    let read =
        async |model: &str, domain: Value, fields: &[&str]| -> Result<Vec<Row>, SetupError> {
            let args = Args::none().with("domain", domain).with("fields", fields);
            let result = admin.call(model, "search_read", args).await;
            let rows = result.map_err(|source| SetupError::Call { step, source })?;
            serde_json::from_value(rows).map_err(|_| {
                SetupError::Refused("Odoo's answer does not read: is odoo.url right?".to_owned())
            })
        };
    let names: Vec<&str> = MODULES.iter().map(|(name, _)| *name).chain(["base"]).collect();
    let modules = read(
        "ir.module.module",
        json!([["name", "in", names]]),
        &["name", "state", "latest_version"],
    )
    .await?;
    let series = check_modules(&modules)?;
    let companies =
        read("res.company", json!([["id", "=", request.company_id]]), &["name"]).await?;
    let Some(company) = companies.first() else {
        return Err(SetupError::Refused(format!(
            "Odoo has no company {} that this administrator may see: check odoo.company_id.",
            request.company_id
        )));
    };
    let notes = read("ir.config_parameter", json!([["key", "=", VERSION_KEY]]), &["value"]).await?;
    Ok(Ground {
        series,
        company: text(company, "name").to_owned(),
        version: notes.first().map(check_version).transpose()?,
    })
}

/// The series, if it is one we know and has what booking needs.
fn check_modules(modules: &[Row]) -> Result<u64, SetupError> {
    let find = |name: &str| modules.iter().find(|row| text(row, "name") == name);
    let base = find("base").map(|row| text(row, "latest_version"));
    let Some(series) = base.and_then(major) else {
        return Err(SetupError::Refused(
            "Odoo does not say its version: give an administrator's login (Settings).".to_owned(),
        ));
    };
    if !SERIES.contains(&series) {
        return Err(SetupError::Refused(format!(
            "This is Odoo {series}: Concilia works with 17, 18 and 19."
        )));
    }
    for (name, title) in MODULES {
        if find(name).is_none_or(|row| text(row, "state") != "installed") {
            return Err(SetupError::Refused(format!(
                "The Odoo module {name} ({title}) is not installed: install it under Apps and run this again."
            )));
        }
    }
    Ok(series)
}

fn check_version(note: &Row) -> Result<(i64, u32), SetupError> {
    let found: u32 = text(note, "value").parse().unwrap_or(0);
    if found > SETUP_VERSION {
        return Err(SetupError::Refused(format!(
            "A newer Concilia has set this Odoo up (version {found}, this is {SETUP_VERSION}): update this program."
        )));
    }
    Ok((id(note), found))
}

/// Notes the version, last of all: what is noted is complete.
pub(super) async fn write_version(
    records: &mut Records<'_>,
    note: Option<(i64, u32)>,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let (step, model) = ("the version note", "ir.config_parameter");
    let value = SETUP_VERSION.to_string();
    let change = match note {
        Some((_, SETUP_VERSION)) => Change::Unchanged,
        Some((row, found)) => {
            records.write(step, model, row, json!({"value": value})).await?;
            Change::of(vec![Repair::new(
                format!("is of version {found}, this is {SETUP_VERSION}"),
                format!("brought from version {found} to {SETUP_VERSION}"),
            )])
        }
        None => {
            records.create(step, model, json!({"key": VERSION_KEY, "value": value})).await?;
            Change::Created
        }
    };
    report.line(format!("the set-up as a whole (parameter {VERSION_KEY})"), change);
    Ok(())
}

/// Takes the note away.
pub(super) async fn remove_version(
    records: &Records<'_>,
    note: Option<(i64, u32)>,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let Some((row, _)) = note else { return Ok(()) };
    records.unlink("the version note", "ir.config_parameter", &[row]).await?;
    report.line(format!("parameter {VERSION_KEY}"), Change::Removed("deleted".to_owned()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(base: &str, missing: &str) -> Vec<Row> {
        let state = |name: &str| if name == missing { "uninstalled" } else { "installed" };
        let rows = ["base", "account", "sale", "payment", "account_payment"]
            .map(|name| json!({"name": name, "state": state(name), "latest_version": base}));
        rows.into_iter().map(|row| serde_json::from_value(row).unwrap()).collect()
    }

    fn refusal(result: Result<u64, SetupError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn three_series_are_supported() {
        for (version, series) in [("17.0.1.3", 17), ("saas~18.2.1.3", 18), ("19.0.1.3", 19)] {
            assert_eq!(check_modules(&modules(version, "")).unwrap(), series);
        }
        assert!(refusal(check_modules(&modules("16.0.1.3", ""))).contains("This is Odoo 16"));
        assert!(refusal(check_modules(&modules("20.0.1.0", ""))).contains("This is Odoo 20"));
        assert!(refusal(check_modules(&[])).contains("administrator"));
    }

    #[test]
    fn a_missing_module_is_named_with_what_to_do() {
        let sentence = refusal(check_modules(&modules("18.0.1.3", "sale")));
        assert!(sentence.contains("module sale (Sales) is not installed"), "{sentence}");
    }

    #[test]
    fn what_a_newer_program_has_set_up_is_left_alone() {
        let note = |value: &str| -> Row {
            serde_json::from_value(json!({"id": 4, "value": value})).unwrap()
        };
        let newer = (SETUP_VERSION + 1).to_string();
        assert!(check_version(&note(&newer)).unwrap_err().to_string().contains("newer Concilia"));
        assert_eq!(check_version(&note("1")).unwrap(), (4, 1));
    }
}
