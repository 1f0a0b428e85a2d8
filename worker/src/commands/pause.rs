//! `pause` and `resume`: a person stops an account, and lets it go on. What comes meanwhile is
//! kept; nothing is acted upon.

use concilia_shared::id::AccountName;

use super::desk::Desk;
use super::people::{self, By};
use super::stop::{Done, Stop};
use crate::domain::account::AccountState;
use crate::domain::event::Event;
use crate::say::{self, Lang};
use crate::store::StoreError;

/// Examples of `pause --help`.
pub const PAUSE_EXAMPLES: &str =
    "Examples:\n  concilia-worker pause shop --why \"closing the year\"";

/// Examples of `resume --help`.
pub const RESUME_EXAMPLES: &str = "Examples:\n  concilia-worker resume shop --by ana";

/// Most times a fact is recorded anew because somebody else appended first.
const TRIES: usize = 8;

/// What `pause` is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct Pause {
    /// The account.
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// Why; it stands in the log for ever.
    #[arg(long, value_name = "WORDS", value_parser = people::why)]
    pub why: String,
    /// Who decides.
    #[command(flatten)]
    pub by: By,
}

/// What `resume` is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct Resume {
    /// The account.
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// Who decides.
    #[command(flatten)]
    pub by: By,
}

/// Pauses the account.
pub async fn pause(desk: &mut Desk<'_>, options: &Pause) -> Done {
    let name = desk.account(&options.account).await?;
    let lang = desk.lang();
    let event = Event::AccountPaused { by: options.by.by.clone(), why: options.why.clone() };
    record_in_account(desk, &name, |state| match &state.paused {
        Some(pause) => Err(Stop::Nothing(say::account::paused(name.as_str(), pause, lang))),
        None => Ok(event.clone()),
    })
    .await?;
    done(
        desk,
        &event,
        &match lang {
            Lang::En => {
                format!("Account {name} is paused: what comes is kept, nothing is acted upon.")
            }
            Lang::Es => {
                format!("La cuenta {name} está en pausa: lo que llega se guarda, nada se procesa.")
            }
        },
    )
}

/// Lets the account go on.
pub async fn resume(desk: &mut Desk<'_>, options: &Resume) -> Done {
    let name = desk.account(&options.account).await?;
    let lang = desk.lang();
    let event = Event::AccountResumed { by: options.by.by.clone() };
    record_in_account(desk, &name, |state| match &state.paused {
        Some(_) => Ok(event.clone()),
        None => Err(Stop::Nothing(match lang {
            Lang::En => format!("Account {name} is not paused."),
            Lang::Es => format!("La cuenta {name} no está en pausa."),
        })),
    })
    .await?;
    desk.store.wake(Some(&name), desk.now).await?;
    done(
        desk,
        &event,
        &match lang {
            Lang::En => format!("Account {name} goes on."),
            Lang::Es => format!("La cuenta {name} sigue."),
        },
    )
}

/// Appends to the account's stream what `fact` makes of its newest state; anew when somebody
/// else was first.
pub async fn record_in_account(
    desk: &Desk<'_>,
    name: &AccountName,
    fact: impl Fn(&AccountState) -> Done<Event>,
) -> Done<Event> {
    let stream = AccountState::stream(name);
    for _ in 0..TRIES {
        let (state, sequence) = desk.account_state(name).await?;
        let event = fact(&state)?;
        let events = std::slice::from_ref(&event);
        match desk.store.record_after(&stream, sequence, events, desk.now).await {
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(event),
        }
    }
    Err(StoreError::Conflict.into())
}

fn done(desk: &mut Desk<'_>, event: &Event, said: &str) -> Done {
    if desk.screen.is_json() {
        desk.screen.json(event)?;
    } else {
        desk.screen.say(said)?;
    }
    Ok(())
}
