//! The contract: the log out to a file and in again.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use concilia_worker::domain::event::Event;
use concilia_worker::replay::file::Line;
use concilia_worker::replay::{export, held, import, views};
use concilia_worker::store::raw::Imported;
use concilia_worker::store::{EventStore, Then};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::given::{arrival, at, event_id, settled, step, stream};
use crate::home::Home;
use crate::verify::fill;
use crate::views::{booked, paid, parked, project_all};

async fn exported(home: &Home, store: &dyn EventStore, folder: &TempDir, name: &str) -> PathBuf {
    // The log is certain once the views have passed all of it.
    project_all(home, store).await;
    let path = folder.path().join(name);
    export::to_file(store, &path, |_| ()).await.unwrap();
    path
}

fn lines(path: &Path) -> Vec<Line> {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn events(path: &Path) -> Vec<Line> {
    lines(path).into_iter().filter(|line| matches!(line, Line::Event(_))).collect()
}

async fn imported(store: &dyn EventStore, path: &Path) -> anyhow::Result<Imported> {
    import::check(path)?;
    Ok(import::from_file(store, path, false, at(100), |_| ()).await?.events)
}

async fn held_streams(store: &dyn EventStore) -> Vec<String> {
    held::held(store).await.unwrap().iter().map(ToString::to_string).collect()
}

pub(crate) async fn an_older_log_can_be_held_until_people_saw_what_is_open(home: &Home) {
    let folder = tempfile::tempdir().unwrap();
    let store = home.open().await;
    fill(&*store).await;
    // Also open: a credit that was found; at rest: what is parked.
    store
        .admit(&[paid("main", "evt_5", 5, 20, 50), paid("main", "evt_6", 6, 20, 51)], at(0))
        .await
        .unwrap();
    let facts = [
        (stream("checkout-chk_5"), parked("evt_5")),
        (stream("checkout-chk_6"), booked("evt_6", "S00006", 20)),
        (stream("checkout-chk_6"), Event::CreditFound { about: event_id("evt_6") }),
    ];
    store.record(&facts, false, at(3)).await.unwrap();
    let file = exported(home, &*store, &folder, "log.gz").await;
    let other = home.another().await;
    let copy = other.open().await;
    let open = ["main/checkout-chk_2", "main/checkout-chk_6", "other/checkout-chk_1"];

    let went_on = import::from_file(&*copy, &file, false, at(90), |_| ()).await.unwrap();
    assert_eq!((went_on.events.new, went_on.open, went_on.held), (12, 3, 0));
    let count = other.number("select count(*) from events").await;
    for again in 0..2 {
        let done = import::from_file(&*copy, &file, true, at(100), |_| ()).await.unwrap();
        assert_eq!((done.events.new, done.open, done.held), (0, 0, 3), "{again}");
    }
    assert_eq!(held_streams(&*copy).await, open);
    assert_eq!(other.number("select count(*) from events").await, count + 3, "held once");
    assert!(copy.claim("w", at(9_000), at(9_060), 9).await.unwrap().is_empty());
    assert_eq!(copy.wake(None, at(9_000)).await.unwrap(), 0);
    let secrets = concilia_worker::verify::Secrets::new();
    let report = concilia_worker::verify::verify(&*copy, &secrets, false, |_| ()).await.unwrap();
    assert_eq!(report.problem, None);

    let names: Vec<_> = held::held(&*copy).await.unwrap().into_iter().collect();
    let clock = concilia_worker::clock::SystemClock;
    let released = held::release(&*copy, &clock, &names, "ana", |_| ()).await.unwrap();
    assert_eq!(released.released, 3);
    let later = at(0) + jiff::SignedDuration::from_hours(24 * 36_500);
    let claims = copy.claim("w", later, later, 9).await.unwrap();
    let mut due: Vec<&str> = claims.iter().map(|claim| claim.stream.as_str()).collect();
    due.sort_unstable();
    assert_eq!(due, open);
}

pub(crate) async fn nothing_is_imported_while_a_worker_is_at_work(home: &Home) {
    let folder = tempfile::tempdir().unwrap();
    let store = home.open().await;
    fill(&*store).await;
    let file = exported(home, &*store, &folder, "log.gz").await;
    let other = home.another().await;
    let copy = other.open().await;
    let import = async |seconds| import::from_file(&*copy, &file, false, at(seconds), |_| ()).await;
    assert!(copy.lead("views", "worker", at(0), at(15)).await.unwrap());
    let refused = import(14).await.unwrap_err().to_string();
    assert!(refused.starts_with("A worker is at work in this database"), "{refused}");
    assert_eq!(other.number("select count(*) from events").await, 0);
    import(15).await.unwrap();
    let claims = copy.claim("worker", at(200), at(260), 9).await.unwrap();
    assert_eq!(copy.worked_until(at(259)).await.unwrap(), Some(at(260)));
    import(259).await.unwrap_err();
    import(260).await.unwrap();
    for claim in claims {
        let after = copy.stream(&claim.stream).await.unwrap().last().unwrap().sequence;
        copy.advance(&claim, &step(vec![], after, Then::Rest), at(201)).await.unwrap();
    }
    assert_eq!(copy.worked_until(at(202)).await.unwrap(), None, "released before its end");
}

pub(crate) async fn an_imported_log_is_the_log_that_was(home: &Home) {
    let folder = tempfile::tempdir().unwrap();
    let store = home.open().await;
    fill(&*store).await;
    store.admit(&[arrival("evt_erased", "erased", 9)], at(4)).await.unwrap();
    home.sql("delete from payloads where event_id = 'evt_erased'").await.unwrap();
    let file = exported(home, &*store, &folder, "log.gz").await;
    let before = home.views().await;

    let other = home.another().await;
    let copy = other.open().await;
    let done = imported(&*copy, &file).await.unwrap();
    assert_eq!(done, Imported { new: 8, known: 0 });
    let again = exported(&other, &*copy, &folder, "again.gz").await;
    assert_eq!(other.views().await, before);
    assert_eq!(events(&again), events(&file));
    for table in ["webhooks", "conflicts", "payloads"] {
        let count = format!("select count(*) from {table}");
        assert_eq!(other.number(&count).await, home.number(&count).await, "{table}");
    }
    // What was known before is known there: nothing comes twice.
    let known = copy.admit(&[arrival("evt_erased", "erased", 9)], at(5)).await.unwrap();
    assert_eq!(known, [concilia_worker::store::Admission::Duplicate]);
    let secrets = concilia_worker::verify::Secrets::new();
    let report = concilia_worker::verify::verify(&*copy, &secrets, false, |_| ()).await.unwrap();
    assert_eq!((report.problem, report.erased, report.events), (None, 1, 8));
}

pub(crate) async fn an_imported_log_goes_on_where_it_was(home: &Home) {
    let folder = tempfile::tempdir().unwrap();
    let store = home.open().await;
    fill(&*store).await;
    let file = exported(home, &*store, &folder, "log.gz").await;
    let other = home.another().await;
    let copy = other.open().await;
    imported(&*copy, &file).await.unwrap();
    // Received and never looked at, or waiting and due: at once. Booked: never.
    let claims = copy.claim("w", at(100), at(160), 9).await.unwrap();
    let mut due: Vec<&str> = claims.iter().map(|claim| claim.stream.as_str()).collect();
    due.sort_unstable();
    assert_eq!(due, ["main/checkout-chk_2", "other/checkout-chk_1"]);
    let claim = claims.iter().find(|claim| claim.stream.account() == "main").unwrap();
    let rest = step(vec![settled("evt_2")], 2, Then::Rest);
    copy.advance(claim, &rest, at(101)).await.unwrap();
    assert_eq!(copy.verify(&claim.stream).await.unwrap(), Ok(()));
}

pub(crate) async fn an_import_goes_on_after_what_is_there_and_refuses_another_history(home: &Home) {
    let folder = tempfile::tempdir().unwrap();
    let store = home.open().await;
    fill(&*store).await;
    let part = exported(home, &*store, &folder, "part.gz").await;
    store.admit(&[paid("main", "evt_5", 2, 20, 50)], at(50)).await.unwrap();
    let whole = exported(home, &*store, &folder, "whole.gz").await;

    let other = home.another().await;
    let copy = other.open().await;
    imported(&*copy, &part).await.unwrap();
    let more = imported(&*copy, &whole).await.unwrap();
    assert_eq!(more, Imported { new: 1, known: 7 });
    let nothing = imported(&*copy, &whole).await.unwrap();
    assert_eq!(nothing, Imported { new: 0, known: 8 });

    let third = home.another().await;
    let parted = third.open().await;
    imported(&*parted, &part).await.unwrap();
    parted.record(&[(stream("checkout-chk_2"), settled("evt_2"))], false, at(60)).await.unwrap();
    let count = third.number("select count(*) from events").await;
    let refused = imported(&*parted, &whole).await.unwrap_err().to_string();
    assert!(refused.contains("main/checkout-chk_2#3"), "{refused}");
    assert_eq!(third.number("select count(*) from events").await, count);
}

type Change = fn(&mut Vec<String>);

/// The lines of a file changed by `change`, in a new file.
fn changed(from: &Path, to: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(from).unwrap()).read_to_string(&mut text).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    let mut zipped = GzEncoder::new(std::fs::File::create(to).unwrap(), Compression::fast());
    for line in lines {
        writeln!(zipped, "{line}").unwrap();
    }
    zipped.finish().unwrap();
}

