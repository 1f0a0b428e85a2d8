//! `odoo setup`, its plan and `odoo remove`, the bot's key, and our own models, against every
//! series. What `odoo check` finds is in [`super::drift`].

use concilia_shared::config::{Environment, Transport};
use concilia_shared::secret::Secret;
use concilia_tests::odoo::fixtures::{Invoice, NewOrder};
use concilia_tests::odoo::value::{Record, Value};
use concilia_tests::odoo::world::Tx;
use concilia_tests::odoo::{Series, SimOdoo, SimOdooOptions, manual, orm, seed};
use concilia_worker::odoo::setup::{
    Change, SETUP_VERSION, SetupReport, SetupRequest, check, plan, remove, setup,
};
use concilia_worker::odoo::transport::Rpc;
use jiff::Timestamp;
use serde_json::json;

use super::worker::endpoint;

const ALL: [Series; 3] = [Series::V17, Series::V18, Series::V19];
const NOW: &str = "2026-11-24T12:00:00Z";
const SPANISH: i64 = 2;

pub(super) fn request() -> SetupRequest {
    SetupRequest {
        company_id: seed::COMPANY,
        environment: Environment::Test,
        bot_login: "concilia".to_owned(),
        bot_password: Some(Secret::new("a long random password")),
        bot_email: Some("concilia@example.com".to_owned()),
        journal_code: None,
        bot_key_file: None,
        now: NOW.parse().unwrap(),
    }
}

/// A fresh Odoo, in Spanish too, and its administrator.
pub(super) async fn fresh(series: Series) -> (SimOdoo, Rpc) {
    let now: Timestamp = NOW.parse().unwrap();
    let options = SimOdooOptions { now: Some(now), ..SimOdooOptions::new(series) };
    let odoo = SimOdoo::start(options).await.unwrap();
    odoo.edit(|tx| tx.update("res.lang", SPANISH, |row| row.set("active", true)).unwrap());
    let admin = Rpc::new(endpoint(&odoo, Transport::Jsonrpc, "admin", "admin")).unwrap();
    (odoo, admin)
}

pub(super) async fn ready(series: Series) -> (SimOdoo, Rpc) {
    let (odoo, admin) = fresh(series).await;
    setup(&admin, &request()).await.unwrap();
    (odoo, admin)
}

pub(super) fn ours(tx: &Tx<'_>, name: &str) -> i64 {
    manual::named(tx, name).unwrap_or_else(|| panic!("there is no concilia.{name}")).1
}

pub(super) fn gone(tx: &mut Tx<'_>, model: &str, name: &str) {
    let id = ours(tx, name);
    orm::unlink(tx, model, &[id]).unwrap();
}

/// What was said, without whether it was said before or after.
pub(super) fn said(report: &SetupReport) -> Vec<(String, Change)> {
    report.lines.iter().map(|line| (line.object.clone(), line.change.clone())).collect()
}

#[tokio::test]
async fn a_plan_is_what_the_set_up_then_does_and_writes_nothing() {
    for series in ALL {
        let (odoo, admin) = fresh(series).await;
        let before = odoo.counters().writes;
        let planned = plan(&admin, &request()).await.unwrap();
        assert_eq!(odoo.counters().writes, before, "{series:?}: a plan wrote");
        let done = setup(&admin, &request()).await.unwrap();
        assert_eq!(said(&planned), said(&done), "{series:?}");
        assert!(done.lines.len() > 20 && !done.is_unchanged());
        let before = odoo.counters().writes;
        let again = setup(&admin, &request()).await.unwrap();
        assert!(again.is_unchanged(), "{series:?}: {again}");
        assert_eq!(odoo.counters().writes, before, "{series:?}: a second run wrote");
        let found = check(&admin, &request()).await.unwrap().findings();
        assert!(found.is_empty(), "{series:?}: {found:?}");
    }
}

