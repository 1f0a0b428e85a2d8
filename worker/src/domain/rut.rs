//! A RUT: the number by which Chile knows a person or a company, and its check digit.
//!
//! People write it as `12.345.678-5`, `12345678-5` or `123456785`, with a `k` of either case; here
//! it has one form. A number whose check digit is wrong is not a RUT: it names nobody, or, worse,
//! somebody else, so no customer is ever looked for or made by it. Odoo refuses it too
//! (`odoo-api.md` 1, `l10n_cl`). Not here: finding the customer ([`crate::domain::record`]).

use std::fmt;

/// A RUT whose check digit is right, as `12345678-5`.
///
/// It is personal data: `Debug` does not tell it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rut(String);

/// Most digits before the check digit. Numbers in use have 7 or 8.
const DIGITS_MAX: usize = 9;

impl Rut {
    /// Reads a RUT in any of its written forms, with or without dots, dash, spaces around it and
    /// leading zeros. `None` when it is none, or the check digit is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (digits, check) = match text.rsplit_once('-') {
            Some((digits, check)) => (digits.trim_end(), check.trim_start()),
            None => text.split_at_checked(text.char_indices().next_back()?.0)?,
        };
        let digits = without_dots(digits)?.trim_start_matches('0').to_owned();
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        if digits.is_empty() || digits.len() > DIGITS_MAX || !plain {
            return None;
        }
        let expected = check_digit(&digits);
        let given = check.chars().next()?.to_ascii_uppercase();
        (check.len() == 1 && given == expected).then(|| Self(format!("{digits}-{expected}")))
    }

    /// `12345678-5`
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Rut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rut(…)")
    }
}

/// Dots may only stand between groups of three, or nowhere.
fn without_dots(digits: &str) -> Option<String> {
    let mut groups = digits.split('.');
    let first = groups.next()?;
    let mut rest = groups.clone().peekable();
    let grouped = rest.peek().is_none() || (1..=3).contains(&first.len());
    (grouped && groups.all(|group| group.len() == 3)).then(|| digits.replace('.', ""))
}

/// Modulo 11: the digits from the last, times 2 to 7 and again.
fn check_digit(digits: &str) -> char {
    let weights = (2..=7_u32).cycle();
    let sum: u32 = digits
        .bytes()
        .rev()
        .zip(weights)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    match 11 - sum % 11 {
        11 => '0',
        10 => 'K',
        rest => char::from_digit(rest, 10).unwrap_or('0'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        Rut::parse(text).map(|rut| rut.as_str().to_owned())
    }

    #[test]
    fn every_written_form_is_the_same_rut() {
        for form in [
            "12.345.678-5",
            "12345678-5",
            "123456785",
            " 12345678-5 ",
            "012345678-5",
            "12345678 - 5",
        ] {
            assert_eq!(read(form).as_deref(), Some("12345678-5"), "{form:?}");
        }
        // The Servicio de Impuestos Internos's own example, a `K`, a `0`, and the shortest.
        for (form, plain) in [
            ("76.086.428-5", "76086428-5"),
            ("10000013k", "10000013-K"),
            ("10000004-0", "10000004-0"),
            ("1-9", "1-9"),
        ] {
            assert_eq!(read(form).as_deref(), Some(plain), "{form:?}");
        }
    }

    #[test]
    fn what_is_no_rut_names_nobody() {
        for form in [
            "",
            "-",
            "5",
            "-5",
            "k",
            "0-0",
            "12345678-9",
            "12345678-55",
            "12.34.5678-5",
            "1.234.5678-5",
            "12,345,678-5",
            "12345678",
            "CL12345678-5",
            "１２３４５６７８-5",
            "1234567890-3",
            "12345678-5x",
            "..-5",
            "12 345 678-5",
            "ñ",
        ] {
            assert_eq!(read(form), None, "{form:?}");
        }
    }

    #[test]
    fn it_is_not_told_in_passing() {
        assert_eq!(format!("{:?}", Rut::parse("12345678-5")), "Some(Rut(…))");
    }

    fn dotted(digits: &str) -> String {
        let mut text = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push('.');
            }
            text.push(digit);
        }
        text
    }

    proptest! {
        #[test]
        fn all_forms_of_any_number_read_alike(number in 1..999_999_999_u32) {
            let digits = number.to_string();
            let check = check_digit(&digits);
            let plain = Some(format!("{digits}-{check}"));
            for check in [check, check.to_ascii_lowercase()] {
                for form in [format!("{digits}-{check}"), format!("{digits}{check}"), format!("{}-{check}", dotted(&digits))] {
                    prop_assert_eq!(read(&form), plain.clone(), "{}", form);
                }
            }
            // What was read reads as itself.
            prop_assert_eq!(read(plain.as_deref().unwrap_or_default()), plain);
        }

        #[test]
        fn one_wrong_digit_is_seen(number in 1_000_000..99_999_999_u32, place in 0..7_usize, by in 1..10_u8) {
            let digits = number.to_string();
            let check = check_digit(&digits);
            let mut wrong = digits.into_bytes();
            wrong[place] = b'0' + (wrong[place] - b'0' + by) % 10;
            let wrong = String::from_utf8(wrong).unwrap();
            prop_assert_eq!(read(&format!("{wrong}-{check}")), None);
        }

        #[test]
        fn two_neighbours_in_the_wrong_order_are_seen(number in 1_000_000..99_999_999_u32, place in 0..6_usize) {
            let digits = number.to_string();
            let check = check_digit(&digits);
            let mut wrong = digits.clone().into_bytes();
            wrong.swap(place, place + 1);
            let wrong = String::from_utf8(wrong).unwrap();
            prop_assume!(wrong != digits);
            prop_assert_eq!(read(&format!("{wrong}-{check}")), None);
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC*") {
            if let Some(rut) = Rut::parse(&text) {
                prop_assert_eq!(Rut::parse(rut.as_str()), Some(rut));
            }
        }
    }
}
