//! `[proxy]`: an nginx whose settings are rendered for each release, under steady requests that
//! must not fail, whatever goes wrong.

pub mod place;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use nix::sys::signal::{Signal, kill};

use crate::sandbox::load::{self, Load};
use place::{Place, SETTINGS};

/// A hook that ends when it is told to, as it is told to.
const WAIT: &str =
    "touch ../../reached; until test -e ../../go; do sleep 0.05; done; exit $(cat ../../go)";

/// Runs something that fails, under load: everything is as it was.
fn fails(place: &Place, code: i32, run: impl FnOnce() -> crate::sandbox::Output) -> String {
    let before = place.state();
    let load = place.load();
    let output = run().exits(code);
    load.lost_none();
    assert_eq!(place.state(), before, "{output}");
    assert_eq!(place.serves().as_deref(), Some("v1"));
    output.to_string()
}

#[test]
fn users_are_led_from_release_to_release_and_back_and_no_request_is_lost() {
    let Some(place) = Place::released(SETTINGS) else {
        return;
    };
    assert!(!place.conf().contains("backup"), "there was none before");
    let load = place.load();
    place.release("v2", "good").exits(0).says("Switched");
    assert_eq!(place.serves().as_deref(), Some("v2"));
    assert!(place.conf().contains("backup"), "{}", place.conf());
    fails_at_start(&place);
    place.site.does("rollback");
    load.lost_none();
    assert_eq!(place.serves().as_deref(), Some("v1"));
    assert_eq!(place.servers().len(), 1, "the others have ended");
}

fn fails_at_start(place: &Place) {
    let before = place.state();
    place.release("v3", "ill").exits(1).says("503");
    assert_eq!(place.state(), before);
}

#[test]
fn settings_that_nginx_refuses_never_meet_users() {
    let Some(place) = Place::released(SETTINGS) else {
        return;
    };
    place.template(place.port, "nonsense;\n");
    let said = fails(&place, 1, || place.release("v2", "good"));
    assert!(said.contains("unknown directive"), "{said}");
    assert!(said.contains("nonsense"), "{said}");

    place.template(place.port, "# {{ wbe }}\n");
    let said = fails(&place, 1, || place.release("v3", "good"));
    assert!(said.contains("there is no `wbe`"), "{said}");
    assert!(said.contains("nginx.conf.template:18`"), "{said}");
    assert!(said.contains("`web_previous`"), "{said}");
}

#[test]
fn a_reload_that_nginx_does_not_apply_is_noticed_and_taken_back() {
    let Some(place) = Place::released(SETTINGS) else {
        return;
    };
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    place.template(taken.local_addr().unwrap().port(), "");
    let said = fails(&place, 3, || place.release("v2", "good"));
    assert!(
        said.contains("it goes on with the workers it had"),
        "{said}"
    );
    assert!(said.contains("Address already in use"), "{said}");
}

#[test]
fn a_release_that_is_sick_behind_nginx_is_taken_back() {
    let Some(place) = Place::released(SETTINGS) else {
        return;
    };
    place.site.hook("verify", "exit 1");
    let said = fails(&place, 3, || place.release("v2", "good"));
    assert!(said.contains("Switched"), "{said}");
}

#[test]
fn nginx_is_led_back_before_the_instance_that_it_holds_on_to_is_ended() {
    let Some(place) = Place::new(SETTINGS) else {
        return;
    };
    let path = place.site.source.join("server.py");
    let server = fs::read_to_string(&path).unwrap();
    let kept = "protocol_version = \"HTTP/1.1\"\n\n    def do_GET";
    place
        .site
        .file("server.py", &server.replacen("def do_GET", kept, 1));
    let path = place.site.source.join("nginx.conf.template");
    let template = fs::read_to_string(&path).unwrap();
    let (head, rest) = template.split_once("{% if web_previous %}").unwrap();
    let (_, rest) = rest.split_once("{% endif %}").unwrap();
    let pass = "proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_pass";
    let template = format!("{head} keepalive 8; {}", rest.replace("proxy_pass", pass));
    place.site.file("nginx.conf.template", &template);
    place.release("v1", "good").exits(0);
    // Users hold connections of nginx to the new instance by then.
    place
        .site
        .hook("verify", "test $ZDD_PREVIOUS || exit 0; sleep 0.5; exit 1");
    fails(&place, 3, || place.release("v2", "good"));
}

