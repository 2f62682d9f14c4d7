//! `zdd completions SHELL`: the script that completes zdd's words in a shell.

use clap_complete::Shell;

/// The script for the shell, made from the command line's own definition.
pub fn completions(mut command: clap::Command, shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command, ValueEnum};

    use super::*;

    #[test]
    fn every_shell_learns_every_command() {
        for shell in Shell::value_variants() {
            let command = Command::new("zdd").subcommands([
                Command::new("release").arg(Arg::new("dry-run").long("dry-run")),
                Command::new("rollback"),
            ]);
            let script = String::from_utf8(completions(command, *shell)).unwrap();
            for word in ["release", "rollback", "dry-run"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
