//! Ids of a recorded database and of the simulated one, translated into each other.
//!
//! What a recorded call created is created again under another id; later calls that name it
//! must name ours. Which key leads to which model is known from the recorded fields. A record
//! made between recorded calls is made here when it is first named.

use std::collections::BTreeMap;

use concilia_tests::odoo::fields::{Kind, schema};
use concilia_tests::odoo::value::{Amount, Record, Value};
use concilia_tests::odoo::{Series, SimOdoo, seed};
use serde_json::{Value as Json, json};

/// Pairs of ids by model: recorded → ours.
pub(super) struct Ids {
    series: Series,
    known: BTreeMap<(String, i64), i64>,
}

/// The model a call is of.
pub(super) fn model_of(url: &str, request: &Json) -> String {
    place(url, request).model
}

/// Where a call goes, and where its arguments are.
struct Place<'j> {
    model: String,
    method: String,
    args: Option<&'j Json>,
    named: Option<&'j Json>,
}

fn place<'j>(url: &str, request: &'j Json) -> Place<'j> {
    if let Some(path) = url.strip_prefix("/json/2/") {
        let (model, method) = path.split_once('/').unwrap();
        return Place {
            model: model.to_owned(),
            method: method.to_owned(),
            args: None,
            named: Some(request),
        };
    }
    let at = |index: usize| request.pointer(&format!("/params/args/{index}"));
    let text = |index: usize| at(index).and_then(Json::as_str).unwrap_or_default().to_owned();
    Place { model: text(3), method: text(4), args: at(5), named: at(6) }
}

impl Ids {
    pub(super) fn new(series: Series) -> Self {
        Self { series, known: BTreeMap::new() }
    }

    /// The model a key of a record of `model` leads to.
    fn leads_to(&self, model: &str, key: &str) -> Option<&'static str> {
        let field = schema(self.series).get(model)?.fields.get(key)?;
        match &field.kind {
            Kind::Many2one(other) | Kind::Many(other) => Some(other),
            _ => None,
        }
    }

    // Requests: recorded ids become ours.

    pub(super) fn translate(
        &mut self,
        odoo: &SimOdoo,
        name: &str,
        url: &str,
        request: &Json,
    ) -> Json {
        let place = place(url, request);
        if !schema(self.series).contains_key(&place.model) {
            return request.clone();
        }
        let mut ours = request.clone();
        let known = World { odoo, name };
        if let Some(args) = place.args {
            let mut args = args.clone();
            let on_records = !matches!(
                place.method.as_str(),
                "create" | "search" | "search_read" | "search_count"
            );
            if on_records && let Some(first) = args.get_mut(0) {
                self.ids_in(&known, &place.model, first);
            }
            self.values_in(&known, &place.model, &mut args);
            ours["params"]["args"][5] = args;
        }
        if let Some(named) = place.named {
            let mut named = named.clone();
            if let Some(first) = named.get_mut("ids") {
                self.ids_in(&known, &place.model, first);
            }
            self.values_in(&known, &place.model, &mut named);
            if place.args.is_some() {
                ours["params"]["args"][6] = named;
            } else {
                ours = named;
            }
        }
        ours
    }

    fn ids_in(&mut self, known: &World<'_>, model: &str, ids: &mut Json) {
        match ids {
            Json::Number(number) => *ids = json!(self.ours(known, model, number.as_i64().unwrap())),
            Json::Array(list) => list.iter_mut().for_each(|one| self.ids_in(known, model, one)),
            _ => {}
        }
    }

    /// Ids in values, commands, domains and contexts.
    fn values_in(&mut self, known: &World<'_>, model: &str, json: &mut Json) {
        match json {
            Json::Object(values) => {
                let active = values.get("active_model").and_then(Json::as_str).map(str::to_owned);
                for (key, value) in values.iter_mut() {
                    match (key.as_str(), &active) {
                        ("active_id" | "active_ids", Some(active)) => {
                            self.ids_in(known, active, value);
                        }
                        _ => match self.leads_to(model, key) {
                            Some(other) => self.relation_in(known, other, value),
                            None => self.values_in(known, model, value),
                        },
                    }
                }
            }
            Json::Array(list) => {
                if let [Json::String(field), Json::String(_), value] = list.as_mut_slice()
                    && let Some(other) = self.leads_to(model, field)
                {
                    self.ids_in(known, other, value);
                    return;
                }
                for one in list {
                    self.values_in(known, model, one);
                }
            }
            _ => {}
        }
    }

    fn relation_in(&mut self, known: &World<'_>, model: &str, value: &mut Json) {
        let Json::Array(commands) = value else {
            self.ids_in(known, model, value);
            return;
        };
        for command in commands {
            match command.as_array_mut().map(Vec::as_mut_slice) {
                Some([Json::Number(kind), _, list]) if kind.as_i64() == Some(6) => {
                    self.ids_in(known, model, list);
                }
                Some([Json::Number(kind), _, values]) if kind.as_i64() == Some(0) => {
                    self.values_in(known, model, values);
                }
                _ => {}
            }
        }
    }

    fn ours(&mut self, known: &World<'_>, model: &str, recorded: i64) -> i64 {
        // Ids that were made up to lead nowhere lead nowhere here too.
        if recorded > 90_000 {
            return recorded;
        }
        let key = (model.to_owned(), recorded);
        if let Some(ours) = self.known.get(&key) {
            return *ours;
        }
        let ours = known.make(model, recorded);
        self.known.insert(key, ours);
        ours
    }

    // Answers: what stands in the same place is the same record.

    pub(super) fn learn(&mut self, url: &str, request: &Json, recorded: &Json, found: &Json) {
        let place = place(url, request);
        let (recorded, found) = match (recorded.get("result"), found.get("result")) {
            (Some(recorded), Some(found)) => (recorded, found),
            _ => (recorded, found),
        };
        match (place.method.as_str(), recorded, found) {
            ("create" | "search", recorded, found) => self.pair(&place.model, recorded, found),
            ("search_read" | "read", Json::Array(rows), Json::Array(own)) => {
                for (row, own) in rows.iter().zip(own) {
                    self.learn_row(&place.model, row, own);
                }
            }
            (_, Json::Object(action), Json::Object(own)) => {
                let model = action.get("res_model").and_then(Json::as_str).unwrap_or_default();
                if let (Some(recorded), Some(found)) = (action.get("res_id"), own.get("res_id")) {
                    self.pair(model, recorded, found);
                }
            }
            _ => {}
        }
    }

    fn learn_row(&mut self, model: &str, row: &Json, own: &Json) {
        self.pair(model, &row["id"], &own["id"]);
        for (key, value) in row.as_object().into_iter().flatten() {
            let Some(other) = self.leads_to(model, key) else {
                continue;
            };
            match (value.as_array().map(Vec::as_slice), own[key].as_array().map(Vec::as_slice)) {
                (Some([id, Json::String(_)]), Some([ours, Json::String(_)])) => {
                    self.pair(other, id, ours);
                }
                (Some(many), Some(ours)) if many.len() == ours.len() => {
                    for (id, ours) in many.iter().zip(ours) {
                        self.pair(other, id, ours);
                    }
                }
                _ => {}
            }
        }
    }

    fn pair(&mut self, model: &str, recorded: &Json, found: &Json) {
        match (recorded, found) {
            (Json::Number(recorded), Json::Number(found)) => {
                let key = (model.to_owned(), recorded.as_i64().unwrap());
                self.known.entry(key).or_insert(found.as_i64().unwrap());
            }
            (Json::Array(recorded), Json::Array(found)) => {
                for (recorded, found) in recorded.iter().zip(found) {
                    self.pair(model, recorded, found);
                }
            }
            _ => {}
        }
    }

    /// Whether both are ids (or lists of ids) that lead to the same records.
    pub(super) fn same_records(
        &self,
        model: &str,
        key: &str,
        found: &Json,
        recorded: &Json,
    ) -> bool {
        let of = match key {
            "id" | "result" | "" => model,
            "res_id" => "",
            key => self.leads_to(model, key).unwrap_or("-"),
        };
        match (found, recorded) {
            (Json::Number(found), Json::Number(recorded)) if of.is_empty() => {
                found.is_i64() && recorded.is_i64()
            }
            (Json::Number(found), Json::Number(recorded)) => {
                let recorded = recorded.as_i64().unwrap_or_default();
                self.known.get(&(of.to_owned(), recorded)).copied() == found.as_i64()
            }
            _ => false,
        }
    }
}

