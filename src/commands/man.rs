//! `zdd man`: one manual page for the program and all its commands, made from the command line's
//! own definition. Text that clap does not know (exit status, files, environment) is here.

use std::io;

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::error::{Context, Result};
use crate::exit_code::ExitCode;

/// What zdd keeps in the root of a site.
const FILES: [(&str, &str); 9] = [
    ("zdd.toml", "the settings of the site"),
    ("current", "link to the release that users get"),
    (
        "releases/ID/",
        "the releases, named by the time they were made (UTC)",
    ),
    ("shared/", "files and directories that all releases use"),
    (
        "cache/",
        "what can be made again: the mirrors of git repositories",
    ),
    (
        "revisions.log",
        "one line a release and rollback, as Capistrano writes them",
    ),
    (".zdd/lock", "held while a command changes the site"),
    (
        ".zdd/journal.jsonl",
        "what a command in flight has done; `zdd recover` reads it",
    ),
    (
        ".zdd/logs/ID/",
        "what the hooks of a release printed; `zdd logs` shows it",
    ),
];

/// Variables that zdd itself reads.
const ENVIRONMENT: [(&str, &str); 5] = [
    (
        "ZDD_CONFIG",
        "the file of settings, when `--config` does not name one",
    ),
    ("NO_COLOR", "no colours"),
    (
        "CLICOLOR_FORCE",
        "colours even when the output is no terminal",
    ),
    ("CI", "plain lines of progress instead of a live one"),
    ("TZ", "the time zone of the times in `zdd show`"),
];

/// What people do most.
const EXAMPLES: [(&str, &str); 6] = [
    ("zdd release", "put the code that zdd.toml names live"),
    (
        "zdd release ./app --root /var/www/myapp",
        "put a directory live, without any settings",
    ),
    (
        "zdd release --dry-run",
        "say what would be done, and change nothing",
    ),
    (
        "zdd release --ref v1.2.3",
        "put this branch, tag or commit of a git source live",
    ),
    (
        "zdd rollback",
        "go back to the newest good release before the current one",
    ),
    (
        "zdd status --json | jq .running",
        "which release the processes really run",
    ),
];

/// Pages that belong to the same work.
const SEE_ALSO: [(&str, &str); 3] = [("systemctl", "1"), ("systemd.service", "5"), ("nginx", "8")];

/// The page in roff, for `man -l` or a directory `man1`.
///
/// # Errors
/// None that memory does not give; the signature is that of the writer.
pub fn man(command: Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    write_page(command, &mut page).context("cannot write the manual page")?;
    Ok(page)
}

fn write_page(mut command: Command, page: &mut Vec<u8>) -> io::Result<()> {
    command.build();
    let man = Man::new(command.clone()).manual("zdd manual");
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;

    let mut roff = Roff::new();
    commands(&mut roff, &command);
    exit_status(&mut roff);
    section(&mut roff, "FILES", &FILES);
    section(&mut roff, "ENVIRONMENT", &ENVIRONMENT);
    section(&mut roff, "EXAMPLES", &EXAMPLES);
    see_also(&mut roff);
    roff.to_writer(page)
}

/// Every command with its own options; the global ones are in OPTIONS.
fn commands(roff: &mut Roff, program: &Command) {
    roff.control("SH", ["COMMANDS"]);
    let is_shown = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    for command in program.get_subcommands().filter(is_shown) {
        let usage = command.clone().render_usage().to_string();
        roff.control("SS", [usage.trim_start_matches("Usage: ").trim()]);
        if let Some(about) = command.get_long_about().or(command.get_about()) {
            paragraphs(roff, &about.to_string());
        }
        let is_own = |arg: &&Arg| !arg.is_hide_set() && !arg.is_global_set() && !is_help(arg);
        for arg in command.get_arguments().filter(is_own) {
            item(roff, heading_of(arg), &help_of(arg));
        }
    }
}

