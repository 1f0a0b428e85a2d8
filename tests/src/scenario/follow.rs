//! How a story goes on: what happens next in Odoo or at Ventipay once the worker got as far as
//! it must have come.
//!
//! A story is at the step that what was told of it so far says; it takes the next one when every
//! event of the step before rests. Not here: how it begins ([`super::act`]).

use anyhow::Context as _;
use concilia_shared::money::{Currency, Money};
use serde_json::json;

use super::act::Actor;
use super::cases::{FIRST_PART, PERIODS, Story};
use super::judge::Entry;
use super::odoo::OdooWorld;
use super::worker::Row;
use super::{Running, cases};

/// The periods of a subscription: when each begins, and when the last ends.
const MONTHS: [&str; PERIODS + 1] =
    ["2026-09-01T12:00:00.000Z", "2026-10-01T12:00:00.000Z", "2026-11-01T12:00:00.000Z"];

impl Actor {
    /// Takes the next step of a story, if it is time.
    pub(super) async fn follow_up(
        &self,
        running: &mut Running,
        rows: &[Row],
        world: &OdooWorld,
    ) -> anyhow::Result<()> {
        let is = |event: &str, status: &str| {
            rows.iter().any(|row| row.event_id == event && row.status == status)
        };
        let told = &running.told;
        let main = told.event_id.as_str();
        let rests = told.also.iter().all(|event| is(event, "reconciled"));
        let begun = main.is_empty();
        match running.case.story {
            Story::OrderArrivesLate if is(main, "pending") && told.order.is_none() => {
                let order =
                    self.odoo.order(&running.key, running.case.money(), false).await?;
                running.told.order = Some(order.name);
            }
            Story::InvoicedAfterwards if is(main, "reconciled") && told.invoices.is_empty() => {
                if let Some(order) = &told.order {
                    let invoice = self.odoo.invoice(order).await?;
                    running.told.invoices.push(invoice);
                }
            }
            Story::Refunded if begun && rests => {
                let event = self.refund(running, 0, None).await?;
                self.told(running, event).await?;
            }
            Story::RefundedInParts if begun && rests => {
                if told.also.len() == 1 {
                    let event = self.refund(running, 0, Some(FIRST_PART)).await?;
                    self.told_also(running, event).await?;
                } else {
                    let event = self.refund(running, FIRST_PART, None).await?;
                    self.told(running, event).await?;
                }
            }
            Story::RefundsOutOfOrder if begun && rests => {
                let checkout = checkout(running)?;
                let first = self.ventipay.refund(&checkout, Some(FIRST_PART)).await?;
                // The second tells of both, and both are entered at once.
                let second = self.refund(running, 0, None).await?;
                running.told.later = vec![first];
                self.told(running, second).await?;
            }
            Story::RefundsOutOfOrder | Story::RefundBeforePayment | Story::ChargeSucceeded
                if is(main, "reconciled") =>
            {
                for event in std::mem::take(&mut running.told.later) {
                    self.told_also(running, event).await?;
                }
            }
            Story::DisputeWon | Story::DisputeLost if begun && rests => {
                self.dispute(running, world).await?;
            }
            Story::Subscription if begun && rests => self.period(running).await?,
            _ => {}
        }
        Ok(())
    }

    /// What is left of a checkout, or a part, goes back, after so much went back in Odoo.
    async fn refund(
        &self,
        running: &mut Running,
        after: i64,
        part: Option<i64>,
    ) -> anyhow::Result<String> {
        let event = self.ventipay.refund(&checkout(running)?, part).await?;
        running.told.went_back(after, part.unwrap_or(running.case.total - after));
        Ok(event)
    }

    /// A dispute begins, and moves once people in Odoo see where it stands.
    async fn dispute(&self, running: &mut Running, world: &OdooWorld) -> anyhow::Result<()> {
        let Some(subject) = running.told.subject.clone() else {
            let dispute = self.ventipay.dispute(&checkout(running)?).await?;
            running.told.subject = Some(format!("dispute-{}", dispute.id));
            let created = dispute.events.last().context("nobody is told of the dispute")?;
            return self.told_also(running, created.clone()).await;
        };
        let Some(seen) = world.records.get(&subject) else { return Ok(()) };
        let id = subject.trim_start_matches("dispute-");
        let seen = (seen.state.as_str(), seen.activities);
        match (running.case.story, seen) {
            (Story::DisputeWon, ("needs_response", 1)) => {
                let event = self.step("dispute", id, "under_review").await?;
                self.told_also(running, event).await
            }
            (Story::DisputeWon, ("under_review", 0)) => {
                let event = self.step("dispute", id, "won").await?;
                self.told(running, event).await
            }
            (Story::DisputeLost, ("needs_response", 1)) => {
                let event = self.step("dispute", id, "lost").await?;
                self.told(running, event).await
            }
            _ => Ok(()),
        }
    }

    /// A period of a subscription begins, its invoice being one of Odoo's; after the last it
    /// ends.
    async fn period(&self, running: &mut Running) -> anyhow::Result<()> {
        let subject = running.told.subject.clone().unwrap_or_default();
        let subscription = subject.trim_start_matches("subscription-");
        let periods = running.told.invoices.len();
        let Some([start, end]) = MONTHS.windows(2).nth(periods).and_then(|two| two.first_chunk())
        else {
            let event = self.step("subscription", subscription, "canceled").await?;
            return self.told(running, event).await;
        };
        let total = running.case.total;
        // Two more orders than the case's own, which it has none of.
        let key = cases::key("shopify", running.number * 10 + u64::try_from(periods)?);
        let amount = Money::new(total, Currency::Clp);
        let order = self.odoo.order(&key, amount, true).await?;
        let invoice = order.invoice.context("the order has no invoice")?;
        let said = json!({
            "amount": total, "currency": "clp", "subscription_id": subscription,
            "external_id": self.odoo.invoice_name(invoice).await?,
        });
        let nota = self.ventipay.object("invoice", said).await?;
        self.step("invoice", &nota.id, "open").await?;
        let payment = super::ventipay::new_id("pay_");
        let by = json!({"payment_id": payment});
        let paid = self.ventipay.step("invoice", &nota.id, "paid", by).await?;
        running.told.invoices.push(invoice);
        running.told.paid.push(Entry { reference: format!("payment-{payment}"), amount });
        self.told_also(running, paid).await?;
        let period = json!({"current_period_starts_at": start, "current_period_ends_at": end});
        let active = self.ventipay.step("subscription", subscription, "activated", period).await?;
        self.told_also(running, active).await
    }

    async fn step(&self, kind: &str, id: &str, step: &str) -> anyhow::Result<String> {
        self.ventipay.step(kind, id, step, json!({})).await
    }
}

fn checkout(running: &Running) -> anyhow::Result<String> {
    running.told.checkout.clone().context("it is about a checkout")
}
