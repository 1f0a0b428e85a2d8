//! The whole road of one event, as the worker goes it: from the body Ventipay signs to where it
//! rests. Read, planned, looked up, decided, done, concluded; nothing is stored.
//!
//! Not here: a store, retries and outages, which Odoo has no part in (`tests/e2e`).

use anyhow::{Context as _, Result, anyhow};
use concilia_shared::config::{
    CardPolicy, CreditNotePolicy, CreditPolicy, CustomerPolicy, DisputePolicy, Environment,
    InvoicePolicy, Mode, QuotationPolicy, UfPolicy,
};
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
    /// The settings of a shop in this company.
    pub fn settings(&self, mode: Mode) -> Settings {
        Settings {
            account: AccountName::parse("main").unwrap_or_else(|_| unreachable!("a literal")),
            environment: Environment::Test,
            mode,
            reference_keys: vec!["metadata.reference".to_owned()],
            match_keys: vec!["external_id".to_owned()],
            fields: vec!["client_order_ref".to_owned()],
            domain: None,
            book_from: None,
            quotations: QuotationPolicy::Leave,
            without_invoice: CreditPolicy::Book,
            uf: UfPolicy::Auto,
            credit_notes: CreditNotePolicy::Activity,
            lost_disputes: DisputePolicy::Record,
            subscription_invoices: InvoicePolicy::Never,
            subscription_product: None,
            cards: CardPolicy::Archived,
            customers: CustomerPolicy::Find,
            company_id: Some(self.company),
            asks_ventipay: false,
        }
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
        let seen = Seen { odoo, ventipay: AtVentipay::NotAsked };
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
