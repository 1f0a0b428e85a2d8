//! Loans, and the loan intents of 2021 (`ventipay-api.md` 4.5): only their events are known.
//! Decided here: the status is the word of the event. A loan intent is not shown by the API.

use super::{Kind, Step, bare};

/// Loans.
pub const LOAN: Kind = Kind {
    name: "loan",
    path: "loans",
    shown: true,
    prefix: "loan_",
    born: Some("created"),
    told: true,
    fields: bare,
    steps: &[
        Step { event: "failed", from: &["created"], to: "failed", sets: &[] },
        Step { event: "canceled", from: &["created", "authorized"], to: "canceled", sets: &[] },
        Step { event: "authorized", from: &["created"], to: "authorized", sets: &[] },
        Step { event: "disputed", from: &["authorized"], to: "disputed", sets: &[] },
        Step { event: "refunded", from: &["authorized", "disputed"], to: "refunded", sets: &[] },
    ],
};

/// Loan intents.
pub const LOAN_INTENT: Kind = Kind {
    name: "loan_intent",
    path: "loan_intents",
    shown: false,
    prefix: "li_",
    born: Some("created"),
    told: true,
    fields: bare,
    steps: &[
        Step { event: "approved", from: &["created"], to: "approved", sets: &[] },
        Step { event: "authorized", from: &["created", "approved"], to: "authorized", sets: &[] },
        Step { event: "rejected", from: &["created"], to: "rejected", sets: &[] },
        Step { event: "canceled", from: &["created", "approved"], to: "canceled", sets: &[] },
    ],
};
