//! The scenario as data: one line per case, with what is expected of it. Pure.
//!
//! Reads as a ledger: account, amount, story, expected end. How a story is played is
//! [`super::act`]; how its end is judged is [`mod@super::judge`].

use concilia_shared::money::{Currency, Money};
use serde_json::{Map, Value, json};

use super::Lang;

/// One case: something Ventipay tells about one account, and where it must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The account it is told to; its name is that of its connector, or of its mode.
    pub account: &'static str,
    /// Total of the order, in minor units of [`Case::currency`].
    pub total: i64,
    /// What happens.
    pub story: Story,
    /// Where it must end.
    pub expect: Expect,
}

/// What happens in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// The order has a posted invoice when it is paid.
    Invoiced,
    /// The order has none; it is made after the payment was booked.
    InvoicedAfterwards,
    /// The payment is told before the order is in Odoo.
    OrderArrivesLate,
    /// The same event is delivered twice.
    DeliveredTwice,
    /// Genuine, but signed an hour ago.
    Stale,
    /// Signed by somebody who does not know the secret.
    Forged,
    /// Paid [`SHORT_BY`] less than the order says.
    AmountDiffers,
    /// Signed, but not JSON.
    Unreadable,
    /// `checkout.created`: there is nothing to do.
    CheckoutCreated,
    /// A live payment told to a test account.
    OtherMode,
    /// A customer pays an invoice in Odoo's portal: Odoo has a transaction of it.
    PortalInvoice,
    /// A customer pays an order in Odoo's portal.
    PortalOrder,
    /// A customer begins in Odoo's portal, and cancels on Ventipay's page.
    PortalCanceled,
    /// Odoo is away for a moment when the payment is told.
    OdooDownAndUp,
    /// An order in UF: counted in ten-thousandths at Ventipay, in hundredths in Odoo.
    InUf,
    /// Paid, then refunded wholly.
    Refunded,
    /// Paid, then refunded in two parts, each told when it is made.
    RefundedInParts,
    /// Paid, then refunded in two parts; the second is told first.
    RefundsOutOfOrder,
    /// The refund is told first, the payment after it.
    RefundBeforePayment,
    /// The refund is told, the payment never.
    RefundOfUntold,
    /// `charge.succeeded` tells a payment in Odoo's portal first; the older family and the
    /// checkout's tell it again.
    ChargeSucceeded,
    /// `charge.failed` of a payment begun in Odoo's portal.
    ChargeFailed,
    /// Paid, disputed, under review, won.
    DisputeWon,
    /// Paid, disputed, lost.
    DisputeLost,
    /// A subscription begins, is renewed and ends; each period's invoice is one of Odoo's.
    Subscription,
    /// A customer saves a card.
    CardSaved,
    /// A type nobody has heard of.
    UnknownType,
}

/// Where a case must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expect {
    /// The ingress's answer, where the scenario posts by itself.
    pub answer: Option<u16>,
    /// The status in the log; absent: the log must not know it.
    pub status: Option<&'static str>,
    /// The reason's name.
    pub reason: Option<&'static str>,
    /// Whether the log must have it marked late.
    pub late: bool,
    /// Where the other events of the story must end, in the order in which they are told.
    pub also: &'static [Rest],
    /// Payments in Odoo.
    pub payments: usize,
    /// Refunds in Odoo.
    pub refunds: usize,
    /// Whether the invoices must be paid in the end.
    pub invoice_paid: bool,
    /// The mode it must have been booked in; nothing of the story is booked in another one.
    pub mode: Option<&'static str>,
    /// The state its transaction in the portal must be in.
    pub transaction: Option<&'static str>,
    /// The status of the checkout that people see in Odoo.
    pub checkout: Option<&'static str>,
    /// The record in Odoo the story is about.
    pub record: Option<Record>,
}

/// Where an event must end: its status, and the reason's name.
pub type Rest = (&'static str, Option<&'static str>);

/// A record of Concilia's own in Odoo, or a saved card, as it must stand in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its state; of a card `active` or `archived`.
    pub state: &'static str,
    /// Activities that are open.
    pub activities: usize,
    /// Of a subscription, how often it was renewed.
    pub renewals: i64,
}

/// What [`Story::AmountDiffers`] is short by, in pesos.
pub const SHORT_BY: i64 = 1_000;

/// What the first part of [`Story::RefundedInParts`] and [`Story::RefundsOutOfOrder`] is, in pesos.
pub const FIRST_PART: i64 = 4_000;

/// Periods of [`Story::Subscription`].
pub const PERIODS: usize = 2;

const DONE: Rest = ("reconciled", None);
const AGAIN: Rest = ("recorded", Some("told_before"));
const NOTHING: Rest = ("recorded", Some("nothing_to_do"));

