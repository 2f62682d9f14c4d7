//! Sites of the original zddeploy, by their own `deploy.conf`: a real nginx, small servers, and
//! steady requests that must not fail, whatever goes wrong.

mod converted;
mod killed;
mod several;
mod unready;

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::sandbox::Program;
use crate::sandbox::in_place::Place;

/// A site whose first release serves `v1`.
fn released() -> Option<Place> {
    let place = Place::new()?;
    place.release().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v1"));
    Some(place)
}

/// Runs a release that fails, under load: the old instance serves on, and every file is as it was.
fn fails(place: &Place, code: i32) -> crate::sandbox::Output {
    let (files, servers) = (place.files(), place.servers());
    let load = place.load();
    let output = place.release().exits(code);
    load.lost_none();
    assert_eq!(place.files(), files, "{output}");
    assert_eq!(place.servers(), servers, "{output}");
    assert_eq!(place.serves().as_deref(), Some("v1"));
    place.zdd("status").run().exits(0);
    output
}

#[test]
fn a_site_of_zddeploy_is_released_unchanged_and_loses_no_request() {
    let Some(place) = released() else { return };
    let first = place.pid("web.pid");
    assert_eq!(place.pid("web.current.pid"), first);
    assert_eq!(place.read("web.previous.pid"), None);
    let port = place.read(&format!("{first}.port")).unwrap();
    let settings = place.read("nginx.conf").unwrap();
    assert!(settings.contains(&format!("server 127.0.0.1:{port};")));

    place.code("v2", "good");
    let load = place.load();
    place
        .zdd("release -v")
        .run()
        .exits(0)
        .says("running `python3 server.py` in ")
        .says(&format!("running `kill -TERM {first}`"));
    load.lost_none();
    assert_eq!(place.serves().as_deref(), Some("v2"));
    let second = place.pid("web.pid");
    assert_ne!(second, first);
    assert_eq!(place.pid("web.current.pid"), second);
    assert_eq!(place.read("web.previous.pid"), Some(first.to_string()));
    assert_eq!(place.servers(), [second], "the old one has ended");
    let status = place.zdd("status --json").run().exits(0).json();
    assert_eq!(status["instances"][0]["pid"], second);
    assert_eq!(status["instances"][0]["state"], "live");
    let list = place.zdd("list --json").run().exits(0).json();
    assert_eq!(list["instances"], status["instances"]);
    assert_eq!(list["releases"], Value::Array(Vec::new()));
}

#[test]
fn called_by_the_old_name_it_does_what_the_old_one_did() {
    let Some(place) = Place::new() else { return };
    let name = place.root.join("zddeploy");
    symlink(env!("CARGO_BIN_EXE_zdd"), &name).unwrap();
    let program = || Program::new(&name).dir(&place.root);
    program().words("now -v").run().exits(0).says("running");
    place.code("v2", "good");
    program().words("--conf deploy.conf").run().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v2"));
    place.code("v3", "good");
    program()
        .words("--color never --wait 1m -vc deploy.conf now")
        .run()
        .exits(0);
    assert_eq!(place.serves().as_deref(), Some("v3"));
    program()
        .words("-c no.conf")
        .run()
        .exits(2)
        .says("there is no `no.conf`");
}

#[test]
fn a_file_in_the_spelling_of_its_first_months_is_released_too() {
    let Some(place) = Place::new() else { return };
    place.edit(
        "nginx.conf.template",
        "{nginx_pid_filename}",
        "{conf_dir}/nginx.pid",
    );
    place.script("start.sh", "exec python3 server.py");
    place.script("stop.sh", "kill -TERM $1");
    place.file(
        "deploy.conf",
        "[global]\nnginx_template: ./nginx.conf.template\n\n\
         [nginx]\npid_file: ./nginx.pid\nlog_file: ./nginx.log\n\n\
         [service:web]\npid_file: ./web.pid\nstart_script: ./start.sh\nstop_script: ./stop.sh",
    );
    place
        .release()
        .exits(0)
        .says("`start_script` in `[service:web]` is obsolete");
    let load = place.load();
    place.code("v2", "good");
    place.release().exits(0);
    load.lost_none();
    assert_eq!(place.serves().as_deref(), Some("v2"));
    assert_eq!(place.servers(), [place.pid("web.pid")]);
}

