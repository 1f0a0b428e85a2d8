//! A fresh database: a Chilean company with its chart of accounts, as the captures begin.
//!
//! Ids are those of the recorded 19.0 database where one was recorded. Not here: orders and
//! invoices, which tests make ([`super::fixtures`]).

use super::fields::{Series, schema};
use super::value::{Amount, Id, Record, Value};
use super::world::{Caller, Tx, World};

/// `base.group_user`, the internal user.
pub const GROUP_USER: Id = 1;
/// `base.group_system`, Settings.
pub const GROUP_SYSTEM: Id = 4;
/// `base.group_portal`, a customer with an account.
pub const GROUP_PORTAL: Id = 10;
/// `account.group_account_invoice`, billing.
pub fn group_billing(series: Series) -> Id {
    if series == Series::V19 { 27 } else { 26 }
}

/// `account.group_account_manager`, accounting managers: they may what billing may.
pub fn group_manager(series: Series) -> Id {
    match series {
        Series::V17 => 28,
        Series::V18 => 29,
        Series::V19 => 30,
    }
}

/// The administrator, `admin`.
pub const ADMIN: Id = 2;
/// The company everything is of.
pub const COMPANY: Id = 1;
/// `payment.cron_post_process_payment_tx`.
pub const CRON: Id = 15;
/// CLP.
pub const CLP: Id = 45;
/// The bank journal, BNK1.
pub const BANK: Id = 6;
/// Document type 61, the electronic credit note.
pub const CREDIT_NOTE: Id = 3;
/// The customer of fixtures: a Chilean end consumer, for whom invoices post.
pub const CUSTOMER: Id = 10;

/// Who a fresh database knows.
#[derive(Debug, Clone)]
pub struct Login {
    /// The login name.
    pub login: String,
    /// The password.
    pub password: String,
    /// An API key, if it has one.
    pub api_key: Option<String>,
}

/// A fresh database of a series, with its administrator and its uuid.
pub fn world(series: Series, admin: &Login, uuid: &str) -> World {
    let mut world = World::new(series);
    let caller = Caller {
        uid: ADMIN,
        context: serde_json::Value::Null,
        today: String::new(),
        now: String::new(),
    };
    let snapshot = world.committed.clone();
    let mut tx = Tx::begin(&mut world, snapshot, caller);
    base(&mut tx, admin, uuid);
    company(&mut tx, COMPANY, "Comercial Prueba SpA");
    accounting(&mut tx);
    documents(&mut tx);
    tx.commit();
    world
}

fn name(text: &str) -> Record {
    Record::default().with("name", text)
}

fn base(tx: &mut Tx<'_>, admin: &Login, uuid: &str) {
    let models: Vec<(String, String)> = schema(tx.series())
        .iter()
        .map(|(model, known)| (model.clone(), known.label.clone()))
        .collect();
    for (number, (model, label)) in (100..).zip(models) {
        tx.put_at("ir.model", number, name(&label).with("model", model).with("state", "base"));
    }
    let series = tx.series().number();
    for (number, module) in (1..).zip([
        "base",
        "account",
        "sale",
        "payment",
        "account_payment",
        "payment_custom",
        "l10n_cl",
    ]) {
        let row = name(module)
            .with("state", "installed")
            .with("latest_version", format!("{series}.0.1.3"));
        tx.put_at("ir.module.module", number, row);
    }
    tx.put_at(
        "ir.config_parameter",
        1,
        Record::default().with("key", "database.uuid").with("value", uuid),
    );
    let title = if tx.series() == Series::V17 {
        "payment: post-process transactions"
    } else {
        "Payment: Post-process transactions"
    };
    let cron = name(title)
        .with("active", true)
        .with("interval_number", Value::Int(10))
        .with("interval_type", "minutes")
        .with("user_id", Value::Ref(1))
        .with("nextcall", "2026-11-23 06:41:23")
        .with("lastcall", "2026-11-23 06:33:30");
    tx.put_at("ir.cron", CRON, cron);
    groups(tx);
    users(tx, admin);
    let spanish = name("Spanish (CL)").with("code", "es_CL").with("active", false);
    tx.put_at("res.lang", 1, name("English (US)").with("code", "en_US").with("active", true));
    tx.put_at("res.lang", 2, spanish);
}

