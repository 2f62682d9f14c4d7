//! Assets that a proxy hands out by itself: kept by browsers under a name that the next release
//! uses again, or gone for the pages that were loaded before it.

use camino::Utf8PathBuf;

use super::{Level, Trap};

/// The shortest text that counts as a hash.
const HASH_LENGTH: usize = 8;

/// What is known of one directory of the live release.
#[derive(Debug, Clone)]
pub struct AssetFacts {
    /// The directory, from the release on.
    pub directory: Utf8PathBuf,
    /// The scripts and styles there, as far as they were looked at.
    pub names: Vec<String>,
    /// The line that lets browsers keep them, and its place.
    pub kept: Option<(String, String)>,
    /// Whether the release before leaves its own there.
    pub is_bridged: bool,
    /// The file of settings of the site.
    pub settings: String,
}

/// Everything that is to be said of it.
pub fn predict(facts: &AssetFacts) -> Option<Trap> {
    let is_hashed = |name: &&String| holds_hash(name);
    let hashed: Vec<_> = facts.names.iter().filter(is_hashed).collect();
    let has_copy = |name: &str| hashed.iter().any(|it| is_copy(it, name));
    // The original stays beside its hashed copy.
    let plain = facts.names.iter().filter(|name| !holds_hash(name));
    let plain: Vec<_> = plain.filter(|name| !has_copy(name)).collect();
    let directory = &facts.directory;
    match (&facts.kept, plain.first()) {
        (Some((words, place)), Some(name)) if plain.len() > hashed.len() => Some(Trap {
            level: Level::Warning,
            what: format!(
                "browsers keep `{directory}/{name}` over a release (`{words};`), and its name has \
                 no hash: new pages run with the old file"
            ),
            place: place.clone(),
            change: format!(
                "name assets by their content, and add `bridge = [\"{directory}\"]` to [shared] in \
                 zdd.toml; or remove `{words};` in {place}"
            ),
        }),
        _ if hashed.len() > plain.len() && !facts.is_bridged => Some(Trap {
            level: Level::Note,
            what: format!(
                "pages loaded before a release ask for assets in `{directory}` that the next one \
                 does not have"
            ),
            place: facts.settings.clone(),
            change: format!("add:\n[shared]\nbridge = [\"{directory}\"]"),
        }),
        _ => None,
    }
}

/// `app.d41d8cd9.js`, `index-DiwrgTda.css`; a directory named so counts for what is in it.
fn holds_hash(path: &str) -> bool {
    path.split(['/', '.', '-', '_']).any(is_hash)
}

fn is_hash(part: &str) -> bool {
    if part.len() < HASH_LENGTH || !part.bytes().all(|it| it.is_ascii_alphanumeric()) {
        return false;
    }
    let has_digit = part.bytes().any(|it| it.is_ascii_digit());
    let is_hex = part.bytes().all(|it| it.is_ascii_hexdigit());
    let pairs = || part.as_bytes().windows(2);
    let turns = pairs().filter(|it| it[0].is_ascii_digit() != it[1].is_ascii_digit());
    // `bootstrap5` is a word, and so is `myScript`, but no word has capitals so.
    let rises = pairs().filter(|it| it[0].is_ascii_lowercase() && it[1].is_ascii_uppercase());
    let is_mixed = rises.count() > 0 && part.len() == HASH_LENGTH;
    (is_hex && has_digit) || turns.count() > 1 || is_mixed
}

/// Whether the first is the second with a hash before its ending.
fn is_copy(hashed: &str, name: &str) -> bool {
    let Some((stem, ending)) = name.rsplit_once('.') else {
        return false;
    };
    let rest = hashed.strip_prefix(stem);
    let rest = rest.and_then(|rest| rest.strip_suffix(ending));
    rest.is_some_and(|rest| is_hash(rest.trim_matches(['.', '-', '_'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(names: &[&str], is_kept: bool, is_bridged: bool) -> Option<(Level, String)> {
        let facts = AssetFacts {
            directory: "static".into(),
            names: names.iter().map(|it| (*it).to_owned()).collect(),
            kept: is_kept.then(|| ("expires 30d".to_owned(), "`/n` line 3".to_owned())),
            is_bridged,
            settings: "/srv/a/zdd.toml".to_owned(),
        };
        predict(&facts).map(|trap| (trap.level, trap.change))
    }

    #[test]
    fn a_hash_is_told_from_words_and_versions() {
        for name in [
            "app.d41d8cd98f00.js",
            "index-DiwrgTda.js",
            "app-X7SJKD2A.css",
            "application-9f86d081884c7d65.css",
            "3kq9sdf71mWpC2/_buildManifest.js",
        ] {
            assert!(holds_hash(name), "{name}");
        }
        for name in [
            "app.js",
            "bootstrap5.min.css",
            "jquery-3.6.0.min.js",
            "fontawesome.css",
            "js/facades/components.js",
        ] {
            assert!(!holds_hash(name), "{name}");
        }
    }

    #[test]
    fn names_that_stay_are_warned_of_where_they_are_kept() {
        let plain = ["app.js", "css/site.css"];
        let (level, change) = said(&plain, true, false).unwrap();
        assert_eq!(level, Level::Warning);
        assert!(change.contains("`bridge = [\"static\"]`"), "{change}");
        assert!(
            change.ends_with("remove `expires 30d;` in `/n` line 3"),
            "{change}"
        );
        assert_eq!(said(&plain, false, false), None);
        assert_eq!(said(&[], true, false), None);
    }

    #[test]
    fn hashed_names_are_to_be_bridged_and_their_originals_do_not_count() {
        let both = ["app.js", "app.d41d8cd98f00.js", "a-DiwrgTda.css"];
        for is_kept in [true, false] {
            let (level, change) = said(&both, is_kept, false).unwrap();
            assert_eq!(level, Level::Note);
            assert_eq!(change, "add:\n[shared]\nbridge = [\"static\"]");
            assert_eq!(said(&both, is_kept, true), None);
        }
    }
}