const fn ends((status, reason): Rest) -> Expect {
    Expect {
        answer: None,
        status: Some(status),
        reason,
        late: false,
        also: &[],
        payments: 0,
        refunds: 0,
        invoice_paid: false,
        mode: None,
        transaction: None,
        checkout: None,
        record: None,
    }
}

const fn in_state(state: &'static str) -> Record {
    Record { state, activities: 0, renewals: 0 }
}

const PAID: Expect = Expect { invoice_paid: true, ..CREDIT };
const CREDIT: Expect =
    Expect { payments: 1, mode: Some("B"), checkout: Some("paid"), ..ends(DONE) };
const PAID_A: Expect = Expect { mode: Some("A"), ..PAID };
const CREDIT_A: Expect = Expect { mode: Some("A"), ..CREDIT };
const CANCELED: Expect =
    Expect { transaction: Some("cancel"), checkout: Some("canceled"), ..ends(DONE) };
const LATE: Expect = Expect { late: true, ..PAID };
const MISMATCH: Expect =
    Expect { checkout: Some("paid"), ..ends(("parked", Some("amount_mismatch"))) };
const UNREADABLE: Expect = Expect { answer: Some(200), ..ends(("parked", Some("unreadable"))) };
const REFUSED: Expect = Expect { answer: Some(401), status: None, ..ends(("", None)) };
const RECORDED: Expect = ends(NOTHING);
const IGNORED: Expect = ends(("ignored", Some("other_environment")));

const BACK: Expect =
    Expect { also: &[DONE], refunds: 1, checkout: Some("refunded"), ..CREDIT };
const BACK_A: Expect = Expect { mode: Some("A"), ..BACK };
const IN_PARTS: Expect = Expect { also: &[DONE, DONE], refunds: 2, ..BACK };
const OUT_OF_ORDER: Expect = Expect { also: &[DONE, AGAIN], ..BACK };
const FETCHED: Expect = Expect { also: &[DONE], ..BACK };
const TOLD_AFTER: Expect = Expect { also: &[DONE, AGAIN], ..BACK };
const CHARGED: Expect = Expect { also: &[AGAIN, AGAIN], ..PAID_A };
const FAILED: Expect = Expect { transaction: Some("error"), ..ends(DONE) };
const WON: Expect = Expect { also: &[DONE, DONE, DONE], record: Some(in_state("won")), ..PAID };
const LOST: Expect = Expect {
    also: &[DONE, DONE],
    record: Some(Record { activities: 1, ..in_state("lost") }),
    ..PAID
};
const SUBSCRIBED: Expect = Expect {
    also: &[DONE, DONE, DONE, DONE, DONE],
    payments: PERIODS,
    invoice_paid: true,
    record: Some(Record { renewals: 1, ..in_state("canceled") }),
    ..ends(DONE)
};
const SAVED: Expect =
    Expect { also: &[NOTHING], record: Some(in_state("archived")), ..ends(DONE) };

const fn case(account: &'static str, total: i64, story: Story, expect: Expect) -> Case {
    Case { account, total, story, expect }
}

/// The scenario.
pub const CASES: [Case; 40] = [
    case("shopify", 15_990, Story::Invoiced, PAID),
    case("shopify", 24_500, Story::InvoicedAfterwards, PAID),
    case("woocommerce", 39_990, Story::Invoiced, PAID),
    case("woocommerce", 8_990, Story::InvoicedAfterwards, PAID),
    case("vtex", 129_990, Story::Invoiced, PAID),
    case("vtex", 54_990, Story::InvoicedAfterwards, PAID),
    case("jumpseller", 12_490, Story::Invoiced, PAID),
    case("jumpseller", 6_750, Story::InvoicedAfterwards, PAID),
    case("generic", 349_000, Story::Invoiced, PAID),
    case("generic", 75_000, Story::InvoicedAfterwards, PAID),
    case("custom", 18_200, Story::Invoiced, PAID),
    case("custom", 9_900, Story::InvoicedAfterwards, PAID),
    case("shopify", 21_000, Story::OrderArrivesLate, CREDIT),
    case("shopify", 32_990, Story::DeliveredTwice, PAID),
    case("woocommerce", 27_490, Story::Stale, LATE),
    case("generic", 990_000, Story::Forged, REFUSED),
    case("vtex", 45_000, Story::AmountDiffers, MISMATCH),
    case("jumpseller", 0, Story::Unreadable, UNREADABLE),
    case("custom", 5_000, Story::CheckoutCreated, RECORDED),
    case("generic", 65_000, Story::OtherMode, IGNORED),
    case("generic", 25_000, Story::InUf, PAID),
    case("portal", 23_450, Story::PortalInvoice, PAID_A),
    case("portal", 41_000, Story::PortalOrder, CREDIT_A),
    case("portal", 7_300, Story::PortalCanceled, CANCELED),
    case("portal", 36_700, Story::ChargeSucceeded, CHARGED),
    case("portal", 11_800, Story::ChargeFailed, FAILED),
    case("hybrid", 64_000, Story::PortalInvoice, PAID_A),
    case("hybrid", 58_990, Story::Invoiced, PAID),
    case("shopify", 19_990, Story::Refunded, BACK),
    case("portal", 47_300, Story::Refunded, BACK_A),
    case("vtex", 14_000, Story::RefundedInParts, IN_PARTS),
    case("woocommerce", 16_500, Story::RefundsOutOfOrder, OUT_OF_ORDER),
    case("jumpseller", 29_900, Story::RefundBeforePayment, TOLD_AFTER),
    case("custom", 13_700, Story::RefundOfUntold, FETCHED),
    case("shopify", 88_000, Story::DisputeWon, WON),
    case("vtex", 71_000, Story::DisputeLost, LOST),
    case("generic", 17_990, Story::Subscription, SUBSCRIBED),
    case("generic", 0, Story::CardSaved, SAVED),
    case("custom", 0, Story::UnknownType, RECORDED),
    case("shopify", 26_500, Story::OdooDownAndUp, PAID),
];

