//! The command line: every command with its help, and which function runs it.
//!
//! Not here: what a command does (one file each, beside this one).

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use super::desk::Desk;
use super::run::Role;
use super::screen::Output;
use super::stop::Done;
use super::{
    accounts, balance, completions, decide, events, ignore, odoo_setup, pause, replay, retry,
    settings, show, tail, verify, waiting,
};

/// What scripts may rely on.
const EXIT_CODES: &str = "Exit codes:
  0  done
  1  failed: the database does not answer, a file cannot be read
  2  the command line is wrong
  3  nothing matched, or there was nothing to do
  4  refused: the sentence says what to do instead
  5  something differs: `odoo setup --plan` would change something, `odoo check` found something";

/// Brings every peso paid through Ventipay into Odoo, exactly once.
#[derive(Debug, Parser)]
#[command(name = "concilia-worker", version, about, propagate_version = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// The configuration file (TOML); variables `CONCILIA_A__B` override it.
    #[arg(
        long,
        env = "CONCILIA_CONFIG",
        hide_env_values = true,
        global = true,
        value_name = "FILE"
    )]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Consumes webhooks and settles them, until told to stop.
    #[command(
        after_help = "Examples:\n  concilia-worker run --config concilia.toml\n  concilia-worker run --roles settle"
    )]
    Run {
        /// What this process does.
        #[arg(long, value_delimiter = ',', default_value = "consume,settle")]
        roles: Vec<Role>,
    },
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The Odoo of an account.
    #[command(subcommand)]
    Odoo(OdooCommand),
    /// The log out to a file and in again, or rebuilt from the broker; its views made again.
    #[command(subcommand)]
    Replay(replay::Command),
    /// Checks chains, bodies, signatures and views, and names the first place that is off.
    #[command(
        after_help = "Examples:\n  concilia-worker verify\n  concilia-worker verify --strict --broker --json"
    )]
    Verify(verify::Options),
    /// Prints what a shell needs to complete these commands.
    #[command(after_help = completions::EXAMPLES)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// What operators ask of the log.
    #[command(flatten)]
    Desk(DeskCommand),
}

/// `config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Checks the configuration and shows it, defaults included, without secrets.
    Check,
}

/// `odoo …`
#[derive(Debug, Subcommand)]
pub enum OdooCommand {
    /// Installs what booking needs; safe to run again.
    #[command(after_help = odoo_setup::SETUP_EXAMPLES)]
    Setup(odoo_setup::Setup),
    /// Tells what is not as it was set up, and what to do about it; changes nothing.
    #[command(after_help = odoo_setup::CHECK_EXAMPLES)]
    Check(odoo_setup::Check),
    /// Undoes the set-up; payments, transactions and the clearing account stay.
    #[command(after_help = odoo_setup::REMOVE_EXAMPLES)]
    Remove(odoo_setup::Remove),
}

