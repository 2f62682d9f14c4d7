//! What the logs complain of since the switch: of each service, and of the proxy about this site.
//! It informs; whether a release stays is decided by health, proof, hook and watch.

mod of_nginx;
mod of_program;

use std::collections::BTreeSet;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use self::of_program::Reader;
use super::Stage;
use super::instance::{Instance, Runner};
use crate::config::schema::Role;
use crate::error::Error;
use crate::host::cgroup;
use crate::host::log_file::LogFile;
use crate::report::printable;
use crate::running::front::{self, Names};
use crate::running::sockets::{Address, listening};
use crate::service::Unit;
use crate::site::History;

/// How much is read of each file.
const MOST_BYTES: u64 = 8 << 20;

/// How many lines of each log are kept, the first ones: what follows is mostly more of the same.
const LINES: usize = 5;

/// A longer line is cut.
const LINE_LETTERS: usize = 200;

/// What was complained of within this time before the switch is not blamed on the release.
const BEFORE: Duration = Duration::from_secs(600);

/// What one log complains of, as in the JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaints {
    /// The unit, or the file.
    pub source: String,
    /// How many complaints came since the switch.
    pub count: usize,
    /// How many of these came as well in the ten minutes before it.
    pub known: usize,
    /// The first new ones.
    pub lines: Vec<String>,
    /// The command that shows all.
    pub read_on: String,
    /// Why it could not be read.
    pub unread: Option<String>,
}

impl Complaints {
    fn unread(source: String, read_on: String, why: String) -> Complaints {
        Complaints {
            source,
            count: 0,
            known: 0,
            lines: Vec::new(),
            read_on,
            unread: Some(why),
        }
    }

    /// How many complaints there were not before.
    pub fn new_ones(&self) -> usize {
        self.count - self.known
    }

    /// What is to be said of them at the end: nothing where none is new.
    pub fn told(&self) -> Option<String> {
        let new = self.new_ones();
        let errors = match new {
            0 => return None,
            1 => "1 new error".to_owned(),
            many => format!("{many} new errors"),
        };
        let known = match self.known {
            0 => String::new(),
            known => format!(", beside {known} as before it"),
        };
        let mut text = format!("{}: {errors} since the switch{known}", self.source);
        for line in &self.lines {
            text += &format!("\n    | {line}");
        }
        if new > self.lines.len() {
            text += &format!("\n    | and {} more", new - self.lines.len());
        }
        Some(format!("{text}\n    read on: {}", self.read_on))
    }
}

/// The logs of a site from a moment on.
pub struct Logs {
    since: OffsetDateTime,
    units: Vec<Unit>,
    files: Vec<File>,
    unread: Vec<Complaints>,
}

struct File {
    log: LogFile,
    /// Where it is about other sites too: texts of which one is in each line about this one.
    marks: Vec<String>,
}

/// The logs at their ends, as they are now, just before the switch.
pub fn listen(stage: &Stage<'_>) -> Logs {
    let mut logs = Logs {
        since: OffsetDateTime::now_utc(),
        units: Vec::new(),
        files: Vec::new(),
        unread: Vec::new(),
    };
    for place in 0..stage.mission.config.service.len() {
        let instance = Instance::of_mission(stage, place);
        match instance.runner() {
            Runner::Unit(unit) => logs.units.push(unit),
            Runner::Process if instance.service.has_instances() => {
                logs.listen_to(instance.log_path(), Vec::new());
            }
            Runner::Program(_) => {
                for path in instance.named_logs() {
                    logs.listen_to(path, Vec::new());
                }
            }
            Runner::Process => {}
        }
    }
    match &stage.mission.config.probe.logs {
        Some(named) => named
            .iter()
            .for_each(|path| logs.listen_to(path.clone(), Vec::new())),
        None => {
            for log in front::logs(&names(stage)) {
                logs.listen_to(log.path, log.marks);
            }
        }
    }
    logs
}

/// Takes what the logs complain of since the switch into the outcome and the record. A log that
/// cannot be read is said once, not at each release.
pub fn take(stage: &mut Stage<'_>) {
    let Some(logs) = stage.logs.take() else {
        return;
    };
    let found = logs.complaints(&|line| stage.surroundings.mask.apply(line));
    let before = said_before(stage);
    for complaints in &found {
        let is_known = before.contains(&complaints.source);
        if let Some(why) = complaints.unread.as_ref().filter(|_| !is_known) {
            stage.report.note(&format!(
                "{}: errors after a switch are not seen there: {why}",
                complaints.source
            ));
        }
    }
    let values = found.iter().filter_map(|it| serde_json::to_value(it).ok());
    stage.record.complaints = values.collect();
    stage.complaints = found;
}

/// The logs that the command before this one could not read either.
fn said_before(stage: &Stage<'_>) -> Vec<String> {
    let history = History::load(stage.site).ok();
    let from = stage.mission.from.as_ref();
    let record = history
        .as_ref()
        .zip(from)
        .and_then(|(all, id)| all.find(id));
    let all = record.map(|record| record.complaints.clone());
    let all = all.into_iter().flatten();
    let unread = all.filter(|it| !it["unread"].is_null());
    unread
        .filter_map(|it| it["source"].as_str().map(str::to_owned))
        .collect()
}

