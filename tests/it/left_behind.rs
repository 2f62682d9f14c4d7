//! What a process of zdd's own leaves behind when it ends alone: `npm` or a shell that runs out of
//! memory, whose children go on serving.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{answer, serves, settings};
use crate::sandbox::{Site, processes};

/// A shell that starts the server and waits for it.
fn behind_a_shell() -> String {
    let line = "--exact serves_a_release --nocapture";
    let program = std::env::current_exe().unwrap();
    let own = format!("\"{} {line}\"", program.display());
    let wrapped = format!("'sh -c \"{} {line} & wait\"'", program.display());
    let settings = settings();
    assert!(settings.contains(&own), "{settings}");
    settings.replace(&own, &wrapped)
}

/// Kills what zdd started for a release; its children live.
fn bereave(site: &Site, release: &str) {
    let file = site.root.join(format!(".zdd/instances/{release}-0.pid"));
    let text = std::fs::read_to_string(file).unwrap();
    let shell: i32 = text.split(' ').next().unwrap().parse().unwrap();
    let before = processes::inside(&site.root).len();
    kill(Pid::from_raw(shell), Signal::SIGKILL).unwrap();
    while processes::inside(&site.root).len() == before {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// The processes of releases that are not live.
fn left(site: &Site) -> Vec<u32> {
    let live = site.root.join("releases").join(site.current().unwrap());
    let all = processes::inside(&site.root).into_iter();
    all.filter(|(_, place)| *place != live)
        .map(|(pid, _)| pid)
        .collect()
}

#[test]
fn what_goes_on_without_its_main_process_is_said_and_the_next_release_ends_it() {
    let site = Site::new(&behind_a_shell());
    let first = site.release("v1");
    assert_eq!(processes::inside(&site.root).len(), 2);
    bereave(&site, &first);
    serves(&site, "v1");
    let (pid, _) = processes::inside(&site.root)[0];
    let problem = format!("what it left behind goes on (pid {pid})");
    let status = site.zdd("--json status").run().exits(1).says(&problem);
    assert_eq!(status.json()["running"][0]["release"], first, "{status}");

    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut all = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                all.push(answer(&site, "/").map(|(status, _)| status));
            }
            all
        });
        site.release("v2");
        is_over.store(true, Ordering::Relaxed);
        let answers = load.join().unwrap();
        assert!(answers.len() > 10);
        let lost = answers.iter().filter(|it| **it != Some(200)).count();
        assert_eq!(lost, 0, "of {}", answers.len());
    });
    serves(&site, "v2");
    assert_eq!(left(&site), [0; 0]);
    site.does("status");
}

#[test]
fn what_a_failed_start_left_behind_is_ended() {
    let site = Site::new(&settings());
    site.release("v1");
    site.settings("[[service]]\nstart = 'sh -c \"sleep 60 & exit 3\"'\n");
    site.releasing("v2")
        .run()
        .exits(1)
        .says("its process ended");
    assert_eq!(left(&site), [0; 0]);
    serves(&site, "v1");
}

/// The number of a session is given away once nobody is in it.
#[test]
fn strangers_in_a_session_of_that_number_are_left_alone() {
    let site = Site::new(&behind_a_shell());
    let first = site.release("v1");
    processes::end_inside(&site.root);
    let stranger = stranger();
    let file = site.root.join(format!(".zdd/instances/{first}-0.pid"));
    std::fs::write(file, format!("{} 7\n", stranger.session)).unwrap();
    let status = site.zdd("status").run().exits(1);
    status.says("does not run");
    site.release("v2");
    // What nobody reaps has no words any more.
    let words = std::fs::read(format!("/proc/{}/cmdline", stranger.pid));
    let _ = kill(Pid::from_raw(stranger.pid), Signal::SIGKILL);
    assert!(words.is_ok_and(|words| !words.is_empty()), "it was ended");
}

struct Stranger {
    session: i32,
    pid: i32,
}

/// A process whose session has lost its first one.
fn stranger() -> Stranger {
    let output = Command::new("setsid")
        .args(["sh", "-c", "sleep 100 >/dev/null 2>&1 & echo $$ $!"])
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (session, pid) = text.trim().split_once(' ').unwrap();
    Stranger {
        session: session.parse().unwrap(),
        pid: pid.parse().unwrap(),
    }
}