/// The simulated database, and the capture that is replayed.
struct World<'o> {
    odoo: &'o SimOdoo,
    name: &'o str,
}

impl World<'_> {
    /// A record that was made between recorded calls, or was there from the start.
    fn make(&self, model: &str, recorded: i64) -> i64 {
        match model {
            "account.move" => self.invoice(),
            "res.partner" if recorded > 3 => self.partner(),
            "ir.model" => self.odoo.look(|tx| {
                let found =
                    tx.tables().find("ir.model", |row| row.text("model") == "payment.transaction");
                found.unwrap().0
            }),
            "res.groups" => seed::GROUP_SYSTEM,
            "ir.cron" => 15,
            _ => recorded,
        }
    }

    /// A customer without RUT.
    fn partner(&self) -> i64 {
        self.odoo.edit(|tx| {
            let partner = Record::default()
                .with("name", "Juan Perez")
                .with("country_id", Value::Ref(46))
                .with("active", true);
            tx.insert("res.partner", partner).unwrap()
        })
    }

    /// An invoice of 1190 pesos for the customer who has a RUT.
    fn invoice(&self) -> i64 {
        let draft = self.name.contains("_F_draft");
        self.odoo.edit(|tx| {
            let customer = tx.tables().find("res.partner", |row| row.text("vat") == "12345678-5");
            let mut invoice = Record::default()
                .with("move_type", "out_invoice")
                .with("partner_id", Value::Ref(customer.map_or(1, |(id, _)| id)))
                .with("amount_total", Amount::whole(1_190))
                .with("amount_residual", Amount::whole(1_190));
            concilia_tests::odoo::models::accounting::prepare_move(tx, &mut invoice);
            let id = tx.insert("account.move", invoice).unwrap();
            if !draft {
                concilia_tests::odoo::models::accounting::action_post(tx, &[id]).ok();
            }
            id
        })
    }
}
