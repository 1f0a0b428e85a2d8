//! UF, dollars and pesos (`odoo-api-2.md` 2): a payment is booked in its document's currency.

use anyhow::{Result, ensure};
use concilia_shared::config::Mode;
use concilia_shared::money::{Currency, Money};
use concilia_worker::domain::decide::Verdict;
use concilia_worker::domain::observe::{Candidate, Command};
use concilia_worker::domain::reason::ParkReason;
use concilia_worker::odoo::actions;
use serde_json::{Value, json};

use super::{Bench, Case, case};
use crate::conformance::expect::{NotHere, booked, changed, refused, same};

pub(super) const CASES: &[Case] = &[
    case!("uf-same-day", uf_same_day, "An invoice of 2.5 UF is paid by 2.5 UF the same day"),
    case!(
        "uf-five-days",
        uf_five_days,
        "An invoice of 2.5 UF of five days ago is paid by 2.5 UF at today's rate"
    ),
    case!(
        "uf-order",
        uf_order,
        "An order in UF is booked in UF, and its invoice is paid when posted"
    ),
    case!("uf-too-fine", uf_too_fine, "An amount with more decimals than UF has is refused"),
    case!(
        "uf-paid-in-pesos",
        uf_paid_in_pesos,
        "A transaction in pesos on an invoice in UF is refused: sums of two currencies are not compared"
    ),
    case!(
        "usd-invoice",
        usd_invoice,
        "An invoice in dollars of five days ago is paid by dollars at today's rate"
    ),
    case!(
        "usd-order",
        usd_order,
        "An order in dollars is booked in dollars; paid in pesos it is parked"
    ),
    case!(
        "clf-inactive",
        clf_inactive,
        "A transaction in CLF, which is not active in Odoo, is refused"
    ),
];

/// A currency of that name, active or not as wanted.
async fn currency(bench: &Bench, name: &str, active: bool) -> Result<i64> {
    let domain = json!([["name", "=", name], ["active", "=", active]]);
    let rows = bench.office.rows("res.currency", domain, &["id"]).await?;
    let word = if active { "active" } else { "inactive" };
    let found = rows.first().and_then(|row| row["id"].as_i64());
    found.ok_or_else(|| NotHere(format!("{name} is not {word} in this database")).into())
}

/// UF or dollars with a rate of today and another one of five days ago.
async fn with_rates(bench: &Bench, name: &str, rates: [f64; 2]) -> Result<i64> {
    if !bench.own_company {
        return Err(
            NotHere("rates are entered in a company of the run's own only".to_owned()).into()
        );
    }
    let id = currency(bench, name, true).await?;
    for (days, rate) in [(5, rates[0]), (0, rates[1])] {
        let day = bench.days_ago(days).to_string();
        let domain = json!([
            ["currency_id", "=", id],
            ["company_id", "=", bench.company],
            ["name", "=", day]
        ]);
        if bench.office.rows("res.currency.rate", domain, &["id"]).await?.is_empty() {
            let values = json!({
                "currency_id": id, "company_id": bench.company, "name": day, "inverse_company_rate": rate,
            });
            bench.office.create("res.currency.rate", values).await?;
        }
    }
    Ok(id)
}

const UF: [f64; 2] = [37_050.0, 39_000.0];
const DOLLARS: [f64; 2] = [930.0, 950.0];

/// A quotation in another currency: its price list's.
async fn quotation_in(bench: &Bench, case: &str, currency: i64, total: f64) -> Result<i64> {
    let list = json!({
        "name": format!("Conformance {} {currency}", bench.run), "currency_id": currency,
        "company_id": bench.company,
    });
    let list = bench.office.create("product.pricelist", list).await?;
    let further = json!({"pricelist_id": list});
    bench.quotation_with(&bench.office, case, json!(total), further).await
}

/// The one answer *book* gives to an item of our own writing.
async fn ask(bench: &Bench, item: Value) -> Result<Value> {
    let answer = bench.act(&actions::BOOK, json!([item])).await?;
    Ok(answer["items"][0].clone())
}

fn confirm_in_uf(bench: &Bench, case: &str, found: &Candidate, amount: &str) -> Value {
    let invoices: Vec<Value> = found
        .invoices
        .iter()
        .map(|invoice| json!({"id": invoice.id, "residual": invoice.residual}))
        .collect();
    json!({
        "kind": "confirm", "name": bench.checkout(case).as_str(), "amount": amount, "currency": "UF",
        "date": bench.today().to_string(), "accepted": [], "orders": [], "invoices": invoices,
        "transaction": {"id": found.id, "reference": found.transaction.reference, "state": found.transaction.state},
    })
}

async fn pay_uf_invoice(bench: &Bench, case: &str, days: i64) -> Result<()> {
    let uf = with_rates(bench, "UF", UF).await?;
    let invoice = bench.loose_invoice(uf, json!(2.5), bench.days_ago(days)).await?;
    let reference = bench.portal("account.move", invoice, json!(2.5)).await?;
    let found = bench.candidate(case, &reference).await?;
    same(
        "amount and currency",
        (&*found.transaction.amount, &*found.transaction.currency),
        ("2.50", "UF"),
    )?;
    let answer = ask(bench, confirm_in_uf(bench, case, &found, "2.50")).await?;
    same("the answer", &answer["status"], &json!("booked"))?;
    same(
        "the amount",
        (&answer["booking"]["amount"], &answer["booking"]["currency"]),
        (&json!("2.50"), &json!("UF")),
    )?;
    bench.must_be_paid(invoice).await
}

