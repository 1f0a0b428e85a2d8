//! What keeps an account's events from being attended to, in one sentence each: a person's
//! pause, a stream that is held.
//!
//! Not here: outages, whose sentences are those of what an event waits for
//! ([`super::pending`]).

use super::{Lang, when};
use crate::domain::account::Pause;

/// Why nothing is done for a paused account.
pub fn paused(account: &str, pause: &Pause, lang: Lang) -> String {
    let Pause { by, why, since } = pause;
    let (since, why) = (when::moment(*since), super::closed(why));
    match lang {
        Lang::En => format!(
            "Account {account} is paused by {by} since {since}: {why} It goes on with `concilia-worker resume {account}`."
        ),
        Lang::Es => format!(
            "La cuenta {account} está en pausa por {by} desde {since}: {why} Sigue con `concilia-worker resume {account}`."
        ),
    }
}

/// Why nothing is done for a held stream.
pub fn held(lang: Lang) -> String {
    lang.either(
        "Read again from the broker and held: nothing is done about it until `concilia-worker replay release`.",
        "Releído desde el broker y retenido: no se hace nada con él hasta `concilia-worker replay release`.",
    )
    .to_owned()
}
