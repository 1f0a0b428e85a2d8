//! Which methods can be called, with which arguments, and what they answer.
//!
//! Both transports end here (`jsonrpc`, `json2`); where they differ in words
//! the transport says so ([`Transport`]). Facts: `odoo-api.md` 0, 8, 9.

use serde_json::{Value as Json, json};

use super::actions;
use super::errors::{Outcome, Raise, names};
use super::fields::Series;
use super::manual;
use super::models::{accounting, company, credit_note, payment, portal, sale, technical};
use super::orm::{self, Paging, Values};
use super::rights::{self, Access};
use super::value::{Id, Value};
use super::world::Tx;

/// The way a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `/jsonrpc`
    JsonRpc,
    /// `/json/2`
    Json2,
}

/// A call of a method of a model.
#[derive(Debug, Clone)]
pub struct Call {
    /// How it came.
    pub transport: Transport,
    /// The model.
    pub model: String,
    /// The method.
    pub method: String,
    /// Arguments by position (JSON-RPC only), the records' ids among them.
    pub positional: Vec<Json>,
    /// Arguments by name, without the context.
    pub named: Values,
    /// The context.
    pub context: Json,
}

/// A method that can be called.
struct Method {
    /// Of one model, or of all when empty.
    model: &'static str,
    name: &'static str,
    /// Names of its arguments, those it needs first.
    arguments: &'static [&'static str],
    needed: usize,
    /// Whether it is called on records.
    on_records: bool,
    access: Access,
}

const fn generic(
    name: &'static str,
    arguments: &'static [&'static str],
    needed: usize,
    on_records: bool,
    access: Access,
) -> Method {
    Method { model: "", name, arguments, needed, on_records, access }
}

const fn button(model: &'static str, name: &'static str) -> Method {
    Method { model, name, arguments: &[], needed: 0, on_records: true, access: Access::Write }
}

const fn question(
    model: &'static str,
    name: &'static str,
    arguments: &'static [&'static str],
    needed: usize,
) -> Method {
    Method { model, name, arguments, needed, on_records: false, access: Access::Read }
}

const METHODS: &[Method] = &[
    generic("create", &["vals_list"], 1, false, Access::Create),
    generic("write", &["vals"], 1, true, Access::Write),
    generic("unlink", &[], 0, true, Access::Unlink),
    generic("read", &["fields", "load"], 0, true, Access::Read),
    generic("search", &["domain", "offset", "limit", "order"], 1, false, Access::Read),
    generic("search_count", &["domain", "limit"], 1, false, Access::Read),
    generic(
        "search_read",
        &["domain", "fields", "offset", "limit", "order"],
        0,
        false,
        Access::Read,
    ),
    generic(
        "update_field_translations",
        &["field_name", "translations", "source_lang"],
        2,
        true,
        Access::Write,
    ),
    generic("fields_get", &["allfields", "attributes"], 0, false, Access::Read),
    button("ir.actions.server", "run"),
    button("sale.order", "action_confirm"),
    button("sale.order", "action_cancel"),
    button("sale.order", "action_quotation_sent"),
    button("sale.order", "get_portal_url"),
    button("account.move", "get_portal_url"),
    button("account.move.reversal", "reverse_moves"),
    button("account.move.reversal", "refund_moves"),
    Method {
        model: "account.chart.template",
        name: "try_loading",
        arguments: &["template_code", "company"],
        needed: 2,
        on_records: true,
        access: Access::Write,
    },
    button("sale.advance.payment.inv", "create_invoices"),
    button("account.move", "action_post"),
    button("account.move", "button_draft"),
    button("account.move", "button_cancel"),
    button("account.payment.register", "action_create_payments"),
    button("ir.cron", "method_direct_trigger"),
    question("ir.actions.actions", "get_bindings", &["model_name"], 1),
    question("ir.config_parameter", "get_param", &["key", "default"], 1),
    question("ir.config_parameter", "set_param", &["key", "value"], 2),
    question(
        "ir.model.data",
        "check_object_reference",
        &["module", "xml_id", "raise_on_access_error"],
        2,
    ),
    question("res.users", "context_get", &[], 0),
];

/// Carries a call out.
pub fn run(tx: &mut Tx<'_>, mut call: Call) -> Outcome<Json> {
    check_language(tx)?;
    if manual::known(tx, &call.model).is_none() {
        return Err(unknown_model(&call));
    }
    check_private(tx.series(), &call)?;
    if tx.series() == Series::V17 && call.method == "sudo" {
        return Ok(json!(format!("{}({},)", call.model, first_id(&call))));
    }
    let known = METHODS.iter().find(|method| {
        method.name == call.method && (method.model.is_empty() || method.model == call.model)
    });
    let Some(method) = known else {
        return Err(unknown_method(tx.series(), &call));
    };
    let ids = bind(method, &mut call)?;
    // Running an action has its own fence, its groups; the others go by rights on the model.
    if !matches!(method.name, "run" | "get_bindings" | "context_get") {
        rights::check(tx, &call.model, method.access)?;
    }
    if method.model.is_empty() {
        run_generic(tx, &call, &ids)
    } else {
        run_special(tx, &call, &ids)
    }
}

