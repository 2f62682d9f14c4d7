//! Which settings a running nginx reads. A reload reads those it was started with, whatever zdd
//! writes elsewhere.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use globset::GlobBuilder;

use super::{Master, Nginx};
use crate::error::{Error, Result};
use crate::host::command::Command;
use crate::host::process;
use crate::host::signal::Patience;

/// How long nginx may take to say what it reads.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the settings that zdd writes are to the nginx that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reads {
    /// They are what it was started with, or is to be.
    Whole {
        /// Its option `-p`.
        prefix: Option<Utf8PathBuf>,
    },
    /// It was started with others that include them.
    Included {
        /// Those it was started with.
        main: Utf8PathBuf,
        /// Its option `-p`.
        prefix: Option<Utf8PathBuf>,
    },
    /// It was started with others that do not.
    Not {
        /// Those it was started with.
        main: Utf8PathBuf,
    },
}

impl Nginx<'_> {
    /// What the master that runs, if one does, has to do with the settings.
    ///
    /// # Errors
    /// When nginx does not tell what it reads.
    pub fn reads(&self, master: Option<&Master>, patience: &Patience) -> Result<Reads> {
        let Some(master) = master else {
            return Ok(Reads::Whole { prefix: None });
        };
        let (main, prefix) = started_with(master.pid);
        // Where it was started from is not known any more.
        let main = main.filter(|main| main.is_absolute() || prefix.is_some());
        let main = main.map(|main| prefix.as_deref().map_or(main.clone(), |it| it.join(&main)));
        let Some(main) = main.or_else(|| built_in(patience)) else {
            return Ok(Reads::Whole { prefix });
        };
        if is_same(&main, self.settings) {
            return Ok(Reads::Whole { prefix });
        }
        let dumped = self.dump(&main, prefix.as_deref(), patience)?;
        if !dumped.ending.is_success() {
            let what = format!("nginx (pid {}) does not tell what it reads", master.pid);
            let error = Error::failed(what).cause(dumped.ending).tail(dumped.tail);
            return Err(error.hint(format!("see what is wrong with `nginx -t -c {main}`")));
        }
        let dump = dumped.stdout;
        let mut files = dump.lines().filter_map(|line| {
            let file = line.strip_prefix("# configuration file ")?;
            file.strip_suffix(':')
        });
        let is_included = files.any(|file| is_same(Utf8Path::new(file), self.settings))
            || (!self.settings.exists() && is_expected(&dump, &main, self.settings));
        Ok(match is_included {
            true => Reads::Included { main, prefix },
            false => Reads::Not { main },
        })
    }

    /// The lines that are missing in sudoers so that `user` can have settings tested and, where
    /// `is_told` by the program itself, take effect.
    pub fn refused_by_sudo(&self, master: &Master, user: &str, is_told: bool) -> Vec<String> {
        let (main, prefix) = started_with(master.pid);
        let prefix = prefix.map(|prefix| format!(" -p {prefix}"));
        let prefix = prefix.unwrap_or_default();
        let reload = main.as_ref().map(|main| format!(" -c {main}"));
        let reload = format!("{prefix} -s reload{}", reload.unwrap_or_default());
        let main = main.or_else(|| built_in(&Patience::fresh()));
        let test = format!("{prefix} -T -q -c {}", main.unwrap_or_default());
        let program = super::program();
        let is_refused = |words: &String| {
            let asked = Command::new("sudo").args(["-n", "-l", "--"]);
            let asked = asked.arg(&program).args(words.split_ascii_whitespace());
            let asked = asked.timeout(TIMEOUT).capture(&Patience::fresh());
            !asked.is_ok_and(|finished| finished.ending.is_success())
        };
        let needed = std::iter::once(test).chain(is_told.then_some(reload));
        let refused = needed.filter(is_refused);
        refused
            .map(|words| format!("{user} ALL=(root) NOPASSWD: {program}{words}"))
            .collect()
    }

    /// `nginx -s reload`, with the options that the master was started with.
    ///
    /// # Errors
    /// When it is refused.
    pub fn tell_by_program(&self, master: &Master, patience: &Patience) -> Result<()> {
        let (main, prefix) = started_with(master.pid);
        let command = self.command(prefix.as_deref()).args(["-s", "reload"]);
        let command = match main {
            Some(main) => command.arg("-c").arg(main),
            None => command,
        };
        let line = command.line();
        let told = command.timeout(TIMEOUT).capture(patience)?;
        match told.ending.is_success() {
            true => Ok(()),
            false => Err(Error::failed(format!("`{}`: {}", line, told.ending)).tail(told.tail)),
        }
    }
}