#[tokio::test]
async fn what_is_set_up_can_be_seen_in_both_languages() {
    for series in ALL {
        let (odoo, _) = ready(series).await;
        odoo.edit(|tx| {
            let label = |tx: &Tx<'_>, field: &str| {
                let is_it = |row: &Record| {
                    row.text("model") == "x_ventipay_checkout" && row.text("name") == field
                };
                let (id, _) = tx.tables().find("ir.model.fields", is_it).unwrap();
                orm::value(tx, "ir.model.fields", id, "field_description").unwrap()
            };
            let search = ours(tx, "view_ventipay_dispute_search");
            let menu = ours(tx, "menu_ventipay_dispute");
            assert_eq!(label(tx, "x_refunded_amount"), Value::Text("Refunded".to_owned()));
            tx.caller.context = json!({"lang": "es_CL"});
            assert_eq!(label(tx, "x_refunded_amount"), Value::Text("Reembolsado".to_owned()));
            let shown = |model: &str, id, field: &str| {
                let Some(Value::Text(text)) = orm::value(tx, model, id, field) else { panic!() };
                text
            };
            assert!(shown("ir.ui.view", search, "arch").contains("string=\"Abiertas\""));
            assert_eq!(shown("ir.ui.menu", menu, "name"), "Disputas");
        });
    }
}

#[tokio::test]
async fn without_spanish_nothing_spanish_is_written_until_it_is_there() {
    let (odoo, admin) = fresh(Series::V18).await;
    odoo.edit(|tx| tx.update("res.lang", SPANISH, |row| row.set("active", false)).unwrap());
    setup(&admin, &request()).await.unwrap();
    odoo.edit(|tx| tx.update("res.lang", SPANISH, |row| row.set("active", true)).unwrap());
    let found = check(&admin, &request()).await.unwrap().findings();
    assert!(
        found.len() == 8 && found.iter().all(|one| one.contains("lacks Spanish labels")),
        "{found:?}"
    );
    let planned = plan(&admin, &request()).await.unwrap();
    let done = setup(&admin, &request()).await.unwrap();
    assert_eq!(said(&planned), said(&done));
    assert!(setup(&admin, &request()).await.unwrap().is_unchanged());
}

#[tokio::test]
async fn what_a_person_added_stays() {
    let (odoo, admin) = ready(Series::V19).await;
    odoo.edit(|tx| {
        let values = json!({"field_id": [[0, 0, {"name": "x_note", "field_description": "Note", "ttype": "char"}]]});
        let model = ours(tx, "model_ventipay_event");
        orm::write(tx, "ir.model", &[model], values.as_object().unwrap()).unwrap();
        let view = json!({"name": "mine", "model": "x_ventipay_event", "type": "list",
                          "arch": "<list><field name=\"x_note\"/></list>"});
        orm::create(tx, "ir.ui.view", view.as_object().unwrap()).unwrap();
    });
    assert!(setup(&admin, &request()).await.unwrap().is_unchanged());
    assert!(
        odoo.look(|tx| manual::known(tx, "x_ventipay_event")
            .unwrap()
            .fields
            .contains_key("x_note"))
    );
}

#[tokio::test]
async fn a_set_up_of_version_two_is_brought_up_to_date() {
    let (odoo, admin) = ready(Series::V17).await;
    odoo.edit(|tx| {
        for name in [
            "menu_ventipay_event",
            "menu_ventipay_checkout",
            "menu_ventipay_dispute",
            "menu_ventipay_subscription",
            "menu_ventipay",
        ] {
            gone(tx, "ir.ui.menu", name);
        }
        for key in ["event", "dispute", "subscription", "checkout"] {
            for kind in ["list", "form", "search"] {
                gone(tx, "ir.ui.view", &format!("view_ventipay_{key}_{kind}"));
            }
            gone(tx, "ir.actions.act_window", &format!("action_ventipay_{key}"));
            gone(tx, "ir.model", &format!("model_ventipay_{key}"));
        }
        let note = tx
            .ids_where("ir.config_parameter", |row| row.text("key") == "concilia.setup_version")[0];
        tx.update("ir.config_parameter", note, |row| row.set("value", "2")).unwrap();
        assert!(manual::known(tx, "x_ventipay_event").is_none());
    });
    let done = setup(&admin, &request()).await.unwrap();
    assert!(
        done.to_string().contains(&format!("brought from version 2 to {SETUP_VERSION}")),
        "{done}"
    );
    assert!(
        done.to_string().contains("server action Concilia: book (version 3): unchanged"),
        "{done}"
    );
    assert!(setup(&admin, &request()).await.unwrap().is_unchanged());
}

