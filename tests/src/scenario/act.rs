//! How a case begins: the shop's order in Odoo, what happens at Ventipay, the first webhook.
//!
//! Everything goes through HTTP. Genuine deliveries are the simulated Ventipay's; what
//! Ventipay would never send (a forged signature, a body that is not JSON) is posted from
//! here, because its answer is part of what is expected. Not here: how a story goes on once the
//! worker got somewhere (`follow`).

use std::time::Duration;

use anyhow::Context as _;
use concilia_shared::money::{Currency, Money};
use concilia_shared::secret::Secret;
use concilia_shared::signature::{SIGNATURE_HEADER, sign};
use concilia_shared::webhook::body_hash;
use jiff::Timestamp;
use serde_json::json;

use super::Running;
use super::cases::{Case, SHORT_BY, Story, key, sent_by_shop};
use super::judge::{Entry, Told};
use super::odoo::OdooSim;
use super::ventipay::{Ventipay, new_id};
use crate::ventipay::{Charge, Families, Paid, Pay};

/// How long Odoo is away in [`Story::OdooDownAndUp`].
const ODOO_AWAY: Duration = Duration::from_secs(3);

/// How long ago [`Story::Stale`] was signed, in seconds.
const STALE_AGE_S: i64 = 3_600;

/// The customer of the simulated Odoo, as Ventipay knows it.
const CUSTOMER: &str = "cliente@example.com";

/// Whoever plays: the outside world of the processes.
#[derive(Debug)]
pub struct Actor {
    /// The simulated Ventipay.
    pub ventipay: Ventipay,
    /// The simulated Odoo.
    pub odoo: OdooSim,
    /// Base address of the ingress.
    pub ingress: String,
    /// The webhook secret.
    pub secret: Secret,
}

impl Actor {
    /// Begins one case; `number` tells its order from every other one's.
    pub(super) async fn tell(&self, case: &'static Case, number: u64) -> anyhow::Result<Running> {
        let mut key = key(case.account, number);
        let mut told = Told::default();
        if let Some(invoiced) = case.story.order_before() {
            let order = self.odoo.order(&key, case.money(), invoiced).await?;
            if key.field.is_none() {
                key.value.clone_from(&order.name);
            }
            (told.order, told.invoices) = (Some(order.name), order.invoice.into_iter().collect());
        }
        if let Some(order) = told.order.clone().filter(|_| case.story.in_portal(case.account)) {
            let document = match told.invoices.first().filter(|_| case.story.is_of_invoice()) {
                Some(invoice) => self.odoo.invoice_name(*invoice).await?,
                None => order,
            };
            let (_, reference) = self.odoo.portal_transaction(&document).await?;
            // A checkout made for a transaction carries its reference.
            key.value.clone_from(&reference);
            told.transaction = Some(reference);
        }
        let mut running = Running { case, told, key, number, settled: false };
        let doing = || format!("telling {}: {:?}", case.account, case.story);
        self.begin(&mut running).await.with_context(doing)?;
        Ok(running)
    }

    async fn begin(&self, running: &mut Running) -> anyhow::Result<()> {
        let Running { case, number, .. } = *running;
        match case.story {
            Story::Invoiced
            | Story::InvoicedAfterwards
            | Story::OrderArrivesLate
            | Story::PortalInvoice
            | Story::PortalOrder
            | Story::InUf
            | Story::AmountDiffers
            | Story::OtherMode => {
                let paid = self.paid(running).await?;
                self.told(running, paid.event).await?;
            }
            Story::Stale => {
                let paid = self.paid(running).await?;
                self.ventipay.send(&paid.event, &self.url(case), STALE_AGE_S).await?;
                running.told.event_id = paid.event;
            }
            Story::DeliveredTwice => {
                let paid = self.paid(running).await?;
                self.told(running, paid.event.clone()).await?;
                self.told(running, paid.event).await?;
            }
            Story::OdooDownAndUp => {
                self.odoo.down(ODOO_AWAY).await?;
                let paid = self.paid(running).await?;
                self.told(running, paid.event).await?;
                self.odoo.wait_until_up().await?;
            }
            Story::Refunded
            | Story::RefundedInParts
            | Story::RefundsOutOfOrder
            | Story::DisputeWon
            | Story::DisputeLost => {
                let paid = self.paid(running).await?;
                self.told_also(running, paid.event).await?;
            }
            Story::RefundBeforePayment | Story::RefundOfUntold => self.untold(running).await?,
            Story::ChargeSucceeded => {
                let paid = self.paid(running).await?;
                let [.., captured, _, succeeded] = paid.others.as_slice() else {
                    anyhow::bail!("no other family tells of the payment: {paid:?}");
                };
                // Whoever made the checkout noted it on the transaction.
                self.odoo
                    .change_transaction(
                        running.told.transaction.as_deref().unwrap_or_default(),
                        &json!({"provider_reference": paid.checkout}),
                    )
                    .await?;
                running.told.later = vec![captured.clone(), paid.event.clone()];
                self.told(running, succeeded.clone()).await?;
            }
            Story::ChargeFailed => {
                let charge =
                    Charge::clp(case.total).with("external_id", running.key.value.as_str());
                let event = self.ventipay.charge(charge.failing("insufficient_funds")).await?;
                self.told(running, event).await?;
            }
            Story::PortalCanceled => {
                let (checkout, event) =
                    self.ventipay.canceled(case.total, &running.key.value).await?;
                running.told.checkout = Some(checkout);
                self.told(running, event).await?;
            }
            Story::CheckoutCreated => {
                let event = self.ventipay.created(case.total).await?;
                self.told(running, event).await?;
            }
            Story::UnknownType => {
                let data = json!({"id": new_id("po_"), "object": "payout", "status": "settled"});
                let event = self.ventipay.event("payout.settled", &data).await?;
                self.told(running, event).await?;
            }
            Story::Subscription => self.subscribed(running).await?,
            Story::CardSaved => self.card_saved(running).await?,
            Story::Forged => self.forged(case, number, &mut running.told).await?,
            Story::Unreadable => self.unreadable(case, number, &mut running.told).await?,
        }
        Ok(())
    }

