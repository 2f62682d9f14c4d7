//! `zdd init --stack NAME` on a fresh host: its commands are pasted, then a minimal app of that
//! stack is released twice, a bad one is refused, and a rollback goes back. What users get is asked
//! through nginx each time.

use std::time::{Duration, Instant};

use crate::Case;
use crate::host::Host;
use crate::outcome::Outcome;
use crate::stack_apps::{App, DJANGO, FLASK, NODE, PHP, RAILS, STATIC, SUPERVISOR, ZDDEPLOY};

pub const CASES: &[Case] = &[
    ("stacks::of_python_work_as_written", || {
        prove(&[FLASK, DJANGO, SUPERVISOR]);
    }),
    ("stacks::of_others_work_as_written", || {
        prove(&[STATIC, PHP, NODE, RAILS, ZDDEPLOY]);
    }),
];

fn prove(apps: &[App]) {
    let mut host = Host::boot();
    host.sh("rm -f /etc/nginx/sites-enabled/default");
    // They want port 80, too.
    host.sh("systemctl disable --quiet --now caddy haproxy 2>&1 || true");
    for app in apps {
        let site = Site { host: &host, app };
        site.set_up();
        site.zdd(&["check"])
            .assert_exit(0)
            .assert_field("/findings", serde_json::json!([]));
        for version in ["v1", "v2"] {
            site.write_code(version);
            let outcome = site.zdd(&["release"]);
            outcome.assert_exit(0).assert_field("/outcome", "live");
            for service in outcome.json["running"].as_array().expect("a list") {
                assert_eq!(service["verdict"], "proved", "{outcome}");
            }
            site.assert_answers(version);
            site.install_no_more();
        }
        if app.stack == PHP.stack {
            site.assert_stale_pages_are_noticed();
        }
        let (path, text) = app.bad;
        match text {
            "" => drop(host.sh(&format!("rm {}/{path}", site.code()))),
            text => host.write(&format!("{}/{path}", site.code()), text),
        }
        let (exit, step) = app.ends;
        site.zdd(&["release"])
            .assert_exit(exit)
            .assert_field("/error/step", step);
        site.assert_answers("v2");
        site.zdd(&["rollback"]).assert_exit(0);
        site.assert_answers("v1");
        site.zdd(&["check"])
            .assert_exit(0)
            .assert_field("/findings", serde_json::json!([]));
        site.zdd(&["status"]).assert_exit(0);
    }
    host.reboot();
    for app in apps {
        Site { host: &host, app }.assert_back();
    }
}

/// A site with that app.
struct Site<'a> {
    host: &'a Host,
    app: &'a App,
}

impl Site<'_> {
    /// Writes the code, and does what `zdd init` says.
    fn set_up(&self) {
        let (stack, code) = (self.app.stack, self.code());
        self.write_code("v0");
        self.host.sh(&format!("cd {code}; {}", self.app.prepare));
        let init = self
            .host
            .program(["zdd", "init", "--stack", stack])
            .dir(&code);
        let steps = init.succeed().stdout;
        self.host
            .program(["sh", "-euc", &steps])
            .dir(&code)
            .succeed();
        if stack == "supervisor" {
            // systemd does not wait until it listens; who types the next command does.
            let wait = "until [ -S /run/supervisor.sock ]; do sleep 0.1; done";
            let wait = self.host.program(["timeout", "20", "sh", "-c", wait]);
            wait.succeed();
        }
        if !self.app.env.is_empty() {
            let env = format!("/var/www/{stack}/shared/.env");
            self.host
                .sh(&format!("cat > {env} <<'END'\n{}END", self.app.env));
        }
    }

    fn code(&self) -> String {
        format!("/srv/{}", self.app.stack)
    }

    fn write_code(&self, version: &str) {
        let changing = |(_, text): &&(&str, &str)| version == "v0" || text.contains("@VERSION@");
        for (path, text) in self.app.files.iter().filter(changing) {
            let text = text.replace("@VERSION@", version);
            self.host.write(&format!("{}/{path}", self.code()), &text);
        }
    }

    /// Once is enough to show that the hook works; a copy takes a tenth of the time.
    fn install_no_more(&self) {
        self.host.sh(&format!(
            "sed -i 's,^python3 -m venv .*,cp -a \"$ZDD_CURRENT_PATH/.venv\" .venv,; /pip install/d' \
             {}/hooks/*",
            self.code()
        ));
    }

    /// The settings of most guides, with which PHP goes on running what it ran.
    fn assert_stale_pages_are_noticed(&self) {
        let swap = |from: &str, to: &str| {
            let file = format!("/etc/nginx/sites-available/{}", self.app.stack);
            self.host.sh(&format!(
                "sed -i 's/\\${from}_root/${to}_root/' {file}; nginx -s reload; sleep 1"
            ));
        };
        swap("realpath", "document");
        self.assert_answers("v2");
        self.write_code("v3");
        self.zdd(&["release"])
            .assert_exit(3)
            .assert_field("/error/step", "verify")
            .assert_says("does not answer as release");
        swap("document", "realpath");
        self.assert_answers("v2");
    }

    fn zdd(&self, words: &[&str]) -> Outcome {
        let zdd = self
            .host
            .program(["zdd", "--json"])
            .args(words.iter().copied());
        Outcome::of(zdd.user(self.app.owner).dir(&self.code()).run())
    }

    /// It answers again as before the boot, and nothing is left to be done.
    #[track_caller]
    fn assert_back(&self) {
        let wait = "while systemctl list-jobs --no-legend | grep -q .; do sleep 0.1; done";
        self.host
            .program(["timeout", "60", "sh", "-c", wait])
            .succeed();
        self.assert_answers("v1");
        // supervisor calls a program that answers `STARTING` for some seconds.
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.zdd(&["status"]).exit() != 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(200));
        }
        self.zdd(&["status"]).assert_exit(0);
    }

    #[track_caller]
    fn assert_answers(&self, version: &str) {
        let host = format!("Host: {}.example.com", self.app.stack);
        let port = if self.app.stack == ZDDEPLOY.stack {
            8080
        } else {
            80
        };
        let url = format!("http://127.0.0.1:{port}/");
        let ask = ["curl", "-sS", "--fail", "-H", &host, &url];
        let answer = self.host.program(ask).succeed().stdout;
        assert!(answer.starts_with(version), "{}: {answer}", self.app.stack);
    }
}