#[tokio::test]
async fn a_removal_leaves_the_money_and_what_is_archived_is_revived() {
    for series in ALL {
        let (odoo, admin) = ready(series).await;
        odoo.add_order(&NewOrder::pesos(15_990, "1001").invoiced(Invoice::Posted));
        let (reference, before) = book_one(&odoo);
        let writes = odoo.counters().writes;
        let planned = remove(&admin, &request(), true).await.unwrap();
        assert_eq!(odoo.counters().writes, writes, "{series:?}: a plan wrote");
        let done = remove(&admin, &request(), false).await.unwrap();
        assert_eq!(said(&planned), said(&done), "{series:?}");
        assert_eq!(odoo.payments(), before, "{series:?}");
        odoo.look(|tx| {
            assert!(
                manual::named(tx, &reference).is_some(),
                "{series:?}: the payment lost its name"
            );
            assert!(manual::named(tx, "account_clearing_company_1").is_some());
            assert!(manual::known(tx, "x_ventipay_event").is_none());
            let left =
                ["ir.model.fields", "ir.model.access", "ir.rule", "ir.ui.view", "ir.ui.menu"];
            for model in left {
                assert_eq!(tx.rows(model).count(), 0, "{series:?}: {model}");
            }
            assert!(!tx.record("res.users", ours(tx, "user_bot")).unwrap().flag("active"));
            let provider = tx.record("payment.provider", ours(tx, "provider_company_1")).unwrap();
            assert_eq!(provider.text("state"), "disabled");
            let line =
                tx.record("account.payment.method.line", ours(tx, "method_line_in_company_1"));
            assert_eq!(line.unwrap().reference("journal_id"), None, "{series:?}: used, so kept");
        });
        let again = remove(&admin, &request(), false).await.unwrap();
        assert!(again.is_unchanged(), "{series:?}: {again}");

        let planned = plan(&admin, &request()).await.unwrap();
        let revived = setup(&admin, &request()).await.unwrap();
        assert_eq!(said(&planned), said(&revived), "{series:?}");
        assert!(check(&admin, &request()).await.unwrap().findings().is_empty(), "{series:?}");
        assert_eq!(odoo.look(|tx| tx.rows("payment.provider").count()), 1, "{series:?}");
    }
}

/// A payment as the action books it, without the action: a removal must not care who did it.
fn book_one(odoo: &SimOdoo) -> (String, Vec<concilia_tests::odoo::fixtures::PaymentRow>) {
    odoo.edit(|tx| {
        let line = ours(tx, "method_line_in_company_1");
        let payment = Record::default()
            .with("name", "PBNK1/2026/00001")
            .with("date", "2026-11-22")
            .with("state", "posted")
            .with("payment_method_line_id", Value::Ref(line))
            .with("currency_id", Value::Ref(seed::CLP));
        let payment = tx.insert("account.payment", payment).unwrap();
        let transaction = Record::default()
            .with("reference", "chk_1")
            .with("state", "done")
            .with("payment_id", Value::Ref(payment))
            .with("provider_id", Value::Ref(ours(tx, "provider_company_1")));
        let transaction = tx.insert("payment.transaction", transaction).unwrap();
        let name = Record::default()
            .with("module", "concilia")
            .with("name", "chk_1")
            .with("model", "payment.transaction")
            .with("res_id", Value::Int(transaction));
        tx.insert("ir.model.data", name).unwrap();
    });
    ("chk_1".to_owned(), odoo.payments())
}

#[tokio::test]
async fn what_another_company_works_with_is_not_removed() {
    let (odoo, admin) = ready(Series::V18).await;
    odoo.edit(|tx| seed::company(tx, 2, "Otra SpA"));
    let other = SetupRequest { company_id: 2, ..request() };
    setup(&admin, &other).await.unwrap();
    let done = remove(&admin, &request(), false).await.unwrap();
    assert!(done.to_string().contains("bot: kept: company 2 still works with them"), "{done}");
    let found = check(&admin, &other).await.unwrap().findings();
    // The payment method was archived with the first company's provider.
    assert!(found.iter().all(|one| one.contains("Payment method")), "{found:?}");
    setup(&admin, &other).await.unwrap();
    let last = remove(&admin, &other, false).await.unwrap();
    assert!(last.to_string().contains("group Concilia bot: deleted"), "{last}");
}

