//! Ventipay's API, seen from the worker: how a thing stands now, and nothing else.
//!
//! The port is the trait [`Ventipay`]; [`client`] is the real one, and only it and [`wire`]
//! know Ventipay's shapes. Errors are weather, or a key that somebody must put right: what
//! Ventipay says about a thing, even that it knows none, is an answer. Not here: what
//! follows from the answer ([`crate::domain`]); webhooks (the ingress).

pub mod client;

pub mod wire;

use std::fmt;

use async_trait::async_trait;
use concilia_shared::id::CheckoutId;
use serde_json::{Map, Value};

use crate::domain::observe::{
    AtVentipay, CustomerNow, DisputeNow, InvoiceNow, MethodNow, PaymentNow, Shown, SubscriptionNow,
};

pub use client::Client;

/// The Ventipay of one account.
#[async_trait]
pub trait Ventipay: Send + Sync {
    /// A checkout, whole: what reads of it, and the object as it came. Reads only; safe to
    /// repeat, as all here is.
    async fn fetch(&self, id: &CheckoutId) -> Result<Fetched, VentipayError>;

    /// How a checkout stands now.
    async fn checkout(&self, id: &CheckoutId) -> Result<AtVentipay, VentipayError> {
        Ok(self.fetch(id).await?.now)
    }

    /// How a dispute stands now.
    async fn dispute(&self, id: &str) -> Result<Shown<DisputeNow>, VentipayError>;

    /// How a subscription stands now.
    async fn subscription(&self, id: &str) -> Result<Shown<SubscriptionNow>, VentipayError>;

    /// How an invoice ("nota de venta") stands now.
    async fn invoice(&self, id: &str) -> Result<Shown<InvoiceNow>, VentipayError>;

    /// How a payment stands now: it may name the checkout where its charge does not.
    async fn payment(&self, id: &str) -> Result<Shown<PaymentNow>, VentipayError>;

    /// Who a customer is: events name them by id only (`ventipay-api.md` 4.6).
    async fn customer(&self, id: &str) -> Result<Shown<CustomerNow>, VentipayError>;

    /// What a payment method is, as far as it is read.
    async fn payment_method(&self, id: &str) -> Result<Shown<MethodNow>, VentipayError>;

    /// Whether it answers at all, and accepts the key: asks for a checkout that cannot exist.
    async fn ping(&self) -> Result<(), VentipayError> {
        match CheckoutId::parse("chk_ping") {
            Ok(none) => self.checkout(&none).await.map(drop),
            Err(_) => Ok(()),
        }
    }
}

/// A checkout as the API answered it, with the object itself: enough to take it in where no
/// webhook ever told of it.
#[derive(Clone, PartialEq)]
pub struct Fetched {
    /// What reads of it.
    pub now: AtVentipay,
    /// The object as it came, unknown fields and all; absent unless `now` is a checkout. It
    /// holds personal data, so it is not shown by `Debug`.
    pub object: Option<Map<String, Value>>,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("now", &self.now).finish_non_exhaustive()
    }
}

/// Why there is no answer. Never a verdict on the payment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VentipayError {
    /// No useful answer: no connection, time is up, 429, 5xx, a redirect, a maintenance page.
    #[error("Ventipay is unavailable: {detail}")]
    Unavailable {
        /// What was seen, without bodies or addresses.
        detail: String,
        /// What `Retry-After` asked for, in seconds.
        retry_after_s: Option<u64>,
    },
    /// 401 or 403: nothing can be asked until somebody sets the key right.
    #[error(
        "Ventipay refused the API key ({status}). Set ventipay.key of this account to a current \
         key of the same environment (Dashboard, Desarrolladores > API)."
    )]
    Denied {
        /// The HTTP status, 401 or 403.
        status: u16,
    },
}
