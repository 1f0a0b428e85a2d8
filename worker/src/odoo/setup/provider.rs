//! The payment provider of the company, and the payment method that names Ventipay.
//!
//! The provider has code `none`: no module needed, no public route (`odoo-api.md` section 3).
//! It is found by its external id and never by its name: a shop may have one of that name.

use concilia_shared::config::Environment;
use serde_json::json;

use super::records::{Records, id, is, link, links, text};
use super::report::{Change, Repair, SetupReport};
use super::{SetupError, SetupRequest};

/// The method's mark: a plain teal square, 16 × 16, PNG in base64. Odoo wants an image.
const IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mPgriolCTGMahjVMHw1AAB/cvoBCUj9+AAAAABJRU5ErkJggg==";

/// One provider a company.
pub(super) async fn ensure_provider(
    records: &mut Records<'_>,
    request: &SetupRequest,
    report: &mut SetupReport,
) -> Result<i64, SetupError> {
    let (step, model) = ("the payment provider", "payment.provider");
    let company_id = records.company_id;
    let name = format!("provider_company_{company_id}");
    let state = match request.environment {
        Environment::Test => "test",
        Environment::Live => "enabled",
    };
    let object = format!("payment provider Ventipay ({state})");
    let fields = ["state", "company_id"];
    let Some(row) = records.ours(step, &name, model, &fields).await? else {
        let values = json!({
            "name": "Ventipay", "code": "none", "company_id": company_id, "state": state, "is_published": false,
        });
        let provider = records.create(step, model, values).await?;
        records.bind(step, &name, model, provider).await?;
        report.line(object, Change::Created);
        return Ok(provider);
    };
    let provider = id(&row);
    if link(&row, "company_id") != Some(company_id) {
        return Err(SetupError::Refused(format!(
            "The payment provider concilia.{name} belongs to another company: delete that external id in Odoo \
             and run this again."
        )));
    }
    let found = text(&row, "state");
    if found == state {
        report.line(object, Change::Unchanged);
    } else {
        records.write(step, model, provider, json!({"state": state})).await?;
        let repair =
            Repair::new(format!("is {found} in Odoo"), format!("put from {found} to {state}"));
        report.line(object, Change::of(vec![repair]));
    }
    Ok(provider)
}

/// One method for all companies.
pub(super) async fn ensure_method(
    records: &mut Records<'_>,
    provider: i64,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let (step, name, model) = ("the payment method", "method_ventipay", "payment.method");
    let object = "payment method Ventipay";
    let fields = ["active", "provider_ids"];
    let mut found = records.ours(step, name, model, &fields).await?;
    if found.is_none() {
        // The code is the method's identity in Odoo: one made for us by other means is ours.
        let domain = json!([["code", "=", "ventipay"]]);
        let rows = records.search(step, model, domain, &fields).await?;
        found = rows.into_iter().next();
        if let Some(row) = &found {
            records.bind(step, name, model, id(row)).await?;
        }
    }
    let Some(row) = found else {
        let values = json!({
            "name": "Ventipay", "code": "ventipay", "active": true, "image": IMAGE,
            "support_refund": "partial", "provider_ids": [[6, 0, [provider]]],
        });
        let method = records.create(step, model, values).await?;
        records.bind(step, name, model, method).await?;
        report.line(object, Change::Created);
        return Ok(());
    };
    // One after the other: Odoo activates no method that no enabled provider offers yet.
    let mut writes = Vec::new();
    let mut repairs = Vec::new();
    if !links(&row, "provider_ids").contains(&provider) {
        writes.push(json!({"provider_ids": [[4, provider]]}));
        repairs.push(Repair::new(
            "is not offered by this company's provider",
            "given to this company's provider",
        ));
    }
    // Disabling a provider archives its methods (`odoo-api.md` section 3).
    if !is(&row, "active") {
        writes.push(json!({"active": true}));
        repairs.push(Repair::new("is archived", "made active again"));
    }
    for values in writes {
        records.write(step, model, id(&row), values).await?;
    }
    report.line(object, Change::of(repairs));
    Ok(())
}