fn first_id(call: &Call) -> i64 {
    let first = call.positional.first();
    let first = first.map(|ids| ids.get(0).unwrap_or(ids));
    first.and_then(Json::as_i64).unwrap_or(0)
}

/// 19 refuses a language that is not installed (captures `8_json2_context`).
fn check_language(tx: &Tx<'_>) -> Outcome<()> {
    let Some(language) = tx.caller.context.get("lang").and_then(Json::as_str) else {
        return Ok(());
    };
    let known =
        tx.rows("res.lang").any(|(_, row)| row.text("code") == language && row.flag("active"));
    if known || tx.series() != Series::V19 {
        return Ok(());
    }
    Err(Raise::user(format!("Invalid language code: {language}")))
}

fn unknown_model(call: &Call) -> Raise {
    match call.transport {
        Transport::JsonRpc => Raise::user(format!("Object {} doesn't exist", call.model)),
        Transport::Json2 => Raise::odoo(
            "werkzeug.exceptions.NotFound",
            format!("the model '{}' does not exist", call.model),
        ),
    }
}

fn unknown_method(series: Series, call: &Call) -> Raise {
    let (model, method) = (&call.model, &call.method);
    match (call.transport, series) {
        (Transport::Json2, _) => Raise::odoo(
            "werkzeug.exceptions.NotFound",
            format!("The method '{model}.{method}' does not exist"),
        ),
        (_, Series::V17) => Raise::odoo(
            names::ATTRIBUTE,
            format!("The method '{method}' does not exist on the model '{model}'"),
        ),
        _ => Raise::odoo(names::ATTRIBUTE, format!("The method '{model}.{method}' does not exist")),
    }
}

fn check_private(series: Series, call: &Call) -> Outcome<()> {
    let private = call.method.starts_with('_') || (series != Series::V17 && call.method == "sudo");
    if !private {
        return Ok(());
    }
    let shown = match series {
        Series::V17 => call.method.clone(),
        _ => format!("'{}.{}'", call.model, call.method),
    };
    Err(Raise::odoo(
        names::ACCESS,
        format!("Private methods (such as {shown}) cannot be called remotely."),
    ))
}

/// Puts positional arguments under their names, and takes the ids out.
fn bind(method: &Method, call: &mut Call) -> Outcome<Vec<Id>> {
    let mut positional = std::mem::take(&mut call.positional).into_iter();
    let given = if method.on_records {
        call.named.remove("ids").or_else(|| positional.next())
    } else {
        None
    };
    if !method.on_records && call.transport == Transport::Json2 && call.named.contains_key("ids") {
        let text = format!("cannot call {}.{} with ids", call.model, call.method);
        return Err(unprocessable(text));
    }
    for (name, value) in method.arguments.iter().zip(positional) {
        call.named.insert((*name).to_owned(), value);
    }
    if let Some(extra) = call.named.keys().find(|name| !method.arguments.contains(&name.as_str())) {
        let text = format!("got an unexpected keyword argument '{extra}'");
        return Err(match call.transport {
            Transport::Json2 => unprocessable(text),
            // search_read hands what it does not know on to this one (captures 8_type_error).
            Transport::JsonRpc if method.name == "search_read" => {
                Raise::odoo(names::TYPE, format!("BaseModel._read_format() {text}"))
            }
            Transport::JsonRpc => {
                Raise::odoo(names::TYPE, format!("BaseModel.{}() {text}", method.name))
            }
        });
    }
    let needed = &method.arguments[..method.needed];
    if let Some(missing) = needed.iter().find(|name| !call.named.contains_key(**name)) {
        return Err(match call.transport {
            Transport::Json2 => unprocessable(format!("missing a required argument: '{missing}'")),
            Transport::JsonRpc => Raise::odoo(
                names::TYPE,
                format!(
                    "BaseModel.{}() missing 1 required positional argument: '{missing}'",
                    method.name
                ),
            ),
        });
    }
    Ok(match given {
        Some(Json::Array(ids)) => ids.iter().filter_map(Json::as_i64).collect(),
        Some(one) => one.as_i64().into_iter().collect(),
        None => Vec::new(),
    })
}

