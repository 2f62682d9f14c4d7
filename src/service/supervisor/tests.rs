//! Programs with a scripted `supervisorctl`: it writes down how it is called, and says what a file
//! says. A real supervisor is in `tests/host`.

use std::process::Command;

use super::*;

const TEXT: &str = "; written by zdd for /srv\n[program:hc-20260101000000]\ncommand=true\n";

struct Fake {
    _guard: tempfile::TempDir,
    path: Utf8PathBuf,
    service: Service,
}

impl Fake {
    fn new(status: &str) -> Fake {
        let guard = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        let script = format!(
            "cd {path}; echo \"$*\" >> calls; case $1 in status) cat status;; stop) sh stop;; esac"
        );
        fs::write(path.join("ctl"), script).unwrap();
        fs::write(path.join("status"), status).unwrap();
        fs::write(path.join("stop"), "").unwrap();
        let service = Service {
            program: Some("hc".to_owned()),
            conf_dir: path.clone(),
            supervisorctl: format!("sh {path}/ctl"),
            ..Service::default()
        };
        Fake {
            _guard: guard,
            path,
            service,
        }
    }

    fn program(&self) -> Program {
        Program::of(&self.service, "20260101000000").unwrap()
    }

    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path.join("calls")).unwrap();
        let calls = calls.lines().filter(|call| *call != "status");
        calls.map(str::to_owned).collect()
    }
}

#[test]
fn only_the_one_program_is_told_of_anything() {
    let fake = Fake::new("hc-20260101000000 STOPPED Not started\nother RUNNING pid 1, uptime 1\n");
    let program = fake.program();
    program.write(TEXT).unwrap();
    assert!(program.is_written() && !program.is_of_another_site("/srv".into()));
    assert!(program.is_of_another_site("/srv/else".into()));
    program
        .start(Duration::from_secs(5), &Patience::fresh())
        .unwrap();
    assert_eq!(
        fake.calls(),
        [
            "reread",
            "update hc-20260101000000",
            "start hc-20260101000000:*"
        ]
    );
}

#[test]
fn a_program_that_supervisor_does_not_take_up_is_no_start() {
    let fake = Fake::new("");
    let program = fake.program();
    program.write(TEXT).unwrap();
    let started = program.start(Duration::from_secs(5), &Patience::fresh());
    let error = started.unwrap_err();
    assert!(error.what.contains("does not know"), "{error}");
    assert!(error.hint.is_some());
}

#[test]
fn the_programs_of_a_service_are_those_with_a_file_and_those_that_run() {
    let fake = Fake::new("hc-20260102000000 RUNNING pid 1, uptime 1\nhcx-1 STOPPED x\n");
    let program = fake.program();
    program.write(TEXT).unwrap();
    let releases = Program::releases(&fake.service).unwrap();
    assert_eq!(releases, ["20260101000000", "20260102000000"]);
    program.remove_file().unwrap();
    program.remove_file().unwrap();
    assert_eq!(Program::releases(&fake.service).unwrap().len(), 1);
}

#[test]
fn what_goes_on_after_its_program_was_stopped_is_told_to_end() {
    let mut leader = Command::new("sh")
        .args(["-c", "sleep 60 & wait"])
        .spawn()
        .unwrap();
    let pid = leader.id();
    while process::tree(pid).len() < 2 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let fake = Fake::new(&format!(
        "hc-20260101000000 RUNNING pid {pid}, uptime 0:00:01\n"
    ));
    fs::write(fake.path.join("stop"), format!("kill {pid}")).unwrap();
    let seconds = Duration::from_secs(10);
    let stopped = fake
        .program()
        .stop(seconds, seconds, &Patience::fresh())
        .unwrap();
    assert_eq!(stopped.told.len(), 1);
    assert!(stopped.left.is_empty());
    leader.wait().unwrap();
    // Its file is gone: supervisor is to forget it, once it has told how it ended.
    assert_eq!(
        fake.calls(),
        [
            "stop hc-20260101000000:*",
            "maintail -16000",
            "tail -16000 hc-20260101000000 stdout",
            "tail -16000 hc-20260101000000 stderr",
            "update hc-20260101000000"
        ]
    );
}
