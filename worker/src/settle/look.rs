//! Looking at Ventipay and Odoo, one call each, writing nothing: what [`super::settle`] decides
//! by, and what a plan for people shows.
//!
//! Not here: deciding ([`crate::domain::decide`]) and doing (`perform`).

use crate::account::{AccountShell, Current};
use crate::domain::decide::Seen;
use crate::domain::event::Event;
use crate::domain::event::System;
use crate::domain::observe::{Ask, AtVentipay, InOdoo, Lookup, Shown};
use crate::domain::reason::{NotReady, PendingReason};
use crate::domain::record::{CardShown, Customer, Last4};
use crate::domain::rut::Rut;
use crate::shell::Shell;
use crate::store::StoreError;
use crate::ventipay::{Ventipay, VentipayError};
use crate::weather::{self, Step, Trouble};

/// Ventipay first (it is cheap, and may make Odoo needless), then Odoo. The database that
/// answers must be the one the account books into; the first one seen becomes it.
pub async fn look(
    shell: &Shell,
    account: &AccountShell,
    current: &Current,
    lookup: &Lookup,
) -> Result<Result<Seen, Trouble>, StoreError> {
    let (seen, database) = match ask(shell, account, lookup).await {
        Ok(answers) => answers,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let trouble = check_database(shell, account, current, database.as_deref()).await?;
    Ok(trouble.map_or(Ok(seen), Err))
}

/// The same without a word in the log; answers the database too, which the caller must judge.
pub async fn ask(
    shell: &Shell,
    account: &AccountShell,
    lookup: &Lookup,
) -> Result<(Seen, Option<String>), Trouble> {
    let ventipay = match &account.ventipay {
        None => AtVentipay::NotAsked,
        Some(ventipay) => match read(ventipay.as_ref(), &lookup.ask).await {
            Ok(AtVentipay::NotAsked) => AtVentipay::NotAsked,
            Ok(answer) => {
                // What does not read is no useful answer.
                if !matches!(answer, AtVentipay::Unreadable { .. }) {
                    account.failures.answered(System::Ventipay, Step::Look);
                }
                answer
            }
            Err(error) => {
                tracing::warn!(asked = ?lookup.ask, %error, "Ventipay did not answer");
                return Err(Trouble::of_ventipay(&error, shell.clock.now()));
            }
        },
    };
    let (customer, card) = match beside(account, lookup).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, "Ventipay did not answer");
            return Err(Trouble::of_ventipay(&error, shell.clock.now()));
        }
    };
    let Some(odoo) = &account.odoo else {
        return Err(Trouble::of(PendingReason::NotReady { why: NotReady::NoOdoo }));
    };
    // What is about no payment asks about the account alone.
    let about_payment = !lookup.names.is_empty();
    let lookups = if about_payment { std::slice::from_ref(lookup) } else { &[] };
    let mut views = match odoo.observe(lookups).await {
        Ok(views) => views,
        Err(error) => {
            tracing::warn!(names = ?lookup.names, %error, "Odoo did not answer");
            return Err(Trouble::of_odoo(&error, shell.clock.now()));
        }
    };
    account.failures.answered(System::Odoo, Step::Look);
    match (views.pop(), views.is_empty()) {
        (Some(seen), true) => Ok((Seen { odoo: seen, ventipay, customer, card }, odoo.database())),
        (None, _) if !about_payment => {
            let odoo_now = InOdoo::default();
            Ok((Seen { odoo: odoo_now, ventipay, customer, card }, odoo.database()))
        }
        _ => Err(Trouble::of(PendingReason::OdooUnavailable)),
    }
}

/// What the payload does not say of a customer or a card, Ventipay is asked for: a webhook names
/// them by their ids alone (`ventipay-api.md` 4.6).
async fn beside(
    account: &AccountShell,
    lookup: &Lookup,
) -> Result<(Option<Customer>, Option<CardShown>), VentipayError> {
    let (mut customer, mut card) = (lookup.customer.clone(), lookup.card.clone());
    let Some(ventipay) = &account.ventipay else { return Ok((customer, card)) };
    if let (None, Some(method)) = (&card, &lookup.payment_method)
        && let Shown::Now(now) = ventipay.payment_method(method.as_str()).await?
    {
        card = now
            .last4
            .as_deref()
            .and_then(Last4::parse)
            .map(|last4| CardShown { last4, brand: now.brand.clone() });
    }
    if let Some(customer) = customer.as_mut().filter(|of| of.rut.is_none() && of.email.is_none())
        && let Some(id) = customer.id.clone()
        && let Shown::Now(now) = ventipay.customer(&id).await?
    {
        customer.rut = now.taxid.as_deref().and_then(Rut::parse);
        customer.email = now.email;
        customer.name = customer.name.take().or(now.name);
    }
    Ok((customer, card))
}

/// Reads an object again at Ventipay.
async fn read(ventipay: &dyn Ventipay, ask: &Ask) -> Result<AtVentipay, VentipayError> {
    fn of<T>(shown: Shown<T>, now: fn(T) -> AtVentipay) -> AtVentipay {
        match shown {
            Shown::NotAsked => AtVentipay::NotAsked,
            Shown::Unknown => AtVentipay::Unknown,
            Shown::Now(object) => now(object),
            Shown::Unreadable { path } => AtVentipay::Unreadable { path },
        }
    }
    Ok(match ask {
        Ask::Nothing => AtVentipay::NotAsked,
        Ask::Checkout(id) => ventipay.checkout(id).await?,
        Ask::Dispute(id) => of(ventipay.dispute(id.as_str()).await?, AtVentipay::Dispute),
        Ask::Subscription(id) => {
            of(ventipay.subscription(id.as_str()).await?, AtVentipay::Subscription)
        }
        Ask::Invoice(id) => of(ventipay.invoice(id.as_str()).await?, AtVentipay::Invoice),
    })
}

async fn check_database(
    shell: &Shell,
    account: &AccountShell,
    current: &Current,
    answering: Option<&str>,
) -> Result<Option<Trouble>, StoreError> {
    let Some(answering) = answering else { return Ok(None) };
    let why = if current.state.database.is_some() {
        weather::other_database(&current.state, Some(answering))
    } else {
        let seen = Event::DatabaseSeen { database: answering.to_owned() };
        let now = shell.clock.now();
        let known = account
            .record(shell.store.as_ref(), now, &[seen], |state| state.database.is_some())
            .await;
        known?;
        let current = account.current(shell.store.as_ref(), now).await?;
        weather::other_database(&current.state, Some(answering))
    };
    Ok(why.map(|why| Trouble::of(PendingReason::NotReady { why })))
}
