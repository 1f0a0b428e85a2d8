//! What an account's configuration means to a decision, and nothing more.

use concilia_shared::config::{Account, CreditPolicy, Environment, QuotationPolicy};
use jiff::Timestamp;

/// The settings decisions are made by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Test or live.
    pub environment: Environment,
    /// Payload paths tried in order.
    pub match_keys: Vec<String>,
    /// Fields of `sale.order` tried in order, for each value.
    pub fields: Vec<String>,
    /// What was paid before is never booked.
    pub book_from: Option<Timestamp>,
    /// What becomes of a draft quotation that is paid.
    pub quotations: QuotationPolicy,
    /// What becomes of a payment whose order has no invoice.
    pub without_invoice: CreditPolicy,
    /// The company booked into; `None` if the account has no Odoo.
    pub company_id: Option<i64>,
    /// Whether Ventipay's API is asked before booking.
    pub asks_ventipay: bool,
}

impl Settings {
    /// What the configuration of an account says.
    pub fn of(account: &Account) -> Self {
        Self {
            environment: account.environment,
            match_keys: account.match_keys.clone(),
            fields: account.connector.fields(account.custom_field.as_deref()),
            book_from: account.book_from,
            quotations: account.quotations,
            without_invoice: account.without_invoice,
            company_id: account.odoo.as_ref().map(|odoo| odoo.company_id),
            asks_ventipay: account
                .ventipay
                .as_ref()
                .is_some_and(|ventipay| ventipay.key.is_some() || ventipay.key_file.is_some()),
        }
    }
}
