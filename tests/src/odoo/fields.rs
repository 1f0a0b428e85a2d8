//! Which models there are, and which fields they have: `fields.txt`, read.
//!
//! The table was recorded from real servers (`fields_get`), so that a field this simulator
//! accepts is one the series has. Not here: what a field's value does ([`super::models`]).

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A series of Odoo, by its major version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Series {
    /// 17.0
    V17,
    /// 18.0
    V18,
    /// 19.0
    V19,
}

impl Series {
    /// The major version.
    pub fn number(self) -> u8 {
        match self {
            Self::V17 => 17,
            Self::V18 => 18,
            Self::V19 => 19,
        }
    }

    /// The series of a major version.
    pub fn from_number(number: u64) -> Option<Self> {
        match number {
            17 => Some(Self::V17),
            18 => Some(Self::V18),
            19 => Some(Self::V19),
            _ => None,
        }
    }

    /// The field that holds a user's (and an action's) groups: renamed in 19.
    pub fn groups_field(self) -> &'static str {
        if self == Self::V19 { "group_ids" } else { "groups_id" }
    }

    /// The text field of a payment: renamed in 18.
    pub fn memo_field(self) -> &'static str {
        if self == Self::V17 { "ref" } else { "memo" }
    }
}

/// What a field may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `char`
    Char,
    /// `text`
    Text,
    /// `html`, `binary`, `date`, `datetime`: text to us
    Other(String),
    /// `selection`, with its keys
    Selection(Vec<String>),
    /// `boolean`
    Boolean,
    /// `integer`, `many2one_reference`
    Integer,
    /// `float`, `monetary`
    Amount,
    /// `many2one`, with its model
    Many2one(String),
    /// `many2many` or `one2many`, with its model
    Many(String),
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What it may hold.
    pub kind: Kind,
    /// Odoo's name of the type, as `fields_get` gives it.
    pub type_name: String,
    /// Whether a record without it cannot be stored.
    pub required: bool,
}

/// One model.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// What people call it: `Journal Entry`.
    pub label: String,
    /// Its fields by name; `id` and `display_name` go without saying.
    pub fields: BTreeMap<String, Field>,
}

/// All models of a series by name.
pub type Schema = BTreeMap<String, Model>;

/// The models of a series.
pub fn schema(series: Series) -> &'static Schema {
    static ALL: LazyLock<[Schema; 3]> =
        LazyLock::new(|| [Series::V17, Series::V18, Series::V19].map(read_table));
    match series {
        Series::V17 => &ALL[0],
        Series::V18 => &ALL[1],
        Series::V19 => &ALL[2],
    }
}

/// The side that stores a relation: the model and its field that lead back.
///
/// `None` for a relation that is stored where it stands.
pub fn stored_elsewhere(
    series: Series,
    model: &str,
    field: &str,
) -> Option<(&'static str, &'static str)> {
    Some(match (model, field) {
        ("sale.order", "transaction_ids") => ("payment.transaction", "sale_order_ids"),
        ("sale.order", "invoice_ids") => ("account.move", "sim_orders"),
        ("sale.order", "order_line") => ("sale.order.line", "order_id"),
        ("account.move", "transaction_ids") => ("payment.transaction", "invoice_ids"),
        ("account.move", "invoice_line_ids" | "line_ids") => ("account.move.line", "move_id"),
        ("account.move", "matched_payment_ids") => ("account.payment", "invoice_ids"),
        ("account.payment.term", "line_ids") => ("account.payment.term.line", "payment_id"),
        ("payment.provider", "payment_method_ids") => ("payment.method", "provider_ids"),
        ("res.groups", "users" | "user_ids" | "all_user_ids") => {
            ("res.users", series.groups_field())
        }
        ("ir.model", "field_id") => ("ir.model.fields", "model_id"),
        ("ir.model.fields", "selection_ids") => ("ir.model.fields.selection", "field_id"),
        ("ir.ui.menu", "child_id") => ("ir.ui.menu", "parent_id"),
        ("account.journal", "inbound_payment_method_line_ids") => {
            ("account.payment.method.line", "sim_inbound_journal")
        }
        ("account.journal", "outbound_payment_method_line_ids") => {
            ("account.payment.method.line", "sim_outbound_journal")
        }
        _ => return None,
    })
}

const TABLE: &str = include_str!("fields.txt");

fn read_table(series: Series) -> Schema {
    let mut schema = Schema::new();
    let mut model = String::new();
    for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((name, label)) = line.strip_prefix("= ").and_then(|rest| rest.split_once(", "))
        {
            name.clone_into(&mut model);
            label.clone_into(&mut schema.entry(model.clone()).or_default().label);
        } else if let Some((name, field)) = read_field(line, series) {
            schema.entry(model.clone()).or_default().fields.insert(name, field);
        }
    }
    // A model no field of which exists in the series is not there.
    schema.retain(|_, model| !model.fields.is_empty());
    schema
}

fn read_field(line: &str, series: Series) -> Option<(String, Field)> {
    let mut words = line.split(' ');
    let (name, type_word) = (words.next()?, words.next()?);
    let mut extra = "";
    for word in words {
        match word.strip_prefix('@') {
            Some(list) if !list.split(',').any(|one| one == series.number().to_string()) => {
                return None;
            }
            Some(_) => {}
            None => extra = word,
        }
    }
    let type_name = type_word.trim_end_matches('!');
    let kind = match type_name {
        "char" => Kind::Char,
        "text" => Kind::Text,
        "selection" => Kind::Selection(extra.split('|').map(|key| key.replace('+', " ")).collect()),
        "boolean" => Kind::Boolean,
        "integer" | "many2one_reference" => Kind::Integer,
        "float" | "monetary" => Kind::Amount,
        "many2one" => Kind::Many2one(extra.to_owned()),
        "many2many" | "one2many" => Kind::Many(extra.to_owned()),
        other => Kind::Other(other.to_owned()),
    };
    let field = Field { kind, type_name: type_name.to_owned(), required: type_word.ends_with('!') };
    Some((name.to_owned(), field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_as_the_series_names_them() {
        let has =
            |series, model: &str, field: &str| schema(series)[model].fields.contains_key(field);
        assert!(has(Series::V17, "account.payment", "ref"));
        assert!(!has(Series::V18, "account.payment", "ref"));
        assert!(has(Series::V19, "account.account", "company_ids"));
        assert!(has(Series::V18, "res.users", "groups_id"));
        assert!(!has(Series::V19, "res.users", "groups_id"));
        assert!(!schema(Series::V18).contains_key("res.groups.privilege"));
    }
}
