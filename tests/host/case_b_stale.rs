//! Case b: units that do not follow `current` on a reload. Each must be found out, named and
//! taken back without a lost request, and the printed change must cure it.

use std::time::{Duration, Instant};

use crate::Case;
use crate::load::Load;
use crate::outcome::Outcome;
use crate::site::{EXEC_START, ROOT, Site};

pub const CASES: &[Case] = &[
    ("case_b::the_guides_unit_is_stale", guides),
    ("case_b::a_console_script_with_chdir_is_mixed", mixed),
    ("case_b::preload_is_stale_though_its_cwd_is_new", preload),
];

/// The settings of the command that must not end in 0.
const SWITCH_TIMEOUT: Duration = Duration::from_secs(6);

fn guides() {
    let site = Site::install();
    site.use_the_guides_unit();
    assert_found_out_and_cured(&site, "stale", "--chdir", true);
}

fn mixed() {
    let site = Site::install();
    site.write_exec_start(&format!(
        "{ROOT}/current/.venv/bin/gunicorn --chdir {ROOT}/current \
         --bind unix:/run/myapp/app.sock --workers 3 app:app"
    ));
    assert_found_out_and_cured(&site, "mixed", "-m gunicorn", true);
}

/// By its working directory alone it looks new; and a pure Python app maps nothing that tells.
fn preload() {
    let site = Site::install();
    site.write_exec_start(&EXEC_START.replace("--workers", "--preload --workers"));
    for version in ["v1", "v2"] {
        let build = site.read(&format!("{}/hooks/build", site.source(version)));
        let pure = format!("{build}\nfind .venv -name '*.so' -delete");
        site.write_hook(version, "build", &pure);
    }
    assert_found_out_and_cured(&site, "stale", "--preload", false);
}

/// `word` is what the advice is about; `betrays_itself` is whether a path in `/proc` lies in the
/// old release.
fn assert_found_out_and_cured(site: &Site, verdict: &str, word: &str, betrays_itself: bool) {
    let timeout = format!(
        "sudo = true\nswitch_timeout = \"{}s\"",
        SWITCH_TIMEOUT.as_secs()
    );
    site.configure("sudo = true", &timeout);
    site.release("v1").assert_exit(0);
    let old = site.current();
    site.outcome(["check"])
        .assert_says("gunicorn.service")
        .assert_says(word);

    let load = Load::start(site);
    let outcome = site.release("v2");
    let ended = Instant::now();
    load.go_on(Duration::from_secs(1));
    let figures = load.stop();

    outcome
        .assert_exit(3)
        .assert_field("/outcome", "rolled_back")
        .assert_field("/serving", old.as_str())
        .assert_field("/error/step", "switch")
        .assert_says(word)
        .assert_says("ExecStart=");
    let message = outcome.text("/error/message");
    assert!(
        message.contains(verdict),
        "it is not called {verdict}:\n{outcome}"
    );
    assert_eq!(
        culprit(&outcome).contains(&old),
        betrays_itself,
        "{outcome}"
    );
    let switch = outcome.step_took("switch");
    assert!(
        switch < SWITCH_TIMEOUT + Duration::from_secs(4),
        "the switch took {switch:?}:\n{outcome}"
    );
    figures.assert_none_failed();
    figures.assert_only("v1", ended..);
    assert_eq!(site.current(), old);
    site.assert_tidy();

    apply_printed_change(site, &outcome);
    let cured = site.release("v2");
    cured
        .assert_exit(0)
        .assert_field("/running/0/verdict", "proved");
    assert_eq!(site.version(), "v2");
}

/// Where in `/proc` the message lets one see the process that is to blame.
#[track_caller]
fn culprit(outcome: &Outcome) -> String {
    let cause = outcome.text("/error/cause");
    let place = cause.split("`/proc/").nth(1).unwrap_or_default();
    let pid = place.split('/').next().unwrap_or_default();
    assert!(
        pid.parse::<u32>().is_ok(),
        "no process is named:\n{outcome}"
    );
    let end = place.find(';').unwrap_or(place.len());
    place[..end].to_owned()
}

/// Does what the message says, to the letter: the drop-in file, then the commands.
#[track_caller]
fn apply_printed_change(site: &Site, outcome: &Outcome) {
    let words = outcome.words();
    let lines: Vec<&str> = words.lines().map(str::trim).collect();
    let file = words
        .split(|c: char| c.is_whitespace() || "`'\"".contains(c))
        .find(|word| word.starts_with("/etc/systemd/system/gunicorn.service.d/"))
        .map(|word| word.trim_end_matches([':', ',', ';']));
    let section = lines.iter().position(|line| *line == "[Service]");
    let (Some(file), Some(section)) = (file, section) else {
        panic!("no drop-in is printed:\n{outcome}");
    };
    let is_setting = |line: &&&str| line.contains('=') && !line.contains("systemctl");
    let settings: Vec<&str> = lines[section + 1..]
        .iter()
        .take_while(is_setting)
        .copied()
        .collect();
    assert_eq!(settings.first(), Some(&"ExecStart="), "{outcome}");
    site.write(file, &format!("[Service]\n{}\n", settings.join("\n")));
    let commands: Vec<&str> = lines[section..]
        .iter()
        .copied()
        .filter(|line| line.starts_with("systemctl") || line.starts_with("sudo systemctl"))
        .collect();
    assert!(!commands.is_empty(), "no commands are printed:\n{outcome}");
    site.sh(&commands.join("\n"));
}
