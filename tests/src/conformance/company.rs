//! A company of the run's own, with the Chilean chart of accounts and its journals.
//!
//! Facts: `odoo-api-2.md` 3. Companies that have been booked into cannot be deleted: at the end
//! they are archived ([`put_away`]).

use anyhow::{Context as _, Result};
use concilia_worker::odoo::transport::Args;
use serde_json::json;

use super::office::Office;

/// Makes a company; gives its id.
pub(super) async fn make(admin: &Office, name: &str) -> Result<i64> {
    let chile = admin.first("res.country", json!([["code", "=", "CL"]])).await?;
    let pesos = admin
        .first("res.currency", json!([["name", "=", "CLP"], ["active", "=", true]]))
        .await
        .context("the pesos (CLP) must be an active currency")?;
    let values = json!({"name": name, "country_id": chile, "currency_id": pesos});
    let args = Args::none().with("vals_list", json!([values]));
    // In no company: it does not exist yet.
    let made = admin.rpc.call("res.company", "create", args).await.context("making a company")?;
    let company = made[0].as_i64().context("the company has no id")?;
    let own = admin.of(company);
    let journals = json!([["type", "=", "sale"], ["company_id", "=", company]]);
    if own.rows("account.journal", journals.clone(), &["id"]).await?.is_empty() {
        // 17 does not load a chart by itself, and wants the empty list of records.
        let args = Args::on(&[]).with("template_code", "cl").with("company", company);
        own.call("account.chart.template", "try_loading", args).await?;
        own.first("account.journal", journals)
            .await
            .context("the Chilean chart of accounts (module l10n_cl) could not be loaded")?;
    }
    Ok(company)
}

/// Takes a company of the run out of everybody's sight: what is booked in it stays.
pub(super) async fn put_away(admin: &Office, company: i64) -> Result<()> {
    let own = admin.of(company);
    let name = format!("provider_company_{company}");
    if let Some(provider) = own.external("concilia", &name).await? {
        own.write("payment.provider", provider, json!({"state": "disabled"})).await?;
    }
    let args = Args::on(&[company]).with("vals", json!({"active": false}));
    admin.rpc.call("res.company", "write", args).await.context("archiving the company")?;
    Ok(())
}
