//! The sentences in Spanish of Chile. [`super::en`] says the same in English, in the same order.

use super::amount;
use crate::domain::reason::{
    IgnoreReason, NotReady, ParkReason, PendingReason, Problem, RecordReason,
};
use crate::domain::state::Status;

pub(super) fn status(status: &Status) -> String {
    match status {
        Status::Received => "En el registro; se revisará de inmediato.".to_owned(),
        Status::Reconciled => "En Odoo.".to_owned(),
        Status::Canceled { transaction } => format!("Cancelado en Odoo: {transaction}."),
        Status::Refunded(refund) => {
            format!("En Odoo: se devolvieron {}, {}.", refund.amount, refund.transaction)
        }
        Status::Failed { transaction } => format!("Con error en Odoo: {transaction}."),
        Status::Registered(registration) => {
            format!("En Odoo, registrado: {} ({}).", registration.record, registration.state)
        }
        Status::Pending { reason, .. } => pending(reason),
        Status::Parked(reason) => parked(reason),
        Status::Ignored(IgnoreReason::OtherEnvironment { live }) => {
            let said = match live {
                Some(true) => "un evento de producción",
                Some(false) => "un evento de prueba",
                None => "un evento que no dice si es de prueba o de producción",
            };
            format!(
                "No es del ambiente de esta cuenta: {said}. Nada que hacer, salvo que la cuenta esté mal configurada."
            )
        }
        Status::Ignored(IgnoreReason::ByHand { by, why }) => {
            format!("Cerrado por {by}: {}", super::closed(why))
        }
        Status::Recorded(RecordReason::NothingToDo) => {
            "Guardado; este tipo no pide nada en Odoo.".to_owned()
        }
        Status::Recorded(RecordReason::BeforeBookFrom { book_from }) => {
            format!("Pagado antes de book_from ({book_from}); guardado, no contabilizado.")
        }
        Status::Recorded(RecordReason::ToldBefore) => "Otro evento informó lo mismo.".to_owned(),
        Status::Recorded(RecordReason::NothingToCancel) => {
            "Anulado antes de pagarse; Odoo no tiene una transacción suya que cancelar.".to_owned()
        }
        Status::Recorded(RecordReason::NothingToConfirm) => {
            "Odoo no tiene una transacción abierta de este pago; nada que confirmar.".to_owned()
        }
        Status::Recorded(RecordReason::PaymentNotBooked) => {
            "Su pago no lo contabiliza esta cuenta, así que su devolución tampoco.".to_owned()
        }
        Status::Recorded(RecordReason::BookedElsewhere { name }) => {
            format!("El mismo pago está contabilizado como {name}.")
        }
        Status::Recorded(RecordReason::Overtaken { status }) => {
            format!(
                "Informado como anulado, pero Ventipay ya muestra el checkout como {status}; no se canceló nada."
            )
        }
    }
}

pub(super) fn pending(reason: &PendingReason) -> String {
    match reason {
        PendingReason::NoMatch { looked_for } => {
            format!(
                "Ningún pedido de Odoo calza{} todavía. Se vuelve a buscar solo; si se queda así, revise el conector o elija el pedido con `concilia-worker match`.",
                values(looked_for)
            )
        }
        PendingReason::NoTransaction { looked_for } => {
            format!(
                "Odoo aún no tiene una transacción{} de este checkout. Se vuelve a buscar solo; si se queda así, revise el modo y reference_keys.",
                values(looked_for)
            )
        }
        PendingReason::NoInvoiceYet { order } => {
            format!("El pedido {order} aún no tiene factura publicada, y esta cuenta la espera.")
        }
        PendingReason::NotPaidYet { status } => {
            format!(
                "Ventipay muestra el checkout como {status}, no pagado; se vuelve a consultar solo."
            )
        }
        PendingReason::NotCanceledYet { status } => {
            format!(
                "Ventipay muestra el checkout como {status}, no anulado; se vuelve a consultar solo."
            )
        }
        PendingReason::NoInvoice { looked_for } => {
            format!(
                "Ninguna factura de cliente publicada en Odoo calza{} todavía. Se vuelve a buscar solo; créela con una de estas como referencia, o defina subscription_invoices.",
                values(looked_for)
            )
        }
        PendingReason::NoCustomer => "Odoo aún no tiene un cliente con este RUT, correo o id. Se vuelve a buscar solo; cree el contacto, o defina customers=create.".to_owned(),
        PendingReason::NotBookedYet => {
            "Su pago aún no está en Odoo; sigue solo cuando lo esté.".to_owned()
        }
        PendingReason::NotRefundedYet { status } => {
            format!(
                "Ventipay muestra {status} devueltos, menos de lo informado; se vuelve a consultar solo."
            )
        }
        PendingReason::Changed { what } => {
            format!("Odoo cambió mientras se contabilizaba ({what}); se vuelve a revisar solo.")
        }
        PendingReason::OdooUnavailable => "Odoo no responde; se reintenta solo.".to_owned(),
        PendingReason::VentipayUnavailable => "Ventipay no responde; se reintenta solo.".to_owned(),
        PendingReason::OnlyThis { trouble } => {
            format!("Solo para este evento, aunque los demás avanzan: {}", pending(trouble))
        }
        PendingReason::NotReady { why } => not_ready(why),
    }
}

