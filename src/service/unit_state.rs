//! What systemd knows of a unit, from one `systemctl show`.

use std::collections::HashMap;
use std::time::Duration;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::span;

/// The properties asked for.
pub(super) const PROPERTIES: [&str; 33] = [
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "InvocationID",
    "NRestarts",
    "ControlGroup",
    "CanReload",
    "NeedDaemonReload",
    "FragmentPath",
    "DropInPaths",
    "ExecStart",
    "ExecReload",
    "WorkingDirectory",
    "Environment",
    "EnvironmentFiles",
    "User",
    "Group",
    "Restart",
    "Type",
    "TimeoutStopUSec",
    "TriggeredBy",
    "ExecMainStatus",
    "UnitFileState",
    "KillMode",
    "KillSignal",
    "PrivateTmp",
    "RuntimeDirectory",
    "RuntimeDirectoryMode",
    "RuntimeDirectoryPreserve",
    "ExecStartPre",
    "UMask",
];

/// The state and the settings of one unit at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitState {
    /// `loaded`, `not-found`, `masked`, `bad-setting`…
    pub load_state: String,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`.
    pub active_state: String,
    /// Finer than the above: `running`, `auto-restart`, `dead`…
    pub sub_state: String,
    /// Why it stopped last: `success`, `exit-code`, `signal`, `timeout`…
    pub result: String,
    /// The exit code of its last main process.
    pub exit_status: Option<i32>,
    /// The main process, when there is one.
    pub main_pid: Option<u32>,
    /// New with every start.
    pub invocation_id: String,
    /// How often systemd restarted it by itself.
    pub restarts: u32,
    /// Its control group, for instance `/system.slice/app.service`.
    pub control_group: String,
    /// Whether it can be reloaded.
    pub can_reload: bool,
    /// Whether its files changed since systemd read them.
    pub needs_daemon_reload: bool,
    /// Its unit file.
    pub fragment_path: Option<Utf8PathBuf>,
    /// The files that add to it.
    pub drop_in_paths: Vec<Utf8PathBuf>,
    /// The program it starts.
    pub program: Option<Utf8PathBuf>,
    /// The words it starts that program with, the first included. systemd joins them with blanks;
    /// a word that holds one is whole where the unit's files tell so.
    pub argv: Vec<String>,
    /// Whether the unit says how to reload.
    pub has_exec_reload: bool,
    /// The directory it starts in, as written in the unit.
    pub working_directory: Option<Utf8PathBuf>,
    /// Its `Environment=` entries, `KEY=value`.
    pub environment: Vec<String>,
    /// Its `EnvironmentFile=` entries.
    pub environment_files: Vec<Utf8PathBuf>,
    /// The user it runs as; `None` is root, or the user of a user's systemd.
    pub user: Option<String>,
    /// The group it runs as.
    pub group: Option<String>,
    /// `no`, `always`, `on-failure`…
    pub restart: String,
    /// `simple`, `exec`, `notify`, `forking`…
    pub service_type: String,
    /// How long a stop may take, as systemd writes it, for instance `1min 30s`.
    pub stop_timeout: String,
    /// The `.socket` unit that hands it its listening socket, when there is one.
    pub socket_unit: Option<String>,
    /// Whether it starts at boot: `enabled`, `disabled`, `static`…
    #[serde(default)]
    pub unit_file_state: String,
    /// Which of its processes a stop ends: `control-group`, `mixed`, `process`, `none`.
    #[serde(default)]
    pub kill_mode: String,
    /// The number of the signal that asks it to end.
    #[serde(default)]
    pub kill_signal: Option<i32>,
    /// Whether it has a `/tmp` of its own.
    #[serde(default)]
    pub has_private_tmp: bool,
    /// The directories below `/run` that systemd makes for it.
    #[serde(default)]
    pub runtime_directories: Vec<Utf8PathBuf>,
    /// Their mode, as four octal digits.
    #[serde(default)]
    pub runtime_directory_mode: String,
    /// Whether they outlive a stop.
    #[serde(default)]
    pub keeps_runtime_directories: bool,
    /// The command lines that run before it is started.
    #[serde(default)]
    pub start_before: Vec<String>,
    /// The mode bits its new files do not get, as four octal digits.
    #[serde(default)]
    pub umask: String,
}

impl UnitState {
    /// Whether systemd has a unit of that name.
    pub fn is_found(&self) -> bool {
        self.load_state != "not-found"
    }

    /// Whether it runs now. One that waits to be restarted by systemd does not.
    pub fn is_active(&self) -> bool {
        matches!(
            self.active_state.as_str(),
            "active" | "reloading" | "refreshing"
        )
    }

    /// Whether nothing of it runs, and systemd will not start it by itself.
    pub fn is_stopped(&self) -> bool {
        matches!(self.active_state.as_str(), "inactive" | "failed")
    }

    /// Whether it starts at boot.
    pub fn is_enabled(&self) -> bool {
        matches!(self.unit_file_state.as_str(), "enabled" | "enabled-runtime")
    }

    /// Whether nothing says at which point of a boot it would start, so that it cannot be enabled.
    pub fn cannot_be_enabled(&self) -> bool {
        self.unit_file_state == "static"
    }

    /// The most a stop may take; none where that is not understood.
    pub fn stop_limit(&self) -> Option<Duration> {
        span::parse(&self.stop_timeout)
    }

    /// Whether it is still the same run of the unit as at the other moment.
    pub fn is_same_run(&self, other: &UnitState) -> bool {
        self.invocation_id == other.invocation_id
            && self.restarts == other.restarts
            && self.main_pid == other.main_pid
    }

    /// Reads what `systemctl show` printed.
    pub(super) fn parse(text: &str) -> Self {
        let mut values: HashMap<&str, Vec<&str>> = HashMap::new();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            values.entry(key).or_default().push(value);
        }
        let all = |key: &str| values.get(key).cloned().unwrap_or_default();
        let text = |key: &str| all(key).last().copied().unwrap_or_default().to_owned();
        let some = |key: &str| Some(text(key)).filter(|value| !value.is_empty());
        let is_yes = |key: &str| text(key) == "yes";
        let command = all("ExecStart").last().copied().unwrap_or_default();
        UnitState {
            load_state: text("LoadState"),
            active_state: text("ActiveState"),
            sub_state: text("SubState"),
            result: text("Result"),
            exit_status: text("ExecMainStatus").parse().ok(),
            main_pid: text("MainPID").parse().ok().filter(|pid| *pid != 0),
            invocation_id: text("InvocationID"),
            restarts: text("NRestarts").parse().unwrap_or(0),
            control_group: text("ControlGroup"),
            can_reload: is_yes("CanReload"),
            needs_daemon_reload: is_yes("NeedDaemonReload"),
            fragment_path: some("FragmentPath").map(Utf8PathBuf::from),
            drop_in_paths: text("DropInPaths")
                .split_whitespace()
                .map(Utf8PathBuf::from)
                .collect(),
            program: part(command, "path=").map(Utf8PathBuf::from),
            argv: part(command, "argv[]=")
                .map(|words| words.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
            has_exec_reload: !text("ExecReload").is_empty(),
            working_directory: some("WorkingDirectory")
                .map(|path| Utf8PathBuf::from(path.trim_start_matches(['!', '-']))),
            environment: split_words(&text("Environment")),
            environment_files: all("EnvironmentFiles")
                .into_iter()
                .map(without_flags)
                .collect(),
            user: some("User"),
            group: some("Group"),
            restart: text("Restart"),
            service_type: text("Type"),
            stop_timeout: text("TimeoutStopUSec"),
            socket_unit: text("TriggeredBy")
                .split_whitespace()
                .find(|unit| unit.ends_with(".socket"))
                .map(str::to_owned),
            unit_file_state: text("UnitFileState"),
            kill_mode: text("KillMode"),
            kill_signal: text("KillSignal").parse().ok(),
            // "disconnected" since systemd 257.
            has_private_tmp: !matches!(text("PrivateTmp").as_str(), "" | "no"),
            runtime_directories: text("RuntimeDirectory")
                .split_whitespace()
                .map(Utf8PathBuf::from)
                .collect(),
            runtime_directory_mode: text("RuntimeDirectoryMode"),
            keeps_runtime_directories: text("RuntimeDirectoryPreserve") == "yes",
            start_before: all("ExecStartPre")
                .into_iter()
                .filter_map(|command| part(command, "argv[]=").map(str::to_owned))
                .collect(),
            umask: text("UMask"),
        }
    }

    /// The same with the words of `ExecStart` as its files quote them: `files` are the texts of
    /// the unit file and its drop-ins, in the order systemd reads them.
    pub(super) fn with_exact_words(mut self, files: &[String]) -> Self {
        let text = files.join("\n").replace("\\\n", " ");
        let lines = text.lines().map(str::trim);
        let mut starts = lines.filter_map(|line| line.strip_prefix("ExecStart="));
        let last = starts.rfind(|line| !line.is_empty());
        let line = last
            .unwrap_or_default()
            .trim_start_matches(['-', '+', '!', ':']);
        let unescaped = |word: String| word.replace("%%", "%");
        let words: Vec<String> = split_words(line).into_iter().map(unescaped).collect();
        if words.join(" ") == self.argv.join(" ") {
            self.argv = words;
        }
        self
    }
}

/// One part of `{ path=/bin/x ; argv[]=/bin/x a ; ignore_errors=no ; … }`. An argument may itself
/// hold ` ; `, so the words end where the next known part begins.
fn part<'a>(command: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = command.split_once(name)?;
    let end = match name {
        "argv[]=" => rest
            .rfind(" ; ignore_errors=")
            .or_else(|| rest.rfind(" ; flags=")),
        _ => rest.find(" ; "),
    };
    Some(&rest[..end.unwrap_or(rest.len())])
}

/// `/etc/default/app (ignore_errors=yes)` without what is in parentheses.
fn without_flags(entry: &str) -> Utf8PathBuf {
    let path = entry.rsplit_once(" (").map_or(entry, |(path, _)| path);
    path.into()
}

/// Splits as systemd does: at blanks, with single and double quotes and backslash escapes of the
/// next character.
fn split_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', _) => word.get_or_insert_default().extend(characters.next()),
            (_, Some(open)) if character == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (' ' | '\t', None) => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "\
Type=notify
Restart=always
TimeoutStopUSec=1min 30s
Environment=A=1 \"B=two words\"
EnvironmentFiles=/srv/app/shared/.env (ignore_errors=no)
EnvironmentFiles=/etc/default/app (ignore_errors=yes)
WorkingDirectory=!/srv/app/current
User=deploy
Group=
ExecStart={ path=/srv/app/current/.venv/bin/gunicorn ; argv[]=/srv/app/current/.venv/bin/gunicorn --name my app --log %h \"x\" app:app ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
ExecReload={ path=/bin/kill ; argv[]=/bin/kill -HUP $MAINPID ; ignore_errors=no ; pid=0 ; code=(null) ; status=0/0 }
MainPID=4123
NRestarts=2
InvocationID=0d5c
ControlGroup=/system.slice/app.service
LoadState=loaded
ActiveState=active
SubState=running
Result=success
CanReload=yes
NeedDaemonReload=no
FragmentPath=/etc/systemd/system/app.service
DropInPaths=/etc/systemd/system/app.service.d/a.conf /etc/systemd/system/app.service.d/b.conf
TriggeredBy=app.timer app.socket
";

    #[test]
    fn what_systemd_shows_is_read() {
        let state = UnitState::parse(SHOWN);
        assert!(state.is_found() && state.is_active() && state.can_reload);
        assert!(state.has_exec_reload && !state.needs_daemon_reload);
        assert_eq!((state.main_pid, state.restarts), (Some(4123), 2));
        assert_eq!(
            state.program.unwrap(),
            "/srv/app/current/.venv/bin/gunicorn"
        );
        assert_eq!(state.working_directory.unwrap(), "/srv/app/current");
        assert_eq!(state.environment, ["A=1", "B=two words"]);
        assert_eq!(
            state.environment_files,
            ["/srv/app/shared/.env", "/etc/default/app"]
        );
        assert_eq!(state.drop_in_paths.len(), 2);
        assert_eq!(state.socket_unit.as_deref(), Some("app.socket"));
        assert_eq!((state.user.as_deref(), state.group), (Some("deploy"), None));
    }

    #[test]
    fn every_line_that_runs_before_the_start_is_read() {
        let line = |words: &str, ignored: &str| {
            format!(
                "ExecStartPre={{ path=x ; argv[]={words} ; ignore_errors={ignored} ; pid=0 }}\n"
            )
        };
        let shown = line("/bin/rm -f a", "yes") + &line("/bin/true", "no");
        let state = UnitState::parse(&shown);
        assert_eq!(state.start_before, ["/bin/rm -f a", "/bin/true"]);
    }

    #[test]
    fn a_unit_that_is_not_there_is_not_found_and_runs_nothing() {
        let state = UnitState::parse("LoadState=not-found\nActiveState=inactive\nMainPID=0\n");
        assert!(!state.is_found() && !state.is_active());
        assert_eq!(state.main_pid, None);
    }

    #[test]
    fn words_with_blanks_are_whole_when_the_files_tell_them() {
        let state = UnitState::parse(SHOWN);
        assert_eq!(state.argv.len(), 8);
        let unit = "[Service]\nExecStart=/usr/bin/old\n".to_owned();
        let drop_in = "[Service]\nExecStart=\nExecStart=/srv/app/current/.venv/bin/gunicorn \\\n  \
                       --name \"my app\" --log '%%h \"x\"' app:app\n";
        let state = state.with_exact_words(&[unit, drop_in.to_owned()]);
        let program = "/srv/app/current/.venv/bin/gunicorn";
        assert_eq!(
            state.argv,
            [program, "--name", "my app", "--log", "%h \"x\"", "app:app"]
        );
    }

    #[test]
    fn files_that_differ_from_what_systemd_runs_are_not_believed() {
        let state = UnitState::parse(SHOWN);
        let argv = state.argv.clone();
        let state = state.with_exact_words(&["ExecStart=/usr/bin/other 'x y'\n".to_owned()]);
        assert_eq!(state.argv, argv);
    }
}