#[tokio::test]
async fn a_key_is_renewed_before_it_ends_and_the_old_one_goes() {
    for series in [Series::V18, Series::V19] {
        let (odoo, admin) = fresh(series).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bot.key");
        let at = |now: &str| SetupRequest {
            bot_key_file: Some(file.clone()),
            now: now.parse().unwrap(),
            ..request()
        };
        setup(&admin, &at(NOW)).await.unwrap();
        let first = std::fs::read_to_string(&file).unwrap();
        // 90 days on: 22 February.
        let early = check(&admin, &at("2027-02-08T11:00:00Z")).await.unwrap().findings();
        assert!(early.is_empty(), "{early:?}");
        let late = check(&admin, &at("2027-02-08T13:00:00Z")).await.unwrap().findings();
        assert!(late.len() == 1 && late[0].contains("ends on 2027-02-22"), "{late:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), first, "the check made a key");
        let done = setup(&admin, &at("2027-02-08T13:00:00Z")).await.unwrap();
        assert!(done.to_string().contains("replaced by one of 90 days"), "{done}");
        let second = std::fs::read_to_string(&file).unwrap();
        assert_ne!(first, second);
        let login = async |key: &str| {
            let bot =
                Rpc::new(endpoint(&odoo, Transport::Jsonrpc, "concilia", key.trim())).unwrap();
            bot.check_login().await.unwrap()
        };
        assert!(login(&second).await, "the new key does not work");
        assert!(!login(&first).await, "the old key still works");
    }
}

#[tokio::test]
async fn the_key_of_an_archived_bot_sleeps_with_it() {
    for series in ALL {
        let (odoo, admin) = fresh(series).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bot.key");
        let request = SetupRequest { bot_key_file: Some(file.clone()), ..request() };
        setup(&admin, &request).await.unwrap();
        let key = std::fs::read_to_string(&file).unwrap();
        odoo.edit(|tx| {
            let bot = ours(tx, "user_bot");
            tx.update("res.users", bot, |row| row.set("active", false)).unwrap();
        });
        let planned = plan(&admin, &request).await.unwrap();
        let done = setup(&admin, &request).await.unwrap();
        assert_eq!(said(&planned), said(&done), "{series:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), key, "{series:?}: a new key");
        // Removed, it is not there any more: the next set-up makes another.
        remove(&admin, &request, false).await.unwrap();
        let planned = plan(&admin, &request).await.unwrap();
        let done = setup(&admin, &request).await.unwrap();
        assert_eq!(said(&planned), said(&done), "{series:?}");
        assert_ne!(std::fs::read_to_string(&file).unwrap(), key, "{series:?}: the old key");
        assert!(check(&admin, &request).await.unwrap().findings().is_empty(), "{series:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_missing_or_refused_is_found() {
    let (odoo, admin) = fresh(Series::V19).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bot.key");
    let with_file = SetupRequest { bot_key_file: Some(file.clone()), ..request() };
    setup(&admin, &with_file).await.unwrap();
    let found = async || check(&admin, &with_file).await.unwrap().findings();
    assert!(found().await.is_empty());
    odoo.edit(|tx| {
        let bot = ours(tx, "user_bot");
        let keys = tx.ids_where("res.users.apikeys", |row| row.reference("user_id") == Some(bot));
        orm::unlink(tx, "res.users.apikeys", &keys).unwrap();
    });
    let refused = found().await;
    assert!(refused.len() == 1 && refused[0].contains("is refused by Odoo"), "{refused:?}");
    std::fs::remove_file(&file).unwrap();
    let missing = found().await;
    assert!(missing.len() == 1 && missing[0].contains("is missing"), "{missing:?}");
    let none = SetupRequest { bot_password: None, ..request() };
    let unset = check(&admin, &none).await.unwrap().findings();
    assert!(unset.len() == 1 && unset[0].contains("in the configuration is missing"), "{unset:?}");
}

#[tokio::test]
async fn own_records_are_written_under_a_name_and_shown_to_billing_and_managers() {
    for series in ALL {
        let (odoo, admin) = ready(series).await;
        let values = json!({"x_name": "dp_1", "x_state": "lost", "x_amount": 1190, "x_company_id": 1,
                            "x_currency_id": seed::CLP, "x_deadline": "2026-12-01 03:00:00"});
        let values = values.as_object().unwrap().clone();
        odoo.edit(|tx| {
            let first = manual::upsert(tx, "x_ventipay_dispute", "dispute-dp_1", &values).unwrap();
            let again = manual::upsert(tx, "x_ventipay_dispute", "dispute-dp_1", &values).unwrap();
            assert_eq!(first, again);
            assert_eq!(
                manual::named(tx, "dispute-dp_1"),
                Some(("x_ventipay_dispute".to_owned(), first))
            );
            let mut wrong = values.clone();
            wrong.insert("x_state".to_owned(), json!("gone"));
            assert!(
                orm::create(tx, "x_ventipay_dispute", &wrong).is_err(),
                "a value that is no choice"
            );
            let empty = json!({}).as_object().unwrap().clone();
            assert!(orm::create(tx, "x_ventipay_dispute", &empty).is_err(), "x_name is required");
        });
        let args = concilia_worker::odoo::transport::Args::none()
            .with("domain", json!([["x_state", "=", "lost"]]))
            .with("fields", json!(["x_name", "x_amount", "x_currency_id"]));
        let rows = admin.call("x_ventipay_dispute", "search_read", args.clone()).await.unwrap();
        assert_eq!(rows[0]["x_currency_id"], json!([seed::CLP, "CLP"]));
        assert_eq!(rows[0]["x_amount"], json!(1190.0));
        let bot =
            Rpc::new(endpoint(&odoo, Transport::Jsonrpc, "concilia", "a long random password"))
                .unwrap();
        let refused = bot.call("x_ventipay_dispute", "search_read", args).await;
        assert!(refused.is_err(), "{series:?}: the bot reads disputes by itself");
    }
}

#[tokio::test]
async fn odoo_refuses_what_it_was_seen_to_refuse_of_models_and_views() {
    for series in ALL {
        let (odoo, _) = ready(series).await;
        odoo.edit(|tx| {
            let mut refused = |model: &str, values: serde_json::Value| {
                let point = tx.savepoint();
                let outcome = orm::create(tx, model, values.as_object().unwrap());
                tx.rollback_to(point);
                outcome.map_err(|raise| raise.to_odoo().message).expect_err("it was accepted")
            };
            let view = |kind: &str, arch: &str| {
                json!({"name": "v", "model": "x_ventipay_event", "type": kind, "arch": arch})
            };
            let (list, other) = if series == Series::V17 { ("tree", "list") } else { ("list", "tree") };
            let said = refused("ir.ui.view", view(other, "<tree/>"));
            assert_eq!(said, format!("Wrong value for ir.ui.view.type: '{other}'"));
            let said = refused("ir.ui.view", view(list, "<form/>"));
            assert!(said.contains(&format!("The root node of a {list} view should be a <{list}>, not a <form>")));
            let said = refused("ir.ui.view", view("form", "<form><field name=\"x_nope\"/></form>"));
            assert!(said.ends_with("Field \"x_nope\" does not exist in model \"x_ventipay_event\""), "{said}");
            if series == Series::V19 {
                let search = "<search><group expand=\"0\" string=\"By\"/></search>";
                let said = refused("ir.ui.view", view("search", search));
                assert_eq!(said, "Invalid view v definition in False");
            }
            let said = refused("ir.model", json!({"name": "m", "model": "ventipay", "state": "manual"}));
            assert_eq!(said, "The model name must start with 'x_'.");
            let said = refused("ir.model", json!({"name": "m", "model": "x_ventipay_event", "state": "manual"}));
            assert_eq!(said, "The operation cannot be completed: Each model must have a unique name.");
            let model = ours(tx, "model_ventipay_event");
            let said = orm::unlink(tx, "ir.model", &[model]).unwrap_err().to_odoo().message;
            assert!(said.starts_with("Cannot rename/delete fields that are still present in views:"), "{said}");
        });
    }
}
