//! `deploy.conf`, the file of the original zddeploy, read as it read it: by the rules of Python's
//! `ConfigParser`. The grammar of the file is in `ini`; here is what its keys mean.
//!
//! Paths are relative to the file. Services keep the order of the file, which is the order in
//! which they are started and stopped.

mod ini;

use camino::{Utf8Path, Utf8PathBuf, absolute_utf8};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Finding, Result};
use ini::{Failure, Ini};

/// The name the original looks for when none is given.
pub const FILE_NAME: &str = "deploy.conf";

/// How the sections of services begin.
const SERVICE: &str = "service:";

/// How the name of a template ends; what is before it is the name of the file that is written.
const TEMPLATE_END: &str = ".template";

/// A whole `deploy.conf`, all paths absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployConf {
    /// The file itself.
    pub file: Utf8PathBuf,
    /// The directory it lies in.
    pub directory: Utf8PathBuf,
    /// The proxy.
    pub nginx: Nginx,
    /// The services, in the order of the file.
    pub services: Vec<Service>,
    /// What is obsolete or not understood in it; it holds all the same.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// The section `[nginx]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nginx {
    /// What the settings of nginx are made from.
    pub template: Utf8PathBuf,
    /// The settings: the template without `.template`.
    pub output: Utf8PathBuf,
    /// Where nginx writes its pid.
    pub pid_file: Utf8PathBuf,
}

/// A section `[service:NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// What stands after `service:`, and in braces in the template.
    pub name: String,
    /// Where the service writes its pid. Beside it lie the other pid files and the port files.
    pub pid_file: Utf8PathBuf,
    /// The words that start it.
    pub start: Vec<String>,
    /// The words that stop it; the pid comes after them.
    pub stop: Vec<String>,
    /// Where both are run.
    pub cwd: Utf8PathBuf,
}

impl DeployConf {
    /// Reads the file.
    ///
    /// # Errors
    /// A usage error when it is missing, unreadable or wrong, with all mistakes.
    pub fn read(file: &Utf8Path) -> Result<DeployConf> {
        let text = fs_err::read_to_string(file).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::usage(format!("there is no `{file}`"))
                .hint("name the `deploy.conf` that is meant, or go where it lies"),
            _ => Error::usage(format!("cannot read `{file}`")).cause(error),
        })?;
        let wrong = |findings| Error::from_findings(ErrorKind::Usage, findings);
        DeployConf::parse(&absolute_utf8(file)?, &text).map_err(wrong)
    }

    /// Reads the text of a file that lies at an absolute path.
    ///
    /// # Errors
    /// All mistakes.
    pub fn parse(file: &Utf8Path, text: &str) -> Result<DeployConf, Vec<Finding>> {
        let ini = Ini::parse(text).map_err(|failures| {
            let found = failures.into_iter();
            found
                .map(|failure| failure.finding(file))
                .collect::<Vec<_>>()
        })?;
        let mut reader = Reader {
            ini: &ini,
            file,
            directory: file.parent().unwrap_or(Utf8Path::new("/")),
            findings: Vec::new(),
            notes: Vec::new(),
        };
        let nginx = reader.nginx();
        let services = reader.services();
        reader.note_unknown();
        let Reader {
            findings,
            notes,
            directory,
            ..
        } = reader;
        match nginx {
            Some(nginx) if findings.is_empty() => Ok(DeployConf {
                file: file.to_owned(),
                directory: directory.to_owned(),
                nginx,
                services,
                notes,
            }),
            _ => Err(findings),
        }
    }
}

impl Service {
    /// The pid of the instance that is live: `web.current.pid` for `web.pid`.
    pub fn current_pid_file(&self) -> Utf8PathBuf {
        self.pid_file.with_extension("current.pid")
    }

    /// The pid of the instance that is left.
    pub fn previous_pid_file(&self) -> Utf8PathBuf {
        self.pid_file.with_extension("previous.pid")
    }

    /// Where an instance writes its port.
    pub fn port_file(&self, pid: u32) -> Utf8PathBuf {
        self.pid_file.with_file_name(format!("{pid}.port"))
    }
}

/// Takes the sections apart and gathers what is wrong.
struct Reader<'a> {
    ini: &'a Ini,
    file: &'a Utf8Path,
    directory: &'a Utf8Path,
    findings: Vec<Finding>,
    notes: Vec<String>,
}

