//! The facts in Spanish of Chile. [`super::en`] says the same in English, in the same order.

use concilia_shared::money::Money;

use super::{documents, parked_for, went_back};
use crate::domain::event::{Event, Matched, SettingChange, System, WebhookReceived};
use crate::domain::fact::{Fact, PaymentResult};
use crate::domain::state::Status;
use crate::say::{Lang, closed, pending, status, when};

pub(super) fn sentence(event: &Event) -> String {
    match event {
        Event::WebhookReceived(told) => received(told),
        Event::PayloadConflicted { body_hash, .. } => format!(
            "El mismo id llegó otra vez con otro cuerpo ({}…); vale el primero.",
            body_hash.get(..12).unwrap_or(body_hash)
        ),
        Event::Recorded { reason, .. } => {
            format!("Registrado: {}", status(&Status::Recorded(reason.clone()), Lang::Es))
        }
        Event::Ignored { reason, .. } => {
            format!("Descartado: {}", status(&Status::Ignored(reason.clone()), Lang::Es))
        }
        Event::Pended { reason, attempt, due_at, .. } => format!(
            "Espera (intentos usados: {attempt}, próximo a las {}): {}",
            when::moment(*due_at),
            pending(reason, Lang::Es)
        ),
        Event::Parked { reason, .. } => {
            format!("Por revisar: {}", status(&Status::Parked(reason.clone()), Lang::Es))
        }
        Event::Booked { booking, matched: Some(matched), mode, .. } => format!(
            "Contabilizado{}: {}. {}",
            mode.map(|mode| format!(" en modo {}", mode.word())).unwrap_or_default(),
            documents(booking),
            found(matched)
        ),
        Event::Booked { booking, matched: None, .. } => {
            format!("Encontrado en Odoo, contabilizado antes: {}.", documents(booking))
        }
        Event::TransactionCanceled { transaction, .. } => {
            format!("Se canceló la transacción {transaction} en Odoo.")
        }
        Event::TransactionFailed { transaction, .. } => {
            format!("La transacción {transaction} quedó con error en Odoo.")
        }
        Event::Refunded { refund, .. } => {
            format!("Contabilizada la devolución: {}.", went_back(refund))
        }
        Event::InvoiceMade { invoice, .. } => {
            format!("Se creó la factura {invoice} en Odoo, que no tenía.")
        }
        Event::Registered { registration, .. } => {
            format!("Se registró {} ({}) en Odoo.", registration.record, registration.state)
        }
        Event::CreditFound { .. } => {
            "Se vio crédito abierto del pago junto a una factura abierta de su pedido.".to_owned()
        }
        Event::Completed { booking, .. } => {
            format!("El crédito abierto se asignó a las facturas: {}.", documents(booking))
        }
        Event::RetryRequested { by, .. } => format!("{by} pidió reintentarlo ahora."),
        Event::MatchChosen { order, by, why, .. } => {
            format!("{by} eligió el pedido {order}: {}", closed(why))
        }
        Event::DifferenceAccepted { accepted, by, why, .. } => format!(
            "{by} lo aceptó de todos modos ({}): {}",
            parked_for(accepted, Lang::Es),
            closed(why)
        ),
        Event::Held { .. } => {
            "Releído desde el broker: no se hace nada hasta que una persona lo libere.".to_owned()
        }
        Event::Released { by, .. } => format!("{by} lo liberó."),
        Event::SettingsChanged { by, why, changes } => {
            let changes: Vec<String> = changes.iter().map(change).collect();
            let changes =
                if changes.is_empty() { "ningún ajuste".to_owned() } else { changes.join(", ") };
            match why {
                Some(why) => format!("{by} cambió {changes}: {}", closed(why)),
                None => format!("{by} cambió {changes}."),
            }
        }
        Event::AccountPaused { by, why } => {
            format!("{by} puso la cuenta en pausa: {}", closed(why))
        }
        Event::AccountResumed { by } => format!("{by} dejó seguir la cuenta."),
        Event::OutageBegan { system, reason } => {
            format!("Empezó una falla de {}: {}", name(*system), pending(reason, Lang::Es))
        }
        Event::OutageEnded { system } => format!("Terminó la falla de {}.", name(*system)),
        Event::DatabaseSeen { database } => {
            format!(
                "Base de datos de Odoo {database} vista por primera vez; la cuenta contabiliza en ella."
            )
        }
    }
}

fn received(told: &WebhookReceived) -> String {
    let kind = told.event_type.as_deref().unwrap_or("un evento sin tipo");
    let late = told.late_s.map(|late_s| format!(" Llegó {late_s} s tarde.")).unwrap_or_default();
    let said = match &told.fact {
        Fact::CheckoutPaid(paid) => {
            let mut said = format!("{kind}: {} pagados, {}", paid.amount, paid.checkout);
            if let Some(at) = paid.paid_at {
                said.extend([", el ", &when::moment(at)]);
            }
            if paid.refunded {
                said.push_str(", devuelto después");
            }
            if paid.disputed {
                said.push_str(", en disputa");
            }
            said
        }
        Fact::CheckoutCanceled(canceled) => format!("{kind}: {} anulado", canceled.checkout),
        Fact::CheckoutRefunded(refunded) => {
            let amount = amount(refunded.refunded);
            format!("{kind}: {amount} de {} devueltos en total", refunded.checkout)
        }
        Fact::PaymentTold(payment) => {
            let names: Vec<String> = payment.names().iter().map(ToString::to_string).collect();
            let (amount, names) = (amount(payment.amount), names.join(", "));
            let result = match payment.result {
                PaymentResult::Succeeded => "cobrados",
                PaymentResult::Failed => "rechazados",
            };
            format!("{kind}: {amount} {result}, {names}")
        }
        Fact::DisputeTold(dispute) => {
            let about = dispute.names().first().map(|name| format!(" de {name}"));
            let (amount, about) = (amount(dispute.amount), about.unwrap_or_default());
            format!("{kind}: disputa {}{about} por {amount}", dispute.dispute)
        }
        Fact::SubscriptionTold(told) => {
            format!("{kind}: la suscripción {} está {}", told.subscription, told.state.as_str())
        }
        Fact::InvoiceTold(invoice) => {
            let amount = amount(invoice.amount);
            format!(
                "{kind}: la nota de venta {} por {amount} está {}",
                invoice.invoice,
                invoice.state.as_str()
            )
        }
        Fact::CardEnrolled(card) => format!("{kind}: tarjeta {} inscrita", card.card()),
        Fact::Other => format!("{kind}, que no pide nada en Odoo"),
        Fact::Unreadable { .. } => "un cuerpo firmado que no se puede leer".to_owned(),
    };
    format!("Informó {said}.{late}")
}

fn amount(told: Option<Money>) -> String {
    told.map_or_else(|| "un monto no informado".to_owned(), |amount| amount.to_string())
}

fn found(matched: &Matched) -> String {
    let Matched { path, field, value } = matched;
    format!("Hallado por {path} = {value} en {field}.")
}

fn change(change: &SettingChange) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nada".to_owned());
    format!("{} de {} a {}", change.key, shown(&change.from), shown(&change.to))
}

fn name(system: System) -> &'static str {
    match system {
        System::Odoo => "Odoo",
        System::Ventipay => "Ventipay",
    }
}