fn not_ready(why: &NotReady) -> String {
    match why {
        NotReady::NoOdoo => "La cuenta no tiene Odoo: defina accounts.NOMBRE.odoo.url, database y key.".to_owned(),
        NotReady::Denied => "Odoo rechazó al bot: revise odoo.login y odoo.key, y ejecute `concilia-worker odoo setup`.".to_owned(),
        NotReady::ActionMissing => "Faltan las acciones de Concilia en Odoo: ejecute `concilia-worker odoo setup`.".to_owned(),
        NotReady::ActionDiffers => "Las acciones de Concilia en Odoo son de otra versión o fueron editadas: ejecute `concilia-worker odoo setup`.".to_owned(),
        NotReady::NoProvider => "Odoo no tiene un proveedor Ventipay con cuenta puente para esta empresa: ejecute `concilia-worker odoo setup`.".to_owned(),
        NotReady::ProviderDisabled => "El proveedor Ventipay está desactivado en Odoo: actívelo allí (o déjelo en prueba).".to_owned(),
        NotReady::ProviderDiffers { state } => {
            format!(
                "El proveedor Ventipay en Odoo está en estado {state}, que no es el ambiente de esta cuenta: corrija accounts.NOMBRE.environment, o ejecute `concilia-worker odoo setup`."
            )
        }
        NotReady::NoAccount => {
            "Esta cuenta no está en la configuración: agréguela de nuevo, y lo que espera sigue."
                .to_owned()
        }
        NotReady::UnknownField { field } => {
            format!("sale.order no tiene el campo {field}: corrija accounts.NOMBRE.custom_field.")
        }
        NotReady::VentipayDenied => "Ventipay rechazó la llave de API: ponga una vigente en accounts.NOMBRE.ventipay.key.".to_owned(),
        NotReady::OtherDatabase { known, answering } => {
            format!("Responde otra base de Odoo ({answering}) que aquella en que contabiliza esta cuenta ({known}): corrija odoo.url y odoo.database o, si de verdad se mudó, ejecute `concilia-worker settings set NOMBRE database={answering}`.")
        }
        NotReady::NoModels => "Faltan los modelos de Concilia en Odoo: ejecute `concilia-worker odoo setup`.".to_owned(),
        NotReady::Misconfigured { detail } => {
            format!("Odoo respondió un error que alguien debe corregir: {detail}")
        }
    }
}

