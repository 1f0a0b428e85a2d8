//! Everything that may go wrong with a set-up, one thing at a time: `odoo check` must name it,
//! and `odoo setup` must put right what is ours.

use concilia_tests::odoo::value::{Record, Value};
use concilia_tests::odoo::world::Tx;
use concilia_tests::odoo::{Series, orm, seed};
use concilia_worker::odoo::actions;
use concilia_worker::odoo::setup::{check, plan, setup};

use super::setup::{gone, ours, ready, request, said};

/// Spoils one thing; the words that `odoo check` must say about it; whether the set-up repairs it.
type Drift = (&'static str, fn(&mut Tx<'_>), &'static str, bool);

fn set(tx: &mut Tx<'_>, model: &str, name: &str, field: &str, value: impl Into<Value>) {
    let (id, value) = (ours(tx, name), value.into());
    tx.update(model, id, |row| row.set(field, value)).unwrap();
}

fn clear(tx: &mut Tx<'_>, model: &str, name: &str, field: &str) {
    let id = ours(tx, name);
    tx.update(model, id, |row| row.clear(field)).unwrap();
}

fn field_of(tx: &Tx<'_>, field: &str) -> i64 {
    let is_it = |row: &Record| row.text("model") == "x_ventipay_event" && row.text("name") == field;
    tx.tables().find("ir.model.fields", is_it).unwrap().0
}

fn join(tx: &mut Tx<'_>, user: i64, group: i64) {
    let field = tx.series().groups_field();
    tx.update("res.users", user, |row| {
        let mut groups = row.references(field).to_vec();
        groups.push(group);
        row.set(field, groups);
    })
    .unwrap();
}

