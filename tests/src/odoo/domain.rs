//! Search domains: `["|", ["name", "=", "S00042"], ["partner_id.name", "ilike", "ann"]]`.
//!
//! Read once against the schema (an unknown field is refused in Odoo's words), then asked of
//! each record. Only the operators Odoo's own clients and ours use. Sorting and paging are in
//! [`super::orm`].

use serde_json::Value as Json;

use super::errors::{Outcome, Raise, python_repr};
use super::fields::Kind;
use super::orm;
use super::value::{Amount, Id, Value};
use super::world::Tx;

/// A domain that was read.
#[derive(Debug, Clone)]
pub(super) enum Domain {
    /// Everything.
    All,
    /// Both.
    And(Box<Domain>, Box<Domain>),
    /// Either.
    Or(Box<Domain>, Box<Domain>),
    /// Not.
    Not(Box<Domain>),
    /// `[field, operator, value]`.
    Leaf {
        /// The field, perhaps of a related record: `partner_id.name`.
        path: Vec<String>,
        /// The operator.
        operator: String,
        /// What to compare with.
        value: Json,
    },
}

impl Domain {
    /// Reads a domain for a model.
    pub(super) fn read(tx: &Tx<'_>, model: &str, json: &Json) -> Outcome<Self> {
        let Json::Array(items) = json else {
            return Ok(Self::All);
        };
        let mut rest = items.iter();
        let mut whole = Self::All;
        while rest.len() > 0 {
            let next = read_term(tx, model, &mut rest)?;
            whole = match whole {
                Self::All => next,
                before => Self::And(Box::new(before), Box::new(next)),
            };
        }
        Ok(whole)
    }

    /// Whether it speaks of a field, at its top or anywhere below.
    pub(super) fn names(&self, field: &str) -> bool {
        match self {
            Self::All => false,
            Self::And(left, right) | Self::Or(left, right) => {
                left.names(field) || right.names(field)
            }
            Self::Not(inner) => inner.names(field),
            Self::Leaf { path, .. } => path.first().is_some_and(|first| first == field),
        }
    }

    /// Whether a record is in it.
    pub(super) fn holds(&self, tx: &Tx<'_>, model: &str, id: Id) -> bool {
        match self {
            Self::All => true,
            Self::And(left, right) => left.holds(tx, model, id) && right.holds(tx, model, id),
            Self::Or(left, right) => left.holds(tx, model, id) || right.holds(tx, model, id),
            Self::Not(inner) => !inner.holds(tx, model, id),
            Self::Leaf { path, operator, value } => {
                leaf_holds(tx, model, id, path, operator, value)
            }
        }
    }
}

fn read_term(tx: &Tx<'_>, model: &str, rest: &mut std::slice::Iter<'_, Json>) -> Outcome<Domain> {
    match rest.next() {
        Some(Json::String(word)) if word == "!" => {
            Ok(Domain::Not(Box::new(read_term(tx, model, rest)?)))
        }
        Some(Json::String(word)) if word == "&" || word == "|" => {
            let left = Box::new(read_term(tx, model, rest)?);
            let right = Box::new(read_term(tx, model, rest)?);
            Ok(if word == "&" { Domain::And(left, right) } else { Domain::Or(left, right) })
        }
        Some(Json::Array(leaf)) => read_leaf(tx, model, leaf),
        other => Err(invalid_item(other.unwrap_or(&Json::Null))),
    }
}

fn invalid_item(item: &Json) -> Raise {
    Raise::value(format!("Domain() invalid item in domain: {}", python(item)))
}

fn read_leaf(tx: &Tx<'_>, model: &str, leaf: &[Json]) -> Outcome<Domain> {
    let [Json::String(path), Json::String(operator), value] = leaf else {
        return Err(invalid_item(&Json::Array(leaf.to_vec())));
    };
    let names: Vec<String> = path.split('.').map(str::to_owned).collect();
    let mut place = model.to_owned();
    for name in &names {
        let leads_to = match orm::field(tx, &place, name) {
            Some(field) => field.kind.clone(),
            None if name == "id" || name == "display_name" => Kind::Integer,
            None => {
                let leaf = format!("('{path}', '{operator}', {})", python(value));
                return Err(Raise::unknown_field_domain(tx.series(), &place, name, &leaf));
            }
        };
        if let Kind::Many2one(other) | Kind::Many(other) = leads_to {
            place = other;
        }
    }
    Ok(Domain::Leaf { path: names, operator: operator.clone(), value: value.clone() })
}

