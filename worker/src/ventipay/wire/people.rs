//! Customers and their payment methods as Ventipay's API answers them (`ventipay-api.md` 5.7,
//! 5.8), read into the domain's values. Pure.
//!
//! Nothing of a customer is required, and of a payment method nothing but brand and last four
//! digits is looked at. Not here: whether a RUT is one.

use serde_json::Value;

use super::objects::{shown, word};
use super::related;
use crate::domain::observe::{CustomerNow, MethodNow, Shown};

/// Reads the answer to `GET /customers/{asked}`.
pub fn read_customer(asked: &str, answer: &Value) -> Shown<CustomerNow> {
    shown(asked, "customer", answer, |fields| {
        let names = ["first_name", "last_name"].map(|key| word(fields, key));
        let name: Vec<String> = names.into_iter().flatten().collect();
        Ok(CustomerNow {
            email: word(fields, "email"),
            taxid: word(fields, "taxid"),
            name: (!name.is_empty()).then(|| name.join(" ")),
            country: word(fields, "country"),
        })
    })
}

/// Reads the answer to `GET /payment_methods/{asked}`.
pub fn read_method(asked: &str, answer: &Value) -> Shown<MethodNow> {
    shown(asked, "payment_method", answer, |fields| {
        let four =
            |digits: &String| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit());
        Ok(MethodNow {
            brand: word(fields, "brand"),
            last4: word(fields, "last4").filter(four),
            customer_id: related(fields, "customer"),
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ventipay::wire::not_shown;

    #[test]
    fn a_customer_reads_as_far_as_it_goes() {
        let mut answer = json!({
            "id": "cus_1", "object": "customer", "email": "ana@example.cl", "country": "CL",
            "first_name": " Ana ", "last_name": "Pérez", "taxid": "12.345.678-5",
        });
        let now = CustomerNow {
            email: Some("ana@example.cl".to_owned()),
            taxid: Some("12.345.678-5".to_owned()),
            name: Some("Ana Pérez".to_owned()),
            country: Some("CL".to_owned()),
        };
        assert_eq!(read_customer("cus_1", &answer), Shown::Now(now.clone()));
        answer["last_name"] = json!(null);
        answer["taxid"] = json!({"value": 1});
        let less = CustomerNow { name: Some("Ana".to_owned()), taxid: None, ..now };
        assert_eq!(read_customer("cus_1", &answer), Shown::Now(less));
        let Shown::Now(bare) = read_customer("cus_1", &json!({"id": "cus_1"})) else {
            panic!("it reads")
        };
        assert_eq!(bare, CustomerNow { email: None, taxid: None, name: None, country: None });
        assert_eq!(read_customer("cus_2", &answer), not_shown("id"));
    }

    #[test]
    fn of_a_card_only_brand_and_four_digits_are_read() {
        let mut answer = json!({
            "id": "pm_1", "object": "payment_method", "brand": "visa", "last4": "4242",
            "number": "4111111111111111", "customer": "cus_1",
        });
        let now = MethodNow {
            brand: Some("visa".to_owned()),
            last4: Some("4242".to_owned()),
            customer_id: Some("cus_1".to_owned()),
        };
        assert_eq!(read_method("pm_1", &answer), Shown::Now(now.clone()));
        for other in [json!("4111111111111111"), json!("424"), json!("42a2"), json!(4242)] {
            answer["last4"] = other.clone();
            let less = MethodNow { last4: None, ..now.clone() };
            assert_eq!(read_method("pm_1", &answer), Shown::Now(less), "{other}");
        }
    }
}
