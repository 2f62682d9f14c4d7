//! Whether a node server does something about SIGTERM. Node itself always catches it, to put the
//! terminal right before it dies, so the kernel's table tells nothing: the code is looked at.

use camino::Utf8Path;
use walkdir::{DirEntry, WalkDir};

use crate::running::server::base_name;

/// How many files are looked at; of a project with more nothing is said.
const FILE_LIMIT: usize = 2000;

/// Endings of files with code.
const ENDINGS: [&str; 5] = ["js", "mjs", "cjs", "ts", "mts"];

/// Packages that end a server gracefully by themselves.
const PACKAGES: [&str; 5] = [
    "close-with-grace",
    "graceful",
    "http-terminator",
    "lightship",
    "terminus",
];

/// Whether these words start node.
pub fn is_node(words: &[String]) -> bool {
    words.first().is_some_and(|word| {
        let name = base_name(word);
        matches!(name, "node" | "nodejs")
    })
}

/// Whether the code of a release names the signal, or a package that sees to it. None where that
/// cannot be told: a server out of a package, or too much code.
pub fn names_sigterm(words: &[String], release: &Utf8Path) -> Option<bool> {
    let mut arguments = words.iter().skip(1);
    let script = arguments.find(|word| !word.starts_with('-'))?;
    let script = release.join(script);
    if !script.starts_with(release) || script.as_str().contains("node_modules") {
        return None;
    }
    let manifest = fs_err::read_to_string(release.join("package.json")).unwrap_or_default();
    if PACKAGES.iter().any(|package| manifest.contains(package)) {
        return Some(true);
    }
    let is_own = |entry: &DirEntry| {
        let name = entry.file_name().to_str().unwrap_or_default();
        entry.depth() == 0 || (name != "node_modules" && !name.starts_with('.'))
    };
    let files = WalkDir::new(release).into_iter().filter_entry(is_own);
    let mut seen = 0;
    for file in files.flatten() {
        let ending = Utf8Path::from_path(file.path()).and_then(Utf8Path::extension);
        if !file.file_type().is_file() || !ending.is_some_and(|it| ENDINGS.contains(&it)) {
            continue;
        }
        seen += 1;
        if seen > FILE_LIMIT {
            return None;
        }
        if fs_err::read_to_string(file.path()).is_ok_and(|text| text.contains("SIGTERM")) {
            return Some(true);
        }
    }
    (seen > 0).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_the_project_decides_and_not_that_of_its_packages() {
        let directory = tempfile::tempdir().unwrap();
        let release = Utf8Path::from_path(directory.path()).unwrap();
        let write = |path: &str, text: &str| {
            let path = release.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        let script = release.join("server.js").into_string();
        let words = ["/usr/bin/node".to_owned(), "--inspect".to_owned(), script];
        assert!(is_node(&words));
        assert_eq!(names_sigterm(&words, release), None);
        write("server.js", "server.listen(1)");
        write("node_modules/x/index.js", "process.on('SIGTERM')");
        assert_eq!(names_sigterm(&words, release), Some(false));
        write(
            "package.json",
            "{\"dependencies\": {\"@godaddy/terminus\": \"4\"}}",
        );
        assert_eq!(names_sigterm(&words, release), Some(true));
        write("package.json", "{}");
        write("lib/stop.mjs", "process.once('SIGTERM', stop)");
        assert_eq!(names_sigterm(&words, release), Some(true));
        let next = ["node", "node_modules/.bin/next", "start"].map(str::to_owned);
        assert_eq!(names_sigterm(&next, release), None);
        assert_eq!(
            names_sigterm(&["node".to_owned(), "/opt/x.js".to_owned()], release),
            None
        );
    }
}
