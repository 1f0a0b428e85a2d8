//! `dispute.*`. The object's fields are not documented (`ventipay-api.md` 5.9): all but its id
//! are read where they stand, and absent where they do not.

use serde_json::Value;

use super::read;
use crate::domain::fact::{DisputeState, DisputeTold};
use crate::domain::name::ObjectId;
use crate::domain::reason::Problem;

pub(super) fn told(data: &Value, state: DisputeState) -> Result<DisputeTold, Problem> {
    let deadlines = ["evidence_due_by", "due_by", "respond_by", "due_at", "expires_at"];
    Ok(DisputeTold {
        dispute: read::own_id(data)?,
        state,
        checkout: read::checkout(data),
        payment: read::payment(data),
        charge: read::other_id(data, &["charge_id", "charge"]).and_then(ObjectId::parse),
        amount: read::amount_if_told(data),
        why: read::words(data, &["reason", "status_reason"]),
        deadline: read::instant_if_told(data, &deadlines),
    })
}
