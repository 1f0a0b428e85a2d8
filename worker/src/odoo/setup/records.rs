//! Reading and writing Odoo's records for the set-up, and finding ours again by external id.
//!
//! Every read sees archived records too: an archived object of ours is ours to put right, not
//! one to make a second time. Every write goes through here and nowhere else, which is what
//! makes a plan a plan ([`Mode::Plan`]): the steps run as they always do, and nothing is sent.
//! Not here: which objects there are (the steps).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::SetupError;
use super::models::{self, Model};
use crate::odoo::actions;
use crate::odoo::classify::RpcError;
use crate::odoo::transport::{Args, Rpc};

/// The module name of our external ids. No such module exists, and none need.
const MODULE: &str = "concilia";

/// The language of what is compared and written; every Odoo has it, active or not.
const ENGLISH: &str = "en_US";

/// The other one, written where it is active.
pub(super) const SPANISH: &str = "es_CL";

/// What others made and the set-up stands on: groups, and the scheduled post-processing.
const KNOWN: [(&str, &str); 5] = [
    ("base", "group_user"),
    ("base", "group_system"),
    ("account", "group_account_invoice"),
    ("account", "group_account_manager"),
    ("payment", "cron_post_process_payment_tx"),
];

/// Whether writes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// They are.
    Apply,
    /// They are not: what would be made has a number below zero, under which Odoo finds nothing.
    Plan,
}

/// Odoo's records, as the administrator sees them in one company.
pub(super) struct Records<'a> {
    pub(super) rpc: &'a Rpc,
    pub(super) company_id: i64,
    pub(super) series: u64,
    /// Whether Spanish of Chile is active.
    pub(super) spanish: bool,
    mode: Mode,
    imagined: AtomicI64,
    /// Ours and those of [`KNOWN`], by `module.name`.
    external: BTreeMap<String, External>,
}

#[derive(Debug, Clone)]
struct External {
    row: i64,
    model: String,
    record: i64,
}

/// One record as `search_read` gives it.
pub(super) type Row = serde_json::Map<String, Value>;

/// The names of a model's objects, for each kind of object.
pub(super) fn model_name(model: &Model) -> String {
    format!("model_{}", model.key())
}

/// See [`model_name`].
pub(super) fn window_name(model: &Model) -> String {
    format!("action_{}", model.key())
}

/// See [`model_name`].
pub(super) fn menu_name(model: &Model) -> String {
    format!("menu_{}", model.key())
}

/// See [`model_name`]; `kind` is `list`, `form` or `search`.
pub(super) fn view_name(model: &Model, kind: &str) -> String {
    format!("view_{}_{kind}", model.key())
}

/// See [`model_name`]; `who` is `billing` or `manager`.
pub(super) fn access_name(model: &Model, who: &str) -> String {
    format!("access_{}_{who}", model.key())
}

/// See [`model_name`].
pub(super) fn rule_name(model: &Model) -> String {
    format!("rule_{}_company", model.key())
}

/// The menu all others hang under.
pub(super) const ROOT_MENU: &str = "menu_ventipay";

/// Every name the set-up gives.
fn names(company_id: i64) -> Vec<String> {
    let mut names = vec![
        "group_bot".to_owned(),
        "user_bot".to_owned(),
        "method_ventipay".to_owned(),
        ROOT_MENU.to_owned(),
        format!("account_clearing_company_{company_id}"),
        format!("provider_company_{company_id}"),
        format!("method_line_in_company_{company_id}"),
        format!("method_line_out_company_{company_id}"),
    ];
    names.extend(actions::ALL.iter().map(|action| action.external_id.to_owned()));
    for model in models::MENU {
        names.extend([model_name(model), window_name(model), menu_name(model), rule_name(model)]);
        names.extend(["list", "form", "search"].map(|kind| view_name(model, kind)));
        names.extend(["billing", "manager"].map(|who| access_name(model, who)));
    }
    names
}

