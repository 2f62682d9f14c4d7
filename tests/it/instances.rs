//! Own copies of each release: kept for a rollback, found where they listen, drained, and one at a
//! time where they work in the background.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::process::{answer, serves, settings};
use crate::sandbox::load::Load;
use crate::sandbox::{Site, processes};

/// The processes of a site with the versions they serve, sorted.
fn running(site: &Site) -> Vec<(String, u32)> {
    let inside = processes::inside(&site.root);
    let version = |dir: std::path::PathBuf| std::fs::read_to_string(dir.join("version"));
    let mut running: Vec<(String, u32)> = inside
        .into_iter()
        .map(|(pid, dir)| (version(dir).unwrap_or_default().trim().to_owned(), pid))
        .collect();
    running.sort();
    running
}

fn versions(site: &Site) -> Vec<String> {
    running(site)
        .into_iter()
        .map(|(version, _)| version)
        .collect()
}

#[test]
fn what_is_kept_running_is_gone_back_to_without_a_start_and_only_one_is_kept() {
    let site = Site::new(&format!("{}standby = \"1h\"\n", settings()));
    site.release("v1");
    let first = running(&site);
    site.releasing("v2")
        .run()
        .exits(0)
        .says("is kept running for 1 h");
    assert_eq!(versions(&site), ["v1", "v2"]);
    site.does("recover --standby");
    assert_eq!(versions(&site), ["v1", "v2"], "its time is not over");
    let kept = site.does("--json status").json()["standby"]["release"].clone();
    let listed = site.list();
    assert_eq!(kept, listed[0]["id"]);
    site.does("status").says("more, for a rollback");

    let back = site
        .does("rollback")
        .says("still runs: it was kept for a rollback");
    assert!(!back.stderr.contains("Started"), "{back}");
    assert_eq!(running(&site), first, "the same process answers again");
    serves(&site, "v1");

    site.release("v3");
    site.release("v4");
    assert_eq!(versions(&site), ["v3", "v4"]);
    serves(&site, "v4");
}

#[test]
fn what_is_kept_running_ends_when_its_time_is_over() {
    let site = Site::new(&format!("{}standby = \"1s\"\n", settings()));
    site.release("v1");
    site.release("v2");
    assert_eq!(versions(&site), ["v1", "v2"]);
    std::thread::sleep(Duration::from_millis(1100));
    site.does("recover --standby");
    assert_eq!(versions(&site), ["v2"]);
    site.does("rollback").says("Started");
    serves(&site, "v1");
    assert_eq!(versions(&site), ["v1"]);
}

#[test]
fn a_failed_release_leaves_alone_what_was_kept_running() {
    let site = Site::new(&format!("{}standby = \"1h\"\n", settings()));
    site.release("v1");
    site.release("v2");
    let before = running(&site);
    site.hook("verify", "exit 1");
    site.releasing("v3").run().exits(3);
    assert_eq!(running(&site), before);
    site.zdd("rollback").run().exits(0);
    serves(&site, "v1");
}

/// A site whose server listens on a port of the kernel's choice, its first release, and the port.
fn on_a_port() -> (Site, u16) {
    let site = Site::new(&settings());
    site.file("listens-on-tcp", "");
    site.file("has-a-control-socket", "");
    site.hook("warm", "echo warmed at \"$ZDD_PORT\"");
    let live = site.releasing("v1").run().exits(0);
    assert_eq!(live.json()["running"][0]["verdict"], "proved", "{live}");
    let id = site.current().unwrap();
    let log = site.does(&format!("logs {id} hook_warm"));
    let port = log.stdout.split("warmed at ").nth(1).unwrap().trim();
    let port = port.parse().ok().filter(|port| *port > 0);
    (site, port.unwrap_or_else(|| panic!("{log}")))
}

#[test]
fn users_whom_nothing_leads_to_the_new_port_keep_the_old_instance() {
    let (site, port) = on_a_port();
    let before = running(&site);
    let load = Load::on(port);
    site.releasing("v2").run().exits(3).says(&format!(
        "users are still led to the old release at 127.0.0.1:{port}"
    ));
    load.lost_none();
    assert_eq!(running(&site), before);
}

#[test]
fn which_of_several_ports_users_are_led_to_is_not_guessed() {
    let site = Site::new(&settings().replace("20s", "1s"));
    site.file("listens-on-tcp", "");
    site.file("listens-twice", "");
    site.releasing("v1")
        .run()
        .exits(1)
        .says("users are led to cannot be told")
        .says("name its `socket` or `port_file`");
}

#[test]
fn a_port_is_found_in_the_kernels_table_or_where_the_server_wrote_it() {
    let (site, _) = on_a_port();

    site.settings(&format!("{}port_file = \"run/port\"\n", settings()));
    let unwritten = settings().replace("20s", "1s") + "port_file = \"run/port\"\n";
    site.settings(&unwritten);
    site.releasing("v2")
        .run()
        .exits(1)
        .says("listens nowhere within 1s");
    assert_eq!(versions(&site), ["v1"]);
    site.file("writes-its-port", "");
    site.release("v3");
    assert_eq!(versions(&site), ["v3"]);
}

