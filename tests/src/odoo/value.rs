//! What a field of a record may hold, and amounts.
//!
//! An amount is an integer of ten-thousandths: enough for every currency Odoo has here (CLF
//! has 4 decimals), and exact. It becomes a JSON number, which Odoo writes as a float, only
//! on its way out ([`Amount::to_json`]). Not here: which field holds what ([`super::fields`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value as Json};

/// An id of a record. Odoo counts them per model, from 1.
pub type Id = i64;

/// What a field holds. A field that holds nothing (Odoo's `false`) is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A boolean; `false` is kept, it may differ from the default.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// Text, a selection's key, a date, a datetime.
    Text(String),
    /// A float or monetary field.
    Amount(Amount),
    /// Many2one.
    Ref(Id),
    /// Many2many, on the side that stores it.
    Refs(Vec<Id>),
}

/// An amount in ten-thousandths of a unit of whatever currency its record names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(pub i64);

const SCALE: i64 = 10_000;
const PLACES: usize = 4;

impl Amount {
    /// Whole units: `Amount::whole(15990)` is 15,990 pesos.
    pub fn whole(units: i64) -> Self {
        Self(units.saturating_mul(SCALE))
    }

    /// Reads decimal text; digits beyond the fourth are rounded half up, as Odoo rounds.
    /// `None` when it is no plain decimal number or does not fit.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !numeric(whole) || !numeric(fraction) {
            return None;
        }
        let kept: String = fraction.chars().chain("0000".chars()).take(PLACES).collect();
        let units: i64 = format!("{whole}{kept}").parse().ok()?;
        let up = fraction.as_bytes().get(PLACES).is_some_and(|byte| *byte >= b'5');
        let units = units.checked_add(i64::from(up))?;
        Some(Self(if negative { -units } else { units }))
    }

    /// Reads a JSON number (or decimal text).
    pub fn from_json(value: &Json) -> Option<Self> {
        match value {
            Json::Number(number) => Self::parse(&number.to_string()),
            Json::String(text) => Self::parse(text),
            _ => None,
        }
    }

    /// The amount as Odoo's `'%.*f' % (decimals, amount)` writes it.
    pub fn text(self, decimals: usize) -> String {
        let rounded = self.rounded(decimals).0;
        let sign = if rounded < 0 { "-" } else { "" };
        let digits = format!("{:0>5}", rounded.unsigned_abs());
        let (whole, fraction) = digits.split_at(digits.len() - PLACES);
        let fraction = &fraction[..decimals.min(PLACES)];
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{fraction}")
    }

    /// The JSON number Odoo writes: always a float, `15990.0`.
    pub fn to_json(self) -> Json {
        let float = self.text(PLACES).parse::<f64>().ok();
        float.and_then(Number::from_f64).map_or(Json::Null, Json::Number)
    }

    /// Rounded half up, away from zero, to so many decimals, as Odoo stores money.
    #[must_use]
    pub fn rounded(self, decimals: usize) -> Self {
        let step = 10_i64.pow(u32::try_from(PLACES.saturating_sub(decimals)).unwrap_or(0));
        let half = step / 2;
        let up = (self.0.abs() + half) / step * step;
        Self(if self.0 < 0 { -up } else { up })
    }

    /// This times another, rounded half up at the fourth decimal (quantity × price).
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        let product = i128::from(self.0) * i128::from(other.0);
        let scale = i128::from(SCALE);
        let half = if product < 0 { -scale / 2 } else { scale / 2 };
        Self(i64::try_from((product + half) / scale).unwrap_or(i64::MAX))
    }

    /// So many per cent of it.
    #[must_use]
    pub fn percent(self, percent: Self) -> Self {
        Self(self.times(percent).0 / 100)
    }

    /// Its share `part` of `whole`, cut at the fourth decimal; nothing of nothing.
    #[must_use]
    pub fn share(self, part: Self, whole: Self) -> Self {
        let product = i128::from(self.0) * i128::from(part.0);
        let share = product.checked_div(i128::from(whole.0)).unwrap_or(0);
        Self(i64::try_from(share).unwrap_or(i64::MAX))
    }

    /// Whether it is more than nothing.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }
}

impl std::ops::Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self(0), |sum, amount| sum + amount)
    }
}

/// One record: field name to what it holds. Names that begin with `sim_` are the simulator's
/// own and are never shown by RPC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Record {
    fields: BTreeMap<String, Value>,
}

impl Record {
    /// What the field holds; `None` is Odoo's `false`.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }

    /// Whether the field was ever given a value.
    pub fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Text of the field, empty when it holds none.
    pub fn text(&self, field: &str) -> &str {
        match self.fields.get(field) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// The boolean, `false` when it holds none.
    pub fn flag(&self, field: &str) -> bool {
        matches!(self.fields.get(field), Some(Value::Bool(true)))
    }

    /// The integer, 0 when it holds none.
    pub fn int(&self, field: &str) -> i64 {
        match self.fields.get(field) {
            Some(Value::Int(number)) => *number,
            _ => 0,
        }
    }

    /// The amount, 0 when it holds none.
    pub fn amount(&self, field: &str) -> Amount {
        match self.fields.get(field) {
            Some(Value::Amount(amount)) => *amount,
            _ => Amount(0),
        }
    }

    /// The record a many2one leads to.
    pub fn reference(&self, field: &str) -> Option<Id> {
        match self.fields.get(field) {
            Some(Value::Ref(id)) => Some(*id),
            _ => None,
        }
    }

    /// The records a stored many2many leads to.
    pub fn references(&self, field: &str) -> &[Id] {
        match self.fields.get(field) {
            Some(Value::Refs(ids)) => ids,
            _ => &[],
        }
    }

    /// Whether a many2one or many2many leads to the record.
    pub fn leads_to(&self, field: &str, id: Id) -> bool {
        self.reference(field) == Some(id) || self.references(field).contains(&id)
    }

    /// Puts a value into a field.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// Puts a value into a field that was never given one.
    pub fn fill(&mut self, field: &str, value: impl Into<Value>) {
        if !self.has(field) {
            self.set(field, value);
        }
    }

    /// Empties a field: Odoo's `false`.
    pub fn clear(&mut self, field: &str) {
        self.fields.remove(field);
    }

    /// The same record with one more value, for writing records down in one expression.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.set(field, value);
        self
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Amount> for Value {
    fn from(amount: Amount) -> Self {
        Self::Amount(amount)
    }
}

impl From<Vec<Id>> for Value {
    fn from(ids: Vec<Id>) -> Self {
        Self::Refs(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_the_decimals_of_their_currency() {
        let text = |amount: &str, decimals| Amount::parse(amount).unwrap().text(decimals);
        assert_eq!(text("15990", 0), "15990");
        assert_eq!(text("2.5", 2), "2.50");
        assert_eq!(text("0.015", 2), "0.02");
        assert_eq!(text("2.5", 0), "3");
        assert_eq!(text("-1.5", 4), "-1.5000");
        assert_eq!(text("0.05", 2), "0.05");
        assert_eq!(Amount::parse("1e3"), None);
    }

    #[test]
    fn amounts_leave_as_the_floats_odoo_writes() {
        assert_eq!(Amount::whole(15_990).to_json().to_string(), "15990.0");
        assert_eq!(Amount::parse("2.5").unwrap().to_json().to_string(), "2.5");
    }

    #[test]
    fn a_tax_is_a_percentage() {
        let tax = Amount::whole(10_000).percent(Amount::whole(19));
        assert_eq!(tax, Amount::whole(1_900));
    }
}
