//! The real publisher on a real broker: what is stored, and what is said when it cannot be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::Config;
use concilia_ingress::broker::Link;
use concilia_ingress::jetstream::JetStream;
use concilia_ingress::publish::{Message, PublishError, Publisher};
use concilia_ingress::queue::{self, Queue, SubmitError};
use concilia_shared::broker::STREAM;
use concilia_shared::config::Nats;
use concilia_shared::id::AccountName;
use concilia_shared::webhook::Webhook;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::fixtures::clock;
use crate::nats::{PATIENCE, Server, until};
use crate::streams::open;

const DEADLINE: Duration = Duration::from_millis(1_500);

struct Rig {
    publisher: Arc<JetStream>,
    link: Arc<Link>,
    queue: Queue,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Rig {
    async fn on(nats: &Nats) -> Self {
        let broker = open(nats).await.unwrap();
        let (link, stop) = (broker.link(), CancellationToken::new());
        let watching = tokio::spawn(broker.watch_over(stop.clone()));
        let publisher = Arc::new(JetStream::new(link.clone(), &nats.stream));
        let (queue, task) = queue::start(publisher.clone(), 5_000, DEADLINE, stop);
        Self {
            publisher,
            link,
            queue,
            _tasks: [AbortOnDropHandle::new(watching), AbortOnDropHandle::new(task)],
        }
    }

    async fn ready(&self) {
        until("the broker to be trusted", async || self.link.readiness().ok()).await;
    }
}

fn webhook(body: impl Into<Vec<u8>>) -> Webhook {
    Webhook {
        account: AccountName::parse("main").unwrap(),
        signature: "t=1700000000,v1=aa".to_owned(),
        received_at: clock(),
        late_s: Some(-400),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        body: body.into(),
    }
}

fn message(body: impl Into<Vec<u8>>) -> Message {
    Message::of(webhook(body), Some("checkout.paid"))
}

/// Everything in the stream, in order.
async fn everything(server: &Server) -> Vec<StreamMessage> {
    let context = server.jetstream().await;
    let mut stream = context.get_stream(STREAM).await.unwrap();
    let last = stream.info().await.unwrap().state.last_sequence;
    let mut messages = Vec::new();
    for sequence in 1..=last {
        messages.push(stream.get_raw_message(sequence).await.unwrap());
    }
    messages
}

/// The same, read back as the worker will.
pub(crate) async fn stored(server: &Server) -> Vec<Webhook> {
    let read = |message: &StreamMessage| {
        assert!(message.subject.starts_with("ventipay.events.main."));
        let get = |name: &str| message.headers.get(name).map(async_nats::HeaderValue::as_str);
        Webhook::from_message(get, message.payload.to_vec()).unwrap()
    };
    everything(server).await.iter().map(read).collect()
}

#[tokio::test]
async fn single_messages_and_batches_are_stored_as_they_are() {
    let server = Server::start().await;
    let rig = Rig::on(&server.settings()).await;
    let bodies: Vec<Vec<u8>> = vec![
        b"{\"id\":\"evt_1\"}".to_vec(),
        Vec::new(),
        b"\xff\x00\r\n".to_vec(),
        b"{\"id\":\"evt_1\"}".to_vec(),
        b"{\"id\":\"evt_1\"}".to_vec(),
        vec![b'x'; 256 * 1024],
    ];
    let messages: Vec<Message> = bodies.iter().cloned().map(message).collect();
    rig.publisher.publish(&[]).await.unwrap();
    rig.publisher.publish(&messages[..1]).await.unwrap();
    rig.publisher.publish(&messages[1..3]).await.unwrap();
    rig.publisher.publish(&messages[3..]).await.unwrap();
    let expected: Vec<Webhook> = bodies.into_iter().map(webhook).collect();
    assert_eq!(stored(&server).await, expected);
}

#[tokio::test]
async fn a_full_batch_is_stored_whole() {
    let server = Server::start().await;
    let rig = Rig::on(&server.settings()).await;
    let messages: Vec<Message> =
        (0..queue::BATCH_MESSAGES_MAX).map(|number| message(number.to_string())).collect();
    rig.publisher.publish(&messages).await.unwrap();
    let context = server.jetstream().await;
    let mut stream = context.get_stream(STREAM).await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 1_000);
}

#[tokio::test]
async fn a_full_stream_is_an_error_until_there_is_room_again() {
    let server = Server::start().await;
    let nats = Nats { max_bytes: 20_000, ..server.settings() };
    let rig = Rig::on(&nats).await;
    let large = || message(vec![b'x'; 15_000]);
    rig.publisher.publish(&[large()]).await.unwrap();
    for batch in [vec![large()], vec![large(), large()]] {
        let error = rig.publisher.publish(&batch).await.unwrap_err();
        assert!(matches!(error, PublishError::Refused { code: 10_077, .. }), "{error}");
    }
    assert_eq!(stored(&server).await.len(), 1, "nothing was deleted to make room");

    let context = server.jetstream().await;
    let config = context.get_stream(STREAM).await.unwrap();
    let roomy = Config { max_bytes: 1_000_000, ..config.cached_info().config.clone() };
    context.update_stream(roomy).await.unwrap();
    rig.publisher.publish(&[large(), large()]).await.unwrap();
    assert_eq!(stored(&server).await.len(), 3);
}

