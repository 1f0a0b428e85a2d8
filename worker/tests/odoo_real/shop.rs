//! What there is to pay: a shop's orders and invoices, made by the administrator, and payments
//! begun in Odoo's own portal.

use concilia_shared::money::{Currency, Money};
use concilia_worker::domain::name::PaymentName;
use concilia_worker::domain::observe::{
    Accepted, Book, Command, InOdoo, Lookup, Order, Outcome, Probe, Reference,
};
use concilia_worker::odoo::Odoo;
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::transport::{Args, Rpc};
use serde_json::{Value, json};

/// The day everything was paid.
pub(crate) const DAY: &str = "2026-10-31";

/// A shop's orders, made by the administrator.
pub(crate) struct Shop<'a> {
    pub(crate) admin: &'a Rpc,
    url: String,
    pub(crate) partner: i64,
    product: i64,
    /// Different for each run: references must not repeat in a database that is kept.
    run: String,
}

impl<'a> Shop<'a> {
    pub(crate) async fn open(admin: &'a Rpc, url: &str, run: String) -> Self {
        let cl = first(admin, "res.country", json!([["code", "=", "CL"]])).await;
        let rut = first(
            admin,
            "l10n_latam.identification.type",
            json!([["name", "=", "RUT"], ["country_id", "=", cl]]),
        )
        .await;
        let partner = json!({
            "name": "Cliente", "email": "cliente@example.com", "country_id": cl, "vat": "12345678-5",
            "l10n_latam_identification_type_id": rut, "l10n_cl_sii_taxpayer_type": "3",
        });
        let product = json!({"name": "Artículo", "type": "consu", "invoice_policy": "order", "taxes_id": [[6, 0, []]]});
        Self {
            partner: create(admin, "res.partner", partner, json!({})).await,
            product: create(admin, "product.product", product, json!({})).await,
            admin,
            url: url.trim_end_matches('/').to_owned(),
            run,
        }
    }

    pub(crate) fn reference(&self, case: &str) -> String {
        format!("{}-{case}", self.run)
    }

    /// The payment of a case, told as a checkout's.
    pub(crate) fn name(&self, case: &str) -> PaymentName {
        PaymentName::parse(&format!("chk_{}-{case}", self.run)).unwrap()
    }

    /// A quotation of `total` pesos.
    pub(crate) async fn quotation(&self, case: &str, total: i64) -> i64 {
        let line = json!({"product_id": self.product, "product_uom_qty": 1, "price_unit": total});
        let order = json!({
            "partner_id": self.partner, "client_order_ref": self.reference(case), "order_line": [[0, 0, line]],
        });
        create(self.admin, "sale.order", order, json!({})).await
    }

    /// A confirmed order of `total` pesos.
    pub(crate) async fn order(&self, case: &str, total: i64) -> i64 {
        let order = self.quotation(case, total).await;
        call(self.admin, "sale.order", "action_confirm", Args::on(&[order])).await;
        order
    }

    /// A draft invoice of the whole order.
    pub(crate) async fn draft(&self, order: i64) -> i64 {
        let context =
            json!({"active_model": "sale.order", "active_ids": [order], "active_id": order});
        let wizard =
            json!({"advance_payment_method": "delivered", "sale_order_ids": [[6, 0, [order]]]});
        let model = "sale.advance.payment.inv";
        let wizard = create(self.admin, model, wizard, context.clone()).await;
        let args = with_context(Args::on(&[wizard]), &context);
        let made = call(self.admin, model, "create_invoices", args).await;
        made["res_id"].as_i64().unwrap()
    }

    pub(crate) async fn post(&self, invoice: i64) {
        call(self.admin, "account.move", "action_post", Args::on(&[invoice])).await;
    }

    /// A posted invoice of the whole order.
    pub(crate) async fn invoice(&self, order: i64) -> i64 {
        let invoice = self.draft(order).await;
        self.post(invoice).await;
        invoice
    }

    /// A payment a customer begins in the portal, for an invoice or an order: the reference of
    /// the transaction Odoo makes of it (`odoo-api.md` 3).
    pub(crate) async fn portal(&self, model: &str, document: i64, amount: i64) -> String {
        let provider = ours(self.admin, "provider_company_1").await;
        let args = Args::on(&[provider]).with("fields", json!(["payment_method_ids"]));
        let args = args.context("active_test", false);
        let method = call(self.admin, "payment.provider", "read", args).await;
        let link = call(self.admin, model, "get_portal_url", Args::on(&[document])).await;
        let token = link.as_str().unwrap().split_once("access_token=").unwrap().1;
        let params = json!({
            "access_token": token.split('&').next(), "provider_id": provider,
            "payment_method_id": method[0]["payment_method_ids"][0], "token_id": null, "amount": amount,
            "flow": "redirect", "tokenization_requested": false, "landing_route": "/my", "is_validation": false,
        });
        let path = match model {
            "sale.order" => format!("my/orders/{document}/transaction"),
            _ => format!("invoice/transaction/{document}"),
        };
        let body = json!({"jsonrpc": "2.0", "method": "call", "params": params});
        let minute = std::time::Duration::from_mins(1);
        let http = reqwest::Client::builder().timeout(minute).build().unwrap();
        let sent = http.post(format!("{}/{path}", self.url)).json(&body).send();
        let told: Value = sent.await.unwrap().json().await.unwrap();
        let reference = told["result"]["reference"].as_str();
        reference.unwrap_or_else(|| panic!("{told}")).to_owned()
    }

