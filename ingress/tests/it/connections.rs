//! The accept loop over real TCP: slow, greedy, silent and rude clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use concilia_ingress::serve::{Bounds, serve};
use concilia_shared::secret::Secret;
use concilia_shared::signature::sign;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::fixtures::{BODY, Desk, NOW_S, Paper, SECRET, one_account};
use crate::nats::PATIENCE;

const HEAD_TIMEOUT: Duration = Duration::from_millis(200);

struct Port {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    paper: Arc<Paper>,
}

async fn open(connections_max: usize, paper: Arc<Paper>) -> Port {
    let desk = Desk::with(&one_account(), paper.clone(), |rules| {
        rules.request_timeout = HEAD_TIMEOUT;
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let bounds = Bounds {
        connections_max,
        head_timeout: HEAD_TIMEOUT,
        drain_timeout: Duration::from_secs(1),
    };
    let task = tokio::spawn(serve(listener, desk.router, bounds, stop.clone()));
    Port { address, stop, task, paper }
}

impl Port {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn genuine() -> String {
    let signature = sign(&Secret::new(SECRET), NOW_S, BODY.as_bytes());
    format!(
        "POST /ventipay/webhook HTTP/1.1\r\nhost: x\r\nventi-signature: {signature}\r\n\
         content-length: {}\r\n\r\n{BODY}",
        BODY.len()
    )
}

/// Everything the server says until it closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .expect("the connection stays open")
        .expect("the connection was reset before it was read");
    String::from_utf8(bytes).unwrap()
}

/// One answer, headers and body, on a connection that stays open.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let read = async {
        while !text.ends_with('}') {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).await.unwrap();
            assert_ne!(count, 0, "closed after {text:?}");
            text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
    };
    timeout(PATIENCE, read).await.expect("no answer");
    text
}

#[tokio::test]
async fn one_connection_carries_many_webhooks() {
    let port = open(10, Paper::open()).await;
    let mut stream = port.connect().await;
    for _ in 0..3 {
        stream.write_all(genuine().as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(port.paper.messages().len(), 3);
}

#[tokio::test]
async fn a_head_that_does_not_end_is_408_and_closed() {
    let port = open(10, Paper::open()).await;
    let mut stream = port.connect().await;
    stream.write_all(b"POST /ventipay/webhook HTTP/1.1\r\nhost:").await.unwrap();
    let said = rest(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(said.contains("connection: close"), "{said}");
}

#[tokio::test]
async fn a_body_that_does_not_end_is_408_and_closed() {
    let port = open(10, Paper::open()).await;
    let whole = genuine();
    let mut stream = port.connect().await;
    stream.write_all(&whole.as_bytes()[..whole.len() - 1]).await.unwrap();
    let said = rest(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(said.contains("too_slow"), "{said}");
    assert!(port.paper.messages().is_empty());
}

#[tokio::test]
async fn a_client_that_says_nothing_is_closed_without_a_word() {
    let port = open(10, Paper::open()).await;
    let mut fresh = port.connect().await;
    assert_eq!(rest(&mut fresh).await, "");
    let mut served = port.connect().await;
    served.write_all(genuine().as_bytes()).await.unwrap();
    assert!(answer(&mut served).await.starts_with("HTTP/1.1 200"));
    assert_eq!(rest(&mut served).await, "");
}

#[tokio::test]
async fn a_client_that_sends_too_much_hears_why() {
    let port = open(10, Paper::open()).await;
    for (framing, chunk) in [
        ("content-length: 600000", vec![b'x'; 600_000]),
        (
            "transfer-encoding: chunked",
            [format!("{:x}\r\n", 600_000).into_bytes(), vec![b'x'; 600_000]].concat(),
        ),
    ] {
        let mut stream = port.connect().await;
        let head = format!("POST /ventipay/webhook HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // It goes on sending after the answer is there; the answer must survive that.
        stream.write_all(&chunk).await.unwrap();
        let said = rest(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 413"), "{framing}: {said}");
        assert!(said.contains("body_too_large"), "{said}");
    }
}

#[tokio::test]
async fn a_head_without_bounds_is_refused() {
    let port = open(10, Paper::open()).await;
    let long = format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1_000));
    for (head, status) in [(long, "431"), (many, "431"), ("garbage\r\n\r\n".to_owned(), "400")] {
        let mut stream = port.connect().await;
        // The server may answer and close before it has all of it.
        stream.write_all(head.as_bytes()).await.ok();
        let said = rest(&mut stream).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {said}");
    }
    let mut stream = port.connect().await;
    stream.write_all(genuine().as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"), "and is healthy");
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_their_turn() {
    let port = open(2, Paper::open()).await;
    let started = Instant::now();
    let _silent = [port.connect().await, port.connect().await];
    let mut third = port.connect().await;
    third.write_all(genuine().as_bytes()).await.unwrap();
    assert!(answer(&mut third).await.starts_with("HTTP/1.1 200"));
    assert!(
        started.elapsed() >= HEAD_TIMEOUT,
        "it was served only when a silent one had run out of time"
    );
}

#[tokio::test]
async fn stopping_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let port = open(10, Paper::held()).await;
    let mut idle = port.connect().await;
    let mut busy = port.connect().await;
    busy.write_all(genuine().as_bytes()).await.unwrap();
    port.paper.begun(1).await;
    port.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    port.paper.gate.add_permits(1);
    let said = rest(&mut busy).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    timeout(PATIENCE, port.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(port.address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn a_connection_that_does_not_end_is_cut() {
    let port = open(10, Paper::open()).await;
    let mut stream = port.connect().await;
    // Answers it never reads fill the buffers until the server cannot write any more.
    let many = genuine().repeat(64);
    while let Ok(written) = timeout(Duration::from_millis(300), stream.write(many.as_bytes())).await
    {
        written.unwrap();
    }
    port.stop.cancel();
    timeout(PATIENCE, port.task).await.unwrap().unwrap();
}
