//! How a case is told: the shop's order in Odoo, the payment at Ventipay, the webhook.
//!
//! Everything goes through HTTP. Genuine deliveries are the simulated Ventipay's; what
//! Ventipay would never send (a forged signature, a body that is not JSON) is posted from
//! here, because its answer is part of what is expected.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use concilia_shared::secret::Secret;
use concilia_shared::signature::{SIGNATURE_HEADER, sign};
use concilia_shared::webhook::body_hash;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::cases::{Case, Key, SHORT_BY, Story, key, sent_by_shop};
use super::judge::Told;
use super::odoo::OdooSim;
use crate::ventipay::{Deliver, Paid, Pay, Sent};

/// Longest one call to a simulator or the ingress may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The key checkouts are made with; any of test mode does.
const API_KEY: &str = "key_test_quickstart";

/// How long Odoo is away in [`Story::OdooDownAndUp`].
const ODOO_AWAY: Duration = Duration::from_secs(3);

/// How long ago [`Story::Stale`] was signed, in seconds.
const STALE_AGE_S: i64 = 3_600;

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

/// The control routes of a simulated Ventipay.
#[derive(Debug)]
pub struct Ventipay {
    http: reqwest::Client,
    base: String,
}

impl Actor {
    /// Tells one case; `number` tells its order from every other one's.
    pub async fn tell(&self, case: &Case, number: u64) -> anyhow::Result<(Told, Key)> {
        let mut key = key(case.account, number);
        let mut told = Told::default();
        if let Some(invoiced) = case.story.order_before() {
            let order = self.odoo.order(&key, case.total, invoiced).await?;
            if key.field.is_none() {
                key.value.clone_from(&order.name);
            }
            (told.order, told.invoice) = (Some(order.name), order.invoice);
        }
        if let Some(order) = told.order.as_deref().filter(|_| case.story.in_portal()) {
            let document = match told.invoice.filter(|_| case.story == Story::PortalInvoice) {
                Some(invoice) => self.odoo.invoice_name(invoice).await?,
                None => order.to_owned(),
            };
            let (_, reference) = self.odoo.portal_transaction(&document).await?;
            // A checkout made for a transaction carries its reference.
            key.value.clone_from(&reference);
            told.transaction = Some(reference);
        }
        let doing = || format!("telling {}: {:?}", case.account, case.story);
        self.webhook(case, &key.value, number, &mut told).await.with_context(doing)?;
        Ok((told, key))
    }

    async fn webhook(
        &self,
        case: &Case,
        key: &str,
        number: u64,
        told: &mut Told,
    ) -> anyhow::Result<()> {
        let url = format!("{}/ventipay/webhook/{}", self.ingress, case.account);
        let mut pay = Pay::clp(case.total).to(&url);
        pay.fields = sent_by_shop(case.account, key);
        match case.story {
            Story::Invoiced
            | Story::InvoicedAfterwards
            | Story::OrderArrivesLate
            | Story::PortalInvoice
            | Story::PortalOrder => {}
            Story::OdooDownAndUp => self.odoo.down(ODOO_AWAY).await?,
            Story::PortalCanceled => {
                told.event_id = self.ventipay.canceled(case.total, key, &url).await?;
                return Ok(());
            }
            Story::AmountDiffers => pay.amount -= SHORT_BY,
            Story::OtherMode => pay.live = true,
            Story::DeliveredTwice | Story::Stale => pay.deliver = Deliver::Nowhere,
            Story::Forged => return self.forged(&url, case, number, told).await,
            Story::Unreadable => return self.unreadable(&url, number, told).await,
            Story::CheckoutCreated => {
                told.event_id = self.ventipay.created(case.total, &url).await?;
                return Ok(());
            }
        }
        let paid = self.ventipay.pay(&pay).await?;
        let deliveries = match case.story {
            Story::DeliveredTwice => vec![0, 0],
            Story::Stale => vec![STALE_AGE_S],
            _ => Vec::new(),
        };
        for age_s in deliveries {
            let sent = self.ventipay.send_event(&paid.event, &url, age_s).await?;
            ensure!(sent.status == 200, "the ingress answered {}", sent.status);
        }
        if case.story == Story::OdooDownAndUp {
            self.odoo.wait_until_up().await?;
        }
        told.paid = pay.amount;
        (told.event_id, told.checkout) = (paid.event, Some(paid.checkout));
        Ok(())
    }