/// The options `-c` and `-p` in the title of a master.
fn started_with(pid: u32) -> (Option<Utf8PathBuf>, Option<Utf8PathBuf>) {
    let title = process::argv(pid).seen().unwrap_or_default().join(" ");
    let words: Vec<&str> = title.split_ascii_whitespace().collect();
    let option = |name: &str| {
        let at = words.iter().rposition(|word| word.starts_with(name))?;
        match words[at].len() {
            2 => words.get(at + 1).copied(),
            _ => Some(&words[at][2..]),
        }
        .map(Utf8PathBuf::from)
    };
    (option("-c"), option("-p"))
}

/// Where nginx looks when it is not told.
fn built_in(patience: &Patience) -> Option<Utf8PathBuf> {
    let asked = Command::new(super::program()).arg("-V");
    let asked = asked.timeout(TIMEOUT).capture(patience).ok()?;
    asked.tail.iter().find_map(|line| {
        let words = line.split_ascii_whitespace();
        let mut paths = words.filter_map(|word| word.strip_prefix("--conf-path="));
        paths.next().map(Utf8PathBuf::from)
    })
}

/// Whether an `include` with a pattern means this file. While the file is not there, nothing else
/// tells that it will be read.
fn is_expected(dump: &str, main: &Utf8Path, file: &Utf8Path) -> bool {
    let directory = main.parent().unwrap_or(Utf8Path::new("/"));
    let real = file.parent().and_then(|it| it.canonicalize_utf8().ok());
    let real = real.zip(file.file_name()).map(|(it, name)| it.join(name));
    let lines = dump.lines().filter_map(|line| line.split('#').next());
    let mut patterns = lines
        .flat_map(|line| line.split(['{', '}', ';']))
        .filter_map(|text| text.trim().strip_prefix("include"))
        .filter(|text| text.starts_with(char::is_whitespace))
        .map(|text| directory.join(text.trim().trim_matches(['"', '\''])));
    patterns.any(|pattern| {
        let glob = GlobBuilder::new(pattern.as_str())
            .literal_separator(true)
            .build();
        glob.is_ok_and(|glob| {
            let glob = glob.compile_matcher();
            glob.is_match(file) || real.as_ref().is_some_and(|real| glob.is_match(real))
        })
    })
}

fn is_same(one: &Utf8Path, other: &Utf8Path) -> bool {
    let real = |path: &Utf8Path| path.canonicalize_utf8().ok();
    one == other || real(one).is_some_and(|one| Some(one) == real(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pattern_means_is_expected() {
        let dump = "# configuration file /etc/nginx/nginx.conf:\nevents {}\n# include /srv/no/*;\n\
                    http { include mime.types; include\t\"sites/*.conf\"; \n  \
                    include /srv/app/nginx*.conf; # include /srv/no/*;\n  included /srv/no/*;\n}\n";
        let main = Utf8Path::new("/etc/nginx/nginx.conf");
        let expected = |file: &str| is_expected(dump, main, Utf8Path::new(file));
        assert!(expected("/etc/nginx/sites/a.conf"));
        assert!(expected("/srv/app/nginx.conf"));
        assert!(!expected("/etc/nginx/sites/a.conf.old"));
        assert!(!expected("/etc/nginx/sites/deep/a.conf"));
        assert!(!expected("/srv/app/other.conf"));
        assert!(!expected("/srv/no/a.conf"));
    }
}
