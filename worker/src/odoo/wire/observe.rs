//! What *observe* is asked about checkouts, and what it answered.

use concilia_shared::config::Environment;
use serde::Deserialize;
use serde_json::{Value, json};

use super::rows::{BookingRow, InvoiceRow, OrderRow, TransactionRow};
use super::{Account, Told, domain, into_all, or_false, read};
use crate::domain::observe::{Candidate, Found, InOdoo, Lookup};
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
    Ok(json!({
        "name": lookup.checkout.as_str(),
        "references": references,
        "domain": domain(lookup.domain.as_deref())?,
        "probes": probes,
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
        if self.name != lookup.checkout.as_str() || !told.eq(asked) {
            return Err(NotReady::ActionMissing);
        }
        let (booked_company_id, booked_state) = match &self.booked {
            Some(row) => (Some(row.company_id()), Some(row.state().to_owned())),
            None => (None, None),
        };
        let candidates = self.candidates.into_iter().map(|row| row.into_domain(lookup));
        let found = self.probes.into_iter().zip(&lookup.probes);
        Ok(InOdoo {
            booked: self.booked.map(BookingRow::into_domain).transpose()?,
            booked_company_id,
            booked_state,
            transactions: into_all(self.transactions, TransactionRow::into_domain),
            candidates: candidates.collect::<Result<_, _>>()?,
            probes: found
                .map(|(row, probe)| Found {
                    probe: probe.clone(),
                    unknown_field: row.unknown_field,
                    orders: into_all(row.orders, OrderRow::into_domain),
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