const DRIFTS: &[Drift] = &[
    (
        "edited action",
        |tx| set(tx, "ir.actions.server", "action_book", "code", "action = {}"),
        "Server action Concilia: book (version 3) holds a text of another version, or one edited by hand.",
        true,
    ),
    (
        "action gone",
        |tx| gone(tx, "ir.actions.server", "action_observe"),
        "Server action Concilia: observe (version 3) is missing.",
        true,
    ),
    (
        "open action",
        |tx| {
            let field = tx.series().groups_field();
            clear(tx, "ir.actions.server", "action_book", field);
        },
        "is open to others than the bot's group",
        true,
    ),
    (
        "unbound action",
        |tx| clear(tx, "ir.actions.server", "action_book", "binding_model_id"),
        "is not bound to its model",
        true,
    ),
    (
        "group gone",
        |tx| gone(tx, "res.groups", "group_bot"),
        "Group Concilia bot is missing.",
        true,
    ),
    (
        "a person in the group",
        |tx| {
            let group = ours(tx, "group_bot");
            join(tx, seed::ADMIN, group);
        },
        "has admin in it too",
        true,
    ),
    (
        "a group that implies it",
        |tx| {
            let (group, manager) = (ours(tx, "group_bot"), seed::group_manager(tx.series()));
            let billing = seed::group_billing(tx.series());
            tx.update("res.groups", manager, |row| row.set("implied_ids", vec![billing, group]))
                .unwrap();
        },
        "is part of the group",
        true,
    ),
    (
        "bot archived",
        |tx| set(tx, "res.users", "user_bot", "active", false),
        "Bot concilia is archived",
        true,
    ),
    (
        "bot without address",
        |tx| clear(tx, "res.users", "user_bot", "email"),
        "has no e-mail address",
        true,
    ),
    (
        "bot out of the group",
        |tx| {
            let field = tx.series().groups_field();
            set(tx, "res.users", "user_bot", field, vec![seed::GROUP_USER]);
        },
        "Bot concilia is not in the group",
        true,
    ),
    (
        "bot with more groups",
        |tx| {
            let bot = ours(tx, "user_bot");
            join(tx, bot, seed::group_billing(tx.series()));
        },
        "has more groups than it needs",
        false,
    ),
    (
        "method archived",
        |tx| set(tx, "payment.method", "method_ventipay", "active", false),
        "Payment method Ventipay is archived.",
        true,
    ),
    (
        "method of no provider",
        |tx| set(tx, "payment.method", "method_ventipay", "provider_ids", Vec::new()),
        "is not offered by this company's provider",
        true,
    ),
    (
        "provider live",
        |tx| set(tx, "payment.provider", "provider_company_1", "state", "enabled"),
        "Payment provider Ventipay (test) is enabled in Odoo.",
        true,
    ),
    (
        "provider of another company",
        |tx| set(tx, "payment.provider", "provider_company_1", "company_id", Value::Ref(9)),
        "belongs to another company",
        false,
    ),
    (
        "cron off",
        |tx| tx.update("ir.cron", seed::CRON, |row| row.set("active", false)).unwrap(),
        "Scheduled action that post-processes payments is switched off.",
        false,
    ),
    (
        "line gone",
        |tx| {
            let id = ours(tx, "method_line_out_company_1");
            tx.delete("account.payment.method.line", id).unwrap();
        },
        "Outbound payment method line on journal BNK1 is missing.",
        true,
    ),
    (
        "line without account",
        |tx| {
            clear(
                tx,
                "account.payment.method.line",
                "method_line_in_company_1",
                "payment_account_id",
            );
        },
        "Inbound payment method line on journal BNK1 has no account.",
        true,
    ),
    (
        "line without journal",
        |tx| clear(tx, "account.payment.method.line", "method_line_in_company_1", "journal_id"),
        "is on no journal",
        true,
    ),
    (
        "line without provider",
        |tx| {
            clear(
                tx,
                "account.payment.method.line",
                "method_line_in_company_1",
                "payment_provider_id",
            );
        },
        "has lost its provider",
        true,
    ),
    (
        "account not reconcilable",
        |tx| set(tx, "account.account", "account_clearing_company_1", "reconcile", false),
        "cannot be reconciled",
        true,
    ),
    (
        "account in dollars",
        |tx| set(tx, "account.account", "account_clearing_company_1", "currency_id", Value::Ref(1)),
        "Account 110490 is in another currency than the company.",
        false,
    ),
    (
        "account archived",
        |tx| {
            let (field, value) =
                if tx.series() == Series::V19 { ("active", false) } else { ("deprecated", true) };
            set(tx, "account.account", "account_clearing_company_1", field, value);
        },
        "Account 110490 is archived.",
        false,
    ),
    (
        "journal in dollars",
        |tx| {
            tx.update("account.journal", seed::BANK, |row| row.set("currency_id", Value::Ref(1)))
                .unwrap();
        },
        "Journal BNK1 is in another currency than the company.",
        false,
    ),
    (
        "line on a journal of another company",
        |tx| {
            seed::company(tx, 2, "Otra SpA");
            set(
                tx,
                "account.payment.method.line",
                "method_line_in_company_1",
                "journal_id",
                Value::Ref(200 + seed::BANK),
            );
        },
        "Journal BNK1 is of another company.",
        false,
    ),
    (
        "model gone",
        |tx| {
            for kind in ["list", "form", "search"] {
                gone(tx, "ir.ui.view", &format!("view_ventipay_subscription_{kind}"));
            }
            gone(tx, "ir.model", "model_ventipay_subscription");
        },
        "Model x_ventipay_subscription (Subscriptions) is missing.",
        true,
    ),
    (
        "field gone",
        |tx| {
            let (form, list) =
                (ours(tx, "view_ventipay_event_form"), ours(tx, "view_ventipay_event_list"));
            for view in [form, list] {
                tx.update("ir.ui.view", view, |row| row.set("arch", "<x/>")).unwrap();
            }
            let field = field_of(tx, "x_mode");
            orm::unlink(tx, "ir.model.fields", &[field]).unwrap();
        },
        "Model x_ventipay_event (Events) lacks the field x_mode.",
        true,
    ),
    (
        "field renamed",
        |tx| {
            let id = field_of(tx, "x_status");
            tx.update("ir.model.fields", id, |row| row.set("field_description", "Situation"))
                .unwrap();
        },
        "has a changed field x_status (label)",
        true,
    ),
    (
        "choice renamed",
        |tx| {
            let field = field_of(tx, "x_status");
            let choice = tx.ids_where("ir.model.fields.selection", |row| {
                row.reference("field_id") == Some(field)
            })[3];
            tx.update("ir.model.fields.selection", choice, |row| row.set("name", "Stuck")).unwrap();
        },
        "has a changed field x_status (choices)",
        true,
    ),
    (
        "choice gone",
        |tx| {
            let field = field_of(tx, "x_status");
            let choice = tx.ids_where("ir.model.fields.selection", |row| {
                row.reference("field_id") == Some(field)
            })[3];
            orm::unlink(tx, "ir.model.fields.selection", &[choice]).unwrap();
        },
        "has a changed field x_status (choices)",
        true,
    ),
    (
        "field of another type",
        |tx| {
            let id = field_of(tx, "x_status");
            tx.update("ir.model.fields", id, |row| row.set("ttype", "char")).unwrap();
        },
        "The field x_status of x_ventipay_event is of another type in Odoo",
        false,
    ),
    (
        "Spanish overwritten",
        |tx| {
            let id = field_of(tx, "x_status");
            tx.update("ir.model.fields", id, |row| row.set("field_description@es_CL", "Status"))
                .unwrap();
        },
        "Model x_ventipay_event (Events) lacks Spanish labels.",
        true,
    ),
    (
        "view edited",
        |tx| {
            set(
                tx,
                "ir.ui.view",
                "view_ventipay_dispute_form",
                "arch",
                "<form><field name=\"x_name\"/></form>",
            );
        },
        "Menu Ventipay, Disputes, with its views has another text in its form.",
        true,
    ),
    (
        "view gone",
        |tx| gone(tx, "ir.ui.view", "view_ventipay_dispute_list"),
        "lacks its list",
        true,
    ),
    (
        "view archived",
        |tx| set(tx, "ir.ui.view", "view_ventipay_dispute_list", "active", false),
        "has its list archived",
        true,
    ),
    (
        "menu moved",
        |tx| clear(tx, "ir.ui.menu", "menu_ventipay_event", "parent_id"),
        "has another place in its menu entry",
        true,
    ),
    (
        "root menu gone",
        |tx| gone(tx, "ir.ui.menu", "menu_ventipay"),
        "Menu Ventipay is missing.",
        true,
    ),
    (
        "window gone",
        |tx| gone(tx, "ir.actions.act_window", "action_ventipay_event"),
        "lacks its window",
        true,
    ),
    (
        "right widened",
        |tx| set(tx, "ir.model.access", "access_ventipay_event_billing", "perm_unlink", true),
        "Access to x_ventipay_event has another permission in its right of billing.",
        true,
    ),
    (
        "right gone",
        |tx| gone(tx, "ir.model.access", "access_ventipay_event_manager"),
        "lacks its right of managers",
        true,
    ),
    (
        "rule off",
        |tx| set(tx, "ir.rule", "rule_ventipay_event_company", "active", false),
        "has its company rule archived",
        true,
    ),
    (
        "older version",
        |tx| {
            let note = tx.ids_where("ir.config_parameter", |row| {
                row.text("key") == "concilia.setup_version"
            })[0];
            tx.update("ir.config_parameter", note, |row| row.set("value", "2")).unwrap();
        },
        "is of version 2",
        true,
    ),
    (
        "bot's password changed",
        |tx| set(tx, "res.users", "user_bot", "sim_password", "another"),
        "API key of concilia in the configuration is refused by Odoo.",
        false,
    ),
];

