//! Group commit: what goes together, what waits, and who is told what.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use concilia_ingress::publish::{Message, PublishError};
use concilia_ingress::queue::{self, BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, Queue, SubmitError};
use concilia_shared::webhook::BODY_BYTES_MAX;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use futures_util::poll;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fixtures::Paper;

const DEADLINE: Duration = Duration::from_secs(20);

struct Post {
    queue: Queue,
    paper: Arc<Paper>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Post {
    fn with(queue_max: usize, deadline: Duration) -> Self {
        let (paper, stop) = (Paper::held(), CancellationToken::new());
        let (queue, task) = queue::start(paper.clone(), queue_max, deadline, stop.clone());
        Self { queue, paper, stop, task }
    }
}

fn message(body: impl Into<Bytes>) -> Message {
    Message { subject: "ventipay.events.main.x".to_owned(), headers: Vec::new(), body: body.into() }
}

/// Puts messages into the queue, in order, and leaves their senders waiting.
async fn waiting(
    queue: &Queue,
    bodies: impl IntoIterator<Item = Vec<u8>>,
) -> Vec<BoxFuture<'_, Result<(), SubmitError>>> {
    let mut all = Vec::new();
    for body in bodies {
        let mut one = queue.submit(message(body)).boxed();
        assert!(poll!(&mut one).is_pending());
        all.push(one);
    }
    all
}

fn numbered(numbers: std::ops::Range<u32>) -> impl Iterator<Item = Vec<u8>> {
    numbers.map(|number| number.to_be_bytes().to_vec())
}

#[tokio::test]
async fn a_lone_webhook_goes_at_once_and_what_arrives_meanwhile_is_the_next_batch() {
    let post = Post::with(100, DEADLINE);
    let lone = waiting(&post.queue, numbered(0..1)).await;
    post.paper.begun(1).await;
    let meanwhile = waiting(&post.queue, numbered(1..6)).await;

    post.paper.gate.add_permits(1);
    assert!(join_all(lone).await.iter().all(Result::is_ok));
    post.paper.begun(2).await;
    assert_eq!(post.paper.sizes(), [1], "the second is not confirmed yet");
    post.paper.gate.add_permits(1);
    assert!(join_all(meanwhile).await.iter().all(Result::is_ok));
    assert_eq!(post.paper.sizes(), [1, 5]);
    let order: Vec<Vec<u8>> = post.paper.messages().iter().map(|m| m.body.to_vec()).collect();
    assert_eq!(order, numbered(0..6).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn never_more_than_one_batch_is_in_flight() {
    let post = Post::with(2_000, DEADLINE);
    post.paper.gate.add_permits(10_000);
    let senders = (0..2_000u32).map(|number| {
        let queue = post.queue.clone();
        tokio::spawn(async move { queue.submit(message(number.to_be_bytes().to_vec())).await })
    });
    for sent in join_all(senders).await {
        assert_eq!(sent.unwrap(), Ok(()));
    }
    assert_eq!(post.paper.in_flight_most.load(Ordering::SeqCst), 1);
    let mut bodies: Vec<_> = post.paper.messages().iter().map(|m| m.body.clone()).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 2_000, "each of them, once");
}

#[tokio::test]
async fn a_batch_is_bounded_in_messages_and_in_bytes() {
    let post = Post::with(2_000, DEADLINE);
    let first = waiting(&post.queue, numbered(0..1)).await;
    post.paper.begun(1).await;
    let many = waiting(&post.queue, numbered(0..1_500)).await;
    post.paper.gate.add_permits(3);
    assert!(join_all(first.into_iter().chain(many)).await.iter().all(Result::is_ok));
    assert_eq!(post.paper.sizes(), [1, BATCH_MESSAGES_MAX, 500]);

    let post = Post::with(2_000, DEADLINE);
    let first = waiting(&post.queue, numbered(0..1)).await;
    post.paper.begun(1).await;
    let large = waiting(&post.queue, vec![vec![0; BODY_BYTES_MAX]; 40]).await;
    post.paper.gate.add_permits(3);
    assert!(join_all(first.into_iter().chain(large)).await.iter().all(Result::is_ok));
    let fit = BATCH_BYTES_MAX / BODY_BYTES_MAX;
    assert_eq!(post.paper.sizes(), [1, fit, 40 - fit]);
}

#[tokio::test]
async fn a_failed_batch_fails_each_in_it_and_no_other() {
    let post = Post::with(100, DEADLINE);
    let lone = waiting(&post.queue, numbered(0..1)).await;
    post.paper.begun(1).await;
    let meanwhile = waiting(&post.queue, numbered(1..4)).await;
    post.paper.gate.add_permits(1);
    assert!(join_all(lone).await.iter().all(Result::is_ok));
    post.paper.begun(2).await;

    let error = PublishError::Unknown("x".to_owned());
    *post.paper.fails.lock().unwrap() = Some(error.clone());
    post.paper.gate.add_permits(1);
    for outcome in join_all(meanwhile).await {
        assert_eq!(outcome, Err(SubmitError::Broker(error.clone())));
    }
    *post.paper.fails.lock().unwrap() = None;
    post.paper.gate.add_permits(1);
    assert_eq!(post.queue.submit(message("again")).await, Ok(()));
}

#[tokio::test]
async fn who_gave_up_waiting_is_left_out() {
    let post = Post::with(100, DEADLINE);
    let first = waiting(&post.queue, numbered(0..1)).await;
    post.paper.begun(1).await;
    drop(waiting(&post.queue, numbered(1..4)).await);
    post.paper.gate.add_permits(10);
    assert!(join_all(first).await.iter().all(Result::is_ok));
    assert_eq!(post.queue.submit(message("fresh")).await, Ok(()));
    assert_eq!(post.paper.sizes(), [1, 1]);
    assert_eq!(post.paper.messages()[1].body, "fresh");
}

#[tokio::test]
async fn a_broker_that_hangs_does_not_hold_up_the_next_batch_for_ever() {
    let post = Post::with(100, Duration::from_millis(100));
    for batch in 1..=3 {
        assert_eq!(post.queue.submit(message("x")).await, Err(SubmitError::Deadline), "{batch}");
        post.paper.begun(batch).await;
    }
    assert_eq!(post.paper.in_flight_most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let post = Post::with(3, DEADLINE);
    let first = waiting(&post.queue, numbered(0..1)).await;
    post.paper.begun(1).await;
    let waiting = waiting(&post.queue, numbered(1..4)).await;
    assert_eq!(post.queue.submit(message("x")).await, Err(SubmitError::Full));
    post.paper.gate.add_permits(10);
    assert!(join_all(first.into_iter().chain(waiting)).await.iter().all(Result::is_ok));
    assert_eq!(post.queue.submit(message("x")).await, Ok(()));
}

#[tokio::test]
async fn stopping_publishes_what_waits_and_takes_nothing_new() {
    let post = Post::with(100, DEADLINE);
    let first = waiting(&post.queue, numbered(0..1)).await;
    post.paper.begun(1).await;
    let behind = waiting(&post.queue, numbered(1..4)).await;
    post.stop.cancel();
    post.paper.gate.add_permits(10);
    assert!(join_all(first.into_iter().chain(behind)).await.iter().all(Result::is_ok));
    assert_eq!(post.paper.messages().len(), 4);
    post.task.await.unwrap();
    assert_eq!(post.queue.submit(message("x")).await, Err(SubmitError::Stopped));
}
