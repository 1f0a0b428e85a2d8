//! Reading a request's body whole, within a bound of bytes and a bound of time.
//!
//! Not here: what the bytes mean. Nothing is parsed before a signature verified.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use concilia_shared::webhook::BODY_BYTES_MAX;
use futures_util::StreamExt;

use crate::answer::Answer;

/// Reads the body, or says why it cannot be had: too long (at once when its declared length
/// says so), too slow, or broken off.
pub async fn read(body: Body, within: Duration) -> Result<Vec<u8>, Answer> {
    let declared = body.size_hint().lower();
    if usize::try_from(declared).map_or(true, |length| length > BODY_BYTES_MAX) {
        return Err(Answer::TooLarge);
    }
    tokio::time::timeout(within, collect(body)).await.unwrap_or(Err(Answer::TooSlow))
}

/// Grows with what arrives, not with what was declared: a client that promises much and
/// sends nothing costs nothing.
async fn collect(body: Body) -> Result<Vec<u8>, Answer> {
    let mut bytes = Vec::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Answer::BodyBroken)?;
        if bytes.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Answer::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
