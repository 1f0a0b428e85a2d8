//! What may be written into our own records in Odoo, and what came of it.
//!
//! Projections of the log, for people to see: events, checkouts, disputes, subscriptions, with the
//! activities that tell somebody; and customers' saved cards. None of it is money, and none of it
//! is read back: whatever is here can be rebuilt from the log. Plain values, whole each time; a
//! revision says how new they are, and an older one never overwrites a newer.
//!
//! Not here: what to record when (the caller), Odoo's shapes (`odoo::wire::record`), the fences
//! that hold whoever calls (`worker/actions/README.md`, section *record*).

use std::fmt;

use concilia_shared::id::{AccountName, CheckoutId, EventId};
use concilia_shared::money::Money;
use concilia_shared::signature::encode_hex;
use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

pub use super::fact::{DisputeState, SubscriptionState};
use super::rut::Rut;

/// One thing to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A webhook event.
    Event(Box<EventRecord>),
    /// A checkout.
    Checkout(Box<CheckoutRecord>),
    /// A dispute.
    Dispute(Box<DisputeRecord>),
    /// A subscription.
    Subscription(Box<SubscriptionRecord>),
    /// The invoices of a subscription's payments.
    SubscriptionInvoice(Box<SubscriptionInvoice>),
    /// A customer's saved card.
    Card(Box<Card>),
}

/// What every record of our own carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Ventipay's id of it.
    pub id: String,
    /// The account it is of.
    pub account: AccountName,
    /// How new it is, from 1: the sequence in its stream, say. The same or an older one than
    /// Odoo holds is not written.
    pub revision: u64,
}

/// An event as people see it in Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The account it is of.
    pub account: AccountName,
    /// Its id.
    pub id: EventId,
    /// See [`Head::revision`].
    pub revision: u64,
    /// `checkout.paid`
    pub kind: String,
    /// Where it rests.
    pub status: EventStatus,
    /// How its payment reached Odoo; absent when none did.
    pub mode: Option<EnteredBy>,
    /// The sentence a person reads.
    pub result: Option<String>,
    /// The reason in one word.
    pub reason: Option<String>,
    /// Whether it is of the live environment, as far as it says.
    pub live: bool,
    /// When it reached us.
    pub received_at: Timestamp,
    /// The checkout it names.
    pub checkout: Option<CheckoutId>,
    /// What it is about.
    pub amount: Option<Amount>,
    /// Where it is shown in the console.
    pub console_url: Option<String>,
    /// Its body, where the account wants it in Odoo.
    pub payload: Option<Payload>,
}

/// A checkout as people see it in Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutRecord {
    /// Which, of whom, how new.
    pub head: Head,
    /// Where it stands.
    pub status: CheckoutStatus,
    /// Whether a dispute is open.
    pub disputed: bool,
    /// Odoo's code of the currency of the amounts below.
    pub currency: String,
    /// What it asks for.
    pub amount: Option<Money>,
    /// What was given back of it, in all.
    pub refunded: Option<Money>,
    /// What stands in Odoo of it.
    pub booked: Option<Money>,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// Names its payment may stand under in Odoo, the likeliest first.
    pub of: Vec<String>,
    /// Who paid; absent leaves the payment's own customer.
    pub customer: Option<Customer>,
    /// What to tell people, worked in order.
    pub activities: Vec<Activity>,
}

/// A dispute as people see it in Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeRecord {
    /// Which, of whom, how new.
    pub head: Head,
    /// Where it stands.
    pub state: DisputeState,
    /// What is disputed.
    pub amount: Option<Amount>,
    /// Ventipay's word for why.
    pub reason: Option<String>,
    /// Until when it must be answered.
    pub deadline: Option<Timestamp>,
    /// The checkout that is disputed.
    pub checkout: Option<CheckoutId>,
    /// See [`CheckoutRecord::of`].
    pub of: Vec<String>,
    /// See [`CheckoutRecord::customer`].
    pub customer: Option<Customer>,
    /// See [`CheckoutRecord::activities`].
    pub activities: Vec<Activity>,
}

/// A subscription as people see it in Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRecord {
    /// Which, of whom, how new.
    pub head: Head,
    /// Where it stands.
    pub state: SubscriptionState,
    /// What a period costs.
    pub amount: Option<Amount>,
    /// When the current period began.
    pub period_start: Option<Timestamp>,
    /// When it ends.
    pub period_end: Option<Timestamp>,
    /// How often it was renewed.
    pub renewals: u32,
    /// Ventipay's word for why it stands there.
    pub reason: Option<String>,
    /// Names its payments stand under in Odoo: their invoices are linked, and stay.
    pub of: Vec<String>,
    /// Whose it is.
    pub customer: Option<Customer>,
    /// See [`CheckoutRecord::activities`].
    pub activities: Vec<Activity>,
}