impl<'a> Records<'a> {
    /// Reads the external ids and the language, in two calls.
    pub(super) async fn load(
        rpc: &'a Rpc,
        company_id: i64,
        series: u64,
        mode: Mode,
    ) -> Result<Records<'a>, SetupError> {
        let mut records = Records {
            rpc,
            company_id,
            series,
            spanish: false,
            mode,
            imagined: AtomicI64::new(0),
            external: BTreeMap::new(),
        };
        let step = "the external ids";
        let modules: Vec<&str> = KNOWN.iter().map(|(module, _)| *module).collect();
        let known: Vec<&str> = KNOWN.iter().map(|(_, name)| *name).collect();
        let domain = json!([
            "|",
            "&",
            ["module", "=", MODULE],
            ["name", "in", names(company_id)],
            "&",
            ["module", "in", modules],
            ["name", "in", known],
        ]);
        let fields = ["module", "name", "model", "res_id"];
        for row in records.search(step, "ir.model.data", domain, &fields).await? {
            let key = format!("{}.{}", text(&row, "module"), text(&row, "name"));
            let external = External {
                row: id(&row),
                model: text(&row, "model").to_owned(),
                record: row.get("res_id").and_then(Value::as_i64).unwrap_or(0),
            };
            records.external.insert(key, external);
        }
        let spanish = json!([["code", "=", SPANISH], ["active", "=", true]]);
        records.spanish = !records.search(step, "res.lang", spanish, &["code"]).await?.is_empty();
        Ok(records)
    }

    /// Whether nothing is written.
    pub(super) fn is_plan(&self) -> bool {
        self.mode == Mode::Plan
    }

    /// `search_read`, archived records included.
    pub(super) async fn search(
        &self,
        step: &'static str,
        model: &str,
        domain: Value,
        fields: &[&str],
    ) -> Result<Vec<Row>, SetupError> {
        let args = Args::none().with("domain", domain).with("fields", fields).with("order", "id");
        self.rows(step, model, args).await
    }

    /// The first record of `order`.
    pub(super) async fn first(
        &self,
        step: &'static str,
        model: &str,
        args: Args,
    ) -> Result<Option<Row>, SetupError> {
        let rows = self.rows(step, model, args.with("limit", 1)).await?;
        Ok(rows.into_iter().next())
    }

    async fn rows(
        &self,
        step: &'static str,
        model: &str,
        args: Args,
    ) -> Result<Vec<Row>, SetupError> {
        let args = args.context("active_test", false);
        let result = self.call(step, model, "search_read", args).await?;
        serde_json::from_value(result).map_err(|_| shape(step))
    }

    /// [`Self::search`], in Spanish.
    pub(super) async fn search_spanish(
        &self,
        step: &'static str,
        model: &str,
        domain: Value,
        fields: &[&str],
    ) -> Result<Vec<Row>, SetupError> {
        let args = Args::none().with("domain", domain).with("fields", fields).with("order", "id");
        self.rows(step, model, args.context("lang", SPANISH)).await
    }

    /// [`Self::search`], in all companies of the administrator.
    pub(super) async fn search_everywhere(
        &self,
        step: &'static str,
        model: &str,
        domain: Value,
        fields: &[&str],
    ) -> Result<Vec<Row>, SetupError> {
        let args = Args::none().with("domain", domain).with("fields", fields).with("order", "id");
        let args = args.context("active_test", false).context("lang", ENGLISH);
        let result = self.rpc.call(model, "search_read", args).await;
        let rows = result.map_err(|source| SetupError::Call { step, source })?;
        serde_json::from_value(rows).map_err(|_| shape(step))
    }

    /// Any call that writes nothing, in our company.
    pub(super) async fn call(
        &self,
        step: &'static str,
        model: &str,
        method: &str,
        args: Args,
    ) -> Result<Value, SetupError> {
        let mut args = args.context("allowed_company_ids", vec![self.company_id]);
        if !args.has_context("lang") {
            args = args.context("lang", ENGLISH);
        }
        let result = self.rpc.call(model, method, args).await;
        result.map_err(|source| SetupError::Call { step, source })
    }

    /// Makes records, in one call.
    pub(super) async fn create_all(
        &self,
        step: &'static str,
        model: &str,
        values: Vec<Value>,
    ) -> Result<Vec<i64>, SetupError> {
        let wanted = values.len();
        if self.is_plan() {
            let imagine = |_| self.imagined.fetch_sub(1, Ordering::Relaxed) - 1;
            return Ok((0..wanted).map(imagine).collect());
        }
        let args = Args::none().with("vals_list", values).context("no_reset_password", true);
        let result = self.call(step, model, "create", args).await?;
        let ids: Vec<i64> = serde_json::from_value(result).map_err(|_| shape(step))?;
        if ids.len() == wanted { Ok(ids) } else { Err(shape(step)) }
    }

    /// Makes a record.
    pub(super) async fn create(
        &self,
        step: &'static str,
        model: &str,
        values: Value,
    ) -> Result<i64, SetupError> {
        let ids = self.create_all(step, model, vec![values]).await?;
        ids.first().copied().ok_or_else(|| shape(step))
    }

    /// Writes to a record.
    pub(super) async fn write(
        &self,
        step: &'static str,
        model: &str,
        record: i64,
        values: Value,
    ) -> Result<(), SetupError> {
        self.change(step, model, "write", Args::on(&[record]).with("vals", values)).await?;
        Ok(())
    }

    /// Writes the same Spanish to records.
    pub(super) async fn write_spanish(
        &self,
        step: &'static str,
        model: &str,
        records: &[i64],
        values: Value,
    ) -> Result<(), SetupError> {
        let args = Args::on(records).with("vals", values).context("lang", SPANISH);
        self.change(step, model, "write", args).await?;
        Ok(())
    }

    /// Deletes records.
    pub(super) async fn unlink(
        &self,
        step: &'static str,
        model: &str,
        records: &[i64],
    ) -> Result<(), SetupError> {
        if !records.is_empty() {
            self.change(step, model, "unlink", Args::on(records)).await?;
        }
        Ok(())
    }

    /// Any call that writes. Not made in a plan, where it answers nothing.
    pub(super) async fn change(
        &self,
        step: &'static str,
        model: &str,
        method: &str,
        args: Args,
    ) -> Result<Value, SetupError> {
        if self.is_plan() {
            return Ok(Value::Null);
        }
        self.call(step, model, method, args).await
    }

    /// Our record named `name`, if it is there.
    pub(super) async fn ours(
        &self,
        step: &'static str,
        name: &str,
        model: &str,
        fields: &[&str],
    ) -> Result<Option<Row>, SetupError> {
        let Some(record) = self.named(name, model)? else {
            return Ok(None);
        };
        let domain = json!([["id", "=", record]]);
        let rows = self.search(step, model, domain, fields).await?;
        Ok(rows.into_iter().next())
    }

    /// The id under the name `name`, whether or not the record is still there.
    pub(super) fn named(&self, name: &str, model: &str) -> Result<Option<i64>, SetupError> {
        let Some(external) = self.external.get(&format!("{MODULE}.{name}")) else {
            return Ok(None);
        };
        if external.model != model {
            return Err(SetupError::Refused(format!(
                "The external id {MODULE}.{name} names a {}, not a {model}: delete that external id in Odoo \
                 and run this again.",
                external.model
            )));
        }
        Ok(Some(external.record))
    }

    /// Names `record` as ours: from now on it is found by [`Self::ours`].
    pub(super) async fn bind(
        &mut self,
        step: &'static str,
        name: &str,
        model: &str,
        record: i64,
    ) -> Result<(), SetupError> {
        self.bind_all(step, model, &[(name.to_owned(), record)]).await
    }

    /// [`Self::bind`] of several, in one call where none had a name before.
    pub(super) async fn bind_all(
        &mut self,
        step: &'static str,
        model: &str,
        named: &[(String, i64)],
    ) -> Result<(), SetupError> {
        let (mut fresh, mut values) = (Vec::new(), Vec::new());
        for (name, record) in named {
            let key = format!("{MODULE}.{name}");
            if let Some(stale) = self.external.get_mut(&key) {
                model.clone_into(&mut stale.model);
                stale.record = *record;
                let row = stale.row;
                let values = json!({"model": model, "res_id": record});
                self.write(step, "ir.model.data", row, values).await?;
            } else {
                fresh.push((key, *record));
                values.push(json!({
                    "module": MODULE, "name": name, "model": model, "res_id": record, "noupdate": true,
                }));
            }
        }
        if values.is_empty() {
            return Ok(());
        }
        let rows = self.create_all(step, "ir.model.data", values).await?;
        for ((key, record), row) in fresh.into_iter().zip(rows) {
            self.external.insert(key, External { row, model: model.to_owned(), record });
        }
        Ok(())
    }

    /// The id of what another module made: `base.group_user`.
    pub(super) fn known(&self, name: &str) -> Result<i64, SetupError> {
        let external = self.external.get(name);
        external.map(|known| known.record).ok_or_else(|| {
            SetupError::Refused(format!("Odoo has no {name}: is the database whole?"))
        })
    }

    /// The id of a model.
    pub(super) async fn model_id(
        &self,
        step: &'static str,
        model: &str,
    ) -> Result<i64, SetupError> {
        let domain = json!([["model", "=", model]]);
        let rows = self.search(step, "ir.model", domain, &["model"]).await?;
        rows.first().map(id).ok_or_else(|| shape(step))
    }

    /// The field of users and actions that holds their groups (`odoo-api-2.md` 1.1).
    pub(super) fn groups_field(&self) -> &'static str {
        if self.series >= 19 { "group_ids" } else { "groups_id" }
    }

    /// The field of groups that holds their users.
    pub(super) fn users_field(&self) -> &'static str {
        if self.series >= 19 { "user_ids" } else { "users" }
    }
}

