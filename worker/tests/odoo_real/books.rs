//! Mode B: payments booked for a shop's orders.

use concilia_shared::money::{Currency, Money};
use concilia_worker::domain::observe::{Order, Outcome};
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::transport::Endpoint;
use concilia_worker::odoo::{Odoo, OdooError};
use serde_json::json;

use crate::shop::{DAY, Shop, observe_one};

pub(crate) async fn all(shop: &Shop<'_>, client: &Client, bot: &Endpoint) {
    books_an_invoiced_order_once(shop, client).await;
    books_an_order_whose_invoice_comes_later(shop, client).await;
    refuses_what_was_not_decided_upon(shop, client).await;
    books_once_when_eight_try_at_once(shop, bot).await;
}

async fn books_an_invoiced_order_once(shop: &Shop<'_>, client: &Client) {
    let order = shop.order("invoiced", 15_990).await;
    let invoice = shop.invoice(order).await;
    let (seen, order) = observe_one(client, shop.lookup("invoiced")).await;
    let order = order.unwrap();
    assert_eq!((seen.booked, seen.transactions.len()), (None, 0));
    assert_eq!(
        (order.total.as_str(), order.state.as_str(), order.currency.as_str()),
        ("15990", "sale", "CLP")
    );
    assert_eq!((order.invoices[0].residual.as_str(), order.invoices[0].payments), ("15990", 0));
    assert!(seen.probes[1].unknown_field && !seen.probes[0].unknown_field);

    let book = shop.book("invoiced", &order, 15_990);
    let outcomes = client.perform(std::slice::from_ref(&book)).await.unwrap();
    let Outcome::Booked(booking) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(booking.amount, Money::new(15_990, Currency::Clp));
    assert_eq!(booking.date, Some(DAY.parse().unwrap()));
    assert_eq!(booking.orders, [order.name.as_str()]);
    assert!(booking.payment.is_some());
    assert_eq!(booking.invoices[0].residual, "0");
    assert_eq!(shop.payment_state(invoice).await, ("paid".to_owned(), json!(0.0)));

    let again = client.perform(&[book]).await.unwrap();
    assert_eq!(again, [Outcome::Already(booking.clone())]);
    let (seen, _) = observe_one(client, shop.lookup("invoiced")).await;
    assert_eq!(seen.booked.as_ref(), Some(booking));
    assert_eq!((seen.booked_company_id, seen.booked_state.as_deref()), (Some(1), Some("done")));
}

async fn books_an_order_whose_invoice_comes_later(shop: &Shop<'_>, client: &Client) {
    let id = shop.order("credit", 9_990).await;
    let (_, order) = observe_one(client, shop.lookup("credit")).await;
    let book = shop.book("credit", &order.unwrap(), 9_990);
    let outcomes = client.perform(&[book]).await.unwrap();
    assert!(matches!(outcomes[0], Outcome::Booked(_)), "{outcomes:?}");
    let invoice = shop.invoice(id).await;
    assert_eq!(shop.payment_state(invoice).await, ("paid".to_owned(), json!(0.0)));
}

async fn refuses_what_was_not_decided_upon(shop: &Shop<'_>, client: &Client) {
    let (seen, order) = observe_one(client, shop.lookup("nowhere")).await;
    assert!(seen.booked.is_none() && order.is_none());
    shop.order("fences", 5_000).await;
    let (_, order) = observe_one(client, shop.lookup("fences")).await;
    let order = order.unwrap();
    let raised = Order { total: "6000".to_owned(), ..order.clone() };
    let gone = Order { id: 999_999_999, ..order.clone() };
    let batch = [
        shop.book("fences-total", &raised, 6_000),
        shop.book("fences-gone", &gone, 5_000),
        shop.book("fences-above", &order, 5_001),
        shop.book("fences-fine", &order, 5_000),
        shop.book("fences-second", &order, 5_000),
    ];
    let outcomes = client.perform(&batch).await.unwrap();
    let changed = |what: &str| Outcome::Changed { what: what.to_owned() };
    assert_eq!(outcomes[..2], [changed("order_total"), changed("order_gone")]);
    assert!(
        matches!(&outcomes[2], Outcome::Refused { why, .. } if why == "above_document"),
        "{outcomes:?}"
    );
    assert!(matches!(outcomes[3], Outcome::Booked(_)), "{outcomes:?}");
    assert_eq!(outcomes[4], changed("order_paid"));
}

async fn books_once_when_eight_try_at_once(shop: &Shop<'_>, bot: &Endpoint) {
    shop.order("race", 7_000).await;
    let client = Client::new(bot.clone(), 1).unwrap();
    let (_, order) = observe_one(&client, shop.lookup("race")).await;
    let book = shop.book("race", &order.unwrap(), 7_000);
    let tries = (0..8).map(|_| client.perform(std::slice::from_ref(&book)));
    let mut booked = 0;
    for outcome in futures_util::future::join_all(tries).await {
        match outcome {
            Ok(outcomes) => match &outcomes[0] {
                Outcome::Booked(_) => booked += 1,
                Outcome::Already(_) | Outcome::Again => {}
                Outcome::Changed { what } => assert_eq!(what, "order_paid"),
                other => panic!("{other:?}"),
            },
            Err(OdooError::Unknown { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(booked, 1);
    let again = client.perform(&[book]).await.unwrap();
    assert!(matches!(again[0], Outcome::Already(_)), "{again:?}");
}
