//! The administrator at work in one company: plain calls of Odoo's external API.
//!
//! Not here: what a shop does with them ([`super::shop`]).

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use concilia_worker::odoo::transport::{Args, Rpc};
use serde_json::{Value, json};

/// The administrator in one company.
#[derive(Debug, Clone)]
pub struct Office {
    /// The administrator's calls.
    pub rpc: Arc<Rpc>,
    /// Where everything is made.
    pub company: i64,
}

/// Adds the keys of `context`.
pub fn with_context(args: Args, context: &Value) -> Args {
    let pairs = context.as_object().into_iter().flatten();
    pairs.fold(args, |args, (key, value)| args.context(key, value.clone()))
}

impl Office {
    /// The same administrator in another company.
    #[must_use]
    pub fn of(&self, company: i64) -> Self {
        Self { rpc: Arc::clone(&self.rpc), company }
    }

    /// Any call, in this company.
    ///
    /// # Errors
    /// When Odoo refuses.
    pub async fn call(&self, model: &str, method: &str, args: Args) -> Result<Value> {
        let args = args.context("allowed_company_ids", vec![self.company]);
        self.rpc
            .call(model, method, args)
            .await
            .with_context(|| format!("the administrator calls {model}.{method}"))
    }

    /// A call of a method of one record without arguments.
    ///
    /// # Errors
    /// When Odoo refuses.
    pub async fn press(&self, model: &str, method: &str, id: i64) -> Result<Value> {
        self.call(model, method, Args::on(&[id])).await
    }

    /// Makes a record.
    ///
    /// # Errors
    /// When Odoo refuses.
    pub async fn create(&self, model: &str, values: Value) -> Result<i64> {
        self.create_with(model, values, &json!({})).await
    }

    /// Makes a record with a context.
    ///
    /// # Errors
    /// When Odoo refuses.
    pub async fn create_with(&self, model: &str, values: Value, context: &Value) -> Result<i64> {
        let args = with_context(Args::none().with("vals_list", json!([values])), context);
        let made = self.call(model, "create", args).await?;
        made[0].as_i64().ok_or_else(|| anyhow!("{model}.create gave no id: {made}"))
    }

    /// Writes to a record.
    ///
    /// # Errors
    /// When Odoo refuses.
    pub async fn write(&self, model: &str, id: i64, values: Value) -> Result<()> {
        self.call(model, "write", Args::on(&[id]).with("vals", values)).await.map(drop)
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// When Odoo refuses.
    pub async fn unlink(&self, model: &str, id: i64) -> Result<()> {
        self.press(model, "unlink", id).await.map(drop)
    }

    /// One record's fields.
    ///
    /// # Errors
    /// When Odoo refuses or the record is not there.
    pub async fn read(&self, model: &str, id: i64, fields: &[&str]) -> Result<Value> {
        let args = Args::on(&[id]).with("fields", fields).context("active_test", false);
        let rows = self.call(model, "read", args).await?;
        let row = rows.get(0).cloned();
        row.ok_or_else(|| anyhow!("there is no {model} {id}"))
    }

    /// Records of a domain, archived ones included, lowest id first.
    ///
    /// # Errors
    /// When Odoo refuses.
    pub async fn rows(&self, model: &str, domain: Value, fields: &[&str]) -> Result<Vec<Value>> {
        let args = Args::none()
            .with("domain", domain)
            .with("fields", fields)
            .with("order", "id")
            .context("active_test", false);
        let rows = self.call(model, "search_read", args).await?;
        Ok(rows.as_array().cloned().unwrap_or_default())
    }

    /// The first record of a domain.
    ///
    /// # Errors
    /// When Odoo refuses or there is none.
    pub async fn first(&self, model: &str, domain: Value) -> Result<i64> {
        let rows = self.rows(model, domain.clone(), &["id"]).await?;
        let first = rows.first().and_then(|row| row["id"].as_i64());
        first.ok_or_else(|| anyhow!("there is no {model} of {domain}"))
    }

    /// The record an external id leads to, if there is one.
    ///
    /// # Errors
    /// When Odoo refuses.
    pub async fn external(&self, module: &str, name: &str) -> Result<Option<i64>> {
        let domain = json!([["module", "=", module], ["name", "=", name]]);
        let rows = self.rows("ir.model.data", domain, &["res_id"]).await?;
        Ok(rows.first().and_then(|row| row["res_id"].as_i64()))
    }

    /// A record of ours.
    ///
    /// # Errors
    /// When Odoo refuses or there is none.
    pub async fn ours(&self, name: &str) -> Result<i64> {
        let found = self.external("concilia", name).await?;
        found.ok_or_else(|| anyhow!("the set-up made no concilia.{name}"))
    }
}
