//! The real files keep every rule, and a file with one thing wrong breaks the rule it should.

use super::compose::Compose;
use super::dockerfile::Dockerfile;
use super::{checks, compose, dockerfile, read, secrets, variables};

/// Answers what is wrong.
type Rule = fn(&Compose) -> Vec<String>;

/// Every rule over the compose file, by name.
const RULES: [(&str, Rule); 10] = [
    ("images", checks::images),
    ("build", |compose| checks::build(compose, &Dockerfile::real())),
    ("users", |compose| checks::users(compose, &Dockerfile::real())),
    ("ports", checks::ports),
    ("health", checks::health),
    ("broker", checks::broker),
    ("comment", checks::comment),
    ("known", variables::known_to_the_programs),
    ("fit", variables::fit_together),
    ("secrets", secrets::secrets),
];

#[test]
fn the_compose_file_keeps_every_rule() {
    let real = Compose::real();
    for (name, rule) in RULES {
        assert_eq!(rule(&real), Vec::<String>::new(), "{name}");
    }
    let example = read(".env.example");
    assert_eq!(variables::documented(&real, &example), Vec::<String>::new());
    assert_eq!(checks::base_images(&Dockerfile::real()), Vec::<String>::new());
}

/// What stands in the file, what stands there instead, and the rule that must say so.
const BROKEN: [(&str, &str, &str); 33] = [
    ("image: nats:2.15.1-alpine", "image: nats:latest", "images"),
    ("image: nats:2.15.1-alpine", "image: nats:2.14.0-alpine", "images"),
    ("image: nats:2.15.1-alpine", "image: nats", "images"),
    ("image: odoo:19.0-20260817", "image: odoo:19", "images"),
    ("image: postgres:17.11-bookworm", "image: postgres:17", "images"),
    ("${IMAGE_TAG:-0.1.0}", "${IMAGE_TAG:-latest}", "images"),
    ("target: sim }", "target: simulator }", "build"),
    ("  user: \"10001:10001\"\n", "", "users"),
    ("user: \"10001:10001\"", "user: \"0:0\"", "users"),
    ("user: \"10001:10001\"", "user: \"1000:1000\"", "users"),
    ("user: postgres", "user: root", "users"),
    ("    user: odoo\n", "", "users"),
    ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "users"),
    ("127.0.0.1:9080:9080", "9080:9080", "ports"),
    ("127.0.0.1:9081:9081", "0.0.0.0:9081:9081", "ports"),
    ("${INGRESS_BIND:-127.0.0.1}", "${INGRESS_BIND:-0.0.0.0}", "ports"),
    ("127.0.0.1:9080:9080", "${INGRESS_BIND:-127.0.0.1}:9080:9080", "ports"),
    ("127.0.0.1:9080/readyz", "127.0.0.1:9081/readyz", "health"),
    ("http://127.0.0.1:9081/readyz", "", "health"),
    ("127.0.0.1:8222/healthz", "127.0.0.1:4222/healthz", "health"),
    ("INGRESS__ADMIN_LISTEN: 0.0.0.0:9080", "INGRESS__ADMIN_LISTEN: 0.0.0.0:9082", "health"),
    ("nats: { file: deploy/nats.conf }", "nats: { file: deploy/other.conf }", "broker"),
    ("-c, /etc/nats/nats.conf", "-c, /etc/nats/nats-server.conf", "broker"),
    ("-sd, /var/tmp/jetstream", "-sd, /tmp/jetstream", "broker"),
    ("#   postgres   the log", "#", "comment"),
    ("CONCILIA_NATS__URL:", "CONCILIA_NATS__ULR:", "known"),
    ("CONCILIA_LOG_FORMAT: json", "CONCILIA_LOG_FROMAT: json", "known"),
    ("WEBHOOK_SECRET_FILES:", "WEBHOOK_SECRET_FILE:", "known"),
    ("MONITOR_URL: http://nats:8222", "MONITOR_URL: http://nats:4222", "fit"),
    ("CONCILIA_NATS__MAX_BYTES:", "CONCILIA_NATS__ACCEPT_UNPROVEN_DURABILITY: \"true\"", "fit"),
    ("POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password", "POSTGRES_PASSWORD: x", "secrets"),
    ("postgres://concilia_app@", "postgres://concilia_app:hidden@", "secrets"),
    ("secrets: [worker_password, ventipay_key]", "secrets: [worker_password]", "secrets"),
];

#[test]
fn a_compose_file_with_one_thing_wrong_is_refused() {
    let text = read(compose::FILE);
    for (from, to, name) in BROKEN {
        assert!(text.contains(from), "{from:?} is no longer in the file: change this test");
        let broken = Compose::parse(&text.replace(from, to));
        let (_, rule) = RULES.iter().find(|(rule, _)| *rule == name).expect("a rule");
        assert!(!rule(&broken).is_empty(), "{from:?} became {to:?}, and {name} said nothing");
    }
}

#[test]
fn a_variable_nobody_explains_or_reads_is_noticed() {
    let (text, example) = (read(compose::FILE), read(".env.example"));
    let more = Compose::parse(&text.replace("${INGRESS_PORT:-8080}", "${INGRES_PORT:-8080}"));
    let wrong = variables::documented(&more, &example);
    assert_eq!(wrong.len(), 2, "the one read and the one explained: {wrong:?}");
    let passed_on = text.replace("CONCILIA_NATS__MAX_BYTES:", "CONCILIA_NATS__SPARE:");
    let wrong = variables::documented(&Compose::parse(&passed_on), &example);
    assert!(wrong.iter().any(|it| it.contains("NATS__SPARE")), "{wrong:?}");
    let real = Compose::real();
    for name in ["SPARE=1", "CONCILIA_NATS__ULR=x", "#CONCILIA_SPARE=1"] {
        let wrong = variables::documented(&real, &format!("{example}{name}\n"));
        assert_eq!(wrong.len(), 1, "{name}: {wrong:?}");
    }
}

#[test]
fn a_dockerfile_with_one_thing_wrong_is_refused() {
    let (text, real) = (read(dockerfile::FILE), Compose::real());
    let all = |dockerfile: &Dockerfile| {
        let mut wrong = checks::base_images(dockerfile);
        wrong.extend(checks::build(&real, dockerfile));
        wrong.extend(checks::users(&real, dockerfile));
        wrong
    };
    for (from, to) in [
        ("FROM rust:1.95.0-slim-trixie", "FROM rust:slim"),
        ("FROM rust:1.95.0-slim-trixie", "FROM rust:1.94.0-slim-trixie"),
        ("FROM debian:13.6-slim", "FROM debian:latest"),
        ("FROM busybox:1.37.0-musl", "FROM busybox"),
        ("USER 10001:10001", "USER 0"),
        ("USER 10001:10001\n", ""),
        ("ENTRYPOINT [\"concilia-worker\"]", "USER root"),
        ("FROM runtime AS sim", "FROM runtime AS simulator"),
        ("COPY worker worker", "COPY workers worker"),
        ("COPY worker worker", "COPY deploy worker"),
    ] {
        assert!(text.contains(from), "{from:?} is no longer in the file: change this test");
        let broken = Dockerfile::parse(&text.replace(from, to));
        assert!(!all(&broken).is_empty(), "{from:?} became {to:?}, and nobody said so");
    }
}