/// A command's own options, and how it prints.
#[derive(Debug, clap::Args)]
pub struct With<Options: clap::Args> {
    /// What is asked.
    #[command(flatten)]
    pub options: Options,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

/// What operators ask of the log.
#[derive(Debug, Subcommand)]
pub enum DeskCommand {
    /// The events.
    #[command(subcommand)]
    Events(EventsCommand),
    /// What waits, for which reasons, and what is at stake.
    #[command(after_help = waiting::PENDING_EXAMPLES)]
    Pending(With<waiting::Options>),
    /// What needs a person, for which reasons, and what is at stake.
    #[command(after_help = waiting::PARKED_EXAMPLES)]
    Parked(With<waiting::Options>),
    /// Asks that events be tried now.
    #[command(after_help = retry::EXAMPLES)]
    Retry(With<retry::Options>),
    /// Chooses the order of a payment that waits or was parked.
    #[command(after_help = decide::MATCH_EXAMPLES)]
    Match(With<decide::Match>),
    /// Has a parked payment booked all the same.
    #[command(after_help = decide::ACCEPT_EXAMPLES)]
    Accept(With<decide::Accept>),
    /// Closes what waits or was parked; nothing of it is booked.
    #[command(after_help = ignore::EXAMPLES)]
    Ignore(With<ignore::Options>),
    /// Stops an account: what comes is kept, nothing is acted upon.
    #[command(after_help = pause::PAUSE_EXAMPLES)]
    Pause(With<pause::Pause>),
    /// Lets a paused account go on.
    #[command(after_help = pause::RESUME_EXAMPLES)]
    Resume(With<pause::Resume>),
    /// How an account matches and books.
    #[command(subcommand)]
    Settings(SettingsCommand),
    /// Every account, how it is set up, and whether it can work now.
    #[command(after_help = accounts::EXAMPLES)]
    Accounts(Output),
    /// paid − refunded = booked + pending + parked, and the difference.
    #[command(after_help = balance::EXAMPLES)]
    Balance(With<balance::Options>),
}

/// `events …`
#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Lists webhook events, newest first, with where each rests and what stands in Odoo.
    #[command(after_help = events::EXAMPLES)]
    List(With<events::Options>),
    /// Tells one payment's story, and checks its signature and its hash chain.
    #[command(after_help = show::EXAMPLES)]
    Show(With<show::Options>),
    /// Follows the log: each new fact in a line.
    #[command(after_help = tail::EXAMPLES)]
    Tail(With<tail::Options>),
}

/// `settings …`
#[derive(Debug, Subcommand)]
pub enum SettingsCommand {
    /// Shows an account's settings, and who set them.
    #[command(after_help = settings::GET_EXAMPLES)]
    Get(With<settings::Get>),
    /// Changes an account's settings, in every process within a second.
    #[command(after_help = settings::SET_EXAMPLES)]
    Set(With<settings::Set>),
}

impl DeskCommand {
    /// How it prints.
    pub fn output(&self) -> Output {
        match self {
            Self::Events(EventsCommand::List(with)) => with.output,
            Self::Events(EventsCommand::Show(with)) => with.output,
            Self::Events(EventsCommand::Tail(with)) => with.output,
            Self::Pending(with) | Self::Parked(with) => with.output,
            Self::Retry(with) => with.output,
            Self::Match(with) => with.output,
            Self::Accept(with) => with.output,
            Self::Ignore(with) => with.output,
            Self::Pause(with) => with.output,
            Self::Resume(with) => with.output,
            Self::Settings(SettingsCommand::Get(with)) => with.output,
            Self::Settings(SettingsCommand::Set(with)) => with.output,
            Self::Accounts(output) => *output,
            Self::Balance(with) => with.output,
        }
    }

    /// Does it.
    pub async fn run(&self, desk: &mut Desk<'_>) -> Done {
        match self {
            Self::Events(EventsCommand::List(with)) => events::list(desk, &with.options).await,
            Self::Events(EventsCommand::Show(with)) => show::run(desk, &with.options).await,
            Self::Events(EventsCommand::Tail(with)) => tail::run(desk, &with.options).await,
            Self::Pending(with) => waiting::pending(desk, &with.options).await,
            Self::Parked(with) => waiting::parked(desk, &with.options).await,
            Self::Retry(with) => retry::run(desk, &with.options).await,
            Self::Match(with) => decide::choose(desk, &with.options).await,
            Self::Accept(with) => decide::accept(desk, &with.options).await,
            Self::Ignore(with) => ignore::run(desk, &with.options).await,
            Self::Pause(with) => pause::pause(desk, &with.options).await,
            Self::Resume(with) => pause::resume(desk, &with.options).await,
            Self::Settings(SettingsCommand::Get(with)) => settings::get(desk, &with.options).await,
            Self::Settings(SettingsCommand::Set(with)) => settings::set(desk, &with.options).await,
            Self::Accounts(_) => accounts::run(desk).await,
            Self::Balance(with) => balance::run(desk, &with.options).await,
        }
    }
}
