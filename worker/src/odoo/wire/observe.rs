//! What *observe* is asked about checkouts, and what it answered.

use concilia_shared::config::Environment;
use serde::Deserialize;
use serde_json::{Value, json};

use super::rows::{BookingRow, InvoiceRow, OrderRow, TransactionRow};
use super::{Account, Told, domain, into_all, names, or_false, read};
use crate::domain::name::PaymentName;
use crate::domain::observe::{Candidate, Found, FoundInvoices, InOdoo, Lookup};
use crate::domain::reason::NotReady;
use crate::odoo::actions;

/// How a candidate says that it was found by the checkout's own id.
const BY_CHECKOUT: &str = "checkout";

/// What *observe* is asked. No lookups ask about the account alone.
pub(in crate::odoo) fn request(company_id: i64, lookups: &[Lookup]) -> Result<Value, NotReady> {
    let items = lookups.iter().map(item).collect::<Result<Vec<Value>, _>>()?;
    Ok(json!({"protocol": actions::PROTOCOL, "company_id": company_id, "items": items}))
}

fn item(lookup: &Lookup) -> Result<Value, NotReady> {
    let references: Vec<Value> =
        lookup.references.iter().map(|reference| json!({"value": reference.value})).collect();
    let probes: Vec<Value> = lookup
        .probes
        .iter()
        .map(|probe| json!({"field": probe.field, "value": probe.value}))
        .collect();
    let invoice_probes: Vec<Value> = lookup
        .invoice_probes
        .iter()
        .map(|probe| json!({"field": probe.field, "value": probe.value}))
        .collect();
    let (name, aliases) = names(&lookup.names);
    Ok(json!({
        "name": name,
        "aliases": aliases,
        "carried": lookup.carried,
        "references": references,
        "domain": domain(lookup.domain.as_deref())?,
        "probes": probes,
        "invoice_probes": invoice_probes,
    }))
}

/// What *observe* answered.
pub(in crate::odoo) fn answer(
    result: Value,
    lookups: &[Lookup],
    environment: Option<Environment>,
) -> Result<Told<Vec<InOdoo>>, NotReady> {
    let told: Answer = read(result, &actions::OBSERVE)?;
    told.account.check(environment)?;
    if told.items.len() != lookups.len() {
        return Err(NotReady::ActionMissing);
    }
    let items = told.items.into_iter().zip(lookups);
    Ok(Told {
        database: told.account.database,
        answer: items.map(|(row, lookup)| row.into_domain(lookup)).collect::<Result<_, _>>()?,
    })
}

#[derive(Deserialize)]
struct Answer {
    #[serde(flatten)]
    account: Account,
    items: Vec<ItemRow>,
}

#[derive(Deserialize)]
struct ItemRow {
    name: String,
    #[serde(deserialize_with = "or_false")]
    booked: Option<BookingRow>,
    transactions: Vec<TransactionRow>,
    candidates: Vec<CandidateRow>,
    probes: Vec<ProbeRow>,
    invoices: Vec<InvoiceProbeRow>,
}

#[derive(Deserialize)]
struct InvoiceProbeRow {
    field: String,
    value: String,
    invoices: Vec<FoundInvoiceRow>,
}

#[derive(Deserialize)]
struct FoundInvoiceRow {
    #[serde(flatten)]
    invoice: InvoiceRow,
    transactions: Vec<TransactionRow>,
}

#[derive(Deserialize)]
struct CandidateRow {
    id: i64,
    found_by: FoundBy,
    #[serde(flatten)]
    transaction: TransactionRow,
    orders: Vec<OrderRow>,
    invoices: Vec<InvoiceRow>,
}

/// The place of the reference asked for, or [`BY_CHECKOUT`].
#[derive(Deserialize)]
#[serde(untagged)]
enum FoundBy {
    Reference(usize),
    Word(String),
}

#[derive(Deserialize)]
struct ProbeRow {
    field: String,
    value: String,
    unknown_field: bool,
    orders: Vec<OrderRow>,
}

impl ItemRow {
    fn into_domain(self, lookup: &Lookup) -> Result<InOdoo, NotReady> {
        let asked = lookup.probes.iter().map(|probe| (&probe.field, &probe.value));
        let told = self.probes.iter().map(|row| (&row.field, &row.value));
        let asked_invoices = lookup.invoice_probes.iter().map(|probe| (&probe.field, &probe.value));
        let told_invoices = self.invoices.iter().map(|row| (&row.field, &row.value));
        let name = lookup.names.first().map_or("", PaymentName::as_str);
        if self.name != name || !told.eq(asked) || !told_invoices.eq(asked_invoices) {
            return Err(NotReady::ActionMissing);
        }
        let booked = self.booked.map(|row| row.into_seen(&lookup.names)).transpose()?;
        let (booked, about) = booked.map_or((None, None), |seen| (Some(seen.0), Some(seen.1)));
        let about = about.unwrap_or_default();
        let candidates = self.candidates.into_iter().map(|row| row.into_domain(lookup));
        let found = self.probes.into_iter().zip(&lookup.probes);
        Ok(InOdoo {
            booked,
            booked_name: about.name,
            booked_currency: about.currency,
            booked_company_id: about.company_id,
            booked_state: about.state,
            refunds: about.refunds,
            transactions: into_all(self.transactions, TransactionRow::into_domain),
            candidates: candidates.collect::<Result<_, _>>()?,
            probes: found
                .map(|(row, probe)| Found {
                    probe: probe.clone(),
                    unknown_field: row.unknown_field,
                    orders: into_all(row.orders, OrderRow::into_domain),
                })
                .collect(),
            invoices: self
                .invoices
                .into_iter()
                .zip(&lookup.invoice_probes)
                .map(|(row, probe)| FoundInvoices {
                    probe: probe.clone(),
                    invoices: into_all(row.invoices, |found| {
                        let transactions =
                            into_all(found.transactions, TransactionRow::into_domain);
                        (found.invoice.into_domain(), transactions)
                    }),
                })
                .collect(),
        })
    }
}

impl CandidateRow {
    fn into_domain(self, lookup: &Lookup) -> Result<Candidate, NotReady> {
        let transaction = self.transaction.into_domain();
        let found_by = match self.found_by {
            FoundBy::Word(word) if word == BY_CHECKOUT => word,
            FoundBy::Word(_) => return Err(NotReady::ActionMissing),
            // What is told to be found by a reference must carry it.
            FoundBy::Reference(place) => lookup
                .references
                .get(place)
                .filter(|asked| asked.value == transaction.reference)
                .map(|asked| asked.path.clone())
                .ok_or(NotReady::ActionMissing)?,
        };
        Ok(Candidate {
            id: self.id,
            found_by,
            transaction,
            orders: into_all(self.orders, OrderRow::into_domain),
            invoices: into_all(self.invoices, InvoiceRow::into_domain),
        })
    }
}
