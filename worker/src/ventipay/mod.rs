//! Ventipay's API, seen from the worker: one question and its answer.
//!
//! The port is the trait [`Ventipay`]; [`client`] is the real one, and only it and [`wire`]
//! know Ventipay's shapes. Errors are weather, or a key that somebody must put right: what
//! Ventipay says about a checkout, even that it knows none, is an answer. Not here: what
//! follows from the answer ([`crate::domain`]); webhooks (the ingress).

pub mod client;

pub mod wire;

use async_trait::async_trait;
use concilia_shared::id::CheckoutId;

use crate::domain::observe::AtVentipay;

pub use client::Client;

/// The Ventipay of one account.
#[async_trait]
pub trait Ventipay: Send + Sync {
    /// How a checkout stands now. Reads only; safe to repeat.
    async fn checkout(&self, id: &CheckoutId) -> Result<AtVentipay, VentipayError>;

    /// Whether it answers at all, and accepts the key: asks for a checkout that cannot exist.
    async fn ping(&self) -> Result<(), VentipayError> {
        match CheckoutId::parse("chk_ping") {
            Ok(none) => self.checkout(&none).await.map(drop),
            Err(_) => Ok(()),
        }
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
