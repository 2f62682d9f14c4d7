//! What must hold after a fault, and after the command that follows it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sandbox::site::{files_of, names_in};
use crate::sandbox::{Output, Site, processes, server};

/// How long a process may take to end by itself before it counts as left.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// The site before the command that is disturbed.
#[derive(Debug, Clone)]
pub struct Before {
    pub from: String,
    /// Where the command leads; none for a release, whose name is not known before.
    pub to: Option<String>,
    pub to_version: String,
}

/// Right after the fault, before anything recovers. Only a disk that stays broken, not one that is
/// full, may need a human.
///
/// # Errors
/// The first promise that is broken.
pub fn after_fault(
    site: &Site,
    before: &Before,
    output: &Output,
    is_broken: bool,
) -> Result<(), String> {
    let live = live_release(site)?;
    is_complete(site, &live)?;
    let is_old = live == before.from;
    let is_new = match &before.to {
        Some(to) => live == *to,
        None => site.version().as_ref() == Some(&before.to_version),
    };
    // The loader of the system says 127 when it cannot open a library: zdd was not there yet.
    let is_true = match (output.code, output.signal) {
        (-1, Some(9)) => is_old || is_new,
        (0, None) => is_new,
        (1 | 3 | 127 | 130, None) => is_old,
        (4, None) => is_broken && (is_old || is_new),
        _ => false,
    };
    if !is_true {
        return Err(format!("exit {} with `current` at {live}", output.code));
    }
    if let Ok(object) = serde_json::from_str::<Value>(&output.stdout)
        && let Some(serving) = object.get("serving")
        && serving.as_str() != Some(&live)
    {
        return Err(format!("it says that {serving} is served, not {live}"));
    }
    answers(site)?;
    for name in names_in(&site.root.join(".zdd/releases")) {
        if name.ends_with(".json") {
            let text = fs::read(site.root.join(".zdd/releases").join(&name)).unwrap();
            serde_json::from_slice::<Value>(&text).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    let list = site.zdd("--json list").run();
    match list.code {
        0 => Ok(()),
        _ => Err(format!("the list cannot be told:\n{list}")),
    }
}

/// After the next command: nothing is left of the one that was disturbed.
///
/// # Errors
/// The first promise that is broken.
pub fn after_recovery(site: &Site) -> Result<(), String> {
    let live = live_release(site)?;
    is_complete(site, &live)?;
    answers(site)?;
    nothing_is_left(site)?;
    let list = site.does("--json list --all").json();
    let states = list["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["id"], &row["state"]));
    let states: Vec<_> = states.collect();
    let live_ones: Vec<_> = states
        .iter()
        .filter(|(_, state)| *state == "live")
        .collect();
    if live_ones.len() != 1 || *live_ones[0].0 != live || list["current"] != live.as_str() {
        return Err(format!(
            "{live} should be the one live release of {states:?}"
        ));
    }
    if states
        .iter()
        .any(|(_, state)| *state == "building" || *state == "ready")
    {
        return Err(format!("something is still going on: {states:?}"));
    }
    for (id, state) in &states {
        let id = id.as_str().unwrap();
        if *state == "retired" || *state == "bad" {
            is_complete(site, id)?;
        }
    }
    Ok(())
}

/// No file of a command that ended is left, and no process but the live one's.
///
/// # Errors
/// What is left.
pub fn nothing_is_left(site: &Site) -> Result<(), String> {
    for directory in ["", ".zdd", ".zdd/releases", ".zdd/instances", "releases"] {
        let is_left = |name: &String| {
            [".zdd-tmp-", ".current.zdd-", ".trash-", "journal"]
                .iter()
                .any(|s| name.starts_with(s))
        };
        let names = names_in(&site.root.join(directory));
        if let Some(name) = names.iter().find(|name| is_left(name)) {
            return Err(format!("`{directory}/{name}` is left"));
        }
    }
    let live = site
        .root
        .join("releases")
        .join(site.current().unwrap_or_default());
    let wanted = usize::from(has_process(site));
    let is_right = |processes: &[(u32, PathBuf)]| {
        processes.len() == wanted && processes.iter().all(|(_, cwd)| *cwd == live)
    };
    // A hook that has just killed its zdd is in its last breath, and ends by itself.
    let deadline = Instant::now() + LAST_BREATH;
    loop {
        let processes = processes::inside(&site.root);
        if is_right(&processes) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let text = format!("processes: {processes:?}, {wanted} should be there");
            return Err(text);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The release that `current` names by a link that resolves.
fn live_release(site: &Site) -> Result<String, String> {
    let target = fs::read_link(site.root.join("current")).map_err(|error| error.to_string())?;
    if !site.root.join("current").is_dir() || !target.starts_with("releases") {
        return Err(format!("`current` names {}", target.display()));
    }
    Ok(site.current().unwrap())
}

/// Every file of the release is there and whole.
///
/// # Errors
/// The first file that is not.
pub fn is_complete(site: &Site, id: &str) -> Result<(), String> {
    let release = site.root.join("releases").join(id);
    let read = |path: &str| fs::read_to_string(release.join(path)).unwrap_or_default();
    let version = read("version");
    let version = version.trim();
    let mut files = files_of(version);
    files.push(("built".to_owned(), format!("{version}\n")));
    if settings(site).contains("mkdir static") {
        files.push((format!("static/{version}.txt"), format!("{version}\n")));
        // Its own; that of the release before, and of one taken back to that; and of two taken back.
        let assets = names_in(&release.join("static"));
        if assets.len() > 5 {
            return Err(format!("too many assets in {id}: {assets:?}"));
        }
    }
    for (path, text) in files {
        if read(&path) != text {
            return Err(format!("`{path}` of {id} ({version}) is not whole"));
        }
    }
    match fs::read_link(release.join("log")) {
        Ok(target) if target == Path::new("../../shared/log") => Ok(()),
        other => Err(format!("the shared link of {id}: {other:?}")),
    }
}

/// The live release's own process answers, and with its own version.
fn answers(site: &Site) -> Result<(), String> {
    if !has_process(site) {
        return Ok(());
    }
    let answer = server::ask(&site.root.join("current/run/app.sock"), "/");
    if answer == site.version().map(|version| (200, version)) {
        return Ok(());
    }
    let inside = processes::inside(&site.root);
    Err(format!(
        "the live release answers {answer:?}; processes: {inside:?}"
    ))
}

fn has_process(site: &Site) -> bool {
    settings(site).contains("start = ")
}

fn settings(site: &Site) -> String {
    fs::read_to_string(site.root.join("zdd.toml")).unwrap()
}