/// Payments whose invoices are linked to a subscription's record; nothing else of it is written,
/// and its revision stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionInvoice {
    /// Ventipay's id of the subscription.
    pub subscription: String,
    /// The account it is of.
    pub account: AccountName,
    /// Names its payments stand under in Odoo.
    pub of: Vec<String>,
}

/// A customer's saved card: the last four digits and the brand, nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    /// Ventipay's id of the payment method or the set-up: `pm_…`.
    pub id: String,
    /// Its last digits.
    pub last4: Last4,
    /// `Visa`
    pub brand: Option<String>,
    /// Whether the customer is offered it. A provider without Python cannot charge it
    /// (`odoo-api.md` 4).
    pub active: bool,
    /// Whose it is.
    pub customer: Customer,
}

/// What a payload shows of a card, as far as it may be kept.
#[derive(Clone, PartialEq, Eq)]
pub struct CardShown {
    /// Its last digits.
    pub last4: Last4,
    /// `Visa`
    pub brand: Option<String>,
}

impl fmt::Debug for CardShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardShown(…)")
    }
}

/// The last four digits of a card, and never more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Last4([u8; 4]);

/// Who a thing is of, by what Ventipay says of them. Looked for by RUT, then by e-mail, then by
/// the id; two customers for one identifier are nobody.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Customer {
    /// Ventipay's id: `cus_…`.
    pub id: Option<String>,
    /// Only what is a RUT: see [`Rut`].
    pub rut: Option<Rut>,
    /// The e-mail address.
    pub email: Option<String>,
    /// What a new customer is called.
    pub name: Option<String>,
    /// Whether one that is not found is made. Needs the id: what is made must be found again.
    pub create: bool,
}

/// Something to tell every accounting manager of the company, or to take back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activity {
    /// Tell it, once for ever under this key. One of ours that is still open under the same
    /// summary is moved to the new note and deadline instead.
    Open {
        /// Letters, digits, `-`, `_`, `.`: what is told, so that it is told once.
        key: String,
        /// Whether it is a warning, else a to-do.
        urgent: bool,
        /// One line.
        summary: String,
        /// The facts, as text.
        note: String,
        /// The day it is due.
        deadline: Date,
    },
    /// Close ours, with a word in the record's history.
    Close {
        /// Only those of this summary.
        summary: Option<String>,
        /// The word.
        note: String,
    },
}

/// An amount, and Odoo's code of its currency (CLF may be `UF` there).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// The amount, in Ventipay's minor units.
    pub money: Money,
    /// Odoo's code.
    pub currency: String,
}

/// A body: personal data, which `Debug` does not tell.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(pub String);

/// How a payment reached Odoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnteredBy {
    /// Mode A: a transaction of Odoo's own was confirmed.
    A,
    /// Mode B: a payment was booked on an order or invoice.
    B,
}

/// A set of words that Odoo holds as a selection.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$of])* $variant),+ }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word, as Ventipay and Odoo's field have it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    };
}

words!(
    /// Where an event rests.
    EventStatus {
        /// Not yet looked at.
        Received = "received",
        /// In Odoo.
        Reconciled = "reconciled",
        /// Waits, and is tried again by itself.
        Pending = "pending",
        /// Needs a person.
        Parked = "parked",
        /// None of the account's.
        Ignored = "ignored",
        /// Nothing is to be done in Odoo.
        Recorded = "recorded",
    }
);

words!(
    /// Where a checkout stands.
    CheckoutStatus {
        /// Nothing was paid.
        Unpaid = "unpaid",
        /// Paid in full.
        Paid = "paid",
        /// Some of it was given back.
        PartiallyRefunded = "partially_refunded",
        /// All of it was given back.
        Refunded = "refunded",
        /// It will not be paid.
        Canceled = "canceled",
    }
);

/// What came of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is written, by this call.
    Done(Done),
    /// The same or a newer revision stands there already; a card is as it was.
    Same,
    /// Odoo holds something else under the name: another company's, or another customer's card.
    Changed {
        /// `company` or `partner`.
        what: String,
    },
    /// A card without a customer: none was found.
    NoCustomer,
    /// A card without a customer: an identifier belongs to more than one.
    AmbiguousCustomer,
    /// The models of our own are not there: `odoo setup` makes them. Nothing else is amiss.
    NoModels,
    /// A fence of the action's, or Odoo, refused it: the same again will not help.
    Refused {
        /// The fence, or `odoo`.
        why: String,
        /// Odoo's sentence; empty for a fence.
        detail: String,
    },
    /// Somebody else was at the name: ask again.
    Again,
}

/// What an item that was written led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Reference of the payment it was linked to.
    pub transaction: Option<String>,
    /// How its customer was found; absent when none was asked for.
    pub customer: Option<FoundBy>,
    /// Odoo's id of the customer.
    pub partner: Option<i64>,
    /// How many people were told.
    pub opened: u32,
    /// How many activities were closed.
    pub closed: u32,
}

