//! What a plan and an import say, in English and Spanish of Chile.
//!
//! Not here: why an event waits or is parked ([`crate::say`]).

use concilia_shared::id::CheckoutId;

use super::import::Outcome;
use super::plan::Would;
use crate::domain::event::Booking;
use crate::domain::observe::Command;
use crate::say::Lang;
use crate::store::raw::Imported;

impl Would {
    /// The word for it.
    pub fn word(self, lang: Lang) -> &'static str {
        let (en, es) = match self {
            Self::Book => ("would book", "contabilizaría"),
            Self::Confirm => ("would confirm", "confirmaría"),
            Self::Refund => ("would refund", "devolvería"),
            Self::Register => ("would write a record", "registraría"),
            Self::Cancel => ("would cancel", "anularía"),
            Self::InOdoo => ("in Odoo already", "ya en Odoo"),
            Self::Wait => ("would wait", "esperaría"),
            Self::Park => ("would be parked", "quedaría por revisar"),
            Self::Record => ("nothing to do", "nada que hacer"),
            Self::Ignore => ("not ours", "no corresponde"),
            Self::Unknown => ("not known now", "no se sabe ahora"),
            Self::Rests => ("rests as it is", "queda como está"),
        };
        match lang {
            Lang::En => en,
            Lang::Es => es,
        }
    }
}

pub(super) fn paused(lang: Lang) -> String {
    match lang {
        Lang::En => "The account is paused; it goes on when somebody resumes it.",
        Lang::Es => "La cuenta está en pausa; sigue cuando alguien la reanude.",
    }
    .to_owned()
}

/// A checkout nobody told of would be taken in first.
pub(super) fn learn(checkout: &CheckoutId, lang: Lang) -> String {
    match lang {
        Lang::En => format!("Would first take in the payment of {checkout} from Ventipay."),
        Lang::Es => format!("Primero incorporaría el pago de {checkout} desde Ventipay."),
    }
}

/// What would be done in Odoo.
pub(super) fn command(command: &Command, lang: Lang) -> String {
    match (command, lang) {
        (Command::Book(book), Lang::En) => {
            format!("Would book {} for {} on {}.", book.amount, book.order.name, book.date)
        }
        (Command::Book(book), Lang::Es) => {
            format!("Contabilizaría {} para {} el {}.", book.amount, book.order.name, book.date)
        }
        (Command::Confirm(confirm), Lang::En) => format!(
            "Would confirm transaction {} with {} on {}.",
            confirm.candidate.transaction.reference, confirm.amount, confirm.date
        ),
        (Command::Confirm(confirm), Lang::Es) => format!(
            "Confirmaría la transacción {} con {} el {}.",
            confirm.candidate.transaction.reference, confirm.amount, confirm.date
        ),
        (Command::Cancel(cancel), Lang::En) => {
            format!("Would cancel transaction {}.", cancel.reference)
        }
        (Command::Cancel(cancel), Lang::Es) => {
            format!("Anularía la transacción {}.", cancel.reference)
        }
        (Command::Fail(fail), Lang::En) => {
            format!("Would set transaction {} to error.", fail.reference)
        }
        (Command::Fail(fail), Lang::Es) => {
            format!("Dejaría con error la transacción {}.", fail.reference)
        }
        (Command::PayInvoice(pay), Lang::En) => {
            let invoice = pay.invoice.name.as_deref().unwrap_or("-");
            format!("Would book {} for invoice {invoice} on {}.", pay.amount, pay.date)
        }
        (Command::PayInvoice(pay), Lang::Es) => {
            let invoice = pay.invoice.name.as_deref().unwrap_or("-");
            format!("Contabilizaría {} para la factura {invoice} el {}.", pay.amount, pay.date)
        }
        (Command::Refund(refund), Lang::En) => {
            format!(
                "Would book the refund of {} as {} on {}.",
                refund.amount, refund.name, refund.date
            )
        }
        (Command::Refund(refund), Lang::Es) => format!(
            "Contabilizaría la devolución de {} como {} el {}.",
            refund.amount, refund.name, refund.date
        ),
        (Command::MakeInvoice(make), Lang::En) => {
            format!("Would make an invoice of {} for {}.", make.amount, make.invoice)
        }
        (Command::MakeInvoice(make), Lang::Es) => {
            format!("Crearía una factura por {} para {}.", make.amount, make.invoice)
        }
        (Command::Record(record), Lang::En) => {
            format!("Would write the record {} ({}).", record.name(), record.state())
        }
        (Command::Record(record), Lang::Es) => {
            format!("Registraría {} ({}).", record.name(), record.state())
        }
        (Command::Complete { name }, Lang::En) => {
            format!("Would give the open credit of {name} to its invoices.")
        }
        (Command::Complete { name }, Lang::Es) => {
            format!("Aplicaría el crédito abierto de {name} a sus facturas.")
        }
    }
}

/// What stands in Odoo already.
pub(super) fn in_odoo(booking: &Booking, lang: Lang) -> String {
    let payment = booking.payment.as_deref().unwrap_or(&booking.transaction);
    match lang {
        Lang::En => format!("Booked already as {} ({payment}).", booking.transaction),
        Lang::Es => format!("Ya contabilizado como {} ({payment}).", booking.transaction),
    }
}

/// What came in, and what follows from it.
pub(super) fn imported(outcome: &Outcome, lang: Lang) -> String {
    let Outcome { events: Imported { new, known }, open, held } = outcome;
    let came = match lang {
        Lang::En => format!("{new} events are new; {known} were there already, alike."),
        Lang::Es => format!("{new} eventos son nuevos; {known} ya estaban, iguales."),
    };
    let mut lines = vec![came];
    if *held > 0 {
        lines.push(match lang {
            Lang::En => format!(
                "{held} open streams are held. Next: `concilia-worker replay stream` for what came after the export, then `concilia-worker replay plan` and `concilia-worker replay release`."
            ),
            Lang::Es => format!(
                "{held} flujos abiertos quedan retenidos. Siga con `concilia-worker replay stream` para lo que llegó después de la exportación, y luego `concilia-worker replay plan` y `concilia-worker replay release`."
            ),
        });
    }
    if *open > 0 {
        lines.push(match lang {
            Lang::En => format!(
                "{open} streams are open and go on as soon as a worker runs, without what people decided after the export. To look at them first, run this again with --hold before a worker runs."
            ),
            Lang::Es => format!(
                "{open} flujos están abiertos y siguen apenas corra un worker, sin lo que se decidió después de la exportación. Para revisarlos antes, repita esto con --hold antes de que corra un worker."
            ),
        });
    }
    lines.join("\n")
}
