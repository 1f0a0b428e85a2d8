//! The server actions, as this build carries them: their names, texts and hashes.
//!
//! The texts are `worker/actions/*.py`; their contract is the README there. Not here: putting
//! them into Odoo ([`super::setup`]) and running them ([`super::client`]).

use concilia_shared::signature::encode_hex;
use sha2::{Digest, Sha256};

/// A server action of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// How requests and answers call it.
    pub kind: &'static str,
    /// Its name in Odoo.
    pub name: &'static str,
    /// Its external id in the module `concilia`.
    pub external_id: &'static str,
    /// Its text.
    pub code: &'static str,
}

/// Tells what Odoo holds. Writes nothing.
pub const OBSERVE: Action = Action {
    kind: "observe",
    name: "Concilia: observe",
    external_id: "action_observe",
    code: include_str!("../../actions/observe.py"),
};

/// Books, confirms, cancels, fails and completes, each effect exactly once.
pub const BOOK: Action = Action {
    kind: "book",
    name: "Concilia: book",
    external_id: "action_book",
    code: include_str!("../../actions/book.py"),
};

/// Gives back what was paid, each part exactly once.
pub const REFUND: Action = Action {
    kind: "refund",
    name: "Concilia: refund",
    external_id: "action_refund",
    code: include_str!("../../actions/refund.py"),
};

/// Writes records of our own, activities and saved cards. No money.
pub const RECORD: Action = Action {
    kind: "record",
    name: "Concilia: record",
    external_id: "action_record",
    code: include_str!("../../actions/record.py"),
};

/// Makes the customer invoice of a subscription's paid invoice, each exactly once.
pub const INVOICE: Action = Action {
    kind: "invoice",
    name: "Concilia: invoice",
    external_id: "action_invoice",
    code: include_str!("../../actions/invoice.py"),
};

/// All of them, in the order they are put into Odoo: a new one is a line here.
pub const ALL: [Action; 5] = [OBSERVE, BOOK, REFUND, RECORD, INVOICE];

/// The model they hang on: what the bot finds them by.
pub const MODEL: &str = "payment.transaction";

/// Version every text answers with.
pub const VERSION: &str = "3";

/// Version of the requests and answers.
pub const PROTOCOL: u32 = 3;

/// Most items one call may carry: the actions refuse more.
pub const ITEMS_MAX: usize = 100;

impl Action {
    /// The text as it is stored and hashed: without the white space around it, which Odoo's
    /// forms may add or take away.
    pub fn text(&self) -> &'static str {
        stripped(self.code)
    }

    /// SHA-256 of [`Self::text`], lower-case hex: what the action *observe* tells of the texts
    /// that Odoo holds.
    pub fn sha256(&self) -> String {
        encode_hex(&Sha256::digest(self.text().as_bytes()))
    }
}

/// Without what `btrim(code, ' \n\r\t')` takes away.
pub(super) fn stripped(code: &str) -> &str {
    code.trim_matches([' ', '\n', '\r', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_answer_with_the_version_this_build_expects() {
        for action in ALL {
            assert!(action.code.contains(&format!("VERSION = '{VERSION}'")), "{}", action.name);
            assert!(
                action.code.contains(&format!("'action': '{}'", action.kind)),
                "{}",
                action.name
            );
            assert!(
                action.code.contains(&format!("len(request['items']) > {ITEMS_MAX}")),
                "{}",
                action.name
            );
        }
    }

    #[test]
    fn white_space_around_a_text_does_not_change_its_hash() {
        assert_eq!(stripped("\n a = 1\r\n\t"), "a = 1");
        let hash = OBSERVE.sha256();
        assert_eq!(hash.len(), 64);
        assert_ne!(hash, BOOK.sha256());
    }
}