words!(
    /// How a customer was found.
    FoundBy {
        /// By the RUT.
        Rut = "rut",
        /// By the e-mail address.
        Email = "email",
        /// By our own external id.
        Id = "id",
        /// It was made.
        Created = "created",
        /// Not at all.
        None = "none",
        /// More than one has an identifier.
        Ambiguous = "ambiguous",
    }
);

impl Record {
    /// The name it stands under in Odoo, as an external id of the module `concilia`. What cannot
    /// stand in one (other letters, too long) is told by its hash.
    pub fn name(&self) -> String {
        match self {
            Self::Event(event) => own_name(&format!("event-{}-", event.account), event.id.as_str()),
            Self::Checkout(checkout) => own_name("checkout-", &checkout.head.id),
            Self::Dispute(dispute) => own_name("dispute-", &dispute.head.id),
            Self::Subscription(subscription) => own_name("subscription-", &subscription.head.id),
            Self::SubscriptionInvoice(invoice) => own_name("subscription-", &invoice.subscription),
            Self::Card(card) => own_name("card-", &card.id),
        }
    }
}

impl Record {
    /// Where what it tells of stands, a word of its kind.
    pub fn state(&self) -> &'static str {
        match self {
            Self::Event(event) => event.status.as_str(),
            Self::Checkout(checkout) => checkout.status.as_str(),
            Self::Dispute(dispute) => dispute.state.as_str(),
            Self::Subscription(subscription) => subscription.state.as_str(),
            Self::SubscriptionInvoice(_) => "linked",
            Self::Card(card) if card.active => "active",
            Self::Card(_) => "archived",
        }
    }
}

/// Longest external id.
const NAME_MAX: usize = 128;

/// Whether the id can stand in an external id after the prefix as it is.
pub fn is_plain(prefix: &str, id: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !id.is_empty() && prefix.len() + id.len() <= NAME_MAX && id.bytes().all(letters)
}

fn own_name(prefix: &str, id: &str) -> String {
    if is_plain(prefix, id) {
        return format!("{prefix}{id}");
    }
    let hash = encode_hex(&Sha256::digest(id.as_bytes()));
    format!("{prefix}sha256-{hash}")
}

impl Last4 {
    /// Reads exactly four digits. More are refused, not cut: they are not ours to hold.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 4] = text.as_bytes().try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits))
    }

    /// The digits.
    pub fn text(self) -> String {
        self.0.iter().map(|digit| char::from(*digit)).collect()
    }
}

impl fmt::Debug for Last4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Last4(…)")
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Customer")
            .field("id", &self.id)
            .field("create", &self.create)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Card")
            .field("id", &self.id)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_an_external_id_may_be() {
        assert_eq!(own_name("checkout-", "chk_1"), "checkout-chk_1");
        assert_eq!(own_name("event-main-", "evt_1.2-3"), "event-main-evt_1.2-3");
        let long = "x".repeat(128);
        for (prefix, id) in [
            ("event-main-", "evt/1"),
            ("event-main-", long.as_str()),
            ("dispute-", ""),
            ("dispute-", "é"),
        ] {
            let name = own_name(prefix, id);
            assert!(is_plain("", &name), "{name}");
            assert!(name.starts_with(prefix), "{name}");
        }
        assert_ne!(own_name("event-main-", "evt/1"), own_name("event-main-", "evt/2"));
    }

    #[test]
    fn longest_account_and_a_hash_still_fit() {
        let prefix = format!("event-{}-", "a".repeat(40));
        assert!(own_name(&prefix, "evt 1").len() <= NAME_MAX);
    }

    #[test]
    fn of_a_card_only_four_digits_are_taken() {
        assert_eq!(Last4::parse("4242").map(Last4::text).as_deref(), Some("4242"));
        for more in ["", "424", "42424", "4242424242424242", "42a2", "é42", " 424"] {
            assert_eq!(Last4::parse(more), None, "{more:?}");
        }
    }

    #[test]
    fn words_read_as_they_are_written() {
        for status in CheckoutStatus::ALL {
            assert_eq!(CheckoutStatus::parse(status.as_str()), Some(*status));
        }
        assert_eq!(CheckoutStatus::parse("Paid"), None);
    }

    #[test]
    fn people_are_not_told_in_passing() {
        let customer = Customer {
            id: Some("cus_1".to_owned()),
            rut: Rut::parse("12345678-5"),
            email: Some("ana@example.com".to_owned()),
            name: Some("Ana".to_owned()),
            create: true,
        };
        let card = Card {
            id: "pm_1".to_owned(),
            last4: Last4(*b"4242"),
            brand: Some("Visa".to_owned()),
            active: false,
            customer: customer.clone(),
        };
        let told = format!("{customer:?} {card:?} {:?}", Payload("{\"secret\":1}".to_owned()));
        for hidden in ["12345678", "ana@", "Ana", "4242", "Visa", "secret"] {
            assert!(!told.contains(hidden), "{told}");
        }
    }
}
