//! Carrying a command out in Odoo, once, whatever is cut off.
//!
//! Not here: what is to be done ([`crate::domain::decide`]).

use super::Calls;
use crate::crash;
use crate::domain::decide::{self, Verdict};
use crate::domain::event::{Matched, System};
use crate::domain::observe::{Command, Outcome};
use crate::domain::reason::{NotReady, PendingReason};
use crate::odoo::{Odoo, OdooError};
use crate::weather::{Step, Trouble};

/// Most times one command is asked for again within one claim, after an unknown outcome or a
/// race. The same call again finds its name.
const TRIES: usize = 3;

impl Calls<'_> {
    /// Performs under a name that can be taken once: after an unknown outcome or a race, the
    /// same call again tells what became of it.
    pub(super) async fn perform(
        &self,
        command: &Command,
        matched: Option<Matched>,
    ) -> Result<Verdict, Trouble> {
        crash::point("settle.decided");
        let Some(odoo) = &self.account.odoo else {
            return Err(Trouble::of(PendingReason::NotReady { why: NotReady::NoOdoo }));
        };
        let mut last = Trouble::no_call(System::Odoo, None);
        for _ in 0..TRIES {
            let now = self.clock().now();
            if now >= self.by {
                break;
            }
            let outcome = match carry_out(odoo.as_ref(), command).await {
                Ok(mut outcomes) => {
                    self.account.failures.answered(System::Odoo, Step::Perform);
                    outcomes.pop()
                }
                Err(OdooError::Unknown { detail }) => {
                    tracing::warn!(name = %command.name(), detail, "outcome unknown, asking again");
                    last = Trouble::of(PendingReason::OdooUnavailable).performing();
                    None
                }
                // What keeps records of ours from being written, or invoices from being made,
                // holds up no booking.
                Err(OdooError::NotReady(why)) if matches!(command, Command::MakeInvoice(_)) => {
                    return Ok(Verdict::Pending(decide::only_this(why)));
                }
                Err(OdooError::NotReady(_)) if matches!(command, Command::Record(_)) => {
                    return Ok(Verdict::Pending(decide::no_models()));
                }
                Err(error) => {
                    tracing::warn!(name = %command.name(), %error, "Odoo did not answer");
                    return Err(Trouble::of_odoo(&error, now).performing());
                }
            };
            crash::point("settle.booked");
            let concluded =
                outcome.and_then(|outcome| decide::conclude(command, outcome, matched.clone()));
            if let Some(verdict) = concluded {
                return Ok(verdict);
            }
        }
        Err(last)
    }
}

/// Money and transactions by one action, records of ours by another.
async fn carry_out(odoo: &dyn Odoo, command: &Command) -> Result<Vec<Outcome>, OdooError> {
    match command {
        Command::Record(record) => {
            let recorded = odoo.record(std::slice::from_ref(record.as_ref())).await?;
            Ok(recorded.into_iter().map(Outcome::Recorded).collect())
        }
        command => odoo.perform(std::slice::from_ref(command)).await,
    }
}
