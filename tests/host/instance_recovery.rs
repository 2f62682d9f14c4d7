//! Instances after kills and reboots: the site comes back by itself on the right release, and
//! nothing is left running that should not.

use std::time::Duration;

use crate::Case;
use crate::load::Load;
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[
    ("instance::interrupted_while_it_starts", interrupted),
    ("instance::killed_between_any_two_steps", killed),
    ("instance::rebooted_with_the_recover_unit", || {
        rebooted(true)
    }),
    ("instance::rebooted_without_the_recover_unit", || {
        rebooted(false)
    }),
];

/// Ends zdd with SIGKILL as soon as its journal has so many lines.
fn kill_at(site: &Site, command: &str, lines: usize) -> bool {
    let script = format!(
        "rm -f /tmp/ended; cd {ROOT}
         (su deploy -c 'exec zdd {command}' >/tmp/said 2>&1; touch /tmp/ended) &
         while [ ! -e /tmp/ended ]; do
             n=$(wc -l < .zdd/journal.jsonl 2>/dev/null || echo 0)
             if [ \"$n\" -ge {lines} ]; then pkill -KILL -x zdd; break; fi
         done
         wait; grep -c '' .zdd/journal.jsonl 2>/dev/null || echo gone"
    );
    let left = site.program(["sh", "-c", &script]).run().stdout;
    left.trim() != "gone"
}

fn killed() {
    let site = Site::of_instances_serving("v1");
    let load = Load::start(&site);
    let mut number = 1;
    // A whole release writes some forty lines.
    let releases = killed_at_each(&site, "release", (2..60).step_by(2), || {
        number += 1;
        format!("release {}", site.source(&format!("v{number}")))
    });
    site.release("last").assert_exit(0);
    let rollbacks = killed_at_each(&site, "rollback", (2..60).step_by(4), || {
        "rollback".to_owned()
    });
    let figures = load.stop();
    eprint(&format!(
        "{releases} releases and {rollbacks} rollbacks killed: {figures}"
    ));
    figures.assert_none_failed();
    assert!(releases > 10 && rollbacks > 3, "too few were killed");
}

/// Kills one command after the other, each a little later, until one comes to its end. How many
/// were killed.
fn killed_at_each(
    site: &Site,
    word: &str,
    lines: impl Iterator<Item = usize>,
    mut command: impl FnMut() -> String,
) -> usize {
    let mut killed = 0;
    for lines in lines {
        let was_killed = kill_at(site, &command(), lines);
        if was_killed {
            killed += 1;
            let status = site.outcome(["status"]);
            status
                .assert_exit(1)
                .assert_field("/unfinished/command", word);
        }
        site.outcome(["recover", "--wait=30s"]).assert_exit(0);
        let current = site.current();
        assert_eq!(
            site.instances(),
            std::slice::from_ref(&current),
            "{word} after {lines} lines"
        );
        assert_eq!(site.enabled_instances(), [current], "{word} after {lines}");
        site.outcome(["status"]).assert_exit(0);
        site.assert_tidy();
        if !was_killed {
            break;
        }
    }
    killed
}

/// Ctrl-C while the new instance is waited for: nobody met it, and nothing of it is left.
fn interrupted() {
    let site = Site::of_instances_serving("v1");
    site.configure("[hooks]", "[hooks]\ncheck = \"true\"");
    site.give_up_soon();
    site.append_code("v2", "time.sleep(1000)");
    let before = site.current();
    let command = site.zdd(["--json", "release", &site.source("v2")]).spawn();
    let wait = "while ! systemctl list-units --plain --no-legend 'myapp@*' | grep -c . | grep -q 2
                do sleep 0.05; done";
    let wait = site.program(["sh", "-c", wait]);
    wait.limit(Duration::from_secs(30)).succeed();
    std::thread::sleep(Duration::from_millis(500));
    command.signal(nix::sys::signal::Signal::SIGINT);
    crate::outcome::Outcome::of(command.wait())
        .assert_exit(130)
        .assert_field("/outcome", "interrupted")
        .assert_field("/serving", before.as_str());
    assert_eq!(site.instances(), std::slice::from_ref(&before));
    assert_eq!(site.enabled_instances(), [before]);
    site.assert_tidy();
}

fn eprint(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The host loses its power after a release, after a rollback, before the flip, and between flip
/// and commit.
fn rebooted(with_recover_unit: bool) {
    let mut site = Site::of_instances_serving("v1");
    site.sh(
        "systemctl disable --quiet caddy haproxy redis-server supervisor 2>/dev/null || true
             systemctl enable --quiet nginx",
    );
    if !with_recover_unit {
        site.sh("systemctl disable --quiet zdd-recover@myapp");
    }
    site.release("v2").assert_exit(0);
    comes_back(&mut site, "v2", with_recover_unit, None);
    site.outcome(["rollback"]).assert_exit(0);
    comes_back(&mut site, "v1", with_recover_unit, None);

    // Between start and flip: the new instance is enabled, too.
    cut_at_the_gate(&mut site, "v3", "warm");
    comes_back(&mut site, "v1", with_recover_unit, Some("be undone"));
    // Between flip and commit: the new one serves, and is good.
    cut_at_the_gate(&mut site, "v4", "verify");
    comes_back(&mut site, "v4", with_recover_unit, Some("be verified"));
}

/// Lets a release come to a hook that does not end in this boot.
fn cut_at_the_gate(site: &mut Site, version: &str, point: &str) {
    let reached = "/home/deploy/reached";
    let script = format!("[ ! -e /run/first ] || {{ touch {reached}; sleep 600; }}");
    site.write_hook(version, point, &script);
    site.sh(&format!("touch /run/first; rm -f {reached}"));
    let command = site.zdd(["release", &site.source(version)]).spawn();
    let wait = format!("while [ ! -e {reached} ]; do sleep 0.02; done");
    let wait = site.program(["sh", "-c", &wait]);
    wait.limit(Duration::from_secs(60)).succeed();
    assert_eq!(site.enabled_instances().len(), 2, "a boot must find both");
    drop(command);
}

/// Boots, and looks: users are served by the right release, before anybody logged in.
#[track_caller]
fn comes_back(site: &mut Site, version: &str, with_recover_unit: bool, will: Option<&str>) {
    site.reboot_host();
    let served = site.first_answer();
    assert_eq!(served.trim(), version);
    if with_recover_unit {
        let done =
            "while [ $(systemctl show --value -p ActiveState zdd-recover@myapp) = activating ]
                    do sleep 0.1; done; systemctl show --value -p Result zdd-recover@myapp";
        assert_eq!(site.sh(done).stdout.trim(), "success");
        assert_eq!(site.version(), version);
    } else if let Some(will) = will {
        let status = site.outcome(["status"]);
        status.assert_exit(1).assert_says(will);
        site.outcome(["recover"]).assert_exit(0);
    }
    let current = site.current();
    assert_eq!(site.instances(), std::slice::from_ref(&current));
    assert_eq!(site.enabled_instances(), [current]);
    assert_eq!(site.version(), version);
    site.outcome(["status"]).assert_exit(0);
}