#[test]
fn a_bad_template_starts_nothing() {
    let Some(place) = released() else { return };
    place.code("v2", "good");
    place.template(place.port, "nonsense;\n");
    fails(&place, 1).says("unknown directive \"nonsense\"");
    assert_eq!(place.read("started").as_deref(), Some("v1"));
    place.file("deploy.conf", "[service:web]\npid_file = web.pid\n");
    place
        .release()
        .exits(2)
        .says("there is no section `[nginx]`")
        .says("`start` is missing in `[service:web]`");
}

#[test]
fn a_reload_that_nginx_does_not_apply_is_noticed_and_taken_back() {
    let Some(place) = released() else { return };
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    place.code("v2", "good");
    place.template(port, "");
    fails(&place, 3)
        .says("it goes on with the workers it had")
        .says("Address already in use")
        .says("as before the command");
    place.template(place.port, "");
    place.release().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v2"));
}

#[test]
fn a_pid_that_belongs_to_somebody_else_by_now_is_left_alone() {
    let Some(place) = released() else { return };
    let old = place.pid("web.pid");
    kill(Pid::from_raw(old.cast_signed()), Signal::SIGTERM).unwrap();
    let mut stranger = std::process::Command::new("sleep")
        .arg("100")
        .spawn()
        .unwrap();
    let pid = stranger.id().to_string();
    place.file("web.pid", &pid);
    place.file("web.current.pid", &pid);
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    for name in ["web.pid", "web.current.pid"] {
        let path = place.root.join(name);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(hour_ago).unwrap();
    }
    place.code("v2", "good");
    place
        .release()
        .exits(0)
        .says("which is another process by now");
    assert_eq!(place.serves().as_deref(), Some("v2"));
    assert!(stranger.try_wait().unwrap().is_none(), "it still runs");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn an_nginx_that_does_not_run_is_started_and_ended_again_on_the_way_back() {
    let Some(place) = released() else { return };
    place.end_nginx();
    place.code("v2", "good");
    place.release().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v2"));

    place.end_nginx();
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, place.port)).unwrap();
    let settings = place.read("nginx.conf");
    let servers = place.servers();
    place.code("v3", "good");
    place
        .release()
        .exits(3)
        .says("nginx did not start")
        .says("Address already in use");
    assert_eq!(place.read("nginx.conf"), settings);
    assert_eq!(place.servers(), servers);
}

#[test]
fn what_an_old_instance_has_begun_to_answer_it_answers() {
    let Some(place) = Place::new() else { return };
    place.code("v1", "abrupt");
    place.release().exits(0);
    let old = place.pid("web.pid");
    let request = place.request_of(4);
    place.code("v2", "good");
    place.release().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v2"));
    assert!(!place.servers().contains(&old), "it was stopped after that");
    assert_eq!(request.join().unwrap().as_deref(), Some("v1"));
}

#[test]
fn an_old_instance_that_stop_does_not_end_is_named_and_not_killed() {
    let Some(place) = released() else { return };
    let old = place.pid("web.pid");
    place.edit("deploy.conf", "kill -TERM", "kill -WINCH");
    place.code("v2", "good");
    let load = place.load();
    let said = place.release().exits(0);
    said.says(&format!(
        "warning: the old web (pid {old}) still runs: `kill -WINCH {old}` did not end it; \
         `kill -TERM {old}` may"
    ));
    load.lost_none();
    assert_eq!(place.serves().as_deref(), Some("v2"));
    assert_eq!(place.servers().len(), 2);
    let status = place.zdd("status --json").run().exits(1).json();
    assert_eq!(status["instances"][1]["state"], "previous");
    assert_eq!(status["instances"][1]["pid"], old);

    // One that takes its time is waited for.
    place.script("stop.sh", "(sleep 2; kill -TERM $1) > out 2>&1 &");
    place.edit("deploy.conf", "kill -WINCH", "./stop.sh");
    let slow = place.pid("web.pid");
    place.code("v3", "good");
    let said = place.release().exits(0);
    said.says(&format!("Stopped the old web (pid {slow})"));
    assert_eq!(place.servers().len(), 2);
    assert!(!place.servers().contains(&slow));
}

