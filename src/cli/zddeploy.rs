//! The command line of the original: `zddeploy [-c|--conf FILE] [-v|--verbose]`. Called by that
//! name, zdd releases what the `deploy.conf` describes.

use std::path::Path;

use clap::{Arg, Command};

use crate::config::deploy_conf::FILE_NAME;

/// The words as zdd understands them, the program first. Under another name they stay as they are.
/// The original took any further words and did nothing with them.
pub fn words(words: Vec<String>, zdd: impl FnOnce() -> Command) -> Vec<String> {
    let called = words.first().and_then(|word| Path::new(word).file_name());
    if called.is_none_or(|name| name != "zddeploy") {
        return words;
    }
    let options = Options::of_release(zdd());
    let mut given = words.into_iter().peekable();
    let mut kept = vec![given.next().unwrap_or_default(), "release".to_owned()];
    let mut is_named = false;
    while let Some(word) = given.next() {
        if word == "--" {
            break;
        }
        if word == "-" || !word.starts_with('-') {
            continue;
        }
        let valued = options.valued_in(&word);
        is_named |= valued.is_some_and(|(option, _)| option.get_id() == "config");
        let lacks_value = valued.is_some_and(|(_, has_value)| !has_value);
        kept.push(word);
        kept.extend(given.next_if(|next| lacks_value && !next.starts_with('-')));
    }
    if !is_named {
        kept.extend(["--config".to_owned(), FILE_NAME.to_owned()]);
    }
    kept
}

/// What can be asked of a release, as far as it takes a value.
struct Options(Vec<Arg>);

impl Options {
    fn of_release(mut zdd: Command) -> Options {
        zdd.build();
        let release = zdd.find_subcommand("release").into_iter();
        let all = release.flat_map(Command::get_arguments).cloned();
        Options(all.filter(|it| it.get_action().takes_values()).collect())
    }

    /// The one in a word, and whether its value is in the word, too. Short ones may stand in a row,
    /// and it is the last then.
    fn valued_in(&self, word: &str) -> Option<(&Arg, bool)> {
        if let Some(long) = word.strip_prefix("--") {
            let name = long.split('=').next().unwrap_or(long);
            let option = self.0.iter().find(|option| is_called(option, name))?;
            return Some((option, long.contains('=')));
        }
        let mut letters = word.chars().skip(1);
        let of_letter = |letter| {
            let mut options = self.0.iter();
            options.find(|option| option.get_short() == Some(letter))
        };
        let option = letters.find_map(of_letter)?;
        Some((option, letters.next().is_some()))
    }
}

fn is_called(option: &Arg, name: &str) -> bool {
    let others = option.get_all_aliases().unwrap_or_default();
    option.get_long() == Some(name) || others.contains(&name)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn read(line: &str) -> String {
        let given = line.split(' ').map(str::to_owned).collect();
        words(given, Cli::command).join(" ")
    }

    #[test]
    fn the_original_command_line_becomes_a_release() {
        for (line, wanted) in [
            ("zdd list", "zdd list"),
            ("zddeploy", "zddeploy release --config deploy.conf"),
            (
                "/usr/bin/zddeploy -v now",
                "/usr/bin/zddeploy release -v --config deploy.conf",
            ),
            ("zddeploy -c a.conf", "zddeploy release -c a.conf"),
            ("zddeploy -ca.conf x", "zddeploy release -ca.conf"),
            ("zddeploy -vc a.conf x", "zddeploy release -vc a.conf"),
            ("zddeploy -vca.c x", "zddeploy release -vca.c"),
            (
                "zddeploy --conf=a.conf --verbose",
                "zddeploy release --conf=a.conf --verbose",
            ),
            (
                "zddeploy -v -- -c a.conf",
                "zddeploy release -v --config deploy.conf",
            ),
        ] {
            assert_eq!(read(line), wanted);
        }
    }

    #[test]
    fn the_options_of_zdd_keep_their_values() {
        for (line, wanted) in [
            (
                "zddeploy --color always x --conf a.conf --wait 1m",
                "zddeploy release --color always --conf a.conf --wait 1m",
            ),
            (
                "zddeploy --wait --color=never x -v",
                "zddeploy release --wait --color=never -v --config deploy.conf",
            ),
        ] {
            assert_eq!(read(line), wanted);
        }
    }
}
