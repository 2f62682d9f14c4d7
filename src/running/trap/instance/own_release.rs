//! Whether an instance runs its own release, and the lines with which it does.

use camino::{Utf8Path, Utf8PathBuf};

use super::{Template, in_service};
use crate::running::change::quoted;
use crate::running::trap::{Level, Trap};

impl Template<'_> {
    /// It starts before the flip: what goes through the link is of the release before it.
    pub(super) fn wrong_release(&self) -> Option<Trap> {
        let unit = &self.facts.unit;
        let directory = unit.working_directory.as_deref().map(Utf8Path::as_str);
        let mut words = unit.start_words.iter().map(String::as_str).chain(directory);
        if let Some(word) = words.clone().find(|word| self.goes_through_current(word)) {
            let what = format!(
                "`{word}` leads through `current`, but an instance is started before the flip: it \
                 would run the release before its own"
            );
            return Some(self.view.trap(Level::Error, what, self.own_lines()));
        }
        if let Some(word) = words.clone().find(|word| self.names_other_release(word)) {
            let what = format!("`{word}` names one release, so that every instance would run it");
            return Some(self.view.trap(Level::Error, what, self.own_lines()));
        }
        let files = unit.environment_files.iter().map(|it| it.as_str());
        let variables = unit.environment.iter().map(String::as_str);
        let names_it = |word: &str| word.contains(&self.facts.release);
        if words.any(names_it) || files.chain(variables).any(names_it) {
            return None;
        }
        let what = "nothing in it names the release (`%i`): every instance would run the same code";
        let line = format!("WorkingDirectory={}", self.own_directory());
        Some(
            self.view
                .trap(Level::Warning, what.to_owned(), in_service(&line)),
        )
    }

    fn goes_through_current(&self, word: &str) -> bool {
        mentions(word, &self.paths.current_path).next().is_some()
    }

    fn names_other_release(&self, word: &str) -> bool {
        self.releases_in(word).any(|id| id != self.facts.release)
    }

    fn releases_in<'w>(&self, word: &'w str) -> impl Iterator<Item = &'w str> {
        let rests = mentions(word, &self.paths.releases_dir);
        let id = |rest: &'w str| {
            let rest = rest.strip_prefix('/')?;
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            Some(&rest[..end]).filter(|id| !id.is_empty())
        };
        rests.filter_map(id)
    }

    /// `<root>/releases/%i`
    fn own_directory(&self) -> Utf8PathBuf {
        self.paths.releases_dir.join("%i")
    }

    /// The lines of the unit with its own release in every path.
    fn own_lines(&self) -> String {
        let unit = &self.facts.unit;
        let words: Vec<String> = unit
            .start_words
            .iter()
            .map(|word| self.own_word(word))
            .collect();
        let directory = unit.working_directory.as_ref();
        let directory = directory.map_or(self.own_directory().into_string(), |directory| {
            self.own_word(directory.as_str())
        });
        let start = words.join(" ");
        in_service(&format!("WorkingDirectory={directory}\nExecStart={start}"))
    }

    fn own_word(&self, word: &str) -> String {
        // A mark that no unit file can hold stands for `%` until the rest is quoted.
        let own = format!("{}/\u{1}i", self.paths.releases_dir);
        let mut own_word = word.to_owned();
        let others: Vec<&str> = self.releases_in(word).collect();
        for id in others {
            own_word = own_word.replace(&format!("{}/{id}", self.paths.releases_dir), &own);
        }
        if self.goes_through_current(word) {
            own_word = own_word.replace(self.paths.current_path.as_str(), &own);
        }
        let own_word = own_word.replace(&self.facts.release, "\u{1}i");
        quoted(&own_word).replace('\u{1}', "%")
    }
}

/// What follows this path wherever a word has it, alone or with something below it.
fn mentions<'w>(word: &'w str, path: &Utf8Path) -> impl Iterator<Item = &'w str> {
    let rests: Vec<&str> = word
        .match_indices(path.as_str())
        .map(|(at, found)| &word[at + found.len()..])
        .collect();
    let ends = |rest: &&str| {
        let next = rest.chars().next();
        next.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.'))
    };
    rests.into_iter().filter(ends)
}
