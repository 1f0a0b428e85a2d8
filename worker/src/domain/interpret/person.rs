//! The person a body is of, and the card it shows (`ventipay-api.md` 5.7, 5.8).
//!
//! Personal data: it is read when it is needed, passes through, and stands in no fact of the log.

use serde_json::Value;

use super::read;
use crate::domain::record::{CardShown, Customer, Last4};
use crate::domain::rut::Rut;

/// Longest name or address that is taken, in characters.
const CHARS_MAX: usize = 200;

/// The customer, as far as the body says: expanded, or by its id alone, or in the metadata a shop
/// put there.
pub(super) fn customer(data: &Value) -> Customer {
    let ruts = ["customer.taxid", "customer.rut", "taxid", "metadata.rut", "metadata.taxid"];
    let emails = ["customer.email", "email", "metadata.email", "metadata.customer_email"];
    let rut = ruts.iter().find_map(|path| Rut::parse(read::text(data, &[path])?));
    let email = kept(data, &emails).filter(|email| email.contains('@'));
    let parts = ["customer.first_name", "customer.last_name"];
    let parts: Vec<String> = parts.iter().filter_map(|path| kept(data, &[path])).collect();
    let whole = kept(data, &["customer.name", "metadata.name"]);
    let name = if parts.is_empty() { whole } else { Some(parts.join(" ")) };
    let id = read::customer(data).map(|id| id.to_string());
    Customer { id, rut, email, name, create: false }
}

/// The card of the payment method, where it is expanded.
pub(super) fn card(data: &Value) -> Option<CardShown> {
    let last4 = read::text(data, &["payment_method.last4", "last4"]).and_then(Last4::parse)?;
    Some(CardShown { last4, brand: kept(data, &["payment_method.brand", "brand"]) })
}

fn kept(data: &Value, paths: &[&str]) -> Option<String> {
    let text = read::text(data, paths)?.trim();
    let usable = !text.is_empty()
        && text.chars().count() <= CHARS_MAX
        && !text.chars().any(char::is_control);
    usable.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_customer_is_read_wherever_it_stands_and_a_false_rut_names_nobody() {
        let expanded = json!({"customer": {"id": "cus_1", "email": " ana@example.com ", "taxid": "12.345.678-5",
                                           "first_name": "Ana", "last_name": "Soto"}});
        let found = customer(&expanded);
        assert_eq!(found.id.as_deref(), Some("cus_1"));
        assert_eq!(found.rut.as_ref().map(Rut::as_str), Some("12345678-5"));
        assert_eq!(
            (found.email.as_deref(), found.name.as_deref()),
            (Some("ana@example.com"), Some("Ana Soto"))
        );
        let shop = json!({"customer_id": "cus_2", "taxid": "12.345.678-9", "metadata": {"rut": "12345678-5", "email": "x"}});
        let found = customer(&shop);
        assert_eq!(found.id.as_deref(), Some("cus_2"));
        assert_eq!(found.rut.as_ref().map(Rut::as_str), Some("12345678-5"));
        assert_eq!((found.email, found.name), (None, None));
        assert_eq!(customer(&json!({})), Customer::default());
    }

    #[test]
    fn a_card_without_four_digits_is_none() {
        let shown = card(&json!({"payment_method": {"last4": "4242", "brand": "Visa"}})).unwrap();
        assert_eq!((shown.last4.text().as_str(), shown.brand.as_deref()), ("4242", Some("Visa")));
        for data in
            [json!({}), json!({"payment_method": "pm_1"}), json!({"last4": "4242424242424242"})]
        {
            assert!(card(&data).is_none(), "{data}");
        }
    }
}