/// By what the settings of a proxy name this site.
fn names(stage: &Stage<'_>) -> Names {
    let mut addresses: Vec<Address> = Vec::new();
    for place in stage.services_of(Role::Web) {
        let instance = Instance::of_mission(stage, place);
        addresses.extend(instance.address());
        addresses.extend(instance.path_through_current().map(Address::Unix));
        let before = stage.mission.services_before.get(place);
        if let Some(state) = before.and_then(|before| before.unit.as_ref()) {
            addresses.extend(listening(&cgroup::processes(&state.control_group)));
        }
    }
    let mut names = front::names_of(&addresses);
    for check in &stage.mission.config.health {
        let rest = check.url.as_deref().and_then(|url| url.split_once("://"));
        let target = rest.map(|(_, rest)| rest.trim_start_matches("unix:"));
        let address = target.and_then(|target| match target.starts_with('/') {
            true => target.split(':').next(),
            false => target.split('/').next().filter(|it| it.contains(':')),
        });
        names.extend(address.map(str::to_owned));
    }
    Names {
        addresses: names,
        root: stage.site.root().to_owned(),
    }
}

impl Logs {
    fn listen_to(&mut self, path: Utf8PathBuf, marks: Vec<String>) {
        let is_known = |file: &File| file.log.path() == path;
        if self.files.iter().any(is_known) {
            return;
        }
        match LogFile::at_end(&path) {
            Ok(log) => self.files.push(File { log, marks }),
            Err(error) => {
                let why = Error::from(error).to_string();
                let (source, read_on) = (path.to_string(), read_on(&path));
                self.unread.push(Complaints::unread(source, read_on, why));
            }
        }
    }

    /// What each log complains of since, those without complaints left out. `mask` hides what must
    /// not be shown.
    pub fn complaints(self, mask: &dyn Fn(&str) -> String) -> Vec<Complaints> {
        let since = self.since;
        let of_units = self.units.iter().map(|unit| of_unit(unit, since, mask));
        let of_files = self.files.into_iter().map(|file| of_file(file, mask));
        let all = of_units.chain(of_files).chain(self.unread);
        all.filter(|it| it.count > 0 || it.unread.is_some())
            .collect()
    }
}

fn of_unit(unit: &Unit, since: OffsetDateTime, mask: &dyn Fn(&str) -> String) -> Complaints {
    let (source, read_on) = (unit.name().to_owned(), unit.journal_command(since));
    let found = |since, until| {
        let mut reader = Reader::default();
        for entry in unit.entries(since, until)? {
            reader.entry(&entry);
        }
        Ok::<_, Error>(reader.found)
    };
    match found(since, OffsetDateTime::now_utc()) {
        Err(error) => {
            let why = error.cause.unwrap_or(error.what);
            Complaints::unread(source, read_on, why)
        }
        Ok(after) if after.is_empty() => gathered(source, read_on, after, Vec::new(), mask),
        Ok(after) => {
            let before = found(since - BEFORE, since).unwrap_or_default();
            gathered(source, read_on, after, before, mask)
        }
    }
}

fn of_file(mut file: File, mask: &dyn Fn(&str) -> String) -> Complaints {
    let path = file.log.path().to_owned();
    let (source, read_on) = (path.to_string(), read_on(&path));
    let lines = match file.log.lines_since(MOST_BYTES) {
        Ok(lines) => lines.lines,
        Err(error) => return Complaints::unread(source, read_on, error.to_string()),
    };
    let is_ours = |line: &&String| {
        file.marks.is_empty() || file.marks.iter().any(|mark| line.contains(mark.as_str()))
    };
    let mut reader = Reader::default();
    for line in lines.iter().filter(is_ours) {
        match of_nginx::complaint(line) {
            Some(complaint) => reader.found.push(complaint),
            None if of_nginx::is_of_nginx(line) => {}
            None => reader.line(0, line),
        }
    }
    // Each lost request counts, whatever was lost before.
    gathered(source, read_on, reader.found, Vec::new(), mask)
}

fn read_on(path: &Utf8Path) -> String {
    format!("less +G {path}")
}

fn gathered(
    source: String,
    read_on: String,
    after: Vec<String>,
    before: Vec<String>,
    mask: &dyn Fn(&str) -> String,
) -> Complaints {
    let before: BTreeSet<String> = before.iter().map(|line| shape(line)).collect();
    let count = after.len();
    let new = after
        .into_iter()
        .filter(|line| !before.contains(&shape(line)));
    let new: Vec<String> = new.collect();
    let shown = |line: &String| {
        let line = mask(&printable(line));
        match line.char_indices().nth(LINE_LETTERS) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    };
    Complaints {
        source,
        count,
        known: count - new.len(),
        lines: new.iter().take(LINES).map(shown).collect(),
        read_on,
        unread: None,
    }
}

/// A line without what differs each time: numbers, times, addresses.
fn shape(line: &str) -> String {
    let has_digit = |word: &str| word.contains(|letter: char| letter.is_ascii_digit());
    let words = line.split_whitespace().filter(|word| !has_digit(word));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
