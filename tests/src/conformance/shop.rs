//! What there is to pay: orders and invoices, made by the administrator, and payments begun in
//! Odoo's own portal.
//!
//! Facts: `odoo-api.md` 1 and 3, `odoo-api-2.md` 4.

use anyhow::{Context as _, Result, anyhow};
use concilia_worker::odoo::transport::Args;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::bench::Bench;
use super::office::{Office, with_context};

impl Bench {
    /// A quotation of `total` pesos, with the case's reference.
    ///
    /// # Errors
    /// When Odoo refuses, as everything here.
    pub async fn quotation(&self, case: &str, total: i64) -> Result<i64> {
        self.quotation_with(&self.office, case, json!(total), json!({})).await
    }

    /// A quotation in a company, of any amount, with further values.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn quotation_with(
        &self,
        office: &Office,
        case: &str,
        total: Value,
        further: Value,
    ) -> Result<i64> {
        // A chart that is loaded later gives products without taxes its default one (18, 19).
        let taxes = if self.series >= 19 { "tax_ids" } else { "tax_id" };
        let line = json!({
            "product_id": self.product, "product_uom_qty": 1, "price_unit": total,
            taxes: [[6, 0, []]],
        });
        let mut order = json!({
            "partner_id": self.partner, "client_order_ref": self.reference(case),
            "order_line": [[0, 0, line]], "company_id": office.company,
        });
        for (field, value) in further.as_object().into_iter().flatten() {
            order[field] = value.clone();
        }
        office.create("sale.order", order).await
    }

    /// A confirmed order of `total` pesos.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn order(&self, case: &str, total: i64) -> Result<i64> {
        let order = self.quotation(case, total).await?;
        self.office.press("sale.order", "action_confirm", order).await?;
        Ok(order)
    }

    /// A confirmed order of `total` pesos with a posted invoice of all of it: the two ids.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn invoiced(&self, case: &str, total: i64) -> Result<(i64, i64)> {
        let order = self.order(case, total).await?;
        let invoice = self.invoice(order).await?;
        Ok((order, invoice))
    }

    /// A draft invoice of what is left to invoice of the order.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn draft(&self, order: i64) -> Result<i64> {
        self.draft_with(&self.office, order, json!({"advance_payment_method": "delivered"})).await
    }

    /// A draft down payment invoice of so many pesos.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn down_payment(&self, order: i64, pesos: i64) -> Result<i64> {
        let how = json!({"advance_payment_method": "fixed", "fixed_amount": pesos});
        self.draft_with(&self.office, order, how).await
    }

    /// A draft invoice as the wizard makes it.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn draft_with(&self, office: &Office, order: i64, how: Value) -> Result<i64> {
        let context =
            json!({"active_model": "sale.order", "active_ids": [order], "active_id": order});
        let mut values = how;
        values["sale_order_ids"] = json!([[6, 0, [order]]]);
        let model = "sale.advance.payment.inv";
        let wizard = office.create_with(model, values, &context).await?;
        let args = with_context(Args::on(&[wizard]), &context);
        let made = office.call(model, "create_invoices", args).await?;
        made["res_id"].as_i64().ok_or_else(|| anyhow!("the wizard made no invoice: {made}"))
    }

    /// Posts an invoice.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn post(&self, invoice: i64) -> Result<()> {
        self.office.press("account.move", "action_post", invoice).await.map(drop)
    }

    /// A posted invoice of what is left to invoice of the order.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn invoice(&self, order: i64) -> Result<i64> {
        let invoice = self.draft(order).await?;
        self.post(invoice).await?;
        Ok(invoice)
    }

    /// A posted invoice without an order, in a currency, dated.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn loose_invoice(&self, currency: i64, total: Value, date: Date) -> Result<i64> {
        let line = json!({
            "product_id": self.product, "quantity": 1, "price_unit": total, "tax_ids": [[6, 0, []]],
        });
        let values = json!({
            "move_type": "out_invoice", "partner_id": self.partner, "currency_id": currency,
            "invoice_date": date.to_string(), "invoice_line_ids": [[0, 0, line]],
        });
        let invoice = self.office.create("account.move", values).await?;
        self.post(invoice).await?;
        Ok(invoice)
    }

    /// A payment entered by hand, of all that is left or of so many pesos.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn pay_by_hand(&self, invoice: i64, pesos: Option<i64>) -> Result<()> {
        let context = json!({
            "active_model": "account.move", "active_ids": [invoice], "active_id": invoice,
        });
        let mut values = json!({"communication": "by hand"});
        if let Some(pesos) = pesos {
            values["amount"] = json!(pesos);
        }
        let model = "account.payment.register";
        let wizard = self.office.create_with(model, values, &context).await?;
        let args = with_context(Args::on(&[wizard]), &context);
        self.office.call(model, "action_create_payments", args).await.map(drop)
    }

    /// A credit note of the whole invoice, posted.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn credit_note(&self, invoice: i64) -> Result<i64> {
        let context = json!({
            "active_model": "account.move", "active_ids": [invoice], "active_id": invoice,
        });
        let model = "account.move.reversal";
        let journal = self.office.read("account.move", invoice, &["journal_id"]).await?;
        let values = json!({"reason": "conformance", "journal_id": journal["journal_id"][0]});
        let wizard = self.office.create_with(model, values, &context).await?;
        let method = if self.series == 17 { "reverse_moves" } else { "refund_moves" };
        let args = with_context(Args::on(&[wizard]), &context);
        let made = self.office.call(model, method, args).await?;
        let note = made["res_id"].as_i64();
        let note = note.ok_or_else(|| anyhow!("the wizard made no credit note: {made}"))?;
        self.post(note).await?;
        Ok(note)
    }

    /// A payment a customer begins in the portal, for an invoice or an order: the reference of
    /// the transaction Odoo makes of it (`odoo-api.md` 3).
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn portal(&self, model: &str, document: i64, amount: Value) -> Result<String> {
        self.portal_of(&self.office, model, document, amount).await
    }

    /// The same for a document of another company.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn portal_of(
        &self,
        office: &Office,
        model: &str,
        document: i64,
        amount: Value,
    ) -> Result<String> {
        let (provider, method) = self.provider_of(office).await?;
        let link = office.press(model, "get_portal_url", document).await?;
        let token = link.as_str().and_then(|link| link.split_once("access_token="));
        let token = token.map(|(_, token)| token.split('&').next().unwrap_or_default());
        let token = token.with_context(|| format!("the portal's address has no token: {link}"))?;
        let params = json!({
            "access_token": token, "provider_id": provider,
            "payment_method_id": method, "token_id": null, "amount": amount,
            "flow": "redirect", "tokenization_requested": false, "landing_route": "/my",
            "is_validation": false,
        });
        let path = match model {
            "sale.order" => format!("my/orders/{document}/transaction"),
            _ => format!("invoice/transaction/{document}"),
        };
        let told = self.visit(&path, params).await?;
        let reference = told["result"]["reference"].as_str();
        reference.map(str::to_owned).ok_or_else(|| anyhow!("the portal made no payment: {told}"))
    }

    /// Our provider in a company, and its payment method.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn provider_of(&self, office: &Office) -> Result<(i64, i64)> {
        let provider = office.ours(&format!("provider_company_{}", office.company)).await?;
        let row = office.read("payment.provider", provider, &["payment_method_ids"]).await?;
        let method = row["payment_method_ids"][0].as_i64();
        Ok((provider, method.context("the provider has no payment method")?))
    }

    /// A transaction made by hand, in a currency, for an invoice if one is named.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn transaction_by_hand(
        &self,
        case: &str,
        currency: i64,
        amount: Value,
        invoice: Option<i64>,
    ) -> Result<String> {
        let mut values = self.transaction_values(case).await?;
        values["amount"] = amount;
        values["currency_id"] = json!(currency);
        values["invoice_ids"] = json!([[6, 0, invoice.into_iter().collect::<Vec<i64>>()]]);
        self.office.create("payment.transaction", values).await?;
        Ok(self.reference(case))
    }

    /// What a transaction of one peso is made of.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn transaction_values(&self, case: &str) -> Result<Value> {
        let (provider, method) = self.provider_of(&self.office).await?;
        let pesos = self.office.first("res.currency", json!([["name", "=", "CLP"]])).await?;
        Ok(json!({
            "provider_id": provider, "payment_method_id": method, "reference": self.reference(case),
            "amount": 1, "currency_id": pesos, "partner_id": self.partner,
            "operation": "online_redirect",
        }))
    }

    /// A call of a public route, as a visitor without an account.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn visit(&self, path: &str, params: Value) -> Result<Value> {
        let minute = std::time::Duration::from_mins(1);
        let http = reqwest::Client::builder().timeout(minute).build()?;
        let body = json!({"jsonrpc": "2.0", "method": "call", "params": params});
        // A host with several databases is told which one.
        let database = &self.bot.database;
        let request = http.post(format!("{}/{path}", self.url)).header("X-Odoo-Database", database);
        Ok(request.json(&body).send().await?.json().await?)
    }

    /// A transaction by its reference.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn transaction(&self, reference: &str) -> Result<Value> {
        let domain = json!([["reference", "=", reference]]);
        let fields =
            ["state", "provider_reference", "payment_id", "is_post_processed", "state_message"];
        let rows = self.office.rows("payment.transaction", domain, &fields).await?;
        rows.into_iter().next().ok_or_else(|| anyhow!("there is no transaction {reference}"))
    }

    /// `payment_state` and what is left to pay.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn paid_state(&self, invoice: i64) -> Result<(String, f64)> {
        let row = self.office.read("account.move", invoice, &["payment_state", "amount_residual"]);
        let row = row.await?;
        let state = row["payment_state"].as_str().unwrap_or_default().to_owned();
        Ok((state, row["amount_residual"].as_f64().unwrap_or(f64::NAN)))
    }

    /// Nothing is left to pay of an invoice. (An Enterprise says `in_payment` where a bank
    /// statement is still to come: `odoo-api.md` 1.)
    ///
    /// # Errors
    /// When something is.
    pub async fn must_be_paid(&self, invoice: i64) -> Result<()> {
        let (state, left) = self.paid_state(invoice).await?;
        let settled = ["paid", "in_payment"].contains(&state.as_str()) && left.abs() < 0.00005;
        anyhow::ensure!(settled, "the invoice is {state:?} with {left} left, and should be paid");
        Ok(())
    }

    /// How many payments the invoices of an order are matched with.
    ///
    /// # Errors
    /// See [`Self::quotation`].
    pub async fn payments_of(&self, order: i64) -> Result<usize> {
        let row = self.office.read("sale.order", order, &["transaction_ids"]).await?;
        let domain = json!([["payment_transaction_id", "in", row["transaction_ids"]]]);
        Ok(self.office.rows("account.payment", domain, &["id"]).await?.len())
    }
}
