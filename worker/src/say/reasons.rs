//! A few words for each reason's name, for summaries: what many events have in common.
//!
//! Not here: the sentence of one event, with its facts and the next step ([`super::status`]).

use super::Lang;

/// Name, English, Spanish of Chile.
const PHRASES: &[(&str, &str, &str)] = &[
    ("account_paused", "a person paused the account", "una persona puso la cuenta en pausa"),
    (
        "already_paid",
        "the document is paid by other means",
        "el documento ya está pagado por otro medio",
    ),
    ("ambiguous", "more than one order matches", "calza más de un pedido"),
    ("ambiguous_customer", "more than one such customer", "más de un cliente así"),
    ("amount_mismatch", "amounts differ", "los montos difieren"),
    ("before_book_from", "paid before book_from", "pagado antes de book_from"),
    ("booked_differently", "Odoo holds another amount", "Odoo tiene otro monto"),
    ("booked_elsewhere", "booked under another name", "contabilizado con otro nombre"),
    ("by_hand", "closed by a person", "cerrado por una persona"),
    ("canceled_after_payment", "canceled after it was paid", "anulado después de pagarse"),
    ("card_unclear", "the card is not shown", "no se muestra la tarjeta"),
    ("changed", "Odoo changed while booking", "Odoo cambió mientras se contabilizaba"),
    ("contradicted_by_ventipay", "Ventipay contradicts itself", "Ventipay se contradice"),
    ("contradicting_facts", "two facts contradict each other", "dos hechos se contradicen"),
    ("currency_mismatch", "currencies differ", "las monedas difieren"),
    ("disputed", "disputed before it was booked", "en disputa antes de contabilizarse"),
    ("invoice_not_posted", "an invoice is not posted", "una factura no está publicada"),
    ("late_and_unverifiable", "late, and cannot be verified", "tardío, y no se puede verificar"),
    ("name_taken", "another transaction stands there", "otra transacción ocupa su lugar"),
    ("no_customer", "Odoo has no such customer yet", "Odoo aún no tiene ese cliente"),
    ("no_invoice", "Odoo has no such invoice yet", "Odoo aún no tiene esa factura"),
    ("no_invoice_yet", "the order has no invoice yet", "el pedido aún no tiene factura"),
    ("no_match", "no order matches yet", "aún no calza ningún pedido"),
    ("no_transaction", "Odoo has no transaction yet", "Odoo aún no tiene la transacción"),
    ("not_booked_yet", "its payment is not booked yet", "su pago aún no está contabilizado"),
    ("not_canceled_yet", "not canceled at Ventipay yet", "aún no anulado en Ventipay"),
    ("not_paid_yet", "not paid at Ventipay yet", "aún no pagado en Ventipay"),
    ("not_payable", "Ventipay does not show it as paid", "Ventipay no lo muestra pagado"),
    ("not_ready", "the account is not set up", "falta configurar la cuenta"),
    ("not_refunded_yet", "Ventipay shows less refunded", "Ventipay muestra menos devuelto"),
    ("nothing_to_cancel", "nothing to cancel in Odoo", "nada que cancelar en Odoo"),
    ("nothing_to_confirm", "nothing to confirm in Odoo", "nada que confirmar en Odoo"),
    ("nothing_to_do", "asks for nothing in Odoo", "no pide nada en Odoo"),
    ("odoo_unavailable", "Odoo does not answer", "Odoo no responde"),
    ("only_this", "this event alone is not answered", "solo este evento queda sin respuesta"),
    ("order_cancelled", "the order is cancelled", "el pedido está cancelado"),
    ("other_company", "the document is of another company", "el documento es de otra empresa"),
    ("other_environment", "test and live mixed up", "prueba y producción mezclados"),
    ("overtaken", "in another state at Ventipay by now", "ya en otro estado en Ventipay"),
    ("payload_erased", "its payload was erased", "su contenido fue borrado"),
    ("payment_not_booked", "of a payment that is not booked", "de un pago que no se contabiliza"),
    ("refund_above_payment", "more refunded than paid", "se devolvió más de lo pagado"),
    ("refund_unclear", "how much was refunded is unclear", "no está claro cuánto se devolvió"),
    ("refunded", "refunded before it was booked", "devuelto antes de contabilizarse"),
    ("refused_by_odoo", "Odoo refused it", "Odoo lo rechazó"),
    ("retries_exhausted", "tried for as long as set", "intentado todo el plazo fijado"),
    ("rounding_lost", "the currency cannot hold the amount", "la moneda no alcanza para el monto"),
    ("told_before", "told before", "informado antes"),
    (
        "transaction_mismatch",
        "amount differs from the transaction",
        "el monto difiere de la transacción",
    ),
    ("unreadable", "the body does not read", "el cuerpo no se puede leer"),
    ("ventipay_unavailable", "Ventipay does not answer", "Ventipay no responde"),
];

/// The words for a reason's name; without a name, those for what was just received.
pub fn phrase(name: Option<&str>, lang: Lang) -> &str {
    let Some(name) = name else {
        return lang.either("about to be looked at", "se revisará de inmediato");
    };
    PHRASES
        .iter()
        .find(|(known, _, _)| *known == name)
        .map_or(name, |(_, en, es)| lang.either(*en, *es))
}
