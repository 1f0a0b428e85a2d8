//! `match` and `accept`: a person chooses the order of a payment, or has it booked all the same.
//!
//! Both are facts in the payment's stream; the worker looks at it again at once, and checks
//! everything else as before. Not here: what is booked then ([`crate::domain::decide`]).

use super::desk::{Desk, Target};
use super::people::{self, By};
use super::select::refusal;
use super::stop::{Done, Stop};
use crate::domain::event::Event;
use crate::domain::state::{Status, Told};
use crate::say::{self, Lang};

/// Examples of `match --help`.
pub const MATCH_EXAMPLES: &str = "Examples:
  concilia-worker match chk_KaIq81 --order S00042 --why \"the customer sent the receipt\"
  concilia-worker match shop/evt_1A2b --order S00042 --why \"typed the wrong reference\" --by ana";

/// Examples of `accept --help`.
pub const ACCEPT_EXAMPLES: &str = "Examples:
  concilia-worker accept chk_KaIq81 --why \"ten pesos less, the shop agrees\"
  concilia-worker accept evt_1A2b --why \"paid twice; book it as credit\" --by ana";

/// What `match` is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct Match {
    /// The payment: its event id, checkout id or stream.
    #[arg(value_name = "ID")]
    pub id: String,
    /// The order's name in Odoo.
    #[arg(long, value_name = "ORDER", value_parser = people::name)]
    pub order: String,
    /// Why; it stands in the log for ever.
    #[arg(long, value_name = "WORDS", value_parser = people::why)]
    pub why: String,
    /// Who decides.
    #[command(flatten)]
    pub by: By,
}

/// What `accept` is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct Accept {
    /// The payment: its event id, checkout id or stream.
    #[arg(value_name = "ID")]
    pub id: String,
    /// Why; it stands in the log for ever.
    #[arg(long, value_name = "WORDS", value_parser = people::why)]
    pub why: String,
    /// Who decides.
    #[command(flatten)]
    pub by: By,
}

/// Records the order a person chose.
pub async fn choose(desk: &mut Desk<'_>, options: &Match) -> Done {
    let (target, lang) = (open(desk, &options.id).await?, desk.lang());
    let waits = |told: &&Told| {
        matches!(told.status, Status::Received | Status::Pending { .. } | Status::Parked(_))
    };
    let told = target.told().filter(|told| is_payment(told)).find(waits);
    let told = told.ok_or_else(|| refusal(&options.id, target.told().next(), lang))?;
    let (order, why, by) = (options.order.clone(), options.why.clone(), options.by.by.clone());
    let about = told.webhook.event_id.clone();
    let said = match lang {
        Lang::En => format!("{about}: order {order} chosen; it is looked at again now."),
        Lang::Es => format!("{about}: pedido {order} elegido; se revisa de nuevo ahora."),
    };
    record(desk, &target, Event::MatchChosen { about, order, by, why }, &said).await
}

/// Records that what it is parked for was accepted.
pub async fn accept(desk: &mut Desk<'_>, options: &Accept) -> Done {
    let (target, lang) = (open(desk, &options.id).await?, desk.lang());
    let parked = target.told().find_map(|told| match &told.status {
        Status::Parked(reason) => Some((told, reason)),
        _ => None,
    });
    let Some((told, reason)) = parked else {
        return Err(refusal(&options.id, target.told().next(), lang));
    };
    if !reason.can_be_accepted() || !is_payment(told) {
        let (rests, cannot) = (
            say::status(&told.status, lang),
            lang.either("It cannot be accepted as it is.", "No se puede aceptar tal como está."),
        );
        return Err(Stop::Refused(format!("{}: {cannot} {rests}", told.webhook.event_id)));
    }
    let (why, by, about) =
        (options.why.clone(), options.by.by.clone(), told.webhook.event_id.clone());
    let said = match lang {
        Lang::En => format!("{about}: accepted; it is looked at again now."),
        Lang::Es => format!("{about}: aceptado; se revisa de nuevo ahora."),
    };
    let accepted = reason.clone();
    record(desk, &target, Event::DifferenceAccepted { about, accepted, by, why }, &said).await
}

fn is_payment(told: &Told) -> bool {
    told.payment().is_some()
}

/// The stream, unless it is held.
async fn open(desk: &Desk<'_>, id: &str) -> Done<Target> {
    desk.catch_up().await?;
    let target = desk.find(id, None).await?;
    if target.state.held {
        return Err(Stop::Refused(format!("{id}: {}", say::account::held(desk.lang()))));
    }
    Ok(target)
}

async fn record(desk: &mut Desk<'_>, target: &Target, event: Event, said: &str) -> Done {
    desk.store.record(&[(target.stream.clone(), event.clone())], true, desk.now).await?;
    if desk.screen.is_json() {
        let value = serde_json::json!({ "stream": target.stream, "fact": event });
        desk.screen.json(&value)?;
    } else {
        desk.screen.say(said)?;
    }
    Ok(())
}
