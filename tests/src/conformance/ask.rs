//! What the bot asks Odoo, through the project's own client: the lookups and the commands.

use anyhow::{Context as _, Result, ensure};
use concilia_shared::money::{Currency, Money};
use concilia_worker::domain::observe::{
    Accepted, Book, Cancel, Candidate, Command, Confirm, InOdoo, Lookup, Order, Outcome, Probe,
    Reference,
};
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::transport::{Args, Rpc};
use concilia_worker::odoo::{Odoo, actions};
use serde_json::{Value, json};

use super::bench::Bench;

impl Bench {
    /// What mode B asks about a case's order.
    pub fn lookup(&self, case: &str) -> Lookup {
        let probe = |field: &str| Probe {
            path: "external_id".to_owned(),
            field: field.to_owned(),
            value: self.reference(case),
        };
        Lookup {
            names: vec![self.payment(case)],
            probes: vec![probe("client_order_ref"), probe("x_no_such_field")],
            ..Lookup::default()
        }
    }

    /// What mode A asks: the transaction called so.
    pub fn called(&self, case: &str, reference: &str) -> Lookup {
        let path = "metadata.reference".to_owned();
        let references = vec![Reference { path, value: reference.to_owned() }];
        Lookup { names: vec![self.payment(case)], references, ..Lookup::default() }
    }

    /// What Odoo holds of one lookup.
    ///
    /// # Errors
    /// When Odoo does not answer.
    pub async fn look(&self, lookup: Lookup) -> Result<InOdoo> {
        let mut seen = self.client.observe(&[lookup]).await?;
        ensure!(seen.len() == 1, "one lookup was answered by {} rows", seen.len());
        Ok(seen.remove(0))
    }

    /// The order of a case, as the bot sees it.
    ///
    /// # Errors
    /// When it does not.
    pub async fn see_order(&self, case: &str) -> Result<Order> {
        let seen = self.look(self.lookup(case)).await?;
        let order = seen.probes.first().and_then(|found| found.orders.first());
        order
            .cloned()
            .with_context(|| format!("the bot does not see the order {}", self.reference(case)))
    }

    /// The one transaction of Odoo's own making that is called so.
    ///
    /// # Errors
    /// When there are more or none.
    pub async fn candidate(&self, case: &str, reference: &str) -> Result<Candidate> {
        let mut candidates = self.look(self.called(case, reference)).await?.candidates;
        ensure!(
            candidates.len() == 1,
            "the bot sees {} transactions {reference}",
            candidates.len()
        );
        Ok(candidates.remove(0))
    }

    /// A booking of a case's order, in pesos, as it was decided by what `order` showed.
    pub fn book(&self, case: &str, order: &Order, pesos: i64) -> Command {
        Command::Book(Box::new(self.book_of(case, order, pesos)))
    }

    /// The same, to be altered.
    pub fn book_of(&self, case: &str, order: &Order, pesos: i64) -> Book {
        let posted = order.invoices.iter().filter(|invoice| invoice.state == "posted");
        Book {
            names: vec![self.payment(case)],
            amount: Money::new(pesos, Currency::Clp),
            date: self.day(),
            order: order.clone(),
            currency: "CLP".to_owned(),
            invoices: posted.map(|invoice| (invoice.id, invoice.residual.clone())).collect(),
            confirm: false,
            accepted: Accepted::default(),
        }
    }

    /// A confirmation of a transaction of Odoo's.
    pub fn confirm(&self, case: &str, candidate: &Candidate, pesos: i64) -> Command {
        Command::Confirm(Box::new(Confirm {
            names: vec![self.payment(case)],
            amount: Money::new(pesos, Currency::Clp),
            date: self.day(),
            currency: "CLP".to_owned(),
            candidate: candidate.clone(),
            accepted: Accepted::default(),
        }))
    }

    /// A cancellation of a transaction of Odoo's, decided upon in `state`.
    pub fn cancel(&self, case: &str, id: i64, reference: &str, state: &str) -> Command {
        Command::Cancel(Box::new(Cancel {
            name: self.payment(case),
            id,
            reference: reference.to_owned(),
            state: state.to_owned(),
            message: "Canceled at Ventipay.".to_owned(),
        }))
    }

    /// What comes of one command.
    ///
    /// # Errors
    /// When Odoo does not answer.
    pub async fn perform(&self, command: &Command) -> Result<Outcome> {
        perform_by(&self.client, command).await
    }

    /// Runs one of our actions as the bot, with a request of our own writing: what no command
    /// of the worker's asks for, or asks for in another way.
    ///
    /// # Errors
    /// When Odoo refuses.
    pub async fn act(&self, action: &actions::Action, items: Value) -> Result<Value> {
        let bot = Rpc::new(self.bot.clone())?;
        let args = Args::none().with("model_name", actions::MODEL);
        let bound = bot.call("ir.actions.actions", "get_bindings", args).await?;
        let rows = bound["action"].as_array().cloned().unwrap_or_default();
        let id = rows.iter().find(|row| row["name"] == action.name);
        let id = id.and_then(|row| row["id"].as_i64());
        let id = id.with_context(|| format!("the bot is not offered {}", action.name))?;
        let request = json!({
            "protocol": actions::PROTOCOL, "company_id": self.company, "items": items,
        });
        let args = Args::on(&[id])
            .context("active_model", actions::MODEL)
            .context("tz", "America/Santiago")
            .context("concilia", request);
        let result = bot.call("ir.actions.server", "run", args).await?;
        Ok(result["infos"]["concilia"].clone())
    }
}

/// What comes of one command of this client.
///
/// # Errors
/// When Odoo does not answer.
pub async fn perform_by(client: &Client, command: &Command) -> Result<Outcome> {
    let mut outcomes = client.perform(std::slice::from_ref(command)).await?;
    ensure!(outcomes.len() == 1, "one command was answered by {} outcomes", outcomes.len());
    Ok(outcomes.remove(0))
}
