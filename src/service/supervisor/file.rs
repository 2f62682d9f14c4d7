//! The file of a program: made from a template of the release, marked with the site it belongs to,
//! and looked through before supervisor reads it.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use minijinja::Value;

use crate::config::template::{self, Names};
use crate::error::{Error, Result};

/// How the first line of such a file begins; behind it stands the root of its site.
const MARK: &str = "; written by zdd for ";

/// What a template may name.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The name of the program with its release.
    pub program: String,
    /// Names and values, in the words of the documentation.
    pub texts: Vec<(&'static str, String)>,
    /// What the settings add, as `values.NAME`.
    pub values: BTreeMap<String, String>,
}

/// The text of a program's file.
///
/// # Errors
/// When the template is not one, names something that is not there, or makes the file of another
/// program.
pub fn render(template: &str, path: &Utf8Path, root: &Utf8Path, facts: &Facts) -> Result<String> {
    let mut names: Names = BTreeMap::new();
    names.insert("program".to_owned(), Value::from(facts.program.clone()));
    for (name, text) in &facts.texts {
        names.insert((*name).to_owned(), Value::from(text.clone()));
    }
    names.insert("values".to_owned(), Value::from(facts.values.clone()));
    let rendered = template::render(template, path, &names).map_err(|error| Error {
        what: format!("{} for `{}`", error.what, facts.program),
        ..error
    })?;
    let text = format!("{MARK}{root}\n{rendered}");
    check(&text, &facts.program)?;
    Ok(text)
}

/// Whether a file was written for the site at `root`. A file without a mark is nobody's.
pub(super) fn belongs_to(text: &str, root: &Utf8Path) -> bool {
    let mark = text.lines().next().and_then(|line| line.strip_prefix(MARK));
    mark.is_some_and(|of| of == root.as_str())
}

/// The file names this program and no other one, and lets supervisor start it.
///
/// # Errors
/// When it does not.
pub(super) fn check(text: &str, program: &str) -> Result<()> {
    let lines = || text.lines().map(str::trim);
    let section = |line: &'_ str| {
        let inner = line.strip_prefix('[')?.split(']').next()?;
        Some(inner.trim().to_owned())
    };
    let wanted = format!("program:{program}");
    let sections: Vec<String> = lines().filter_map(section).collect();
    if let Some(other) = sections.iter().find(|section| **section != wanted) {
        let what = format!("the file of `{program}` has a section `[{other}]`");
        return Err(Error::failed(what).hint("write `[program:{{ program }}]`, and no other one"));
    }
    if sections.is_empty() {
        let what = format!("the file of `{program}` has no section");
        return Err(Error::failed(what).hint("begin it with `[program:{{ program }}]`"));
    }
    let autostart = value(text, "autostart").unwrap_or_default();
    let autostart = autostart.to_ascii_lowercase();
    if ["false", "no", "off", "0"].contains(&autostart.as_str()) {
        let what = format!("`{program}` would not come back after a reboot");
        return Err(Error::failed(what)
            .cause(format!("its file says `autostart={autostart}`"))
            .hint("write `autostart=true`: zdd removes the file of a release that is left"));
    }
    Ok(())
}

/// The files that supervisor writes the program's output to, as far as the text names them whole.
pub fn log_paths(text: &str, program: &str) -> Vec<Utf8PathBuf> {
    let path = |key| {
        let named = value(text, key)?.replace("%(program_name)s", program);
        let is_whole = named.starts_with('/') && !named.starts_with("/dev/");
        (is_whole && !named.contains("%(")).then(|| Utf8PathBuf::from(named.replace("%%", "%")))
    };
    let mut paths: Vec<Utf8PathBuf> = ["stdout_logfile", "stderr_logfile"]
        .into_iter()
        .filter_map(path)
        .collect();
    paths.dedup();
    paths
}

/// The value of a key, in one line: lines that begin with a blank go on with the one before.
pub(super) fn value(text: &str, key: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| {
        let name = line.split(['=', ':']).next().unwrap_or_default();
        name.trim() != key
    });
    let (_, first) = lines.next()?.split_once(['=', ':'])?;
    let is_more = |line: &&str| line.starts_with([' ', '\t']) && !line.trim().is_empty();
    let parts = std::iter::once(first).chain(lines.take_while(is_more));
    let parts = parts.map(|part| part.split(" ;").next().unwrap_or_default().trim());
    Some(parts.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "[program:{{ program }}]\ncommand={{ release_path }}/serve \
                            --workers {{ values.workers }}\nautostart=true\n";

    fn rendered(template: &str) -> Result<String> {
        let facts = Facts {
            program: "hc-20261122014228".to_owned(),
            texts: vec![("release_path", "/srv/releases/20261122014228".to_owned())],
            values: BTreeMap::from([("workers".to_owned(), "3".to_owned())]),
        };
        render(template, "supervisor.conf".into(), "/srv".into(), &facts)
    }

    #[test]
    fn a_template_becomes_the_file_of_one_release() {
        let text = rendered(TEMPLATE).unwrap();
        assert_eq!(
            text,
            "; written by zdd for /srv\n[program:hc-20261122014228]\n\
             command=/srv/releases/20261122014228/serve --workers 3\nautostart=true\n"
        );
        assert!(belongs_to(&text, "/srv".into()));
        assert!(!belongs_to(&text, "/srv/other".into()));
        assert!(!belongs_to("[program:hc]\n", "/srv".into()));
    }

    #[test]
    fn a_value_goes_on_in_lines_that_begin_with_a_blank() {
        let text =
            "[program:a]\ncommand = /a/gunicorn a:a ; it\n    --workers 1\n\tb\nautostart: no\n";
        let found = |key| value(text, key);
        assert_eq!(found("command").unwrap(), "/a/gunicorn a:a --workers 1 b");
        assert_eq!(found("autostart").unwrap(), "no");
        assert_eq!(found("user"), None);
    }

    #[test]
    fn a_name_that_is_not_there_is_no_empty_text() {
        for line in ["{{ relase_path }}", "{{ values.threads }}", "{% if %}"] {
            let error = rendered(&format!("{TEMPLATE}environment=A=\"{line}\"\n")).unwrap_err();
            assert!(error.what.contains("`supervisor.conf:4`"), "{error}");
            assert!(error.hint.unwrap().contains("release_path"));
        }
    }

    #[test]
    fn a_file_of_other_programs_is_refused() {
        for (template, says) in [
            ("[program:hc]\n", "`[program:hc]`"),
            ("[program:{{ program }}]\n[group:all]\n", "`[group:all]`"),
            ("command=x\n", "no section"),
            (
                "[program:{{ program }}]\nautostart = False ; later\n",
                "after a reboot",
            ),
        ] {
            let error = rendered(template).unwrap_err();
            assert!(error.what.contains(says), "{error}");
            assert!(error.hint.is_some());
        }
    }

    #[test]
    fn logs_that_are_named_whole_are_known() {
        let paths = |lines: &str| log_paths(&format!("[program:hc-1]\n{lines}"), "hc-1");
        assert_eq!(
            paths(
                "stdout_logfile=/var/log/hc/%(program_name)s.log ; all\nstderr_logfile = /var/log/e\n"
            ),
            ["/var/log/hc/hc-1.log", "/var/log/e"]
        );
        for unnamed in [
            "AUTO",
            "NONE",
            "/dev/stdout",
            "%(here)s/log",
            "/log/%(process_num)d",
        ] {
            let lines = format!("stdout_logfile={unnamed}\n");
            assert_eq!(paths(&lines), [""; 0], "{unnamed}");
        }
    }
}