#[tokio::test]
async fn without_its_stream_nothing_is_confirmed() {
    let server = Server::start().await;
    let rig = Rig::on(&server.settings()).await;
    server.jetstream().await.delete_stream(STREAM).await.unwrap();
    for count in [1, 2] {
        let batch = vec![message("x"); count];
        let error = rig.publisher.publish(&batch).await.unwrap_err();
        assert!(matches!(error, PublishError::Unavailable(_)), "{error}");
    }
}

#[tokio::test]
async fn too_many_batches_in_flight_are_waited_out() {
    let server = Server::start().await;
    let rig = Rig::on(&server.settings()).await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let open_batch = async |id: usize, sequence: u8, commit: bool| {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Batch-Id", format!("other-{id}"));
        headers.insert("Nats-Batch-Sequence", sequence.to_string());
        if commit {
            headers.insert("Nats-Batch-Commit", "1");
        }
        let sent = message("of another");
        client.request_with_headers(sent.subject, headers, sent.body).await.unwrap().payload
    };
    for id in 0..50 {
        assert!(open_batch(id, 1, false).await.is_empty(), "taken");
    }
    let refused = open_batch(50, 1, false).await;
    assert!(String::from_utf8_lossy(&refused).contains("10210"), "{refused:?}");

    let publisher = rig.publisher.clone();
    let messages = [message("a"), message("b")];
    let mut publishing = tokio::spawn(async move { publisher.publish(&messages).await });
    let early = tokio::time::timeout(Duration::from_millis(300), &mut publishing).await;
    assert!(early.is_err(), "there is no room for it: {early:?}");
    let committed = open_batch(0, 2, true).await;
    assert!(String::from_utf8_lossy(&committed).contains("\"count\":2"), "{committed:?}");
    let outcome = tokio::time::timeout(PATIENCE, publishing).await.unwrap();
    assert_eq!(outcome.unwrap(), Ok(()));
    let all = everything(&server).await;
    let bodies: Vec<&[u8]> = all.iter().map(|message| &message.payload[..]).collect();
    assert_eq!(bodies[2..], [b"a", b"b"]);
}

#[tokio::test]
async fn a_killed_broker_is_503_within_the_deadline_and_what_was_confirmed_survives() {
    let mut server = Server::start().await;
    let rig = Rig::on(&server.settings()).await;
    let confirmed = join_all((0..200).map(|n| rig.queue.submit(message(n.to_string())))).await;
    assert!(confirmed.iter().all(Result::is_ok));

    // Killed while a stream of them is under way: some are confirmed, some are not.
    let under_way: Vec<_> = (200..5_000)
        .map(|number| {
            let queue = rig.queue.clone();
            tokio::spawn(async move {
                let started = Instant::now();
                let outcome = queue.submit(message(number.to_string())).await;
                (number, outcome, started.elapsed())
            })
        })
        .collect();
    server.kill();
    let mut promised: Vec<u32> = (0..200).collect();
    for one in join_all(under_way).await {
        let (number, outcome, took) = one.unwrap();
        assert!(took < DEADLINE + Duration::from_secs(1), "{took:?}");
        if outcome.is_ok() {
            promised.push(number);
        }
    }
    assert!(promised.len() < 5_000, "it was killed before the end");
    let outcome = rig.queue.submit(message("x")).await;
    assert!(
        matches!(outcome, Err(SubmitError::Broker(PublishError::Unavailable(_)))),
        "nothing is kept for later by a client without a connection: {outcome:?}"
    );

    server.revive().await;
    rig.ready().await;
    rig.queue.submit(message("after")).await.unwrap();
    let kept: Vec<Vec<u8>> = stored(&server).await.into_iter().map(|w| w.body).collect();
    for number in promised {
        assert!(kept.contains(&number.to_string().into_bytes()), "{number} is lost");
    }
    assert_eq!(kept.last().unwrap(), b"after");
    assert!(!kept.contains(&b"x".to_vec()));
}

#[tokio::test]
async fn a_frozen_broker_is_503_within_the_deadline_and_goes_on_when_thawed() {
    let server = Server::start().await;
    let rig = Rig::on(&server.settings()).await;
    server.freeze();
    for _ in 0..2 {
        let started = Instant::now();
        let outcomes = join_all((0..20).map(|n| rig.queue.submit(message(n.to_string())))).await;
        assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
        assert!(started.elapsed() < DEADLINE + Duration::from_secs(1));
    }
    server.thaw();
    until("a webhook to be confirmed", async || rig.queue.submit(message("after")).await.ok())
        .await;
    assert!(stored(&server).await.iter().any(|webhook| webhook.body == b"after"));
}