    /// State of a transaction, and the names of its payments that count.
    pub(crate) async fn transaction(&self, reference: &str) -> Value {
        let args = Args::none().with("domain", json!([["reference", "=", reference]])).with(
            "fields",
            json!(["state", "provider_reference", "payment_id", "is_post_processed"]),
        );
        call(self.admin, "payment.transaction", "search_read", args).await[0].clone()
    }

    pub(crate) async fn payment_state(&self, invoice: i64) -> (String, Value) {
        let args = Args::on(&[invoice]).with("fields", json!(["payment_state", "amount_residual"]));
        let rows = call(self.admin, "account.move", "read", args).await;
        let state = rows[0]["payment_state"].as_str().unwrap().to_owned();
        (state, rows[0]["amount_residual"].clone())
    }

    pub(crate) fn lookup(&self, case: &str) -> Lookup {
        let probe = |field: &str| Probe {
            path: "external_id".to_owned(),
            field: field.to_owned(),
            value: self.reference(case),
        };
        Lookup {
            names: vec![self.name(case)],
            carried: vec![self.name(case).to_string()],
            probes: vec![probe("client_order_ref"), probe("x_no_such_field")],
            ..Lookup::default()
        }
    }

    /// What mode A asks: the transaction called so.
    pub(crate) fn called(&self, case: &str, reference: &str) -> Lookup {
        Lookup {
            names: vec![self.name(case)],
            carried: vec![self.name(case).to_string()],
            references: vec![Reference {
                path: "metadata.reference".to_owned(),
                value: reference.to_owned(),
            }],
            ..Lookup::default()
        }
    }

    pub(crate) fn book(&self, case: &str, order: &Order, pesos: i64) -> Command {
        let invoices = order.invoices.iter().filter(|invoice| invoice.state == "posted");
        Command::Book(Box::new(Book {
            names: vec![self.name(case)],
            amount: Money::new(pesos, Currency::Clp),
            date: DAY.parse().unwrap(),
            order: order.clone(),
            currency: "CLP".to_owned(),
            invoices: invoices.map(|invoice| (invoice.id, invoice.residual.clone())).collect(),
            confirm: false,
            accepted: Accepted::default(),
        }))
    }
}

pub(crate) async fn call(rpc: &Rpc, model: &str, method: &str, args: Args) -> Value {
    match rpc.call(model, method, args).await {
        Ok(result) => result,
        Err(error) => panic!("{model}.{method}: {error}"),
    }
}

fn with_context(args: Args, context: &Value) -> Args {
    let pairs = context.as_object().unwrap().iter();
    pairs.fold(args, |args, (key, value)| args.context(key, value.clone()))
}

pub(crate) async fn create(rpc: &Rpc, model: &str, values: Value, context: Value) -> i64 {
    let args = with_context(Args::none().with("vals_list", json!([values])), &context);
    call(rpc, model, "create", args).await[0].as_i64().unwrap()
}

pub(crate) async fn first(rpc: &Rpc, model: &str, domain: Value) -> i64 {
    let args = Args::none().with("domain", domain).with("limit", 1);
    call(rpc, model, "search", args).await[0].as_i64().unwrap()
}

pub(crate) async fn write(rpc: &Rpc, model: &str, id: i64, values: Value) {
    call(rpc, model, "write", Args::on(&[id]).with("vals", values)).await;
}

pub(crate) async fn observe_one(client: &Client, lookup: Lookup) -> (InOdoo, Option<Order>) {
    let mut seen = client.observe(&[lookup]).await.unwrap();
    let seen = seen.remove(0);
    let order = seen.probes[0].orders.first().cloned();
    (seen, order)
}

pub(crate) async fn ours(admin: &Rpc, name: &str) -> i64 {
    let args = Args::none()
        .with("domain", json!([["module", "=", "concilia"], ["name", "=", name]]))
        .with("fields", json!(["res_id"]));
    call(admin, "ir.model.data", "search_read", args).await[0]["res_id"].as_i64().unwrap()
}

/// What comes of one command.
pub(crate) async fn perform_one(client: &Client, command: &Command) -> Outcome {
    client.perform(std::slice::from_ref(command)).await.unwrap().remove(0)
}
