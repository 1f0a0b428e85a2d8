//! The accept loop: a bounded number of connections, each with bounded time, and an end that
//! lets what is in flight finish.
//!
//! Not here: what is answered ([`crate::receive`], [`crate::admin`]).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest head of a request, in bytes; more is answered 431.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// A connection older than this is closed after the answer in progress: bounds what a client
/// that never reads its answers can hold.
const CONNECTION_AGE_MAX: Duration = Duration::from_mins(5);

/// What is still read of a client that was answered before it had sent everything, so that
/// the answer is not lost to a reset connection.
const LINGER_BYTES_MAX: u64 = 1024 * 1024;
const LINGER: Duration = Duration::from_secs(1);

/// Pause when no connection can be accepted, for want of file handles say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\n\
    connection: close\r\ncontent-length: 100\r\n\r\n\
    {\"error\":\"too_slow\",\"message\":\"The request's head did not arrive in time; send the request again.\"}\n";

/// The bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Most connections at once; more wait to be accepted.
    pub connections_max: usize,
    /// Longest wait for the head of a request, the idle time before it included.
    pub head_timeout: Duration,
    /// Longest wait for what is in flight when stopping.
    pub drain_timeout: Duration,
}

/// Serves until `stop`, then accepts nothing more, finishes what is in flight, and returns.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let slots = Arc::new(Semaphore::new(bounds.connections_max.min(Semaphore::MAX_PERMITS)));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, slot)) = accepted else {
            continue;
        };
        let connection =
            serve_connection(stream, router.clone(), bounds.head_timeout, stop.clone());
        let cut = cut.clone();
        connections.spawn(async move {
            tokio::select! {
                () = cut.cancelled() => {}
                () = connection => {}
            }
            drop(slot);
        });
    }
    drop(listener);
    connections.close();
    if timeout(bounds.drain_timeout, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "cut connections that did not end");
        cut.cancel();
        connections.wait().await;
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are small and waited for. Where it cannot be set, they are only later.
            stream.set_nodelay(true).ok();
            Some((stream, slot))
        }
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    router: Router,
    head_timeout: Duration,
    stop: CancellationToken,
) {
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let old = Instant::now() + CONNECTION_AGE_MAX;
    let mut ending = false;
    let ended = loop {
        tokio::select! {
            ended = poll_fn(|context| connection.poll_without_shutdown(context)) => break ended,
            () = stop.cancelled(), if !ending => ending = true,
            () = sleep_until(old), if !ending => ending = true,
            () = sleep_until(old + head_timeout) => return,
        }
        Pin::new(&mut connection).graceful_shutdown();
    };
    let parts = connection.into_parts();
    // An idle connection that ran out of time is only closed; a head begun is answered.
    let head_late = ended.is_err_and(|error| error.is_timeout()) && !parts.read_buf.is_empty();
    // The client may be gone; then there is nobody to be polite to.
    close(parts.io.into_inner(), head_late).await.ok();
}

/// Says the last word, and reads on for a moment until the client has heard it.
async fn close(mut stream: TcpStream, head_late: bool) -> io::Result<()> {
    if head_late {
        stream.write_all(TOO_SLOW).await?;
    }
    stream.shutdown().await?;
    let mut rest = stream.take(LINGER_BYTES_MAX);
    timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_late_head_has_the_length_it_says() {
        let text = std::str::from_utf8(TOO_SLOW).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
