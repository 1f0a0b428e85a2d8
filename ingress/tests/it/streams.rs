//! Opening a real broker: the stream that is made, what is brought up to date, and what is
//! refused.

use std::time::Duration;

use async_nats::jetstream::stream::{
    Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType,
};
use concilia_ingress::broker::{Broker, OpenError};
use concilia_ingress::stream;
use concilia_shared::config::Nats;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::nats::{PATIENCE, Server, until};

/// reqwest has no TLS provider of its own.
pub(crate) fn install_tls() {
    rustls::crypto::ring::default_provider().install_default().ok();
}

pub(crate) async fn open(nats: &Nats) -> Result<Broker, OpenError> {
    install_tls();
    let stop = CancellationToken::new();
    tokio::time::timeout(PATIENCE, Broker::open(nats, &stop))
        .await
        .expect("the broker was neither opened nor refused")
}

/// Makes a stream where one of that name was deleted a moment ago: the server answers 10049
/// until the old one's folder is gone.
async fn create_anew(context: &async_nats::jetstream::Context, wanted: &Config) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while let Err(error) = context.create_stream(wanted).await {
        assert!(tokio::time::Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn refusal(nats: &Nats) -> String {
    match open(nats).await {
        Err(OpenError::Refused(sentences)) => sentences,
        other => panic!("{other:?}"),
    }
}

async fn stream_of(server: &Server) -> Config {
    let context = server.jetstream().await;
    let stream = context.get_stream("VENTIPAY").await.unwrap();
    stream.cached_info().config.clone()
}

#[tokio::test]
async fn a_missing_stream_is_made_as_designed() {
    let server = Server::start().await;
    let broker = open(&server.settings()).await.unwrap();
    assert_eq!(broker.link().readiness(), Ok(()));
    let made = stream_of(&server).await;
    assert_eq!(made.subjects, ["ventipay.events.>"]);
    assert_eq!(made.retention, RetentionPolicy::Limits);
    assert_eq!(made.storage, StorageType::File);
    assert_eq!(made.discard, DiscardPolicy::New);
    assert_eq!(made.max_bytes, 64 * 1024 * 1024);
    assert_eq!(made.max_age, Duration::from_hours(24 * 90));
    assert_eq!(made.max_message_size, 1024 * 1024);
    assert_eq!(made.num_replicas, 1);
    assert!(made.deny_delete && made.deny_purge && made.allow_atomic_publish);
    assert_eq!(made.persist_mode, None);

    open(&server.settings()).await.expect("a second ingress finds it");
    assert_eq!(stream_of(&server).await, made);
}

#[tokio::test]
async fn limits_and_guards_of_an_existing_stream_are_brought_up_to_date() {
    let server = Server::start().await;
    let nats = server.settings();
    let old = Config {
        max_bytes: 1_000_000,
        max_age: Duration::from_hours(1),
        max_message_size: 1_000,
        allow_atomic_publish: false,
        deny_delete: false,
        deny_purge: false,
        description: Some("ours".to_owned()),
        ..stream::wanted(&nats)
    };
    server.jetstream().await.create_stream(old).await.unwrap();
    open(&nats).await.unwrap();
    let updated = stream_of(&server).await;
    assert_eq!(updated.max_bytes, nats.max_bytes);
    assert_eq!(updated.max_age, Duration::from_hours(24 * 90));
    assert_eq!(updated.max_message_size, 1024 * 1024);
    assert!(updated.allow_atomic_publish && updated.deny_delete && updated.deny_purge);
    assert_eq!(updated.description.as_deref(), Some("ours"), "the rest is left alone");
}

#[tokio::test]
async fn a_stream_that_could_lose_webhooks_is_refused_and_left_as_it_is() {
    let server = Server::start().await;
    let nats = server.settings();
    let wanted = stream::wanted(&nats);
    let guarded = || Config { deny_delete: false, deny_purge: false, ..wanted.clone() };
    let table = [
        (Config { discard: DiscardPolicy::Old, ..guarded() }, "--discard new"),
        (Config { retention: RetentionPolicy::WorkQueue, ..guarded() }, "work-queue retention"),
        (Config { retention: RetentionPolicy::Interest, ..guarded() }, "interest retention"),
        (Config { storage: StorageType::Memory, ..guarded() }, "kept in memory"),
        (
            Config {
                persist_mode: Some(PersistenceMode::Async),
                allow_atomic_publish: false,
                ..guarded()
            },
            "persist mode async",
        ),
        (
            Config { subjects: vec!["ventipay.events.other.>".to_owned()], ..guarded() },
            "does not listen to",
        ),
        (Config { max_messages_per_subject: 5, ..guarded() }, "messages a subject"),
    ];
    let context = server.jetstream().await;
    for (dangerous, expected) in table {
        create_anew(&context, &dangerous).await;
        let before = stream_of(&server).await;
        let said = refusal(&nats).await;
        assert!(said.contains(expected), "{expected}: {said}");
        assert_eq!(stream_of(&server).await, before);
        context.delete_stream("VENTIPAY").await.unwrap();
    }
}

#[tokio::test]
async fn fewer_replicas_than_configured_are_refused() {
    let server = Server::start().await;
    let one = server.settings();
    let context = server.jetstream().await;
    context.create_stream(stream::wanted(&one)).await.unwrap();
    let three = Nats { replicas: 3, ..one };
    assert!(refusal(&three).await.contains("--replicas=3"));
}

#[tokio::test]
async fn a_server_that_does_not_sync_always_is_refused_unless_accepted() {
    let server = Server::syncing("\"10s\"").await;
    let nats = server.settings();
    let said = refusal(&nats).await;
    assert!(said.contains("syncs every 10 s"), "{said}");
    let accepted = Nats { accept_unproven_durability: true, ..nats };
    let broker = open(&accepted).await.unwrap();
    assert_eq!(broker.link().readiness(), Ok(()));
}

#[tokio::test]
async fn durability_that_cannot_be_proven_is_refused_unless_accepted() {
    let server = Server::start().await;
    let another = Server::start().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    for (monitor_url, expected) in [
        (None, "nats.monitor_url is not set"),
        (Some(nobody.as_str()), "does not answer"),
        (Some(another.monitor_url()), "but the stream is on server"),
        (Some(&*format!("{}/healthz", server.monitor_url())), "answers 404"),
    ] {
        let nats = Nats { monitor_url: monitor_url.map(str::to_owned), ..server.settings() };
        let said = refusal(&nats).await;
        assert!(said.contains("durability is unproven"), "{said}");
        assert!(said.contains(expected), "{expected}: {said}");
        let accepted = Nats { accept_unproven_durability: true, ..nats };
        assert!(open(&accepted).await.is_ok());
    }
}

#[tokio::test]
async fn a_broker_that_is_not_there_yet_is_waited_for() {
    install_tls();
    let mut server = Server::start().await;
    let nats = server.settings();
    server.kill();
    let stop = CancellationToken::new();
    let opening = tokio::spawn({
        let (nats, stop) = (nats.clone(), stop.clone());
        async move { Broker::open(&nats, &stop).await.map(|broker| broker.link()) }
    });
    server.revive().await;
    let opened = tokio::time::timeout(PATIENCE, opening).await.unwrap().unwrap();
    assert_eq!(opened.unwrap().readiness(), Ok(()));

    server.kill();
    let opening = tokio::spawn({
        let stop = stop.clone();
        async move { Broker::open(&nats, &stop).await.map(|broker| broker.link()) }
    });
    stop.cancel();
    let opened = tokio::time::timeout(PATIENCE, opening).await.unwrap().unwrap();
    assert!(matches!(opened, Err(OpenError::Stopped)));
}

#[tokio::test]
async fn a_server_restarted_with_worse_settings_is_not_trusted_on_its_predecessors_word() {
    let mut server = Server::start().await;
    let broker = open(&server.settings()).await.unwrap();
    let (link, stop) = (broker.link(), CancellationToken::new());
    let watching = tokio::spawn(broker.watch_over(stop.clone()));
    server.kill();
    until("the loss to be noticed", async || link.trusted().is_err().then_some(())).await;

    server.revive_syncing("\"2m\"").await;
    until("the refusal", async || {
        let why = link.trusted().err()?;
        why.contains("syncs every 120 s").then_some(())
    })
    .await;

    server.kill();
    server.revive_syncing("always").await;
    until("trust", async || link.readiness().is_ok().then_some(())).await;
    stop.cancel();
    watching.await.unwrap();
}

#[tokio::test]
async fn a_later_look_restores_the_guards_and_leaves_limits_to_the_operator() {
    let mut server = Server::start().await;
    let broker = open(&server.settings()).await.unwrap();
    let (link, stop) = (broker.link(), CancellationToken::new());
    let watching = tokio::spawn(broker.watch_over(stop.clone()));
    let changed =
        Config { max_bytes: 1 << 30, allow_atomic_publish: false, ..stream_of(&server).await };
    server.jetstream().await.update_stream(changed).await.unwrap();
    // Losing the connection is what makes it look again at once.
    server.kill();
    until("the loss to be noticed", async || link.trusted().is_err().then_some(())).await;
    server.revive().await;
    until("trust", async || link.readiness().ok()).await;
    let found = stream_of(&server).await;
    assert!(found.allow_atomic_publish);
    assert_eq!(found.max_bytes, 1 << 30);
    stop.cancel();
    watching.await.unwrap();
}

#[tokio::test]
async fn a_restarted_server_is_not_trusted_before_it_was_looked_at_again() {
    let mut server = Server::start().await;
    // Nobody watches over it, so nobody looks again.
    let broker = open(&server.settings()).await.unwrap();
    let link = broker.link();
    assert!(link.trusted().unwrap().is_still_connected());
    let before = link.trusted().unwrap();
    server.kill();
    server.revive().await;
    let connections = format!("{}/connz", server.monitor_url());
    until("the client to be back", async || {
        let listed = reqwest::get(&connections).await.ok()?.text().await.ok()?;
        listed.contains("concilia-ingress").then_some(())
    })
    .await;
    for _ in 0..30 {
        assert!(link.trusted().is_err());
        assert!(!before.is_still_connected(), "nor is an acknowledgement of it believed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_address_that_is_none_and_credentials_that_are_missing_are_named() {
    install_tls();
    let stop = CancellationToken::new();
    let bad = Nats { url: "nats://user:hidden@:x".to_owned(), ..Nats::default() };
    let said = Broker::open(&bad, &stop).await.unwrap_err().to_string();
    assert!(said.contains("nats.url is not an address") && !said.contains("hidden"), "{said}");
    let bad = Nats { credentials_file: Some("/nowhere/nats.creds".into()), ..Nats::default() };
    let said = Broker::open(&bad, &stop).await.unwrap_err().to_string();
    assert!(said.contains("/nowhere/nats.creds"), "{said}");
}