/// A value as Python writes it, for the texts of errors.
fn python(value: &Json) -> String {
    match value {
        Json::String(text) => python_repr(text),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Null => "None".to_owned(),
        Json::Array(items) => {
            format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn leaf_holds(
    tx: &Tx<'_>,
    model: &str,
    id: Id,
    path: &[String],
    operator: &str,
    value: &Json,
) -> bool {
    let Some((name, further)) = path.split_first() else {
        return false;
    };
    if !further.is_empty() {
        let Some(Kind::Many2one(other) | Kind::Many(other)) =
            orm::field(tx, model, name).map(|field| &field.kind)
        else {
            return false;
        };
        let led = orm::related(tx, model, id, name);
        return led.into_iter().any(|one| leaf_holds(tx, other, one, further, operator, value));
    }
    if name == "id" {
        return compare_ids(&[id], operator, value, |_| String::new());
    }
    if name == "display_name" {
        return compare_text(&orm::display_name(tx, model, id), operator, value);
    }
    let Some(field) = orm::field(tx, model, name) else {
        return false;
    };
    match &field.kind {
        Kind::Many2one(other) | Kind::Many(other) => {
            let led = orm::related(tx, model, id, name);
            compare_ids(&led, operator, value, |one| orm::display_name(tx, other, one))
        }
        _ => compare_value(orm::value(tx, model, id, name).as_ref(), operator, value),
    }
}

fn compare_ids(led: &[Id], operator: &str, value: &Json, name: impl Fn(Id) -> String) -> bool {
    let matches = |one: &Json| match one {
        Json::Number(number) => number.as_i64().is_some_and(|id| led.contains(&id)),
        Json::String(text) => led.iter().any(|id| name(*id) == *text),
        _ => led.is_empty(),
    };
    match (operator, value) {
        ("in", Json::Array(list)) => list.iter().any(matches),
        ("not in", Json::Array(list)) => !list.iter().any(matches),
        ("=" | "in", one) => matches(one),
        ("!=" | "not in", one) => !matches(one),
        ("ilike" | "like", Json::String(_)) => {
            led.iter().any(|id| compare_text(&name(*id), operator, value))
        }
        (">" | "<" | ">=" | "<=", Json::Number(number)) => led
            .iter()
            .any(|id| number.as_i64().is_some_and(|other| ordered(id.cmp(&other), operator))),
        _ => false,
    }
}

fn ordered(order: std::cmp::Ordering, operator: &str) -> bool {
    match operator {
        "=" => order.is_eq(),
        "!=" => order.is_ne(),
        ">" => order.is_gt(),
        "<" => order.is_lt(),
        ">=" => order.is_ge(),
        "<=" => order.is_le(),
        _ => false,
    }
}

fn compare_value(held: Option<&Value>, operator: &str, value: &Json) -> bool {
    let equals = |one: &Json| match (held, one) {
        (Some(Value::Bool(flag)), Json::Bool(other)) => flag == other,
        (None, Json::Bool(false) | Json::Null) => true,
        (Some(Value::Text(text)), Json::String(other)) => text == other,
        (Some(Value::Text(text)), Json::Bool(false)) => text.is_empty(),
        (Some(Value::Int(number)), one) => one.as_i64() == Some(*number),
        (Some(Value::Amount(amount)), one) => Amount::from_json(one) == Some(*amount),
        (None, Json::Number(number)) => number.as_i64() == Some(0),
        _ => false,
    };
    match (operator, value) {
        ("=", one) => equals(one),
        ("!=", one) => !equals(one),
        ("in", Json::Array(list)) => list.iter().any(equals),
        ("not in", Json::Array(list)) => !list.iter().any(equals),
        _ => match held {
            Some(Value::Text(text)) => compare_text(text, operator, value),
            Some(Value::Int(number)) => {
                value.as_i64().is_some_and(|other| ordered(number.cmp(&other), operator))
            }
            Some(Value::Amount(amount)) => {
                Amount::from_json(value).is_some_and(|other| ordered(amount.cmp(&other), operator))
            }
            _ => false,
        },
    }
}

fn compare_text(text: &str, operator: &str, value: &Json) -> bool {
    let Json::String(other) = value else {
        return false;
    };
    let (low, other_low) = (text.to_lowercase(), other.to_lowercase());
    match operator {
        "like" => text.contains(other.as_str()),
        "ilike" => low.contains(&other_low),
        "not ilike" => !low.contains(&other_low),
        "=like" => pattern_fits(text, other),
        "=ilike" => pattern_fits(&low, &other_low),
        operator => ordered(text.cmp(other.as_str()), operator),
    }
}

/// SQL's LIKE: `%` any letters, `_` one.
fn pattern_fits(text: &str, pattern: &str) -> bool {
    let mut letters = pattern.chars();
    match letters.next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = letters.as_str();
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| pattern_fits(&text[at..], rest))
        }
        Some(letter) => {
            let mut own = text.chars();
            let first = own.next();
            first.is_some_and(|found| letter == '_' || found == letter)
                && pattern_fits(own.as_str(), letters.as_str())
        }
    }
}
