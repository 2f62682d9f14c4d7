//! The command line itself: codes, manual, completions, mistakes.

use zdd::exit_code::ExitCode;

use crate::sandbox::site::zdd;

#[test]
fn the_manual_explains_every_exit_code_and_every_command() {
    let manual = zdd().words("man").run().exits(0).stdout.replace("\\-", "-");
    for code in ExitCode::ALL {
        assert!(
            manual.contains(code.meaning()),
            "{}: {}",
            code.number(),
            code.meaning()
        );
    }
    let help = zdd().words("--help").run().exits(0).stdout;
    for command in [
        "release",
        "rollback",
        "list",
        "prune",
        "status",
        "show",
        "logs",
        "check",
        "init",
        "recover",
        "pin",
        "unpin",
        "completions",
        "man",
    ] {
        assert!(help.contains(command), "{command} is not in the help");
        assert!(manual.contains(command), "{command} is not in the manual");
        zdd().words(command).words("--help").run().exits(0);
    }
}

#[test]
fn each_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = zdd().words("completions").arg(shell).run().exits(0).stdout;
        assert!(text.contains("rollback"), "{shell}");
    }
}

#[test]
fn a_mistake_in_the_words_ends_in_two() {
    for words in [
        "",
        "frobnicate",
        "list --nonsense",
        "prune --keep many",
        "rollback -rf",
        "pin",
    ] {
        let output = zdd().words(words).run().exits(2);
        assert!(!output.stderr.is_empty(), "{words}");
    }
    zdd().words("--version").run().exits(0);
}
