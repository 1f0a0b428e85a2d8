//! Our own models in Odoo, as data: what the menu *Ventipay* shows.
//!
//! One file a model ([`event`], [`checkout`], [`dispute`], [`subscription`]): its fields, one
//! line each, its views, its words in English and in Spanish of Chile. A field added here is
//! added by the next `odoo setup`. Here: what the tables are made of, and what differs between
//! the series. Not here: putting them into Odoo ([`super::own`]).

mod checkout;
mod dispute;
mod event;
mod subscription;

/// The four models, in the order of the menu. A link leads to an earlier or a later one: they
/// are made in the order of [`MADE`].
pub(super) const MENU: [&Model; 4] =
    [&event::MODEL, &checkout::MODEL, &dispute::MODEL, &subscription::MODEL];

/// The order in which they are made: nothing links to what is not there yet.
pub(super) const MADE: [&Model; 4] =
    [&checkout::MODEL, &event::MODEL, &dispute::MODEL, &subscription::MODEL];

/// The menu they hang under.
pub(super) const ROOT: Words = words("Ventipay", "Ventipay");

/// Its icon: a white V on teal, 64 × 64.
pub(super) const ICON: &[u8] = include_bytes!("models/icon.png");

/// A text in English and in Spanish of Chile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) en: &'static str,
    pub(super) es: &'static str,
}

pub(super) const fn words(en: &'static str, es: &'static str) -> Words {
    Words { en, es }
}

/// A model of ours.
#[derive(Debug)]
pub(super) struct Model {
    /// `x_ventipay_event`. Its external ids end in what follows the `x_`.
    pub(super) name: &'static str,
    /// What people call one.
    pub(super) label: Words,
    /// The menu entry and the window's title.
    pub(super) menu: Words,
    /// Followers, messages and activities; with them accounting managers may write, which both
    /// need. The form lets nobody edit a value.
    pub(super) chatter: bool,
    /// What the menu entry shows first.
    pub(super) context: &'static str,
    /// Its fields.
    pub(super) fields: &'static [Field],
    /// Its list. `{list}` is the series' tag.
    pub(super) list: &'static str,
    /// Its form. `{chatter}` is the series' chatter, `{events}` the window of the events.
    pub(super) form: &'static str,
    /// Its search. `{today}` is when today began.
    pub(super) search: &'static str,
    /// The words of the three.
    pub(super) words: &'static [Words],
}

/// A field of ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: Words,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Char,
    Text,
    Boolean,
    Integer,
    Datetime,
    /// An amount in the currency of `x_currency_id`.
    Money,
    /// A link to one record of a model.
    One(&'static str),
    /// Links to many.
    Many(&'static str),
    /// One of these: the value, and its words.
    Choice(&'static [(&'static str, Words)]),
}

const fn field(name: &'static str, en: &'static str, es: &'static str, kind: Kind) -> Field {
    Field { name, label: words(en, es), kind, required: false }
}

impl Field {
    const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

// What every model begins with.
const ACCOUNT: Field = field("x_account", "Account", "Cuenta", Kind::Char);
const COMPANY: Field = field("x_company_id", "Company", "Compañía", Kind::One("res.company"));
const REVISION: Field = field("x_revision", "Revision", "Revisión", Kind::Integer);
const CURRENCY: Field = field("x_currency_id", "Currency", "Moneda", Kind::One("res.currency"));
const AMOUNT: Field = field("x_amount", "Amount", "Monto", Kind::Money);
const PARTNER: Field = field("x_partner_id", "Customer", "Cliente", Kind::One("res.partner"));

const fn identity(en: &'static str, es: &'static str) -> Field {
    field("x_name", en, es, Kind::Char).required()
}

impl Kind {
    /// Odoo's name of the type.
    pub(super) const fn ttype(self) -> &'static str {
        match self {
            Self::Char => "char",
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Datetime => "datetime",
            Self::Money => "monetary",
            Self::One(_) => "many2one",
            Self::Many(_) => "many2many",
            Self::Choice(_) => "selection",
        }
    }

    /// The model a link leads to.
    pub(super) const fn relation(self) -> Option<&'static str> {
        match self {
            Self::One(model) | Self::Many(model) => Some(model),
            _ => None,
        }
    }

    /// The values of a choice.
    pub(super) const fn choices(self) -> &'static [(&'static str, Words)] {
        match self {
            Self::Choice(choices) => choices,
            _ => &[],
        }
    }
}

impl Model {
    /// What its external ids end in: `ventipay_event`.
    pub(super) fn key(&self) -> &'static str {
        self.name.trim_start_matches("x_")
    }
}