pub(crate) async fn a_file_that_was_cut_or_changed_is_refused_before_anything_is_written(
    home: &Home,
) {
    let folder = tempfile::tempdir().unwrap();
    let store = home.open().await;
    fill(&*store).await;
    let file = exported(home, &*store, &folder, "log.gz").await;
    let other = home.another().await;
    let copy = other.open().await;
    let changes: [(&str, Change); 5] = [
        ("cut off", |lines| drop(lines.pop())),
        ("was changed", |lines| drop(lines.remove(2))),
        ("was changed", |lines| lines.swap(1, 2)),
        ("does not begin", |lines| drop(lines.remove(0))),
        ("goes on after", |lines| lines.push(lines[0].clone())),
    ];
    for (n, (words, change)) in changes.into_iter().enumerate() {
        let damaged = folder.path().join(format!("{n}.gz"));
        changed(&file, &damaged, change);
        let refused = imported(&*copy, &damaged).await.unwrap_err().to_string();
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let bytes = std::fs::read(&file).unwrap();
    let cut = folder.path().join("cut.gz");
    std::fs::write(&cut, &bytes[..bytes.len() - 40]).unwrap();
    imported(&*copy, &cut).await.unwrap_err();
    assert_eq!(other.number("select count(*) from events").await, 0);
}

pub(crate) async fn a_file_whose_chain_was_forged_is_refused(home: &Home) {
    let folder = tempfile::tempdir().unwrap();
    let store = home.open().await;
    fill(&*store).await;
    let file = exported(home, &*store, &folder, "log.gz").await;
    let copy = home.another().await;
    let copy = copy.open().await;
    // The trailer is not looked at here: whoever forges a line can forge it too.
    let forged = folder.path().join("forged.gz");
    changed(&file, &forged, |lines| lines[1] = lines[1].replace("checkout.paid", "checkout.pait"));
    let refused =
        import::from_file(&*copy, &forged, false, at(0), |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("not what was hashed"), "{refused}");
    let hidden = folder.path().join("hidden.gz");
    changed(&file, &hidden, |lines| {
        lines[1] = lines[1].replace(r#""body":""#, r#""body":"AAAA"#);
    });
    let refused =
        import::from_file(&*copy, &hidden, false, at(0), |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("the body beside it"), "{refused}");
}

pub(crate) async fn views_are_rebuilt_on_demand(home: &Home) {
    let store = home.open().await;
    fill(&*store).await;
    project_all(home, &*store).await;
    let before = home.views().await;
    home.sql("delete from view_keys").await.unwrap();
    assert!(views::rebuild(&*store, |_| ()).await.unwrap() <= 7);
    project_all(home, &*store).await;
    assert_eq!(home.views().await, before);
}
