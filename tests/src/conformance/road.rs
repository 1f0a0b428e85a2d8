//! The whole road of one event, as the worker goes it: from the body Ventipay signs to where it
//! rests. Read, planned, looked up, decided, done, concluded; nothing is stored.
//!
//! Not here: a store, retries and outages, which Odoo has no part in (`tests/e2e`).

use anyhow::{Context as _, Result, anyhow};
use concilia_shared::config::{self, Mode};
use concilia_shared::id::AccountName;
use concilia_shared::webhook::Webhook;
use concilia_worker::domain::decide::{Decision, Plan, Seen, Verdict, conclude, decide, plan};
use concilia_worker::domain::event::Event;
use concilia_worker::domain::interpret::interpret;
use concilia_worker::domain::observe::AtVentipay;
use concilia_worker::domain::settings::Settings;
use concilia_worker::domain::state::State;
use serde_json::{Value, json};

use super::bench::Bench;

impl Bench {
    /// The settings of a shop in this company: a new account's own, but for where its orders
    /// and transactions are looked for.
    ///
    /// # Errors
    /// When an account cannot be configured so.
    pub fn settings(&self, mode: Mode) -> Result<Settings> {
        let config = config::load("[accounts.main]\nenvironment = \"test\"\n", [])
            .map_err(|why| anyhow!("the plainest configuration is refused: {why:?}"))?;
        let (name, account) = config.accounts.iter().next().context("one account")?;
        Ok(Settings {
            mode,
            reference_keys: vec!["metadata.reference".to_owned()],
            match_keys: vec!["external_id".to_owned()],
            fields: vec!["client_order_ref".to_owned()],
            company_id: Some(self.company),
            asks_ventipay: false,
            ..Settings::of(name, account)
        })
    }

    /// `checkout.paid` of a case's order in pesos; `reference` is the transaction's, in mode A.
    pub fn paid(&self, case: &str, pesos: i64, reference: Option<&str>) -> Value {
        let checkout = self.checkout(case);
        json!({
            "id": format!("evt_{}-{case}", self.run), "type": "checkout.paid", "live": false,
            "data": {
                "object": "checkout", "id": checkout.as_str(), "status": "paid", "amount": pesos,
                "currency": "clp", "paid": true, "refunded": false, "disputed": false,
                "paid_at": self.begun.to_string(), "external_id": self.reference(case),
                "metadata": {"reference": reference},
            },
        })
    }

    /// Where a body comes to rest.
    ///
    /// # Errors
    /// When Odoo does not answer.
    pub async fn rest(&self, body: &Value, settings: &Settings) -> Result<Verdict> {
        let account = AccountName::parse("main").map_err(|_| anyhow!("a literal"))?;
        let webhook = Webhook {
            account,
            signature: String::new(),
            received_at: self.begun,
            late_s: None,
            traceparent: None,
            body: body.to_string().into_bytes(),
        };
        let (received, _) = interpret(&webhook);
        let state = State::replay([&Event::WebhookReceived(received)]);
        let told = state.told.first().context("the event was not told")?;
        let lookup = match plan(told, &state, settings, Some(&webhook.body)) {
            Plan::Rest(verdict) => return Ok(verdict),
            Plan::LookUp(lookup) => lookup,
        };
        let odoo = self.look(lookup.clone()).await?;
        let seen = Seen { odoo, ventipay: AtVentipay::NotAsked, customer: None, card: None };
        match decide(told, &state, &lookup, &seen, settings) {
            Decision::Rest(verdict) => Ok(verdict),
            Decision::Learn(checkout) => Err(anyhow!("{checkout} is to be asked for first")),
            Decision::Do(command, matched) => {
                let outcome = self.perform(&command).await?;
                conclude(&command, outcome, matched).context("somebody else is at it")
            }
        }
    }
}
