//! Which currency of Odoo's is which of Ventipay's, and whether an amount can be written in it.
//!
//! Codes agree, but for the Unidad de Fomento: Ventipay's `CLF` has four decimals, and Odoo holds
//! it twice, as `CLF` with four and as `UF` of `l10n_cl` with two (`odoo-api-2.md` 2). Nothing is
//! ever converted.

use concilia_shared::config::UfPolicy;
use concilia_shared::money::{Currency, Money};

use super::Verdict;
use crate::domain::reason::ParkReason;
use crate::domain::settings::Settings;

/// Name of the Unidad de Fomento of `l10n_cl`.
const UF: &str = "UF";

/// Minor units of CLF in the least amount `UF` can hold: a hundredth.
const UF_STEP: i64 = 100;

/// Whether a document in Odoo's `name` asks for money of `currency`.
pub(super) fn is(currency: Currency, name: &str, settings: &Settings) -> bool {
    match (currency, settings.uf) {
        (Currency::Clf, UfPolicy::Auto) => name == UF || name == currency.code(),
        (Currency::Clf, UfPolicy::Uf) => name == UF,
        _ => name == currency.code(),
    }
}

/// What Odoo calls the currency of an amount no document of Odoo's is in yet.
pub(super) fn default_name(money: Money, settings: &Settings) -> String {
    match (money.currency, settings.uf) {
        (Currency::Clf, UfPolicy::Auto | UfPolicy::Uf) if money.minor % UF_STEP == 0 => {
            UF.to_owned()
        }
        _ => money.currency.to_string(),
    }
}

/// Refuses what does not agree, or cannot be written exactly.
pub(super) fn check(
    paid: Money,
    name: &str,
    document: &str,
    settings: &Settings,
) -> Result<(), Verdict> {
    let document = document.to_owned();
    if !is(paid.currency, name, settings) {
        let expected = name.to_owned();
        let reason = ParkReason::CurrencyMismatch { paid, expected, document };
        return Err(Verdict::Parked(reason));
    }
    if name == UF && paid.minor % UF_STEP != 0 {
        let currency = name.to_owned();
        return Err(Verdict::Parked(ParkReason::RoundingLost { paid, currency, document }));
    }
    Ok(())
}