impl Case {
    /// The currency of its order.
    pub fn currency(&self) -> Currency {
        if self.story == Story::InUf { Currency::Clf } else { Currency::Clp }
    }

    /// The total of its order.
    pub fn money(&self) -> Money {
        Money::new(self.total, self.currency())
    }
}

impl Story {
    /// As a person reads it.
    pub fn title(self, lang: Lang) -> &'static str {
        let (english, spanish) = match self {
            Self::Invoiced => ("paid, invoice posted before", "pagado, factura ya emitida"),
            Self::InvoicedAfterwards => {
                ("paid, invoice made afterwards", "pagado, factura emitida después")
            }
            Self::OrderArrivesLate => {
                ("paid before the order is in Odoo", "pagado antes de llegar el pedido a Odoo")
            }
            Self::DeliveredTwice => ("paid, delivered twice", "pagado, entregado dos veces"),
            Self::Stale => ("genuine, signed an hour ago", "auténtico, firmado hace una hora"),
            Self::Forged => ("forged signature", "firma falsificada"),
            Self::AmountDiffers => ("paid less than the order", "pagado menos que el pedido"),
            Self::Unreadable => ("signed, but not JSON", "firmado, pero no es JSON"),
            Self::CheckoutCreated => ("checkout.created", "checkout.created"),
            Self::OtherMode => ("live payment, test account", "pago real, cuenta de prueba"),
            Self::PortalInvoice => {
                ("invoice paid in Odoo's portal", "factura pagada en el portal de Odoo")
            }
            Self::PortalOrder => {
                ("order paid in Odoo's portal", "pedido pagado en el portal de Odoo")
            }
            Self::PortalCanceled => {
                ("begun in the portal, then canceled", "iniciado en el portal, luego anulado")
            }
            Self::OdooDownAndUp => ("paid while Odoo is down", "pagado con Odoo caído"),
            Self::InUf => ("paid in UF", "pagado en UF"),
            Self::Refunded => ("paid, then refunded", "pagado, luego devuelto"),
            Self::RefundedInParts => ("refunded in two parts", "devuelto en dos partes"),
            Self::RefundsOutOfOrder => {
                ("two refunds, told out of order", "dos devoluciones, en desorden")
            }
            Self::RefundBeforePayment => {
                ("refund told before its payment", "devolución avisada antes que el pago")
            }
            Self::RefundOfUntold => {
                ("refund of a payment nobody told", "devolución de un pago no avisado")
            }
            Self::ChargeSucceeded => {
                ("charge.succeeded, then told twice more", "charge.succeeded, y dos avisos más")
            }
            Self::ChargeFailed => ("charge.failed", "charge.failed"),
            Self::DisputeWon => ("disputed, under review, won", "disputado, en revisión, ganado"),
            Self::DisputeLost => ("disputed, lost", "disputado, perdido"),
            Self::Subscription => {
                ("subscribed, renewed, canceled", "suscrito, renovado, cancelado")
            }
            Self::CardSaved => ("card saved", "tarjeta guardada"),
            Self::UnknownType => ("a type nobody knows", "un tipo desconocido"),
        };
        match lang {
            Lang::En => english,
            Lang::Es => spanish,
        }
    }

    /// Whether a customer of this account begins to pay in Odoo's portal, so that Odoo has a
    /// transaction.
    pub fn in_portal(self, account: &str) -> bool {
        match self {
            Self::PortalInvoice
            | Self::PortalOrder
            | Self::PortalCanceled
            | Self::ChargeSucceeded
            | Self::ChargeFailed => true,
            Self::Refunded => account == "portal",
            _ => false,
        }
    }

    /// Whether it is an invoice that is paid in the portal, not an order.
    pub fn is_of_invoice(self) -> bool {
        matches!(self, Self::PortalInvoice | Self::ChargeSucceeded)
    }

    /// Whether the order is in Odoo before anything is told, and whether with an invoice.
    pub fn order_before(self) -> Option<bool> {
        match self {
            Self::Invoiced
            | Self::DeliveredTwice
            | Self::Stale
            | Self::AmountDiffers
            | Self::PortalInvoice
            | Self::PortalCanceled
            | Self::ChargeSucceeded
            | Self::DisputeWon
            | Self::DisputeLost
            | Self::InUf
            | Self::OdooDownAndUp => Some(true),
            Self::InvoicedAfterwards
            | Self::OtherMode
            | Self::PortalOrder
            | Self::ChargeFailed
            | Self::Refunded
            | Self::RefundedInParts
            | Self::RefundsOutOfOrder
            | Self::RefundBeforePayment
            | Self::RefundOfUntold => Some(false),
            Self::OrderArrivesLate
            | Self::Forged
            | Self::Unreadable
            | Self::CheckoutCreated
            | Self::Subscription
            | Self::CardSaved
            | Self::UnknownType => None,
        }
    }
}