fn groups(tx: &mut Tx<'_>) {
    let (user, system) = if tx.series() == Series::V19 {
        ("Role / User", "Role / Administrator")
    } else {
        ("Internal User", "Settings")
    };
    tx.put_at("res.groups", GROUP_USER, name(user).with("sim_category", "User types"));
    let settings =
        name(system).with("sim_category", "Administration").with("implied_ids", vec![GROUP_USER]);
    tx.put_at("res.groups", GROUP_SYSTEM, settings);
    let portal = if tx.series() == Series::V19 { "Role / Portal" } else { "Portal" };
    tx.put_at("res.groups", GROUP_PORTAL, name(portal).with("sim_category", "User types"));
    let (billing, manager) = (group_billing(tx.series()), group_manager(tx.series()));
    let (category, titles) = match tx.series() {
        Series::V17 => ("Invoicing", ["Billing", "Billing Administrator"]),
        Series::V18 => ("Invoicing", ["Invoicing", "Administrator"]),
        Series::V19 => ("Accounting", ["Invoicing", "Administrator"]),
    };
    let implied = [vec![GROUP_USER], vec![billing]];
    for ((group, title), implied) in [billing, manager].into_iter().zip(titles).zip(implied) {
        let row = name(title).with("sim_category", category).with("implied_ids", implied);
        tx.put_at("res.groups", group, row);
    }
    for (number, (module, xmlid, model, record)) in (1..).zip([
        ("base", "group_user", "res.groups", GROUP_USER),
        ("base", "group_system", "res.groups", GROUP_SYSTEM),
        ("base", "group_portal", "res.groups", GROUP_PORTAL),
        ("account", "group_account_invoice", "res.groups", billing),
        ("account", "group_account_manager", "res.groups", manager),
        ("payment", "cron_post_process_payment_tx", "ir.cron", CRON),
    ]) {
        let row = name(xmlid)
            .with("module", module)
            .with("model", model)
            .with("res_id", Value::Int(record));
        tx.put_at("ir.model.data", number, row);
    }
}

fn users(tx: &mut Tx<'_>, admin: &Login) {
    let groups_field = tx.series().groups_field();
    for (id, partner, login, groups) in [
        (1, 2, "__system__", vec![GROUP_SYSTEM]),
        (ADMIN, 3, admin.login.as_str(), vec![GROUP_SYSTEM, group_manager(tx.series())]),
    ] {
        let shown = if id == 1 { "OdooBot" } else { "Administrator" };
        tx.put_at("res.partner", partner, name(shown).with("active", true));
        let user = name(shown)
            .with("login", login)
            .with("active", id != 1)
            .with("share", false)
            .with("partner_id", Value::Ref(partner))
            .with("company_id", Value::Ref(COMPANY))
            .with("company_ids", vec![COMPANY])
            .with(groups_field, groups);
        let user = if id == 1 { user } else { user.with("sim_password", admin.password.as_str()) };
        tx.put_at("res.users", id, user);
    }
    if let Some(key) = &admin.api_key {
        add_key(tx, ADMIN, key);
    }
}

/// Gives a user an API key.
pub fn add_key(tx: &mut Tx<'_>, user: Id, key: &str) {
    let id = tx.world.next("res.users.apikeys");
    let row = name("key").with("user_id", Value::Ref(user)).with("sim_key", key);
    tx.put_at("res.users.apikeys", id, row);
}

/// A company in CLP with its sale and bank journal. The first one has the recorded ids.
pub fn company(tx: &mut Tx<'_>, id: Id, title: &str) {
    let row = name(title)
        .with("currency_id", Value::Ref(CLP))
        .with("country_id", Value::Ref(46))
        .with("chart_template", "cl")
        .with("active", true);
    tx.put_at("res.company", id, row);
    tx.put_at(
        "res.partner",
        if id == COMPANY { 1 } else { 1000 + id },
        name(title).with("active", true),
    );
    journals(tx, id);
}

/// The journals the Chilean chart brings.
pub fn journals(tx: &mut Tx<'_>, id: Id) {
    // The first company's journals have the recorded ids.
    let first = if id == COMPANY { 0 } else { id * 100 };
    let renamed = tx.series() == Series::V19;
    let sales = if renamed { "Sales" } else { "Customer Invoices" };
    journal(tx, id, first + 1, [sales, "sale", "INV"], 134);
    journal(tx, id, first + BANK, ["Bank", "bank", "BNK1"], 195);
    if !renamed {
        journal(tx, id, first + 7, ["Cash", "cash", "CSH1"], 197);
    }
}