    async fn forged(
        &self,
        url: &str,
        case: &Case,
        number: u64,
        told: &mut Told,
    ) -> anyhow::Result<()> {
        let (event, checkout) = (format!("evt_forged{number}"), format!("chk_forged{number}"));
        let body = json!({
            "id": event, "type": "checkout.paid", "live": false,
            "data": {"id": checkout, "object": "checkout", "status": "paid",
                     "amount": case.total, "currency": "clp", "external_id": "S00001"},
        });
        let guess = Secret::new("whs_guessed");
        told.answer = Some(self.post(url, &guess, body.to_string()).await?);
        (told.event_id, told.checkout) = (event, Some(checkout));
        Ok(())
    }

    async fn unreadable(&self, url: &str, number: u64, told: &mut Told) -> anyhow::Result<()> {
        let body = format!("<event number=\"{number}\">not JSON</event>");
        told.event_id = format!("unread-{}", body_hash(body.as_bytes()));
        told.answer = Some(self.post(url, &self.secret, body).await?);
        Ok(())
    }

    /// Posts a body to the ingress, signed now; answers the status.
    async fn post(&self, url: &str, secret: &Secret, body: String) -> anyhow::Result<u16> {
        let header = sign(secret, now_s(), body.as_bytes());
        let request = self.ventipay.http.post(url).header(SIGNATURE_HEADER, header).body(body);
        let response = request.send().await.context("the ingress does not answer")?;
        Ok(response.status().as_u16())
    }
}

impl Ventipay {
    /// The simulator at this base address.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        let base = format!("{}/sim", base.trim_end_matches('/'));
        Ok(Self { http: reqwest::Client::builder().timeout(TIMEOUT).build()?, base })
    }

    async fn pay(&self, pay: &Pay) -> anyhow::Result<Paid> {
        let answer = self.post("/pay", &json!(pay)).await?;
        Ok(serde_json::from_value(answer)?)
    }

    async fn send_event(&self, event: &str, url: &str, age_s: i64) -> anyhow::Result<Sent> {
        let body = json!({"url": url, "age_s": age_s});
        let answer = self.post(&format!("/events/{event}/send"), &body).await?;
        Ok(serde_json::from_value(answer)?)
    }

    /// `checkout.created` about an unpaid checkout; answers the event's id.
    async fn created(&self, amount: i64, url: &str) -> anyhow::Result<String> {
        let fields = json!({"status": "unpaid", "amount": amount});
        self.event("checkout.created", &new_checkout(), fields, url).await
    }

    /// A checkout made for `reference` and canceled on Ventipay's page; answers the event's id.
    async fn canceled(&self, amount: i64, reference: &str, url: &str) -> anyhow::Result<String> {
        let wanted = json!({
            "currency": "clp", "items": [{"unit_price": amount, "quantity": 1}],
            "external_id": reference, "authorize": true,
        });
        let made = self.api("/checkouts", &wanted).await?;
        let checkout = made["id"].as_str().context("the checkout has no id")?;
        self.api(&format!("/checkouts/{checkout}/cancel"), &json!({})).await?;
        let fields = json!({"status": "canceled", "amount": amount, "external_id": reference});
        self.event("checkout.canceled", checkout, fields, url).await
    }

    async fn event(
        &self,
        kind: &str,
        checkout: &str,
        fields: Value,
        url: &str,
    ) -> anyhow::Result<String> {
        let mut data = json!({
            "id": checkout, "object": "checkout", "currency": "clp", "refunded": false,
            "disputed": false,
        });
        for (key, value) in fields.as_object().into_iter().flatten() {
            data[key] = value.clone();
        }
        let deliver = Deliver::To(vec![url.to_owned()]);
        let answer =
            self.post("/events", &json!({"type": kind, "data": data, "deliver": deliver})).await?;
        answer["event"].as_str().map(str::to_owned).context("the event has no id")
    }

    /// A call of Ventipay's own API, as whoever makes checkouts makes it.
    async fn api(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let base = self.base.trim_end_matches("/sim");
        let request = self.http.post(format!("{base}/v1{path}"));
        let sent = request.basic_auth(API_KEY, None::<&str>).json(body).send().await;
        read(sent).await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        read(self.http.post(format!("{}{path}", self.base)).json(body).send().await).await
    }
}

async fn read(sent: reqwest::Result<reqwest::Response>) -> anyhow::Result<Value> {
    let response = sent.context("the simulated Ventipay does not answer")?;
    let status = response.status();
    let answer: Value = response.json().await.context("the simulated Ventipay babbles")?;
    if !status.is_success() {
        bail!("the simulated Ventipay says {status}: {}", answer["error"]["messages"]);
    }
    Ok(answer)
}

fn new_checkout() -> String {
    format!("chk_created{:016x}", rand::random::<u64>())
}

#[expect(clippy::disallowed_methods, reason = "whoever signs says when, and this one signs now")]
fn now_s() -> i64 {
    Timestamp::now().as_second()
}