/// An answer that is none.
fn shape(step: &'static str) -> SetupError {
    SetupError::Call {
        step,
        source: RpcError::Misconfigured { detail: "Odoo's answer does not read".to_owned() },
    }
}

/// A record's id.
pub(super) fn id(row: &Row) -> i64 {
    row.get("id").and_then(Value::as_i64).unwrap_or(0)
}

/// A text field; empty if Odoo says `false`.
pub(super) fn text<'a>(row: &'a Row, field: &str) -> &'a str {
    row.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A boolean field.
pub(super) fn is(row: &Row, field: &str) -> bool {
    row.get(field).and_then(Value::as_bool).unwrap_or(false)
}

/// The id in a many2one field (`[7, "Name"]`), if set.
pub(super) fn link(row: &Row, field: &str) -> Option<i64> {
    row.get(field)?.get(0)?.as_i64()
}

/// The ids in a x2many field.
pub(super) fn links(row: &Row, field: &str) -> Vec<i64> {
    let ids = row.get(field).and_then(Value::as_array);
    ids.into_iter().flatten().filter_map(Value::as_i64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_odoo_writes_them() {
        let row = json!({"id": 3, "name": "x", "email": false, "journal_id": [6, "Bank"],
                         "provider_id": false, "users": [5, 7], "active": true});
        let Value::Object(row) = row else { panic!() };
        assert_eq!((id(&row), text(&row, "name"), text(&row, "email")), (3, "x", ""));
        assert_eq!((link(&row, "journal_id"), link(&row, "provider_id")), (Some(6), None));
        assert_eq!((links(&row, "users"), is(&row, "active")), (vec![5, 7], true));
    }
}