    /// Somebody pays, and nobody is told yet.
    async fn paid(&self, running: &mut Running) -> anyhow::Result<Paid> {
        let case = running.case;
        let mut pay = Pay::clp(case.total).untold();
        pay.currency = case.currency().code().to_ascii_lowercase();
        pay.fields = sent_by_shop(case.account, &running.key.value);
        match case.story {
            Story::AmountDiffers => pay.amount -= SHORT_BY,
            Story::OtherMode => pay.live = true,
            Story::ChargeSucceeded => pay.families = Families::ALL,
            _ => {}
        }
        let paid = self.ventipay.pay(&pay).await?;
        let told = &mut running.told;
        let reference = told.transaction.as_ref().unwrap_or(&paid.checkout).clone();
        told.paid.push(Entry { reference, amount: Money::new(pay.amount, case.currency()) });
        told.checkout = Some(paid.checkout.clone());
        Ok(paid)
    }

    /// A payment that is refunded before anybody is told of it.
    async fn untold(&self, running: &mut Running) -> anyhow::Result<()> {
        let paid = self.paid(running).await?;
        let event = self.ventipay.refund(&paid.checkout, None).await?;
        running.told.went_back(0, running.case.total);
        // What Ventipay is asked for becomes an event of its own.
        running.told.also.push(format!("fetched-{}", paid.checkout));
        if running.case.story == Story::RefundBeforePayment {
            running.told.later = vec![paid.event];
        }
        self.told(running, event).await
    }

    async fn subscribed(&self, running: &mut Running) -> anyhow::Result<()> {
        let customer = self.customer().await?;
        let said = json!({
            "amount": running.case.total, "currency": "clp", "customer_id": customer,
        });
        let made = self.ventipay.object("subscription", said).await?;
        running.told.subject = Some(format!("subscription-{}", made.id));
        let created = made.events.first().context("nobody is told of the subscription")?;
        self.told_also(running, created.clone()).await
    }

    async fn card_saved(&self, running: &mut Running) -> anyhow::Result<()> {
        let customer = self.customer().await?;
        let card = json!({"brand": "visa", "funding": "credit", "last4": "4242"});
        let intent = self.ventipay.enrol(&customer, card).await?;
        let shown = self.ventipay.read(&format!("/setup_intents/{}", intent.id)).await?;
        let method = shown["payment_method_id"].as_str().context("the card has no id")?;
        running.told.subject = Some(format!("card-{method}"));
        let [created, succeeded] = intent.events.as_slice() else {
            anyhow::bail!("an enrolment is told twice: {intent:?}");
        };
        self.told_also(running, created.clone()).await?;
        self.told(running, succeeded.clone()).await
    }

    /// The customer of Odoo's, as one of Ventipay's; answers its id there.
    async fn customer(&self) -> anyhow::Result<String> {
        let said = json!({"email": CUSTOMER, "country": "CL", "first_name": "Cliente"});
        Ok(self.ventipay.object("customer", said).await?.id)
    }

    async fn forged(&self, case: &Case, number: u64, told: &mut Told) -> anyhow::Result<()> {
        let (event, checkout) = (format!("evt_forged{number}"), format!("chk_forged{number}"));
        let body = json!({
            "id": event, "type": "checkout.paid", "live": false,
            "data": {"id": checkout, "object": "checkout", "status": "paid",
                     "amount": case.total, "currency": "clp", "external_id": "S00001"},
        });
        let guess = Secret::new("whs_guessed");
        told.answer = Some(self.post(&self.url(case), &guess, body.to_string()).await?);
        let amount = Money::new(case.total, Currency::Clp);
        told.paid.push(Entry { reference: checkout.clone(), amount });
        (told.event_id, told.checkout) = (event, Some(checkout));
        Ok(())
    }

    async fn unreadable(&self, case: &Case, number: u64, told: &mut Told) -> anyhow::Result<()> {
        let body = format!("<event number=\"{number}\">not JSON</event>");
        told.event_id = format!("unread-{}", body_hash(body.as_bytes()));
        told.answer = Some(self.post(&self.url(case), &self.secret, body).await?);
        Ok(())
    }

    /// Delivers the event the case is about.
    pub(super) async fn told(&self, running: &mut Running, event: String) -> anyhow::Result<()> {
        self.ventipay.send(&event, &self.url(running.case), 0).await?;
        running.told.event_id = event;
        Ok(())
    }

    /// Delivers another event of the case.
    pub(super) async fn told_also(
        &self,
        running: &mut Running,
        event: String,
    ) -> anyhow::Result<()> {
        self.ventipay.send(&event, &self.url(running.case), 0).await?;
        running.told.also.push(event);
        Ok(())
    }

    fn url(&self, case: &Case) -> String {
        format!("{}/ventipay/webhook/{}", self.ingress, case.account)
    }

    /// Posts a body to the ingress, signed now; answers the status.
    async fn post(&self, url: &str, secret: &Secret, body: String) -> anyhow::Result<u16> {
        let header = sign(secret, now_s(), body.as_bytes());
        let request = self.ventipay.http.post(url).header(SIGNATURE_HEADER, header).body(body);
        let response = request.send().await.context("the ingress does not answer")?;
        Ok(response.status().as_u16())
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever signs says when, and this one signs now")]
fn now_s() -> i64 {
    Timestamp::now().as_second()
}
