//! Who decides, why, and whether they are sure.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::Context as _;

use super::stop::{Done, Stop};
use crate::say::Lang;

/// Most characters of a name.
const NAME_MAX: usize = 100;

/// Most characters of a reason.
const WHY_MAX: usize = 500;

/// Most events changed on a terminal without asking.
const UNASKED_MAX: i64 = 10;

/// Who does it.
#[derive(Debug, Clone, clap::Args)]
pub struct By {
    /// Who decides; it stands in the log for ever.
    #[arg(
        long,
        env = "USER",
        hide_env_values = true,
        value_name = "NAME",
        value_parser = name
    )]
    pub by: String,
}

/// Reads a person's name.
pub fn name(text: &str) -> Result<String, String> {
    words(text, NAME_MAX, "say who decides")
}

/// Reads a person's reason.
pub fn why(text: &str) -> Result<String, String> {
    words(text, WHY_MAX, "say why, in a few words")
}

fn words(text: &str, max: usize, wanted: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(wanted.to_owned());
    }
    if text.chars().any(char::is_control) || text.chars().count() > max {
        return Err(format!("one line of at most {max} characters"));
    }
    Ok(text.to_owned())
}

/// Asks on the terminal before more than a few events are changed; where nobody can be asked,
/// or `yes` was given, it goes on.
pub fn confirm(events: i64, yes: bool, lang: Lang) -> Done {
    let stdin = std::io::stdin();
    let mut stderr = std::io::stderr();
    if yes || events <= UNASKED_MAX || !stdin.is_terminal() || !stderr.is_terminal() {
        return Ok(());
    }
    let question = match lang {
        Lang::En => format!("{events} events. Go on? [y/N] "),
        Lang::Es => format!("{events} eventos. ¿Seguir? [s/N] "),
    };
    write!(stderr, "{question}").context("asking on the terminal")?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).context("reading the answer")?;
    if ["y", "yes", "s", "si", "sí"].contains(&answer.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    Err(Stop::Nothing(lang.either("Nothing was changed.", "No se cambió nada.").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_and_no_reason_are_refused() {
        assert_eq!(name(" ana "), Ok("ana".to_owned()));
        for bad in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        assert!(why(&"x".repeat(500)).is_ok() && why(&"x".repeat(501)).is_err());
    }
}