fn unprocessable(text: String) -> Raise {
    Raise::odoo("werkzeug.exceptions.UnprocessableEntity", text)
}

fn run_generic(tx: &mut Tx<'_>, call: &Call, ids: &[Id]) -> Outcome<Json> {
    let model = call.model.as_str();
    match call.method.as_str() {
        "create" => create(tx, call),
        "write" => {
            let values = call.named.get("vals").and_then(Json::as_object).cloned();
            orm::write(tx, model, ids, &values.unwrap_or_default())?;
            Ok(json!(true))
        }
        "update_field_translations" => update_translations(tx, call, ids),
        "unlink" => orm::unlink(tx, model, ids).map(|()| json!(true)),
        "read" => Ok(Json::Array(orm::read(tx, model, ids, field_names(call).as_deref())?)),
        "search" => Ok(json!(search(tx, call)?)),
        "search_count" => Ok(json!(search(tx, call)?.len())),
        "search_read" => {
            let found = search(tx, call)?;
            Ok(Json::Array(orm::read(tx, model, &found, field_names(call).as_deref())?))
        }
        _ => Ok(fields_get(tx, call)),
    }
}

fn update_translations(tx: &mut Tx<'_>, call: &Call, ids: &[Id]) -> Outcome<Json> {
    orm::must_exist(tx, &call.model, ids)?;
    let field = call.named.get("field_name").and_then(Json::as_str).unwrap_or_default();
    let translations = call.named.get("translations").and_then(Json::as_object).cloned();
    let translations = translations.unwrap_or_default();
    for id in ids {
        technical::update_translations(tx, &call.model, *id, field, &translations)?;
    }
    Ok(json!(true))
}

/// One dict gives a bare id over JSON-RPC, a list of one over JSON-2 (`odoo-api.md` 0).
fn create(tx: &mut Tx<'_>, call: &Call) -> Outcome<Json> {
    let (list, single) = match call.named.get("vals_list") {
        Some(Json::Array(list)) => (list.clone(), false),
        Some(one) => (vec![one.clone()], true),
        None => (Vec::new(), false),
    };
    let mut ids = Vec::new();
    for values in &list {
        let values = values.as_object().cloned().unwrap_or_default();
        ids.push(orm::create(tx, &call.model, &values)?);
    }
    Ok(match (single && call.transport == Transport::JsonRpc, ids.first()) {
        (true, Some(id)) => json!(id),
        _ => json!(ids),
    })
}

fn field_names(call: &Call) -> Option<Vec<String>> {
    let names = call.named.get("fields")?.as_array()?;
    Some(names.iter().filter_map(Json::as_str).map(str::to_owned).collect())
}

fn search(tx: &Tx<'_>, call: &Call) -> Outcome<Vec<Id>> {
    let number = |name: &str| {
        let number = call.named.get(name).and_then(Json::as_u64)?;
        usize::try_from(number).ok()
    };
    let paging = Paging {
        order: call.named.get("order").and_then(Json::as_str),
        offset: number("offset").unwrap_or(0),
        limit: number("limit").filter(|limit| *limit > 0),
    };
    let domain = call.named.get("domain").cloned().unwrap_or(json!([]));
    let mut found = orm::search(tx, &call.model, &domain, &paging)?;
    found.retain(|id| rights::sees(tx, &call.model, *id));
    Ok(found)
}

fn fields_get(tx: &Tx<'_>, call: &Call) -> Json {
    let wanted = call.named.get("allfields").and_then(Json::as_array);
    let known = manual::known(tx, &call.model);
    let fields = known.into_iter().flat_map(|model| &model.fields);
    let shown = fields
        .filter(|(name, _)| wanted.is_none_or(|wanted| wanted.iter().any(|one| one == *name)))
        .map(|(name, field)| {
            let label = label(tx, &call.model, name);
            let about =
                json!({"type": field.type_name, "required": field.required, "string": label});
            (name.clone(), about)
        });
    Json::Object(shown.collect())
}

/// What people call a field, in the language of the call: recorded for those made through the
/// API only.
fn label(tx: &Tx<'_>, model: &str, name: &str) -> String {
    let field = tx
        .tables()
        .find("ir.model.fields", |row| row.text("model") == model && row.text("name") == name);
    let Some((id, row)) = field else {
        return name.to_owned();
    };
    match technical::translated(tx, "ir.model.fields", id, "field_description") {
        Some(Value::Text(text)) => text,
        _ => row.text("field_description").to_owned(),
    }
}