/// A journal (its name, type and code) and the manual method lines of a bank or cash one.
fn journal(tx: &mut Tx<'_>, company: Id, id: Id, about: [&str; 3], account: Id) {
    let [title, kind, code] = about;
    let sales = kind == "sale";
    let mut row = name(title)
        .with("type", kind)
        .with("code", code)
        .with("company_id", Value::Ref(company))
        .with("default_account_id", Value::Ref(account))
        .with("sequence", Value::Int(if sales { 5 } else { id % 100 + 1 }))
        .with("l10n_latam_use_documents", sales)
        .with("active", true);
    if !sales {
        row.set("suspense_account_id", Value::Ref(196));
        for (method, kind) in [(1, "inbound"), (2, "outbound")] {
            let line = name(manual(tx.series()))
                .with("code", "manual")
                .with("payment_type", kind)
                .with("payment_method_id", Value::Ref(method))
                .with("journal_id", Value::Ref(id))
                .with("company_id", Value::Ref(company))
                .with(&format!("sim_{kind}_journal"), Value::Ref(id));
            let number = tx.world.next("account.payment.method.line");
            tx.put_at("account.payment.method.line", number, line);
        }
    }
    tx.put_at("account.journal", id, row);
}

/// The name of the manual payment method.
fn manual(series: Series) -> &'static str {
    if series == Series::V17 { "Manual" } else { "Manual Payment" }
}

fn accounting(tx: &mut Tx<'_>) {
    for (id, code, rounding, places, active) in [
        (CLP, "CLP", "1", 0, true),
        (1, "USD", "0.01", 2, true),
        (125, "EUR", "0.01", 2, false),
        (46, "CLF", "0.0001", 4, false),
        (170, "UF", "0.01", 2, true),
    ] {
        let row = name(code)
            .with("symbol", code)
            .with("rounding", Amount::parse(rounding).unwrap_or_default())
            .with("decimal_places", Value::Int(places))
            .with("active", active);
        tx.put_at("res.currency", id, row);
    }
    tx.put_at("res.country", 46, name("Chile").with("code", "CL"));
    let by_company = tx.series() == Series::V17;
    for (id, code, title, kind) in [
        (4, "110310", "Customers", "asset_receivable"),
        (134, "310115", "Product Sales", "income"),
        (195, "110101", "Bank", "asset_cash"),
        (196, "110102", "Bank Suspense Account", "asset_current"),
        (197, "110105", "Cash", "asset_cash"),
        (202, "110103", "Outstanding Receipts", "asset_current"),
        (203, "110104", "Outstanding Payments", "asset_current"),
    ] {
        let row = name(title)
            .with("code", code)
            .with("account_type", kind)
            .with("reconcile", !matches!(kind, "asset_cash" | "income"))
            .with("active", true);
        let row = if by_company {
            row.with("company_id", Value::Ref(COMPANY))
        } else {
            row.with("company_ids", vec![COMPANY])
        };
        tx.put_at("account.account", id, row);
    }
    for (id, kind) in [(1, "inbound"), (2, "outbound")] {
        let row = name(manual(tx.series())).with("code", "manual").with("payment_type", kind);
        tx.put_at("account.payment.method", id, row);
    }
    let demo = name("Demo").with("code", "demo").with("payment_type", "inbound");
    tx.put_at("account.payment.method", 3, demo);
    let tax = name("19%")
        .with("amount", Amount::whole(19))
        .with("amount_type", "percent")
        .with("type_tax_use", "sale")
        .with("company_id", Value::Ref(COMPANY))
        .with("active", true);
    tx.put_at("account.tax", 1, tax);
}

fn documents(tx: &mut Tx<'_>) {
    for (id, code, title) in [
        (1, "33", "Electronic Invoice"),
        (2, "34", "Unaffected or Exempt Electronic Invoice"),
        (CREDIT_NOTE, "61", "Electronic Credit Note"),
        (5, "39", "Electronic Receipt"),
    ] {
        let kind = if code == "61" { "credit_note" } else { "invoice" };
        let row = name(title)
            .with("code", code)
            .with("country_id", Value::Ref(46))
            .with("internal_type", kind)
            .with("active", true);
        tx.put_at("l10n_latam.document.type", id, row);
    }
    for (id, title, chilean) in [(1, "VAT", false), (4, "RUT", true), (5, "RUN", true)] {
        let row = name(title).with("is_vat", title != "RUN");
        let row = if chilean { row.with("country_id", Value::Ref(46)) } else { row };
        tx.put_at("l10n_latam.identification.type", id, row);
    }
    let customer = name("Cliente de prueba")
        .with("email", "cliente@example.com")
        .with("country_id", Value::Ref(46))
        .with("vat", "12345678-5")
        .with("l10n_latam_identification_type_id", Value::Ref(4))
        .with("l10n_cl_sii_taxpayer_type", "3")
        .with("active", true);
    tx.put_at("res.partner", CUSTOMER, customer);
    // Ids of later records begin where none was recorded.
    for (model, last) in
        [("res.partner", 13), ("res.users", 5), ("res.groups", 60), ("ir.actions.server", 300)]
    {
        tx.world.reserve(model, last);
    }
}
