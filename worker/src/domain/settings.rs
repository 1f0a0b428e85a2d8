//! What an account's configuration means to a decision, and nothing more.
//!
//! The file gives the first values, the account's stream what was changed since
//! ([`super::account`]); which keys those are is in `concilia_shared::config::settings`.

use std::collections::BTreeMap;

use concilia_shared::config::{
    Account, CardPolicy, CreditNotePolicy, CreditPolicy, CustomerPolicy, DisputePolicy,
    Environment, InvoicePolicy, Mode, PayloadPolicy, QuotationPolicy, UfPolicy,
};
use concilia_shared::id::AccountName;
use jiff::Timestamp;

/// The settings decisions are made by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The account's name.
    pub account: AccountName,
    /// Test or live.
    pub environment: Environment,
    /// Whether transactions, orders or both are looked for.
    pub mode: Mode,
    /// Payload paths tried in order for a transaction's reference.
    pub reference_keys: Vec<String>,
    /// Payload paths tried in order for an order's key.
    pub match_keys: Vec<String>,
    /// Fields of `sale.order` tried in order, for each value.
    pub fields: Vec<String>,
    /// An Odoo domain, as JSON text, that keeps two shops apart.
    pub domain: Option<String>,
    /// What was paid before is never booked.
    pub book_from: Option<Timestamp>,
    /// What becomes of a draft quotation that is paid.
    pub quotations: QuotationPolicy,
    /// What becomes of a payment whose order has no invoice.
    pub without_invoice: CreditPolicy,
    /// Which of Odoo's two currencies Ventipay's CLF is.
    pub uf: UfPolicy,
    /// Whether a draft credit note is made for a refund.
    pub credit_notes: CreditNotePolicy,
    /// What becomes of a dispute that is lost.
    pub lost_disputes: DisputePolicy,
    /// What becomes of a paid invoice of a subscription of which Odoo has none.
    pub subscription_invoices: InvoicePolicy,
    /// Internal reference of the product such an invoice is made with.
    pub subscription_product: Option<String>,
    /// What becomes of a card a customer enrolled.
    pub cards: CardPolicy,
    /// What becomes of a customer Odoo does not know.
    pub customers: CustomerPolicy,
    /// Whether payloads are shown on the events in Odoo.
    pub payloads: PayloadPolicy,
    /// The company booked into; `None` if the account has no Odoo.
    pub company_id: Option<i64>,
    /// Whether Ventipay's API is asked before booking.
    pub asks_ventipay: bool,
}

impl Settings {
    /// What the configuration of an account says.
    pub fn of(name: &AccountName, account: &Account) -> Self {
        Self {
            account: name.clone(),
            environment: account.environment,
            mode: account.mode,
            reference_keys: account.reference_keys.clone(),
            match_keys: account.match_keys.clone(),
            fields: account.connector.fields(account.custom_field.as_deref()),
            domain: account.domain.clone(),
            book_from: account.book_from,
            quotations: account.quotations,
            without_invoice: account.without_invoice,
            uf: account.uf,
            credit_notes: account.credit_notes,
            lost_disputes: account.lost_disputes,
            subscription_invoices: account.subscription_invoices,
            subscription_product: account.subscription_product.clone(),
            cards: account.cards,
            customers: account.customers,
            payloads: account.payloads,
            company_id: account.odoo.as_ref().map(|odoo| odoo.company_id),
            asks_ventipay: account
                .ventipay
                .as_ref()
                .is_some_and(|ventipay| ventipay.key.is_some() || ventipay.key_file.is_some()),
        }
    }

    /// What the configuration says with what was changed since laid over it. What no longer fits
    /// the file (it may have been edited) is left out, one by one, and named.
    pub fn overlaid(
        name: &AccountName,
        account: &Account,
        overrides: &BTreeMap<String, Option<String>>,
    ) -> (Self, Vec<String>) {
        let (account, problems) = effective(account, overrides);
        (Self::of(name, &account), problems)
    }
}

/// The account with what was changed since laid over its configuration, and what of that no
/// longer fits.
pub fn effective(
    account: &Account,
    overrides: &BTreeMap<String, Option<String>>,
) -> (Account, Vec<String>) {
    let all = overrides.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
    if let Ok(account) = account.with_settings(all) {
        return (account, Vec::new());
    }
    let (mut account, mut problems) = (account.clone(), Vec::new());
    for (key, value) in overrides {
        match account.with_settings([(key.as_str(), value.as_deref())]) {
            Ok(changed) => account = changed,
            Err(why) => problems.extend(why),
        }
    }
    (account, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(pairs: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
        let owned =
            |(key, value): &(&str, Option<&str>)| ((*key).to_owned(), value.map(str::to_owned));
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn changes_are_laid_over_the_file_together_and_what_no_longer_fits_is_named() {
        let text = "[accounts.main]\nenvironment = \"test\"";
        let config = concilia_shared::config::load(text, []).unwrap();
        let (name, account) = config.accounts.iter().next().unwrap();
        let custom = [("connector", Some("custom")), ("custom_field", Some("x_shop"))];
        let (settings, problems) = Settings::overlaid(name, account, &overrides(&custom));
        assert_eq!((settings.fields, problems.len()), (vec!["x_shop".to_owned()], 0));
        let stale = [("custom_field", Some("x_shop")), ("mode", Some("A"))];
        let (settings, problems) = Settings::overlaid(name, account, &overrides(&stale));
        assert_eq!((settings.mode, problems.len()), (Mode::A, 1));
    }
}
