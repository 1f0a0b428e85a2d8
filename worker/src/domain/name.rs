//! The names our effects have in Odoo: whatever crashes, an effect happens once under its name
//! (`ir.model.data`, module `concilia`).
//!
//! One payment may have several names, because Ventipay tells it through several families of
//! events: the checkout's, the payment's, the charge's, the invoice's. All names of a payment
//! that are known when it is booked are taken together. Not here: taking them
//! (`worker/actions/book.py`).

use std::fmt;

use concilia_shared::id::CheckoutId;
use concilia_shared::money::Money;
use serde::{Deserialize, Serialize};

/// Longest id of an object that becomes part of a name, in bytes.
const ID_BYTES_MAX: usize = 96;

/// The id of an object of Ventipay's other than a checkout: letters, digits, `_` and `-`,
/// because it becomes part of a name inside Odoo. Prefixes are not judged
/// (`ventipay-api.md` 5.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(String);

impl ObjectId {
    /// The id, if it can be one.
    pub fn parse(text: &str) -> Option<Self> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let fits = !text.is_empty() && text.len() <= ID_BYTES_MAX && text.bytes().all(letter);
        fits.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ObjectId {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("an id may hold only letters, digits, '-' and '_'")
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.0
    }
}

/// A name a payment has in Odoo.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentName(String);

impl PaymentName {
    /// Of a checkout: its id.
    pub fn of_checkout(checkout: &CheckoutId) -> Self {
        Self(checkout.to_string())
    }

    /// Of a payment that belongs to a checkout, an invoice, or to none.
    pub fn of_payment(payment: &ObjectId) -> Self {
        Self(format!("payment-{payment}"))
    }

    /// Of a direct charge.
    pub fn of_charge(charge: &ObjectId) -> Self {
        Self(format!("charge-{charge}"))
    }

    /// Of a subscription's invoice.
    pub fn of_invoice(invoice: &ObjectId) -> Self {
        Self(format!("invoice-{invoice}"))
    }

    /// Reads a name back from Odoo; `None` for what is no payment's.
    pub fn parse(text: &str) -> Option<Self> {
        let own = |prefix: &str| text.strip_prefix(prefix).and_then(ObjectId::parse);
        let ours = CheckoutId::parse(text).is_ok()
            || ["payment-", "charge-", "invoice-"].iter().any(|prefix| own(prefix).is_some());
        // Refunds have names that start as their payment's.
        let child = text.contains("-refund-after-") || text.contains("-dispute-");
        (ours && !child).then(|| Self(text.to_owned()))
    }

    /// What Ventipay calls it, and what a transaction of Odoo's carries that was booked under this
    /// name: the checkout's id, or what follows the prefix.
    pub fn ventipay_id(&self) -> &str {
        if self.0.starts_with("chk_") {
            return &self.0;
        }
        self.0.split_once('-').map_or("", |(_, id)| id)
    }

    /// The object of the stream that tells the payment of this name.
    pub fn stream_object(&self) -> String {
        if self.0.starts_with("chk_") { format!("checkout-{self}") } else { self.0.clone() }
    }

    /// The name of the refund that follows what of the payment is already refunded: two workers
    /// with different views ask for different names, two with the same view for one.
    pub fn refund_after(&self, refunded: Money) -> String {
        format!("{self}-refund-after-{}", refunded.minor)
    }

    /// The name of what a lost dispute took back.
    pub fn lost_dispute(&self, dispute: &ObjectId) -> String {
        format!("{self}-dispute-{dispute}")
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PaymentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use concilia_shared::money::Currency;

    use super::*;

    #[test]
    fn an_id_holds_nothing_a_name_in_odoo_could_not() {
        assert!(ObjectId::parse("dp_1-A").is_some());
        for bad in ["", "a.b", "a b", "ñ", "a'", &"x".repeat(97)] {
            assert!(ObjectId::parse(bad).is_none(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn names_of_one_payment_differ_by_family_and_refunds_by_what_they_follow() {
        let id = ObjectId::parse("1").unwrap();
        let names = [
            PaymentName::of_payment(&id),
            PaymentName::of_charge(&id),
            PaymentName::of_invoice(&id),
        ];
        assert_eq!(names.map(|name| name.0), ["payment-1", "charge-1", "invoice-1"]);
        let name = PaymentName::of_checkout(&CheckoutId::parse("chk_1").unwrap());
        let refunded = Money::new(25_000, Currency::Clf);
        assert_eq!(name.refund_after(refunded), "chk_1-refund-after-25000");
        assert_eq!(name.lost_dispute(&id), "chk_1-dispute-1");
        assert_eq!(name.stream_object(), "checkout-chk_1");
        assert_eq!((name.ventipay_id(), PaymentName::of_charge(&id).ventipay_id()), ("chk_1", "1"));
        assert_eq!(PaymentName::of_payment(&id).stream_object(), "payment-1");
    }

    #[test]
    fn a_name_read_back_is_a_payments_and_no_refunds() {
        for name in ["chk_1", "payment-pay_1", "charge-1", "invoice-in_1"] {
            assert_eq!(PaymentName::parse(name).unwrap().as_str(), name);
        }
        let others =
            ["chk_1-refund-after-0", "chk_1-dispute-dp_1", "dispute-1", "provider_company_1", ""];
        for other in others {
            assert_eq!(PaymentName::parse(other), None, "{other}");
        }
    }
}