#[test]
fn an_old_instance_that_ended_meanwhile_needs_a_human() {
    let Some(place) = released() else { return };
    let old = place.pid("web.pid");
    place.code("v2", "late");
    let mut run = place.zdd("release").spawn();
    run.wait_until("the server is started", |_| place.servers().len() == 2);
    kill(Pid::from_raw(old.cast_signed()), Signal::SIGKILL).unwrap();
    run.wait()
        .exits(4)
        .says("too late")
        .says("the old web does not run any more")
        .says("a human must look");
    assert_eq!(place.serves(), None);
    place.zdd("status").run().exits(1);
    place.code("v3", "good");
    place.release().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v3"));
}

#[test]
fn of_two_runs_at_once_one_is_refused() {
    let Some(place) = released() else { return };
    place.code("v2", "slow");
    let mut first = place.zdd("release").spawn();
    first.wait_until("the server is started", |_| place.servers().len() == 2);
    place.release().exits(5).says("is at work on this site");
    place.zdd("release --wait 1m").run().exits(0);
    first.wait().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v2"));
    assert_eq!(place.servers().len(), 1);
}

#[test]
fn an_interrupt_puts_everything_back() {
    let Some(place) = released() else { return };
    let (files, servers) = (place.files(), place.servers());
    place.code("v2", "slow");
    let load = place.load();
    let mut run = place.zdd("release").spawn();
    run.wait_until("the server is started", |_| place.servers().len() == 2);
    run.signal(Signal::SIGINT);
    run.wait().exits(130);
    load.lost_none();
    assert_eq!(place.files(), files);
    assert_eq!(place.servers(), servers);
}

/// It is not there yet when all that was started is told to end.
#[test]
fn what_an_interrupted_script_begins_last_is_ended_too() {
    let Some(place) = released() else { return };
    let servers = place.servers();
    let text = "trap \"sh -c 'sleep 300; :' server.py & exit\" TERM\n\
                touch begun\nwhile :; do sleep 0.05; done";
    place.script("dying.sh", text);
    place.edit(
        "deploy.conf",
        "start: python3 server.py",
        "start: ./dying.sh",
    );
    let mut run = place.zdd("release").spawn();
    run.wait_until("the script runs", |_| place.read("begun").is_some());
    run.signal(Signal::SIGINT);
    run.wait().exits(130);
    assert_eq!(place.servers(), servers);
    assert_eq!(place.serves().as_deref(), Some("v1"));
}

#[test]
fn a_port_that_is_written_nowhere_is_found() {
    let Some(place) = Place::new() else { return };
    place.code("v1", "portless");
    place.release().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v1"));
    let pid = place.pid("web.pid");
    assert!(place.read(&format!("{pid}.port")).is_some());
}

#[test]
fn a_port_that_an_earlier_process_with_its_pid_wrote_is_not_believed() {
    let Some(place) = released() else { return };
    place.code("v2", "stale");
    place.file("stale", &place.port.to_string());
    let load = place.load();
    place.release().exits(0);
    load.lost_none();
    assert_eq!(place.serves().as_deref(), Some("v2"));
}

#[test]
fn what_needs_releases_says_why_it_cannot_be() {
    let Some(place) = Place::new() else { return };
    let release = "20261122014228";
    let (pin, unpin) = (format!("pin {release}"), format!("unpin {release}"));
    for words in ["rollback", "prune", "show", "check", "logs", &pin, &unpin] {
        let verb = words.split(' ').next().unwrap();
        place
            .zdd(words)
            .run()
            .exits(1)
            .says(&format!("`zdd {verb}` needs releases"))
            .says("deploy.conf` has none")
            .says("its code lies where it runs")
            .says("docs/migrating.md");
    }
    place.zdd("release .").run().exits(2);
    place
        .zdd("release -c deploy.conf .")
        .run()
        .exits(2)
        .says("SOURCE means nothing with a `deploy.conf`");
    place.zdd("release --dry-run").run().exits(0);
    assert!(!place.root.join(".zdd").exists());
    place.zdd("status").run().exits(1);
}