#[tokio::test]
async fn check_finds_each_drift_of_17_and_setup_repairs_what_is_ours() {
    each_drift(Series::V17).await;
}

#[tokio::test]
async fn check_finds_each_drift_of_18_and_setup_repairs_what_is_ours() {
    each_drift(Series::V18).await;
}

#[tokio::test]
async fn check_finds_each_drift_of_19_and_setup_repairs_what_is_ours() {
    each_drift(Series::V19).await;
}

async fn each_drift(series: Series) {
    let (mut odoo, mut admin) = ready(series).await;
    for (what, spoil, words, repaired) in DRIFTS {
        odoo.edit(spoil);
        let before = odoo.counters().writes;
        let found = check(&admin, &request()).await.unwrap().findings();
        assert_eq!(odoo.counters().writes, before, "{series:?}, {what}: the check wrote");
        let hit = found.iter().any(|one| one.contains(words));
        assert!(hit, "{series:?}, {what}: {found:#?}");
        // One cause, one finding; but what hangs on a menu or a group that is gone is told too.
        assert!(found.len() <= 2 + actions::ALL.len(), "{series:?}, {what}: {found:#?}");
        if *repaired {
            let planned = plan(&admin, &request()).await.unwrap();
            let done = setup(&admin, &request()).await.unwrap();
            assert_eq!(said(&planned), said(&done), "{series:?}, {what}");
            assert!(!done.is_unchanged(), "{series:?}, {what}: {done}");
            let left = check(&admin, &request()).await.unwrap().findings();
            assert!(left.is_empty(), "{series:?}, {what}: {left:#?}");
        } else {
            (odoo, admin) = ready(series).await;
        }
    }
}