#[test]
fn a_server_that_speaks_no_http_counts_when_it_stays_up() {
    let site = Site::new(&settings().replace("health = \"/health\"\n", ""));
    site.file("speaks-otherwise", "");
    let began = Instant::now();
    site.releasing("v1").run().exits(0).says("speaks no HTTP");
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[test]
fn who_still_talks_to_the_old_copy_is_waited_for_and_then_named() {
    let site = Site::new(&format!("{}drain = \"1s\"\n", settings()));
    site.release("v1");
    let socket = site.root.join("current/run/app.sock");
    let talk = UnixStream::connect(&socket).unwrap();
    let began = Instant::now();
    site.releasing("v2")
        .run()
        .exits(0)
        .says("is told to stop after 1s with 1 connection from");
    assert!(began.elapsed() >= Duration::from_secs(1));
    drop(talk);
    assert_eq!(versions(&site), ["v2"]);

    // Who leaves in time is not cut.
    site.settings(&format!("{}drain = \"30s\"\n", settings()));
    let talk = UnixStream::connect(&socket).unwrap();
    let left = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(1500));
        drop(talk);
        Instant::now()
    });
    let quiet = site.releasing("v3").run().exits(0).says("Drained");
    assert!(left.join().unwrap() <= Instant::now());
    assert!(!quiet.stderr.contains("is told to stop after"), "{quiet}");
}

/// A worker that notes when two of its kind run at once.
const WORKER: &str = r#"
if ! mkdir "$ZDD_SHARED_PATH/busy"; then echo twice >> "$ZDD_SHARED_PATH/log"; fi
echo "start $(cat version)" >> "$ZDD_SHARED_PATH/log"
[ ! -e broken ] || { rmdir "$ZDD_SHARED_PATH/busy"; exit 7; }
stop() { sleep 0.3; echo "stop $(cat version)" >> "$ZDD_SHARED_PATH/log"; rmdir "$ZDD_SHARED_PATH/busy"; exit 0; }
trap stop TERM
while :; do sleep 0.05; done
"#;

#[test]
fn of_a_worker_one_copy_runs_at_a_time_and_the_old_one_comes_back() {
    let worker = "[[service]]\nstart = \"/bin/sh worker.sh\"\nrole = \"worker\"\n\
                  queue = \"cat $ZDD_SHARED_PATH/queue\"\nquiet = \"echo quiet >> $ZDD_SHARED_PATH/log\"\n";
    let site = Site::new(worker);
    let shared = site.root.join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join("queue"), "12 jobs\n").unwrap();
    site.file("worker.sh", WORKER);
    site.release("v1");
    let live = site
        .releasing("v2")
        .run()
        .exits(0)
        .says("waiting before: 12 jobs; after: 12 jobs");
    assert_eq!(live.json()["queues"][0]["before"], "12 jobs", "{live}");
    assert_eq!(live.json()["running"][0]["release"], live.json()["release"]);
    site.file("broken", "");
    let back = site.releasing("v3").run().exits(3).says("did not stay up");
    assert_eq!(back.json()["error"]["step"], "switch_workers");
    let mut left = versions(&site);
    left.dedup();
    assert_eq!(left, ["v2"]);
    let log = std::fs::read_to_string(shared.join("log")).unwrap();
    let expected = [
        "start v1", "quiet", "stop v1", "start v2", "quiet", "stop v2", "start v3", "start v2",
    ];
    assert_eq!(log.lines().collect::<Vec<_>>(), expected);
}

/// The migration of the release that failed may be too new for the worker that ran before.
#[test]
fn a_worker_that_cannot_come_back_is_said() {
    let site = Site::new("[[service]]\nstart = \"/bin/sh worker.sh\"\nrole = \"worker\"\n");
    let migrated = site.root.join("shared/migrated");
    std::fs::create_dir(site.root.join("shared")).unwrap();
    site.file(
        "worker.sh",
        "[ ! -e \"$ZDD_SHARED_PATH/migrated\" ] || { echo unknown column; exit 7; }\nexec sleep 600\n",
    );
    site.release("v1");
    site.hook("migrate", "touch \"$ZDD_SHARED_PATH/migrated\"");
    let worse = site.releasing("v2").run().exits(4).says("unknown column");
    assert_eq!(worse.json()["outcome"], "rollback_failed", "{worse}");
    assert_eq!(versions(&site), [""; 0]);
    assert_eq!(site.version().as_deref(), Some("v1"));
    std::fs::remove_file(&migrated).unwrap();
    site.zdd("recover").run().exits(0);
    assert_eq!(versions(&site), ["v1"]);

    // One that did not run before is not missed.
    processes::end_inside(&site.root);
    site.releasing("v2")
        .run()
        .exits(3)
        .says("it did not run before either");
}

/// What was interrupted may need a human; the site does not have to be down until one comes.
#[test]
fn a_boot_starts_what_is_live_even_where_nothing_can_be_recovered() {
    let site = Site::new(&settings());
    site.release("v1");
    processes::end_inside(&site.root);
    let journal = site.root.join(".zdd/journal.jsonl");
    std::fs::write(&journal, "{\"event\":\"plan\",\"plan\":7}\n").unwrap();
    site.zdd("recover --boot").run().exits(4);
    let until = Instant::now() + Duration::from_secs(20);
    while answer(&site, "/").is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    serves(&site, "v1");
    assert!(!journal.exists(), "it was set aside");
}
