//! Taking in a payment nobody told of: another fact is about its checkout, and Ventipay says that
//! it was paid. What the API answers is admitted into the log as an event of its own, once.
//!
//! Not here: what follows from it ([`crate::domain::decide`]).

use concilia_shared::id::CheckoutId;
use concilia_shared::webhook::Webhook;
use serde_json::{Value, json};

use crate::account::AccountShell;
use crate::domain::event::System;
use crate::domain::interpret::{fetched_id, interpret_fetched};
use crate::domain::observe::AtVentipay;
use crate::domain::reason::PendingReason;
use crate::domain::settings::Settings;
use crate::shell::Shell;
use crate::store::{Arrival, BrokerPosition, StoreError};
use crate::ventipay::Fetched;
use crate::weather::{Step, Trouble};

/// Reads the checkout and, where it is paid, admits it as such. Safe to repeat: the event has one
/// id, and a payment told twice is one payment.
pub(super) async fn learn(
    shell: &Shell,
    account: &AccountShell,
    settings: &Settings,
    checkout: &CheckoutId,
) -> Result<Result<(), Trouble>, StoreError> {
    let Some(ventipay) = &account.ventipay else {
        return Ok(Err(Trouble::of(PendingReason::VentipayUnavailable)));
    };
    let now = shell.clock.now();
    let object = match ventipay.fetch(checkout).await {
        // What is not paid tells no payment.
        Ok(Fetched { now: AtVentipay::Checkout(now), object }) if now.status == "paid" => object,
        Ok(_) => return Ok(Ok(())),
        Err(error) => return Ok(Err(Trouble::of_ventipay(&error, now))),
    };
    let Some(object) = object else {
        // It answered a moment ago, and no longer does.
        return Ok(Err(Trouble::of(PendingReason::VentipayUnavailable)));
    };
    account.failures.answered(System::Ventipay, Step::Look);
    let live = object.get("live").and_then(Value::as_bool);
    let envelope = json!({
        "data": object,
        "id": fetched_id(checkout),
        "live": live.unwrap_or(settings.environment.is_live()),
        "type": "checkout.paid",
    });
    let webhook = Webhook {
        account: account.name.clone(),
        // Reading with our key is the authentication (`ventipay-api.md` 4.8).
        signature: String::new(),
        received_at: now,
        late_s: None,
        traceparent: None,
        body: envelope.to_string().into_bytes(),
    };
    let (told, stream) = interpret_fetched(&webhook);
    let arrival = Arrival { webhook, told, stream, position: BrokerPosition::none() };
    shell.store.admit(&[arrival], now).await?;
    tracing::info!(%checkout, "a payment nobody told of was taken in from Ventipay");
    Ok(Ok(()))
}