#[test]
fn an_instance_that_nginx_cannot_be_led_away_from_serves_on() {
    let Some(place) = Place::released(SETTINGS) else {
        return;
    };
    let (old, new) = (place.port, load::free_port());
    place.site.hook("verify", WAIT);
    place.template(new, "");
    let mut run = place.releasing("v2", "good").spawn();
    run.wait_until("verify runs", |_| place.path("reached").exists());
    let load = Load::on(new);
    // On the way back nginx cannot listen where it did.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, old)).unwrap();
    fs::write(place.path("go"), "1").unwrap();
    let output = run.wait().exits(4);
    output.says("it is left running").says("zdd recover");
    assert_eq!(load::ask(new).as_deref(), Some("v2"));
    for _ in 0..3 {
        place.site.zdd("recover").run().exits(4);
        assert_eq!(load::ask(new).as_deref(), Some("v2"));
    }
    // It was set aside by now: the next release ends nothing that users still meet.
    fs::remove_file(place.path("reached")).unwrap();
    fs::remove_file(place.path("go")).unwrap();
    place.site.hook("build", WAIT);
    let mut run = place.releasing("v3", "good").spawn();
    run.wait_until("it is built", |_| place.path("reached").exists());
    assert_eq!(load::ask(new).as_deref(), Some("v2"));
    load.lost_none();
    drop(taken);
    fs::write(place.path("go"), "0").unwrap();
    run.wait().exits(0);
    assert_eq!(load::ask(new).as_deref(), Some("v3"));
}

#[test]
fn a_command_killed_after_the_switch_is_finished() {
    killed_in_verify("0", "v2");
}

#[test]
fn a_command_killed_after_a_bad_switch_is_undone() {
    killed_in_verify("1", "v1");
}

fn killed_in_verify(code: &str, serves: &str) {
    let Some(place) = Place::released(SETTINGS) else {
        return;
    };
    place.site.hook("verify", WAIT);
    let before = place.state();
    let mut run = place.releasing("v2", "good").spawn();
    run.wait_until("verify runs", |_| place.path("reached").exists());
    assert_eq!(place.serves().as_deref(), Some("v2"));
    run.signal(Signal::SIGKILL);
    run.wait();
    fs::write(place.path("go"), code).unwrap();
    let load = place.load();
    place.site.does("recover --wait 30s");
    load.lost_none();
    assert_eq!(place.serves().as_deref(), Some(serves));
    assert_eq!(place.state() == before, serves == "v1");
    assert_eq!(place.servers().len(), 1);
}

#[test]
fn a_command_killed_while_nginx_is_told_is_undone() {
    let Some(place) = Place::released(SETTINGS) else {
        return;
    };
    let before = place.state();
    let nginx = place.nginx().unwrap();
    kill(nginx, Signal::SIGSTOP).unwrap();
    let mut run = place.releasing("v2", "good").spawn();
    let journal = place.path(".zdd/journal.jsonl");
    run.wait_until("nginx is told", |_| {
        fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"telling\""))
    });
    run.signal(Signal::SIGKILL);
    run.wait();
    kill(nginx, Signal::SIGCONT).unwrap();
    assert_ne!(place.conf(), before.1, "the test has lost its subject");
    let load = place.load();
    place.site.does("recover");
    load.lost_none();
    assert_eq!(place.state(), before);
    assert_eq!(place.serves().as_deref(), Some("v1"));
}

#[test]
fn after_a_boot_nginx_follows_to_the_new_port() {
    let Some(place) = Place::released(SETTINGS) else {
        return;
    };
    let before = place.conf();
    crate::sandbox::processes::end_inside(&place.path("releases"));
    place.site.does("recover --boot");
    assert_ne!(place.conf(), before);
    assert_eq!(place.serves().as_deref(), Some("v1"));
}

#[test]
fn status_tells_of_nginx_and_why_it_ends_in_1() {
    let Some(place) = Place::released(SETTINGS) else {
        return;
    };
    let (settings, pid) = (place.path("nginx.conf"), place.nginx().unwrap());
    let line = format!("nginx (pid {pid}) by {}", settings.display());
    place.site.does("status").says(&line);
    let status = place.site.does("--json status").json();
    assert_eq!(status["proxy"]["settings"], settings.to_str().unwrap());
    assert_eq!(status["proxy"]["pid"], pid.as_raw());
    assert_eq!(status["problems"], serde_json::json!([]));
    place.end_nginx();
    let status = place.site.zdd("--json status").run().exits(1).json();
    assert!(status["proxy"]["pid"].is_null(), "{status}");
    assert_eq!(status["problems"][0], "`nginx` of `[proxy]` does not run");
    place
        .site
        .zdd("status")
        .run()
        .exits(1)
        .says("`nginx` of `[proxy]` does not run");
}

#[test]
fn without_proxy_nginx_must_not_go_on_reading_what_nobody_writes() {
    let Some(place) = Place::released(SETTINGS) else {
        return;
    };
    let service = SETTINGS.split("[proxy]").next().unwrap();
    place.site.settings(service);
    let said = fails(&place, 1, || place.release("v2", "good"));
    assert!(said.contains("there is no `[proxy]` any more"), "{said}");
    place.end_nginx();
    place.release("v3", "good").exits(0);
}

#[test]
fn an_nginx_that_reads_something_else_is_told_before_anything_is_built() {
    let Some(place) = Place::released(SETTINGS) else {
        return;
    };
    place
        .site
        .settings(&SETTINGS.replace("\"nginx.conf\"", "\"other.conf\""));
    let said = fails(&place, 1, || place.release("v2", "good"));
    assert!(said.contains("does not read"), "{said}");
    place
        .site
        .zdd("check")
        .run()
        .exits(1)
        .says("does not read")
        .says("include it there");
}
