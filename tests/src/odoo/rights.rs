//! Who may do what: Settings may everything, an internal user may read a few models.
//!
//! Facts: `odoo-api-2.md` 1.1 and captures `8_access_error`, `2_80`, `10_03`. Record rules and
//! the many groups in between are not simulated.

use std::collections::BTreeSet;

use super::errors::{Outcome, Raise, names};
use super::fields::{Series, schema};
use super::manual;
use super::seed;
use super::value::{Id, Record};
use super::world::Tx;

/// What a caller wants of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// read, search
    Read,
    /// write, and methods that change
    Write,
    /// create
    Create,
    /// unlink
    Unlink,
}

impl Access {
    fn verb(self) -> &'static str {
        match self {
            Self::Read => "access",
            Self::Write => "modify",
            Self::Create => "create",
            Self::Unlink => "delete",
        }
    }
}

/// What every internal user may read.
const READABLE: [&str; 15] = [
    "res.users",
    "res.partner",
    "res.company",
    "res.currency",
    "res.groups",
    "res.country",
    "res.lang",
    "product.product",
    "product.template",
    "account.account",
    "account.tax",
    "l10n_latam.identification.type",
    "l10n_latam.document.type",
    "ir.actions.actions",
    // Its own only: see [`sees`].
    "payment.token",
];

/// Whether a record rule shows a record to the caller. The one rule there is: people who are no
/// administrators see the saved cards of their own partner (`odoo-api-2.md` 1.1).
pub fn sees(tx: &Tx<'_>, model: &str, id: Id) -> bool {
    if model != "payment.token" || groups(tx, tx.caller.uid).contains(&seed::GROUP_SYSTEM) {
        return true;
    }
    let own = tx.get("res.users", tx.caller.uid).and_then(|user| user.reference("partner_id"));
    let of = tx.get(model, id).and_then(|token| token.reference("partner_id"));
    own.is_some() && own == of
}

/// The groups of a user, with those they imply.
pub fn groups(tx: &Tx<'_>, uid: Id) -> BTreeSet<Id> {
    let own = tx
        .get("res.users", uid)
        .map_or(&[][..], |user| user.references(tx.series().groups_field()));
    let mut all = BTreeSet::new();
    let mut open = own.to_vec();
    while let Some(group) = open.pop() {
        if all.insert(group)
            && let Some(row) = tx.get("res.groups", group)
        {
            open.extend(row.references("implied_ids"));
        }
    }
    all
}

/// Refuses what the caller has no rights for.
pub fn check(tx: &Tx<'_>, model: &str, access: Access) -> Outcome<()> {
    let groups = groups(tx, tx.caller.uid);
    if manual::is_manual(tx, model) {
        return check_manual(tx, model, access, &groups);
    }
    let readable =
        access == Access::Read && READABLE.contains(&model) && groups.contains(&seed::GROUP_USER);
    if readable || groups.contains(&seed::GROUP_SYSTEM) {
        return Ok(());
    }
    // A transaction's creation first reads its provider (captures 2_80).
    Err(if model == "payment.transaction" && access == Access::Create {
        refusal(tx.series(), "payment.provider", Access::Read)
    } else {
        refusal(tx.series(), model, access)
    })
}

/// Of a model made through the API: what `ir.model.access` says, to administrators too. Record
/// rules are not simulated.
fn check_manual(tx: &Tx<'_>, model: &str, access: Access, groups: &BTreeSet<Id>) -> Outcome<()> {
    let found = tx.tables().find("ir.model", |row| row.text("model") == model);
    let (id, label) = found.map_or((0, model), |(id, row)| (id, row.text("name")));
    let right = match access {
        Access::Read => "perm_read",
        Access::Write => "perm_write",
        Access::Create => "perm_create",
        Access::Unlink => "perm_unlink",
    };
    let grants = |row: &Record| {
        row.reference("model_id") == Some(id) && row.flag("active") && row.flag(right)
    };
    let granted: Vec<Option<Id>> = tx
        .rows("ir.model.access")
        .filter(|(_, row)| grants(row))
        .map(|(_, row)| row.reference("group_id"))
        .collect();
    if granted.iter().any(|group| group.is_none_or(|group| groups.contains(&group))) {
        return Ok(());
    }
    let titles: Vec<String> = granted
        .iter()
        .flatten()
        .filter_map(|group| Some(tx.get("res.groups", *group)?.text("name").to_owned()))
        .collect();
    let allowed = if titles.is_empty() {
        "No group currently allows this operation.\n".to_owned()
    } else {
        let list = titles.iter().fold(String::new(), |list, name| format!("{list}\t- {name}\n"));
        format!("This operation is allowed for the following groups:\n{list}")
    };
    Err(Raise::odoo(
        names::ACCESS,
        format!(
            "You are not allowed to {} '{label}' ({model}) records.\n\n{allowed}\n\
             Contact your administrator to request access if necessary.",
            access.verb()
        ),
    ))
}

fn refusal(series: Series, model: &str, access: Access) -> Raise {
    let label = schema(series).get(model).map_or(model, |known| known.label.as_str());
    let settings =
        if series == Series::V19 { "Role / Administrator" } else { "Administration/Settings" };
    let allowed: &[&str] = match (model, series) {
        ("account.move", Series::V17) => &[
            "Invoicing/Billing",
            "Invoicing/Billing Administrator",
            "Sales/User: Own Documents Only",
            "Technical/Show Accounting Features - Readonly",
            "User types/Portal",
        ],
        ("account.move", Series::V18) => &[
            "Invoicing/Administrator",
            "Invoicing/Invoicing",
            "Sales/User: Own Documents Only",
            "Technical/Show Accounting Features - Readonly",
            "User types/Portal",
        ],
        ("account.move", Series::V19) => &[
            "Accounting/Administrator",
            "Accounting/Invoicing",
            "Sales/User: Own Documents Only",
            "Role / Portal",
            "Show Accounting Features - Readonly",
        ],
        _ => &[settings],
    };
    let list = allowed.iter().fold(String::new(), |list, group| format!("{list}\t- {group}\n"));
    let verb = access.verb();
    Raise::odoo(
        names::ACCESS,
        format!(
            "You are not allowed to {verb} '{label}' ({model}) records.\n\n\
             This operation is allowed for the following groups:\n{list}\n\
             Contact your administrator to request access if necessary."
        ),
    )
}

/// Whether the caller may run a server action: one of its groups, or, for an action without
/// groups, the right to write its model (19: nothing at all; `odoo-api-2.md` 1.1).
pub fn may_run(tx: &Tx<'_>, action: &Record) -> Outcome<()> {
    let wanted = action.references(tx.series().groups_field());
    let own = groups(tx, tx.caller.uid);
    if wanted.is_empty() {
        return match tx.series() {
            Series::V19 => Ok(()),
            _ => check(tx, action.text("model_name"), Access::Write),
        };
    }
    if wanted.iter().any(|group| own.contains(group)) {
        return Ok(());
    }
    Err(Raise::odoo(names::ACCESS, "You don't have enough access rights to run this action."))
}
