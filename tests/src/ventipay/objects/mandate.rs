//! A mandate (`ventipay-api.md` 5.7): only its three events are known. Decided here: status
//! `created`, `active`, `inactive`.

use super::{Kind, Step, bare};

/// Mandates.
pub const KIND: Kind = Kind {
    name: "mandate",
    path: "mandates",
    shown: true,
    prefix: "mdt_",
    born: Some("created"),
    told: true,
    fields: bare,
    steps: &[
        Step { event: "activated", from: &["created", "inactive"], to: "active", sets: &[] },
        Step { event: "deactivated", from: &["created", "active"], to: "inactive", sets: &[] },
    ],
};
