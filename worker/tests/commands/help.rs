//! The help of every command, by snapshot: what scripts and people rely on does not change
//! unnoticed.

use clap::CommandFactory as _;
use concilia_worker::commands::cli::Arguments;
use concilia_worker::commands::completions;

#[test]
fn every_command_tells_what_it_does_with_examples() {
    let mut root = Arguments::command().term_width(100);
    root.build();
    let mut helps = Vec::new();
    walk(&mut root, "concilia-worker", &mut helps);
    assert!(helps.len() > 20, "commands are missing");
    for (name, help) in helps {
        let leaf = !help.contains("\nCommands:\n");
        let told = ["config check"].iter().any(|plain| name.ends_with(plain));
        assert!(!leaf || told || help.contains("Example"), "{name} has no example");
        insta::assert_snapshot!(name.replace(' ', "_"), help);
    }
}

fn walk(command: &mut clap::Command, name: &str, helps: &mut Vec<(String, String)>) {
    helps.push((name.to_owned(), command.render_long_help().to_string()));
    for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
        let name = format!("{name} {}", inner.get_name());
        walk(inner, &name, helps);
    }
}

#[test]
fn every_shell_gets_its_completions() {
    use clap_complete::Shell;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
        let script = completions::script(shell);
        assert!(script.contains("settings") && script.contains("parked"), "{shell}");
    }
}
