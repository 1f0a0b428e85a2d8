//! How our models look and where they hang: windows, views, menus, each in English, and in
//! Spanish where that language is active.
//!
//! The menu shows itself to whoever may read the models, and to nobody else. Views of a
//! person's own beside ours, or extending them, are left alone.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::wanted::{self, Wanted, together};
use crate::odoo::setup::SetupError;
use crate::odoo::setup::models::{self, Model, Words, list_tag};
use crate::odoo::setup::records::{ROOT_MENU, Records, menu_name, view_name, window_name};
use crate::odoo::setup::report::SetupReport;

const STEP: &str = "Ventipay's menus and views";

/// Where the menu stands among Odoo's: behind Invoicing.
const ROOT_PLACE: i64 = 60;

pub(super) async fn ensure_screens(
    records: &mut Records<'_>,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let tag = list_tag(records.series);
    let windows = models::MENU.map(|model| window(model, tag));
    let windows = wanted::ensure(records, STEP, "ir.actions.act_window", &windows).await?;
    let window_ids: Vec<i64> = windows.iter().map(|(id, _)| *id).collect();
    let events = window_ids.first().copied().unwrap_or(0);

    let series = records.series;
    let views: Vec<Wanted> =
        models::MENU.into_iter().flat_map(|model| views(model, series, events)).collect();
    let views = wanted::ensure(records, STEP, "ir.ui.view", &views).await?;

    let root = wanted::ensure(records, STEP, "ir.ui.menu", &[root()]).await?;
    let parent = root.first().map_or(0, |(id, _)| *id);
    let menus: Vec<Wanted> = models::MENU
        .into_iter()
        .zip(&window_ids)
        .enumerate()
        .map(|(at, (model, window))| menu(model, at, parent, *window))
        .collect();
    let menus = wanted::ensure(records, STEP, "ir.ui.menu", &menus).await?;

    for (_, change) in root {
        report.line("menu Ventipay", together(vec![("entry", change)]));
    }
    let mut views = views.into_iter().map(|(_, change)| change);
    for ((model, (_, window)), (_, menu)) in models::MENU.into_iter().zip(windows).zip(menus) {
        let mut parts = vec![("window", window), ("menu entry", menu)];
        parts.extend(["list", "form", "search"].into_iter().zip(views.by_ref()));
        report.line(format!("menu Ventipay, {}, with its views", model.menu.en), together(parts));
    }
    Ok(())
}

fn window(model: &Model, tag: &str) -> Wanted {
    let values = json!({
        "name": model.menu.en, "res_model": model.name, "view_mode": format!("{tag},form"),
        "context": model.context,
    });
    wanted(window_name(model), values, Some(model.menu))
}

fn views(model: &'static Model, series: u64, events: i64) -> [Wanted; 3] {
    let view = |kind: &'static str, of_type: &str, text: &str| {
        let arch = models::arch(text, series, events);
        let values = json!({
            "name": format!("{}.{kind}", model.name), "model": model.name, "type": of_type, "arch": arch,
            "active": true,
        });
        let words = models::words_in(model, &arch);
        let words = words.into_iter().map(|words| (words.en, words.es)).collect();
        Wanted { words, ..wanted(view_name(model, kind), values, None) }
    };
    [
        view("list", list_tag(series), model.list),
        view("form", "form", model.form),
        view("search", "search", model.search),
    ]
}

fn root() -> Wanted {
    let values = json!({
        "name": models::ROOT.en, "sequence": ROOT_PLACE, "active": true,
        "web_icon_data": BASE64_STANDARD.encode(models::ICON),
    });
    wanted(ROOT_MENU.to_owned(), values, Some(models::ROOT))
}

fn menu(model: &Model, at: usize, parent: i64, window: i64) -> Wanted {
    let values = json!({
        "name": model.menu.en, "parent_id": parent, "sequence": 10 * (at + 1), "active": true,
        "action": format!("ir.actions.act_window,{window}"),
    });
    wanted(menu_name(model), values, Some(model.menu))
}

fn wanted(name: String, values: Value, title: Option<Words>) -> Wanted {
    let values = if let Value::Object(values) = values { values } else { Map::new() };
    let spanish = title.map(|words| ("name", words.es)).into_iter().collect();
    Wanted { name, values, spanish, words: Vec::new() }
}