fn parked(reason: &ParkReason) -> String {
    match reason {
        ParkReason::Unreadable { problem } => {
            format!("El cuerpo firmado no se puede leer ({}). Revíselo en el panel de Ventipay.", self::problem(problem))
        }
        ParkReason::AmountMismatch { paid, expected, document } => {
            format!("Se pagó {paid}, pero {document} pide {}. Corrija el documento, devuelva la diferencia, o contabilícelo igual con `concilia-worker accept`.", amount(expected, *paid))
        }
        ParkReason::CurrencyMismatch { paid, expected, document } => {
            format!("Se pagó {paid}, pero {document} está en {expected}. Contabilícelo a mano o corrija el documento.")
        }
        ParkReason::Ambiguous { value, orders } => {
            format!("Varios pedidos calzan con {value}: {}. Elija uno con `concilia-worker match`, o defina un dominio que separe las tiendas.", orders.join(", "))
        }
        ParkReason::AlreadyPaid { document, by } => {
            format!("{document} ya está pagado por otro medio ({by}). Revise si hay doble pago; luego ciérrelo con `concilia-worker ignore`, devuélvalo, o contabilícelo como saldo a favor con `concilia-worker accept`.")
        }
        ParkReason::NameTaken { document, by } => {
            format!("La transacción {document} de Odoo está donde iría la de este pago ({by}). Si es este pago, cierre esto con `concilia-worker ignore`; si el cliente pagó dos veces, devuelva uno.")
        }
        ParkReason::OrderCancelled { order } => {
            format!("El pedido {order} está cancelado. Devuelva el pago o reabra el pedido.")
        }
        ParkReason::OtherCompany { document } => {
            format!("{document} es de otra empresa. Revise odoo.company_id de esta cuenta.")
        }
        ParkReason::BookedDifferently { paid, booked } => {
            format!("Se pagó {paid}, pero Odoo tiene {booked} bajo este checkout. Corríjalo en Odoo.")
        }
        ParkReason::ContradictedByVentipay { told, answered } => {
            format!("El evento dice {told}, la API de Ventipay dice {answered}. Pregunte a Ventipay cuál es el correcto.")
        }
        ParkReason::Refunded => "Devuelto antes de contabilizarse. Vea en Ventipay cuánto queda, y contabilícelo a mano.".to_owned(),
        ParkReason::Disputed => "En disputa antes de contabilizarse. Responda la disputa, y luego contabilícelo o ciérrelo.".to_owned(),
        ParkReason::NotPayable { status } => {
            format!("Ventipay muestra el checkout como {status}. Pregunte a Ventipay antes de contabilizar.")
        }
        ParkReason::LateAndUnverifiable { late_s } => {
            format!("Firmado con {late_s} s de diferencia con su recepción, y no hay llave de API para preguntar si sigue vigente. Defina ventipay.key, o revíselo en el panel.")
        }
        ParkReason::RefusedByOdoo { why, detail } if detail.is_empty() => {
            format!("La acción de Odoo lo rechazó ({why}). Revise el pedido y el proveedor en Odoo.")
        }
        ParkReason::RefusedByOdoo { detail, .. } => format!("Odoo se negó a contabilizarlo: {detail}"),
        ParkReason::RetriesExhausted { attempts, waiting_for } => {
            format!("Se intentó {attempts} veces. Último motivo: {}", pending(waiting_for))
        }
        ParkReason::TransactionMismatch { paid, expected, document } => {
            format!("Se pagó {paid}, pero la transacción {document} de Odoo es por {}. Devuelva el pago, o elija el pedido con `concilia-worker match`.", amount(expected, *paid))
        }
        ParkReason::CanceledAfterPayment { document } => {
            format!("Anulado en Ventipay, aunque estaba pagado ({document}). No se deshizo nada: pregunte a Ventipay dónde está el dinero, corrija Odoo y ciérrelo con `concilia-worker ignore`.")
        }
        ParkReason::AmbiguousCustomer => "Más de un cliente en Odoo tiene este RUT o correo. Únalos o corríjalos, y luego `concilia-worker retry`.".to_owned(),
        ParkReason::CardUnclear => "El evento no muestra los últimos cuatro dígitos de la tarjeta. No se pierde nada: la tarjeta funciona en Ventipay; ciérrelo con `concilia-worker ignore`.".to_owned(),
        ParkReason::RefundUnclear => "Se devolvió dinero, pero ni el evento ni Ventipay dicen cuánto en total. Véalo en el panel, contabilícelo a mano y ciérrelo con `concilia-worker ignore`.".to_owned(),
        ParkReason::RefundAbovePayment { refunded, booked } => {
            format!("Ventipay dice que se devolvieron {refunded} en total, pero solo se contabilizaron {booked}. Pregunte a Ventipay, corrija Odoo y ciérrelo con `concilia-worker ignore`.")
        }
        ParkReason::ContradictingFacts { known, told } => {
            format!("Se sabía: {known}. Ahora se informa: {told}. Se contradicen: pregunte a Ventipay cuál vale, corrija Odoo si hace falta y ciérrelo con `concilia-worker ignore`.")
        }
        ParkReason::RoundingLost { paid, currency, document } => {
            format!("Se pagó {paid}, que {currency} no puede guardar exacto; {document} está en {currency}. Contabilícelo a mano, o use CLF (`concilia-worker settings set NOMBRE uf=CLF`).")
        }
        ParkReason::InvoiceNotPosted { document } => {
            format!("{document} no está publicada, y confirmar el pago la publicaría. Publíquela o quítela en Odoo, y luego `concilia-worker retry`.")
        }
        ParkReason::PayloadErased => "Su contenido fue borrado antes de poder calzarlo. Contabilícelo a mano.".to_owned(),
    }
}

fn values(looked_for: &[String]) -> String {
    if looked_for.is_empty() { String::new() } else { format!(" {}", looked_for.join(", ")) }
}

fn problem(problem: &Problem) -> String {
    match problem {
        Problem::NotUtf8 => "no es texto UTF-8".to_owned(),
        Problem::NotJson => "no es JSON".to_owned(),
        Problem::DuplicateKey { key } => format!("la clave {key} aparece dos veces"),
        Problem::Field { path } => format!("{path} falta o no es como está documentado"),
        Problem::UnknownCurrency { code } => format!("moneda desconocida {code}"),
    }
}