fn run_special(tx: &mut Tx<'_>, call: &Call, ids: &[Id]) -> Outcome<Json> {
    let text = |name: &str| call.named.get(name).and_then(Json::as_str).unwrap_or_default();
    if ids.iter().any(|id| tx.get(&call.model, *id).is_none()) {
        return Err(Raise::missing(&call.model, ids, tx.caller.uid));
    }
    match (call.model.as_str(), call.method.as_str()) {
        ("ir.actions.server", _) => {
            let mut answer = json!(false);
            for id in ids {
                answer = actions::run(tx, *id)?;
            }
            Ok(answer)
        }
        ("sale.order", "action_confirm") => sale::action_confirm(tx, ids),
        ("sale.order", "action_quotation_sent") => sale::action_quotation_sent(tx, ids),
        ("sale.order" | "account.move", "get_portal_url") => {
            let id = ids.first().copied().unwrap_or_default();
            portal::url(tx, &call.model, id).map(|url| json!(url))
        }
        ("sale.order", _) => sale::action_cancel(tx, ids),
        ("account.move.reversal", _) => credit_note::refund_moves(tx, ids),
        ("account.chart.template", _) => {
            let company = call.named.get("company").and_then(Json::as_i64).unwrap_or(0);
            company::try_loading(tx, text("template_code"), company)
        }
        ("sale.advance.payment.inv", _) => sale::create_invoices(tx, ids),
        ("account.move", "action_post") => accounting::action_post(tx, ids),
        ("account.move", "button_draft") => accounting::set_state(tx, ids, "draft"),
        ("account.move", _) => accounting::set_state(tx, ids, "cancel"),
        ("account.payment.register", _) => accounting::create_payments(tx, ids),
        ("ir.cron", _) => Ok(payment::run_cron(tx)),
        ("ir.actions.actions", _) => Ok(bindings(tx, text("model_name"))),
        ("ir.config_parameter", "get_param") => Ok(get_param(tx, call)),
        ("ir.config_parameter", _) => set_param(tx, text("key"), text("value")),
        ("ir.model.data", _) => object_reference(tx, text("module"), text("xml_id")),
        _ => Ok(json!({"lang": "en_US", "tz": false, "uid": tx.caller.uid})),
    }
}

/// `get_bindings`: the actions bound to a model that the caller may run.
fn bindings(tx: &Tx<'_>, model: &str) -> Json {
    let groups = rights::groups(tx, tx.caller.uid);
    let field = tx.series().groups_field();
    let model = tx.tables().find("ir.model", |row| row.text("model") == model);
    let Some((model, _)) = model else {
        return json!({});
    };
    let bound: Vec<Json> = tx
        .rows("ir.actions.server")
        .filter(|(_, row)| row.reference("binding_model_id") == Some(model))
        .filter(|(_, row)| {
            let wanted = row.references(field);
            wanted.is_empty() || wanted.iter().any(|group| groups.contains(group))
        })
        .map(|(id, row)| {
            json!({"id": id, "name": row.text("name"), "binding_view_types": row.text("binding_view_types"),
                   "sequence": row.int("sequence")})
        })
        .collect();
    if bound.is_empty() { json!({}) } else { json!({"action": bound}) }
}

fn get_param(tx: &Tx<'_>, call: &Call) -> Json {
    let key = call.named.get("key").and_then(Json::as_str).unwrap_or_default();
    let found = tx.tables().find("ir.config_parameter", |row| row.text("key") == key);
    match found {
        Some((_, row)) => json!(row.text("value")),
        None => call.named.get("default").cloned().unwrap_or(json!(false)),
    }
}

fn set_param(tx: &mut Tx<'_>, key: &str, value: &str) -> Outcome<Json> {
    rights::check(tx, "ir.config_parameter", Access::Write)?;
    let found = tx.tables().find("ir.config_parameter", |row| row.text("key") == key);
    if let Some((id, before)) = found.map(|(id, row)| (id, row.text("value").to_owned())) {
        tx.update("ir.config_parameter", id, |row| row.set("value", value))?;
        return Ok(json!(before));
    }
    let mut values = Values::new();
    values.insert("key".to_owned(), json!(key));
    values.insert("value".to_owned(), json!(value));
    orm::create(tx, "ir.config_parameter", &values)?;
    Ok(json!(false))
}

fn object_reference(tx: &Tx<'_>, module: &str, name: &str) -> Outcome<Json> {
    let found = tx
        .tables()
        .find("ir.model.data", |row| row.text("module") == module && row.text("name") == name);
    let Some((_, row)) = found else {
        return Err(Raise::value(format!("External ID not found in the system: {module}.{name}")));
    };
    match row.get("res_id") {
        Some(Value::Int(id)) => Ok(json!([row.text("model"), id])),
        _ => Ok(json!([row.text("model"), false])),
    }
}