async fn uf_same_day(bench: &Bench) -> Result<()> {
    pay_uf_invoice(bench, "uf-same", 0).await
}

async fn uf_five_days(bench: &Bench) -> Result<()> {
    pay_uf_invoice(bench, "uf-five", 5).await
}

async fn uf_order(bench: &Bench) -> Result<()> {
    let uf = with_rates(bench, "UF", UF).await?;
    let id = quotation_in(bench, "uf-order", uf, 2.5).await?;
    bench.office.press("sale.order", "action_confirm", id).await?;
    let order = bench.see_order("uf-order").await?;
    same("total and currency", (&*order.total, &*order.currency), ("2.50", "UF"))?;
    let item = json!({
        "kind": "book", "name": bench.checkout("uf-order").as_str(), "amount": "2.50", "currency": "UF",
        "date": bench.today().to_string(), "confirm": false, "accepted": [], "invoices": [],
        "order": {"id": order.id, "name": order.name, "total": order.total, "state": order.state},
    });
    let answer = ask(bench, item).await?;
    same("the answer", &answer["status"], &json!("booked"))?;
    same("the credit", &answer["booking"]["credit"], &json!("2.50"))?;
    let invoice = bench.invoice(id).await?;
    bench.must_be_paid(invoice).await
}

async fn uf_too_fine(bench: &Bench) -> Result<()> {
    let uf = with_rates(bench, "UF", UF).await?;
    let id = quotation_in(bench, "uf-fine", uf, 2.5).await?;
    bench.office.press("sale.order", "action_confirm", id).await?;
    let order = bench.see_order("uf-fine").await?;
    let item = json!({
        "kind": "book", "name": bench.checkout("uf-fine").as_str(), "amount": "2.5000", "currency": "UF",
        "date": bench.today().to_string(), "confirm": false, "accepted": [], "invoices": [],
        "order": {"id": order.id, "name": order.name, "total": order.total, "state": order.state},
    });
    let answer = ask(bench, item).await?;
    same("the answer", (&answer["status"], &answer["why"]), (&json!("refused"), &json!("amount")))
}

async fn uf_paid_in_pesos(bench: &Bench) -> Result<()> {
    let uf = with_rates(bench, "UF", UF).await?;
    let invoice = bench.loose_invoice(uf, json!(2.5), bench.today()).await?;
    let pesos = currency(bench, "CLP", true).await?;
    let reference =
        bench.transaction_by_hand("uf-pesos", pesos, json!(97_500), Some(invoice)).await?;
    let found = bench.candidate("uf-pesos", &reference).await?;
    changed(&bench.perform(&bench.confirm("uf-pesos", &found, 97_500)).await?, "currency")
}

async fn usd_invoice(bench: &Bench) -> Result<()> {
    let dollars = with_rates(bench, "USD", DOLLARS).await?;
    let invoice = bench.loose_invoice(dollars, json!(12.34), bench.days_ago(5)).await?;
    let reference = bench.portal("account.move", invoice, json!(12.34)).await?;
    let found = bench.candidate("usd", &reference).await?;
    let Command::Confirm(mut confirm) = bench.confirm("usd", &found, 0) else { unreachable!() };
    confirm.amount = Money::new(1_234, Currency::Usd);
    "USD".clone_into(&mut confirm.currency);
    confirm.date = bench.today();
    let booking = booked(bench.perform(&Command::Confirm(confirm)).await?)?;
    same("the amount", booking.amount, Money::new(1_234, Currency::Usd))?;
    bench.must_be_paid(invoice).await
}

async fn usd_order(bench: &Bench) -> Result<()> {
    let dollars = with_rates(bench, "USD", DOLLARS).await?;
    let id = quotation_in(bench, "usd-order", dollars, 99.5).await?;
    bench.office.press("sale.order", "action_confirm", id).await?;
    let settings = bench.settings(Mode::B)?;
    let verdict = bench.rest(&bench.paid("usd-order", 94_525, None), &settings).await?;
    ensure!(
        matches!(verdict, Verdict::Parked(ParkReason::CurrencyMismatch { .. })),
        "it rests as {verdict:?}"
    );
    let mut body = bench.paid("usd-order", 9_950, None);
    body["data"]["currency"] = json!("usd");
    let verdict = bench.rest(&body, &settings).await?;
    let Verdict::Booked(booking, ..) = verdict else { anyhow::bail!("it rests as {verdict:?}") };
    same("the amount", booking.amount, Money::new(9_950, Currency::Usd))?;
    let invoice = bench.invoice(id).await?;
    bench.must_be_paid(invoice).await
}

async fn clf_inactive(bench: &Bench) -> Result<()> {
    let clf = currency(bench, "CLF", false).await?;
    let reference = bench.transaction_by_hand("clf", clf, json!(2.5), None).await?;
    let found = bench.candidate("clf", &reference).await?;
    let Command::Confirm(mut confirm) = bench.confirm("clf", &found, 0) else { unreachable!() };
    confirm.amount = Money::new(25_000, Currency::Clf);
    "CLF".clone_into(&mut confirm.currency);
    refused(bench.perform(&Command::Confirm(confirm)).await?, "inactive_currency")?;
    let row = bench.transaction(&reference).await?;
    same("the transaction", &row["state"], &json!("draft"))
}
