//! Money: an integer of minor units and a currency. Never a float.
//!
//! The factors are Ventipay's (`ventipay-api.md` section 7): CLP ×1, CLF ×10,000, USD and
//! EUR ×100. Amounts cross to Odoo as decimal text ("15990", "2.5000"), which both sides
//! convert and check; see [`Money::to_decimal`] and [`Money::from_decimal`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// A currency whose factor is known. Anything else is refused, never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Chilean peso: no decimals.
    Clp,
    /// Unidad de Fomento: 4 decimals.
    Clf,
    /// United States dollar: 2 decimals.
    Usd,
    /// Euro: 2 decimals.
    Eur,
}

impl Currency {
    /// Reads a code in any case (`ventipay-api.md` section 2, default 16).
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Clp, Self::Clf, Self::Usd, Self::Eur]
            .into_iter()
            .find(|currency| currency.code().eq_ignore_ascii_case(code))
    }

    /// ISO 4217 code, upper case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Clp => "CLP",
            Self::Clf => "CLF",
            Self::Usd => "USD",
            Self::Eur => "EUR",
        }
    }

    /// Decimals of the minor unit: the factor is ten to this power.
    pub fn decimals(self) -> u32 {
        match self {
            Self::Clp => 0,
            Self::Clf => 4,
            Self::Usd | Self::Eur => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units: pesos of CLP, ten-thousandths of CLF, cents of USD and EUR.
    pub minor: i64,
    /// The currency the units are of.
    pub currency: Currency,
}

/// Why a decimal text is not an amount of the currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not `[-]digits[.digits]`.
    #[error("not a decimal number")]
    NotDecimal,
    /// It has non-zero digits beyond the currency's minor unit.
    #[error("finer than the minor unit of {0}")]
    TooFine(Currency),
    /// It does not fit 64 bits of minor units.
    #[error("too large")]
    TooLarge,
}

impl Money {
    /// An amount from minor units.
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The amount as decimal text with exactly the currency's decimals: `15990`, `2.5000`.
    pub fn to_decimal(self) -> String {
        let decimals = self.currency.decimals() as usize;
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = self.minor.unsigned_abs().to_string();
        if decimals == 0 {
            return format!("{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, fraction) = padded.split_at(padded.len() - decimals);
        format!("{sign}{whole}.{fraction}")
    }

    /// Reads decimal text of any number of decimals, refusing what the currency cannot hold
    /// exactly: nothing is ever rounded here.
    pub fn from_decimal(text: &str, currency: Currency) -> Result<Self, DecimalError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let numeric = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let dangling = digits.ends_with('.');
        if whole.is_empty() || dangling || !numeric(whole) || !numeric(fraction) {
            return Err(DecimalError::NotDecimal);
        }
        let decimals = currency.decimals() as usize;
        let (kept, beyond) = fraction.split_at(fraction.len().min(decimals));
        if beyond.bytes().any(|b| b != b'0') {
            return Err(DecimalError::TooFine(currency));
        }
        let minor: i64 =
            format!("{whole}{kept:0<decimals$}").parse().map_err(|_| DecimalError::TooLarge)?;
        Ok(Self { minor: if negative { -minor } else { minor }, currency })
    }
}

/// As a person reads it: `15.990 CLP` in the Chilean manner, `2,5000 CLF`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimal = self.to_decimal();
        let (sign, unsigned) = match decimal.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", decimal.as_str()),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let mut grouped = String::new();
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                grouped.push('.');
            }
            grouped.push(digit);
        }
        let comma = if fraction.is_empty() { "" } else { "," };
        write!(f, "{sign}{grouped}{comma}{fraction} {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn factors_are_those_ventipay_documents() {
        let decimal = |minor, currency| Money::new(minor, currency).to_decimal();
        assert_eq!(decimal(15_990, Currency::Clp), "15990");
        assert_eq!(decimal(25_000, Currency::Clf), "2.5000");
        assert_eq!(decimal(100, Currency::Usd), "1.00");
        assert_eq!(decimal(-5, Currency::Usd), "-0.05");
    }

    #[test]
    fn a_fraction_the_currency_cannot_hold_is_refused_not_rounded() {
        assert_eq!(
            Money::from_decimal("15990.00", Currency::Clp),
            Ok(Money::new(15_990, Currency::Clp))
        );
        assert_eq!(
            Money::from_decimal("15990.5", Currency::Clp),
            Err(DecimalError::TooFine(Currency::Clp))
        );
        assert_eq!(
            Money::from_decimal("99999999999999999999", Currency::Clp),
            Err(DecimalError::TooLarge)
        );
        for bad in ["", "-", ".5", "1.", "1e3", "0x1", "1,5", " 1", "+1", "١"] {
            assert_eq!(
                Money::from_decimal(bad, Currency::Clp),
                Err(DecimalError::NotDecimal),
                "{bad}"
            );
        }
    }

    #[test]
    fn people_read_thousands_with_points() {
        assert_eq!(Money::new(1_234_567, Currency::Clp).to_string(), "1.234.567 CLP");
        assert_eq!(Money::new(-990, Currency::Clp).to_string(), "-990 CLP");
        assert_eq!(Money::new(12_345_000, Currency::Clf).to_string(), "1.234,5000 CLF");
    }

    #[test]
    fn codes_are_read_in_any_case_and_others_refused() {
        assert_eq!(Currency::parse("clp"), Some(Currency::Clp));
        assert_eq!(Currency::parse("Clf"), Some(Currency::Clf));
        assert_eq!(Currency::parse("XYZ"), None);
    }

    proptest! {
        #[test]
        fn decimal_text_and_back_is_the_same_amount(
            minor in -1_000_000_000_000_i64..1_000_000_000_000,
            currency in prop::sample::select(vec![Currency::Clp, Currency::Clf, Currency::Usd, Currency::Eur]),
        ) {
            let money = Money::new(minor, currency);
            prop_assert_eq!(Money::from_decimal(&money.to_decimal(), currency), Ok(money));
        }
    }
}
