//! Failing on request: what the API does instead of answering, for the next so many calls.
//!
//! Only `/v1` fails; the control routes stay reachable. A refused connection is had by
//! dropping the simulator.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::world::Sim;

/// Longest a hanging call is held, so that no test leaves one behind.
const HANG_MAX: Duration = Duration::from_mins(2);

/// What happens instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// The connection is cut.
    Down,
    /// This status, with an error object: 401, 403, 429, 500, 503, …
    Status {
        /// The status.
        status: u16,
        /// A `Retry-After`, in seconds.
        retry_after_s: Option<u64>,
    },
    /// The right answer, this many milliseconds later.
    Slow {
        /// The delay.
        ms: u64,
    },
    /// No answer, for two minutes.
    Hang,
}

/// A fault and how often it strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultPlan {
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// For the next so many calls; absent: until told otherwise.
    pub times: Option<u32>,
}

impl FaultPlan {
    /// A fault that lasts until told otherwise.
    pub fn always(fault: Fault) -> Self {
        Self { fault, times: None }
    }

    /// A fault for the next `times` calls.
    pub fn times(fault: Fault, times: u32) -> Self {
        let times = Some(times);
        Self { fault, times }
    }
}

/// The fault due now, if any; counts it.
pub(super) fn strike(plan: &mut Option<FaultPlan>) -> Option<Fault> {
    let current = plan.as_mut()?;
    let fault = current.fault.clone();
    match &mut current.times {
        Some(0) => {
            *plan = None;
            return None;
        }
        Some(times) => *times -= 1,
        None => {}
    }
    Some(fault)
}

/// Middleware of `/v1`: strikes, or lets the call through.
pub(super) async fn inject(State(sim): State<Arc<Sim>>, request: Request, next: Next) -> Response {
    match sim.next_fault() {
        None => next.run(request).await,
        Some(Fault::Slow { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            next.run(request).await
        }
        Some(Fault::Hang) => {
            tokio::time::sleep(HANG_MAX).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        Some(Fault::Down) => cut(),
        Some(Fault::Status { status, retry_after_s }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = ApiError::failing(status).into_response();
            if let Some(seconds) = retry_after_s {
                let value = HeaderValue::from(seconds);
                response.headers_mut().insert(RETRY_AFTER, value);
            }
            response
        }
    }
}

/// An answer whose body breaks off at once: the server then closes the connection.
fn cut() -> Response {
    let broken = futures_util::stream::once(async {
        Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    (StatusCode::SERVICE_UNAVAILABLE, Body::from_stream(broken)).into_response()
}