fn is_help(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

/// `-k, --keep N`, or the name of a value without a flag.
fn heading_of(arg: &Arg) -> Vec<Inline> {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let flags: Vec<String> = short.into_iter().chain(long).collect();
    let mut heading = vec![bold(flags.join(", "))];
    if arg.get_action().takes_values() {
        let names = match arg.get_value_names() {
            Some(names) => names
                .iter()
                .map(AsRef::as_ref)
                .collect::<Vec<&str>>()
                .join(" "),
            None => arg.get_id().as_str().to_uppercase(),
        };
        let gap = if flags.is_empty() { "" } else { " " };
        heading.extend([roman(gap), italic(names)]);
    }
    heading
}

/// The help of an option with the values it takes.
fn help_of(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help());
    let mut help = help.map(ToString::to_string).unwrap_or_default();
    if !arg.get_action().takes_values() {
        return help;
    }
    let possible = arg.get_possible_values();
    let possible: Vec<&str> = possible.iter().map(|value| value.get_name()).collect();
    if !possible.is_empty() {
        help += &format!(" [{}]", possible.join(", "));
    }
    let defaults = arg.get_default_values().iter();
    let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() {
        help += &format!(" [default: {}]", defaults.join(", "));
    }
    help
}

fn exit_status(roff: &mut Roff) {
    roff.control("SH", ["EXIT STATUS"]);
    for code in ExitCode::ALL {
        item(roff, vec![bold(code.number().to_string())], code.meaning());
    }
}

fn section(roff: &mut Roff, title: &str, items: &[(&str, &str)]) {
    roff.control("SH", [title]);
    for (name, meaning) in items {
        item(roff, vec![bold(*name)], meaning);
    }
}

fn item(roff: &mut Roff, heading: Vec<Inline>, text: &str) {
    roff.control("TP", []);
    roff.text(heading);
    roff.text([roman(text)]);
}

fn paragraphs(roff: &mut Roff, text: &str) {
    for paragraph in text.split("\n\n") {
        roff.control("PP", []);
        roff.text([roman(paragraph)]);
    }
}

fn see_also(roff: &mut Roff) {
    roff.control("SH", ["SEE ALSO"]);
    let mut line = Vec::new();
    for (page, chapter) in SEE_ALSO {
        let comma = if line.is_empty() { "" } else { ", " };
        line.extend([roman(comma), bold(page), roman(format!("({chapter})"))]);
    }
    roff.text(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Vec<u8> {
        let root = Arg::new("root").long("root").global(true);
        let keep = Arg::new("keep")
            .long("keep")
            .short('k')
            .value_name("N")
            .default_value("5")
            .help("Good releases to keep");
        let release = Arg::new("release").help("Where to go back to");
        let command = Command::new("zdd")
            .version("1.2.3")
            .about("Puts new code live")
            .arg(root.help("Directory of the site"))
            .subcommand(
                Command::new("prune")
                    .about("Deletes old releases")
                    .arg(keep),
            )
            .subcommand(Command::new("rollback").arg(release))
            .subcommand(Command::new("internal").hide(true));
        man(command).unwrap()
    }

    #[test]
    fn every_command_has_its_own_options_with_their_values() {
        let page = String::from_utf8(page()).unwrap();
        assert!(page.contains(
            "\n\\fB\\-k, \\-\\-keep\\fR \\fIN\\fR\nGood releases to keep [default: 5]\n"
        ));
        assert!(
            page.contains("\\fIRELEASE\\fR\nWhere to go back to\n"),
            "{page}"
        );
    }

    #[test]
    fn the_page_names_every_exit_code_and_has_all_sections() {
        let page = String::from_utf8(page()).unwrap();
        for section in [
            "COMMANDS",
            "EXIT STATUS",
            "FILES",
            "ENVIRONMENT",
            "EXAMPLES",
            "SEE ALSO",
        ] {
            assert!(
                page.contains(&format!(".SH \"{section}\""))
                    || page.contains(&format!(".SH {section}")),
                "{section}"
            );
        }
        for code in ExitCode::ALL {
            assert!(
                page.contains(&format!("\\fB{}\\fR", code.number())),
                "{code:?}"
            );
        }
        assert!(!page.contains("internal"));
    }
}
