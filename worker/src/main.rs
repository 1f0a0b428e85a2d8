//! `concilia-worker`: reads the command line, runs one command, and ends with its exit code.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use concilia_shared::config::Config;
use concilia_worker::clock::{Clock as _, SystemClock};
use concilia_worker::commands::cli::{Arguments, Command, ConfigCommand, DeskCommand, OdooCommand};
use concilia_worker::commands::desk::Desk;
use concilia_worker::commands::screen::Screen;
use concilia_worker::commands::stop::Done;
use concilia_worker::commands::{self, completions, config_check, odoo_setup, replay, verify};
use concilia_worker::{telemetry, wire};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let serves = matches!(arguments.command, Command::Run { .. });
    telemetry::init(if serves { "info" } else { "warn" });
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            if serves {
                tracing::error!("{}", stop.sentence());
            } else {
                // Nothing can be said about standard error being closed.
                drop(writeln!(std::io::stderr(), "{}", stop.sentence()));
            }
            stop.code()
        }
    }
}

#[tokio::main]
async fn start(arguments: Arguments) -> Done {
    // One provider for every TLS connection of the process.
    drop(rustls::crypto::ring::default_provider().install_default());
    if let Command::Completions { shell } = arguments.command {
        return Ok(commands::print(&completions::script(shell))?);
    }
    let config = wire::load_config(arguments.config.as_deref())?;
    match arguments.command {
        Command::Run { roles } => Ok(commands::run::run(config, &roles).await?),
        Command::Config(ConfigCommand::Check) => Ok(config_check::run(&config)?),
        Command::Odoo(OdooCommand::Setup(options)) => odoo_setup::set_up(&config, &options).await,
        Command::Odoo(OdooCommand::Check(options)) => odoo_setup::look(&config, &options).await,
        Command::Odoo(OdooCommand::Remove(options)) => {
            odoo_setup::take_away(&config, &options).await
        }
        Command::Replay(command) => Ok(replay::run(&config, command).await?),
        Command::Verify(options) => Ok(verify::run(&config, &options).await?),
        Command::Desk(command) => at_desk(&config, &command).await,
        Command::Completions { .. } => Ok(()),
    }
}

async fn at_desk(config: &Config, command: &DeskCommand) -> Done {
    let store = wire::store(&config.store).await?;
    let mut out = std::io::stdout();
    let screen = Screen::new(&mut out, command.output()).of_terminal();
    let now = SystemClock.now();
    command.run(&mut Desk { config, store: store.as_ref(), now, screen }).await
}