/// How an order is known on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The field of `sale.order`; absent: Odoo's own name of the order.
    pub field: Option<&'static str>,
    /// What it holds.
    pub value: String,
}

/// The key of order `number` in the shop of `account`.
pub fn key(account: &str, number: u64) -> Key {
    let (field, value) = match account {
        "shopify" | "hybrid" => (Some("client_order_ref"), format!("#{number}")),
        "woocommerce" => (Some("client_order_ref"), number.to_string()),
        "vtex" => (Some("client_order_ref"), format!("{number}-01")),
        "jumpseller" => (Some("origin"), format!("JS-{number}")),
        "custom" => (Some("x_shop_order"), format!("WEB-{number}")),
        _ => (None, String::new()),
    };
    Key { field, value }
}

/// What the shop of `account` sends to Ventipay about the order with this key
/// (`ventipay-api.md` section 8: the official WooCommerce plugin sends no `external_id`, and
/// its `wp_order_id` is a number).
pub fn sent_by_shop(account: &str, key: &str) -> Map<String, Value> {
    let number = key.parse::<u64>().map_or_else(|_| json!(key), |number| json!(number));
    let fields = match account {
        "woocommerce" => json!({"metadata": {"wp_order_id": number}}),
        _ => json!({"external_id": key}),
    };
    fields.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_connector_is_played_with_an_invoice_before_and_after() {
        for account in ["shopify", "woocommerce", "vtex", "jumpseller", "generic", "custom"] {
            for story in [Story::Invoiced, Story::InvoicedAfterwards] {
                let played = |case: &&Case| case.account == account && case.story == story;
                assert_eq!(CASES.iter().filter(played).count(), 1, "{account} {story:?}");
            }
        }
    }

    #[test]
    fn every_mode_is_played() {
        let booked = |mode| CASES.iter().filter(|case| case.expect.mode == Some(mode)).count();
        assert!(booked("A") >= 3 && booked("B") >= 12);
        for story in [Story::PortalInvoice, Story::Invoiced] {
            let hybrid = |case: &&Case| case.account == "hybrid" && case.story == story;
            assert_eq!(CASES.iter().filter(hybrid).count(), 1, "{story:?}");
        }
    }

    #[test]
    fn amounts_tell_the_cases_apart() {
        let with = || CASES.iter().map(|case| case.total).filter(|total| *total != 0);
        assert_eq!(with().collect::<BTreeSet<i64>>().len(), with().count());
    }

    #[test]
    fn each_kind_of_refund_and_record_is_played() {
        let refunds = CASES.iter().map(|case| case.expect.refunds);
        assert_eq!(refunds.sum::<usize>(), 7);
        let states: BTreeSet<&str> =
            CASES.iter().filter_map(|case| Some(case.expect.record?.state)).collect();
        assert_eq!(states, BTreeSet::from(["archived", "canceled", "lost", "won"]));
    }

    #[test]
    fn woocommerce_sends_a_number_and_no_external_id() {
        let fields = sent_by_shop("woocommerce", &key("woocommerce", 7).value);
        assert_eq!(Value::Object(fields), json!({"metadata": {"wp_order_id": 7}}));
        let fields = sent_by_shop("shopify", &key("shopify", 7).value);
        assert_eq!(Value::Object(fields), json!({"external_id": "#7"}));
    }
}
