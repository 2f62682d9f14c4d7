//! The command line of the original: `zddeploy [-c|--conf FILE] [-v|--verbose]`. Called by that
//! name, zdd releases what the `deploy.conf` describes.

use std::path::Path;

use crate::config::deploy_conf::FILE_NAME;

/// The words as zdd understands them, the program first. Under another name they stay as they are.
/// The original took any further words and did nothing with them.
pub fn words(words: Vec<String>) -> Vec<String> {
    let called = words.first().and_then(|word| Path::new(word).file_name());
    if called.is_none_or(|name| name != "zddeploy") {
        return words;
    }
    let mut given = words.into_iter();
    let mut kept = vec![given.next().unwrap_or_default(), "release".to_owned()];
    let mut is_named = false;
    while let Some(word) = given.next() {
        if matches!(word.as_str(), "-c" | "--conf" | "--config") {
            is_named = true;
            kept.push(word);
            kept.extend(given.next());
        } else if word.starts_with('-') && word != "-" && word != "--" {
            let is_file = ["-c", "--conf=", "--config="].iter();
            is_named |= is_file.clone().any(|option| word.starts_with(option));
            kept.push(word);
        }
    }
    if !is_named {
        kept.extend(["--config".to_owned(), FILE_NAME.to_owned()]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        words(line.split(' ').map(str::to_owned).collect()).join(" ")
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
            (
                "zddeploy --conf=a.conf --verbose",
                "zddeploy release --conf=a.conf --verbose",
            ),
        ] {
            assert_eq!(read(line), wanted);
        }
    }
}
