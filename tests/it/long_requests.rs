//! A request that takes long, over a connection that its front keeps open between requests: the
//! kernel does not tell one in work from an idle one.

use std::fs;

use crate::sandbox::load::{self, ask_at};
use crate::sandbox::{Program, Site};

/// Ends when it is told to, but not before its last answer.
const SERVER: &str = "\
import os, signal, socketserver, threading, time
version, busy = open('version').read().strip(), set()

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            busy.add(self)
            if b'/long' in line:
                open(os.environ['ZDD_ROOT'] + '/begun', 'w')
                time.sleep(3)
            head = f'HTTP/1.1 200 OK\\r\\nContent-Length: {len(version)}\\r\\n\\r\\n'
            self.wfile.write((head + version).encode())
            busy.discard(self)

def end():
    while busy:
        time.sleep(0.01)
    os._exit(0)

signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end).start())
socketserver.ThreadingUnixStreamServer(os.environ['ZDD_SOCKET'], Handler).serve_forever()
";

const SETTINGS: &str = "[[service]]
name = \"web\"
start = \"python3 server.py\"
drain = \"6s\"
stop_timeout = \"1s\"
";

const NGINX: &str = "\
pid TEMP/nginx.pid;
error_log TEMP/error.log;
user root;
events {}
http {
    access_log off;
    client_body_temp_path TEMP/client_body;
    proxy_temp_path TEMP/proxy;
    fastcgi_temp_path TEMP/fastcgi;
    uwsgi_temp_path TEMP/uwsgi;
    scgi_temp_path TEMP/scgi;
    upstream web { server unix:TEMP/site/current/run/app.sock; keepalive 8; }
    server {
        listen 127.0.0.1:PORT;
        location / {
            proxy_pass http://web;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }
    }
}
";

#[test]
fn what_a_front_that_keeps_connections_asked_is_answered_within_drain() {
    if !load::has_nginx() {
        return;
    }
    let site = Site::new(SETTINGS);
    site.file("server.py", SERVER);
    site.release("v1");
    let temp = site.root.parent().unwrap();
    let port = load::free_port();
    let text = NGINX.replace("TEMP", temp.to_str().unwrap());
    let conf = temp.join("nginx.conf");
    fs::write(&conf, text.replace("PORT", &port.to_string())).unwrap();
    Program::new("nginx").arg("-c").arg(&conf).run().exits(0);

    let asked = std::thread::spawn(move || ask_at(port, "/long"));
    while !site.root.join("begun").exists() && !asked.is_finished() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let output = site.releasing("v2").run();
    let (long, after) = (asked.join().unwrap(), load::ask(port));
    load::end_nginx(&temp.join("nginx.pid"));
    let output = output.exits(0).says("keeps connections to web open");
    assert_eq!(long.as_deref(), Some("v1"), "{output}");
    assert_eq!(after.as_deref(), Some("v2"));
    assert_eq!(output.json()["replaced"][0]["end"], "ended", "{output}");
}
