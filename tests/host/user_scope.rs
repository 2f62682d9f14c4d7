//! A unit of a user's own systemd: `scope = "user"`, without root and without sudo.

use crate::Case;
use crate::host::Host;
use crate::outcome::Outcome;
use crate::program::Output;

pub const CASES: &[Case] = &[(
    "user_scope::a_unit_of_the_user_is_tried_reloaded_and_rolled_back",
    released,
)];

const HOME: &str = "/home/ann";

/// Answers with its version; a HUP makes it execute itself anew, through `current`.
pub const SERVER: &str = r#"
import http.server, os, pathlib, signal, socketserver, sys

version = pathlib.Path(os.path.abspath(__file__)).with_name("VERSION").read_bytes()

class Answer(http.server.BaseHTTPRequestHandler):
    def address_string(self):
        return "client"
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(version)
    def log_message(self, *words):
        pass

class OnSocket(socketserver.ThreadingUnixStreamServer):
    def get_request(self):
        return self.socket.accept()[0], ("client", 0)

if "ZDD_SOCKET" in os.environ:
    server = OnSocket(os.environ["ZDD_SOCKET"], Answer)
else:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 8099), Answer)
signal.signal(signal.SIGHUP, lambda *_: os.execv(sys.executable, [sys.executable] + sys.argv))
server.serve_forever()
"#;

const UNIT: &str = "[Service]
ExecStart=/usr/bin/python3 /home/ann/www/current/server.py
ExecReload=/bin/kill -HUP $MAINPID
";

const CONFIG: &str = r#"
[[service]]
unit = "app.service"
scope = "user"
try = "exec /usr/bin/python3 server.py"
health = "/"
[[health]]
url = "http://127.0.0.1:8099/"
"#;

fn released() {
    let host = Host::boot();
    host.sh(&format!(
        "useradd --create-home --shell /bin/sh ann
         mkdir -p {HOME}/www {HOME}/src {HOME}/.config/systemd/user
         systemctl start user@$(id -u ann).service"
    ));
    host.write(&format!("{HOME}/src/server.py"), SERVER);
    host.write(&format!("{HOME}/.config/systemd/user/app.service"), UNIT);
    host.write(&format!("{HOME}/www/zdd.toml"), CONFIG);
    host.sh(&format!("chown -R ann: {HOME}"));
    by_ann(&host, "systemctl --user daemon-reload");

    release(&host, "v1").assert_exit(0);
    release(&host, "v2")
        .assert_exit(0)
        .assert_field("/running/0/verdict", "proved");
    assert_eq!(answer(&host), "v2");

    host.write(&format!("{HOME}/src/server.py"), "import not_there\n");
    release(&host, "v3").assert_exit(1).assert_says("not_there");
    assert_eq!(answer(&host), "v2");

    Outcome::of(by_ann(&host, "zdd --json rollback")).assert_exit(0);
    assert_eq!(answer(&host), "v1");
    let tries = by_ann(
        &host,
        "systemctl --user list-units --all --no-legend 'zdd-try*'",
    );
    assert_eq!(tries.stdout.trim(), "", "a dry boot is left");
}

fn release(host: &Host, version: &str) -> Outcome {
    host.write(&format!("{HOME}/src/VERSION"), version);
    Outcome::of(by_ann(host, "zdd --json release ../src"))
}

fn answer(host: &Host) -> String {
    host.sh("curl --silent --max-time 5 http://127.0.0.1:8099/")
        .stdout
}

/// A line of the user's shell, as a login would have it.
pub fn by_ann(host: &Host, line: &str) -> Output {
    let line = format!("export XDG_RUNTIME_DIR=/run/user/$(id -u); {line}");
    let dir = format!("{HOME}/www");
    host.program(["sh", "-c", &line])
        .user("ann")
        .dir(&dir)
        .run()
}