impl Reader<'_> {
    fn nginx(&mut self) -> Option<Nginx> {
        let old = self.value("global", "nginx_template");
        if old.is_some() {
            self.note(
                "global",
                "nginx_template",
                "write `template` into `[nginx]` instead",
            );
        }
        if !self.ini.has_section("nginx") {
            self.find(
                "nginx",
                None,
                "there is no section `[nginx]`".to_owned(),
                "add `[nginx]` with `template = ./nginx.conf.template` and `pid_file = ./nginx.pid`",
            );
            return None;
        }
        if self.ini.place("nginx", "log_file").is_some() {
            self.note("nginx", "log_file", "it says nothing any more; remove it");
        }
        let template = self.value("nginx", "template").or(old);
        let template = self.needed("nginx", "template", template, "./nginx.conf.template");
        let pid_file = self.value("nginx", "pid_file");
        let pid_file = self.needed("nginx", "pid_file", pid_file, "./nginx.pid");
        let template = self.path(&template?);
        let Some(output) = template.as_str().strip_suffix(TEMPLATE_END) else {
            self.find(
                "nginx",
                Some("template"),
                format!("`template` in `[nginx]` must end in `{TEMPLATE_END}`: `{template}`"),
                "the settings of nginx are written beside it, under its name without that ending",
            );
            return None;
        };
        Some(Nginx {
            output: output.into(),
            pid_file: self.path(&pid_file?),
            template,
        })
    }

    fn services(&mut self) -> Vec<Service> {
        let sections = self.ini.sections();
        let named = sections.filter(|section| section.starts_with(SERVICE));
        let named: Vec<String> = named.map(str::to_owned).collect();
        named
            .iter()
            .filter_map(|section| self.service(section))
            .collect()
    }

    fn service(&mut self, section: &str) -> Option<Service> {
        let pid_file = self.value(section, "pid_file");
        let pid_file = self.needed(section, "pid_file", pid_file, "./web.pid");
        let start = self.command(section, "start", "gunicorn -D -c settings.py app:app");
        let stop = self.command(section, "stop", "kill -TERM");
        let cwd = self.value(section, "cwd");
        Some(Service {
            name: section[SERVICE.len()..].to_owned(),
            pid_file: self.path(&pid_file?),
            start: start?,
            stop: stop?,
            cwd: cwd.map_or_else(|| self.directory.to_owned(), |cwd| self.path(&cwd)),
        })
    }

    /// A command, or the older spelling: a script whose path is relative to the file. The words
    /// are split at single spaces, as the original did, and no shell sees them.
    fn command(&mut self, section: &str, key: &str, example: &str) -> Option<Vec<String>> {
        let script = format!("{key}_script");
        if let Some(path) = self.value(section, &script) {
            self.note(section, &script, &format!("write `{key}` instead"));
            if self.ini.place(section, key).is_none() {
                return Some(vec![self.path(&path).into_string()]);
            }
        }
        let line = self.value(section, key);
        let line = self.needed(section, key, line, example)?;
        Some(line.split(' ').map(str::to_owned).collect())
    }

    /// A value with what it refers to filled in.
    fn value(&mut self, section: &str, key: &str) -> Option<String> {
        match self.ini.value(section, key) {
            Ok(value) => value,
            Err(failure) => {
                self.findings.push(failure.finding(self.file));
                // Said once; what depends on it is not missing.
                Some(String::from("?"))
            }
        }
    }

    fn needed(
        &mut self,
        section: &str,
        key: &str,
        value: Option<String>,
        example: &str,
    ) -> Option<String> {
        let value = value.filter(|value| !value.is_empty());
        if value.is_none() {
            let key = key.to_owned();
            let what = format!("`{key}` is missing in `[{section}]`");
            let hint = format!("add `{key} = {example}`, for instance");
            self.find(section, Some(&key), what, &hint);
        }
        value
    }

    fn path(&self, path: &str) -> Utf8PathBuf {
        let mut whole = Utf8PathBuf::new();
        for part in self.directory.join(path).components() {
            match part {
                camino::Utf8Component::CurDir => {}
                part => whole.push(part),
            }
        }
        whole
    }

    fn find(&mut self, section: &str, key: Option<&str>, what: String, hint: &str) {
        let place = key.and_then(|key| self.ini.place(section, key));
        self.findings.push(Finding {
            file: Some(self.file.to_string()),
            line: place.or_else(|| self.ini.section_place(section)),
            ..Finding::new(what).hint(hint)
        });
    }

    fn note(&mut self, section: &str, key: &str, advice: &str) {
        let line = self.ini.place(section, key).unwrap_or_default();
        let file = self.file;
        let text = format!("{file}:{line}: `{key}` in `[{section}]` is obsolete: {advice}");
        self.notes.push(text);
    }

    /// What the original ignored silently may be a slip of the pen.
    fn note_unknown(&mut self) {
        const NGINX: [&str; 3] = ["template", "pid_file", "log_file"];
        const SERVICE_KEYS: [&str; 6] = [
            "pid_file",
            "start",
            "stop",
            "cwd",
            "start_script",
            "stop_script",
        ];
        for (section, key, line) in self.ini.places() {
            let known: &[&str] = match section {
                "nginx" => &NGINX,
                "global" => &["nginx_template"],
                section if section.starts_with(SERVICE) => &SERVICE_KEYS,
                _ => continue,
            };
            if !known.contains(&key) && !self.ini.is_referred_to(key) {
                let file = self.file;
                self.notes.push(format!(
                    "{file}:{line}: `{key}` in `[{section}]` means nothing and is ignored"
                ));
            }
        }
    }
}

impl Failure {
    fn finding(self, file: &Utf8Path) -> Finding {
        Finding {
            file: Some(file.to_string()),
            line: Some(self.line),
            ..Finding::new(self.what).hint(self.hint)
        }
    }
}

#[cfg(test)]
mod tests;