/// The tag and the type of list views (`odoo-api-2.md` 5).
pub(super) const fn list_tag(series: u64) -> &'static str {
    if series >= 18 { "list" } else { "tree" }
}

/// The text of a view for a series; `events` is the window of the events.
pub(super) fn arch(text: &str, series: u64, events: i64) -> String {
    let chatter = if series >= 18 {
        "<chatter/>"
    } else {
        "<div class=\"oe_chatter\"><field name=\"message_follower_ids\"/><field name=\"activity_ids\"/>\
         <field name=\"message_ids\"/></div>"
    };
    // 19 knows days by name; before, the browser works the moment out.
    let today = if series >= 19 {
        "'today'"
    } else {
        "datetime.datetime.combine(context_today(), datetime.time(0, 0, 0)).to_utc()\
         .strftime('%Y-%m-%d %H:%M:%S')"
    };
    let text = text
        .replace("{list}", list_tag(series))
        .replace("{chatter}", chatter)
        .replace("{today}", today)
        .replace("{events}", &events.to_string());
    text.lines().map(str::trim).collect()
}

/// The words that stand in a view.
pub(super) fn words_in<'m>(model: &'m Model, arch: &str) -> Vec<&'m Words> {
    let stands = |words: &&Words| arch.contains(&format!("\"{}\"", words.en));
    model.words.iter().filter(stands).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Without the view within a field, which shows another model.
    fn outer(text: &str) -> String {
        let Some((before, within)) = text.split_once("readonly=\"1\"><") else {
            return text.to_owned();
        };
        let after = within.split_once("</field>").map_or("", |(_, after)| after);
        format!("{before}{after}")
    }

    fn names(text: &str, before: &str) -> Vec<String> {
        let parts = text.split(before).skip(1);
        parts.filter_map(|part| Some(part.split_once('"')?.0.to_owned())).collect()
    }

    #[test]
    fn every_field_of_a_view_is_a_field_of_its_model() {
        for model in MENU {
            let mail = ["activity_ids", "message_ids", "message_follower_ids"];
            let known = |name: &str| {
                model.fields.iter().any(|field| field.name == name)
                    || (model.chatter && mail.contains(&name))
            };
            for series in 17..=19 {
                for text in [model.list, model.form, model.search] {
                    for name in names(&outer(&arch(text, series, 7)), "<field name=\"") {
                        assert!(known(&name), "{} of {series} shows {name}", model.name);
                    }
                }
            }
        }
    }

    #[test]
    fn every_word_of_a_view_has_its_spanish() {
        for model in MENU {
            for text in [model.list, model.form, model.search] {
                for string in names(text, "string=\"") {
                    let known = model.words.iter().any(|words| words.en == string);
                    assert!(known, "{}: {string:?}", model.name);
                }
            }
            for words in model.words {
                let quoted = format!("\"{}\"", words.en);
                let used =
                    [model.list, model.form, model.search].iter().any(|t| t.contains(&quoted));
                assert!(used, "{}: {:?} stands nowhere", model.name, words.en);
            }
        }
    }

    #[test]
    fn the_tables_hold_together() {
        for model in MENU {
            let unique: BTreeSet<_> = model.fields.iter().map(|field| field.name).collect();
            assert_eq!(unique.len(), model.fields.len(), "{}", model.name);
            let has = |name: &str| unique.contains(name);
            assert!(["x_name", "x_account", "x_company_id", "x_revision"].into_iter().all(has));
            for (at, field) in model.fields.iter().enumerate() {
                assert!(field.name.starts_with("x_") && !field.label.es.is_empty());
                if let Kind::Money = field.kind {
                    let currency = model.fields.iter().position(|one| one.name == "x_currency_id");
                    assert!(currency.is_some_and(|currency| currency < at), "{}", model.name);
                }
                let ours = field.kind.relation().filter(|to| to.starts_with("x_"));
                let made = |name: &str| MADE.iter().position(|one| one.name == name).unwrap();
                assert!(ours.is_none_or(|to| made(to) < made(model.name)), "{}", model.name);
            }
        }
    }

    #[test]
    fn a_view_is_of_its_series() {
        let list = "<{list}>\n  <field name=\"x_name\"/>\n</{list}>\n";
        assert_eq!(arch(list, 17, 1), "<tree><field name=\"x_name\"/></tree>");
        assert_eq!(arch(list, 18, 1), "<list><field name=\"x_name\"/></list>");
        assert!(arch("{chatter}", 17, 1).contains("oe_chatter"));
        assert_eq!(arch("{chatter}{today}", 19, 1), "<chatter/>'today'");
        assert!(arch("{today}", 18, 1).contains("context_today()"));
        assert_eq!(arch("{events}", 18, 321), "321");
    }
}
