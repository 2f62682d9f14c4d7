//! With real proxies before a real socket. One that is not installed is left out, and says so.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::*;
use crate::host::signal::Patience;
use crate::running::sockets::{DrainLimits, Drained, Ended, Left, Traffic, drain, look};

/// A proxy that ends with the test.
struct Proxy {
    child: Child,
    directory: tempfile::TempDir,
    port: u16,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

impl Proxy {
    /// Starts a program with its settings, in which `PORT`, `SOCKET` and `DIR` are filled in.
    fn start(program: &str, arguments: &[&str], settings: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let root = Utf8Path::from_path(directory.path()).unwrap();
        serve(UnixListener::bind(root.join("app.sock")).unwrap());
        let filled = |text: &str| {
            let socket = root.join("app.sock");
            text.replace("PORT", &port.to_string())
                .replace("SOCKET", socket.as_str())
                .replace("DIR", root.as_str())
        };
        std::fs::write(root.join("settings"), filled(settings)).unwrap();
        let paths = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command
            .args(arguments.iter().map(|argument| filled(argument)))
            .env("PATH", format!("{paths}:/usr/sbin"))
            .env("HOME", root)
            .env("XDG_DATA_HOME", root)
            .env("XDG_CONFIG_HOME", root)
            .stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            note(&format!(
                "{program} is not installed: this test tests nothing"
            ));
            return None;
        };
        let proxy = Proxy {
            child,
            directory,
            port,
        };
        let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        let is_up = (0..400).any(|_| {
            thread::sleep(Duration::from_millis(25));
            answers()
        });
        assert!(is_up, "{program} does not listen");
        Some(proxy)
    }

    fn nginx(upstream: &str) -> Option<Self> {
        Proxy::nginx_passing(upstream, "")
    }

    /// nginx with further headers in its `location`.
    fn nginx_passing(upstream: &str, headers: &str) -> Option<Self> {
        let settings = "pid DIR/pid; error_log stderr; daemon off; worker_processes 1; user root;
            events {}
            http {
                access_log off;
                client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f;
                uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
                upstream app { server unix:SOCKET; UPSTREAM }
                server {
                    listen 127.0.0.1:PORT;
                    location / {
                        proxy_http_version 1.1; proxy_set_header Connection \"\"; HEADERS
                        proxy_pass http://app;
                    }
                }
            }";
        let settings = settings.replace("UPSTREAM", upstream);
        let settings = settings.replace("HEADERS", headers);
        Proxy::start("nginx", &["-c", "DIR/settings"], &settings)
    }

    fn haproxy(backend: &str) -> Option<Self> {
        let settings = "defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  \
            timeout server 30s\nfrontend f\n  bind 127.0.0.1:PORT\n  default_backend b\n\
            backend b\n  BACKEND\n  server a unix@SOCKET\n";
        let settings = settings.replace("BACKEND", backend);
        Proxy::start("haproxy", &["-q", "-f", "DIR/settings"], &settings)
    }

    fn caddy(proxy: &str) -> Option<Self> {
        let settings = "{\n admin off\n auto_https off\n}\nhttp://127.0.0.1:PORT {\n \
            reverse_proxy unix/SOCKET PROXY\n}\n";
        let settings = settings.replace("PROXY", proxy);
        let arguments = ["run", "--adapter", "caddyfile", "--config", "DIR/settings"];
        Proxy::start("caddy", &arguments, &settings)
    }

    /// Asks once and takes the answer, unless there will be none.
    fn ask(&self, path: &str) -> TcpStream {
        let mut client = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let host = format!("127.0.0.1:{}", self.port);
        write!(client, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let reader = BufReader::new(client.try_clone().unwrap());
        let mut lines = reader.lines().map_while(Result::ok);
        let is_answered = path == "/stuck" || lines.any(|line| line == "ok");
        assert!(is_answered);
        client
    }

    fn address(&self) -> Address {
        let root = Utf8Path::from_path(self.directory.path()).unwrap();
        Address::Unix(root.join("app.sock"))
    }

    fn drained(&self) -> Drained {
        let address = [self.address()];
        let fronts = Fronts::new(&address, &[]);
        let limits = DrainLimits::within(Duration::from_millis(1500));
        drain(
            &address,
            &limits,
            &fronts,
            &Patience::endless(),
            &mut |_: &Traffic| (),
        )
        .unwrap()
    }

    /// Asks, and drains when the answer is there.
    fn drained_after_an_answer(&self) -> Drained {
        let _client = self.ask("/");
        self.drained()
    }

    /// Drains while a request is not answered.
    fn drained_with_a_stuck_request(&self) -> Drained {
        let _client = self.ask("/stuck");
        let arrived = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(10));
            !look(&[self.address()]).unwrap().connections.is_empty()
        });
        assert!(arrived);
        self.drained()
    }
}

/// For whoever runs the tests, past what captures their output.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Answers each request and keeps the connection, but never answers for `/stuck`.
fn serve(listener: UnixListener) {
    let answer = |mut stream: UnixStream| {
        let mut seen = Vec::new();
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            seen.extend_from_slice(&bytes[..count]);
            if seen.starts_with(b"GET /stuck") {
                continue;
            }
            if seen.ends_with(b"\r\n\r\n") {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
                let _ = stream.write_all(answer);
                seen.clear();
            }
        }
    };
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
}

fn assert_idle_only(drained: &Drained, program: &str, change: &str) {
    assert_eq!(drained.ended, Ended::IdleOnly, "{drained:?}");
    let front = &drained.left[0].front;
    assert_eq!(front.program, program);
    let Pools::Yes(text) = &front.pools else {
        panic!("{front:?}");
    };
    assert!(text.contains(change), "{text}");
}

fn assert_late(drained: &Drained, text: &str) {
    assert_eq!(drained.ended, Ended::Late, "{drained:?}");
    let left: Vec<_> = drained.left.iter().map(Left::to_string).collect();
    assert!(left[0].starts_with(text), "{left:?}");
}

#[test]
fn nginx_with_keepalive_leaves_idle_connections_only() {
    let Some(proxy) = Proxy::nginx("keepalive 4;") else {
        return;
    };
    assert_idle_only(
        &proxy.drained_after_an_answer(),
        "nginx",
        "write `keepalive_time 1s; keepalive_timeout 1s;` into `upstream app`",
    );
}

/// However often it is asked: without the time the connection would be used for ever.
#[test]
fn nginx_with_a_short_keepalive_leaves_by_itself() {
    let lines = "keepalive 4; keepalive_time 1s; keepalive_timeout 1s;";
    let Some(proxy) = Proxy::nginx(lines) else {
        return;
    };
    // The first connection is made to a socket that another one then takes the place of.
    let path = proxy.directory.path().join("app.sock");
    let _client = proxy.ask("/");
    let old = look(&[proxy.address()]).unwrap().connections.len();
    assert_eq!(old, 1, "it is kept");
    let aside = Utf8PathBuf::from_path_buf(path.with_extension("old")).unwrap();
    std::fs::rename(&path, &aside).unwrap();
    serve(UnixListener::bind(&path).unwrap());
    let is_over = AtomicBool::new(false);
    let drained = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                proxy.ask("/");
                thread::sleep(Duration::from_millis(20));
            }
        });
        let address = [Address::Unix(aside)];
        let names = [proxy.address().to_string()];
        let fronts = Fronts::new(&address, &names);
        let limits = DrainLimits::within(Duration::from_secs(10));
        let patience = Patience::endless();
        let drained = drain(&address, &limits, &fronts, &patience, &mut |_: &Traffic| ());
        is_over.store(true, Ordering::Relaxed);
        drained.unwrap()
    });
    assert_eq!(drained.ended, Ended::Empty, "{drained:?}");
    assert!(drained.took < Duration::from_secs(4), "{drained:?}");
}

#[test]
fn a_silent_websocket_behind_nginx_is_not_idle() {
    let headers = "proxy_set_header Upgrade $http_upgrade;";
    let Some(proxy) = Proxy::nginx_passing("keepalive 4;", headers) else {
        return;
    };
    let drained = proxy.drained_with_a_stuck_request();
    assert_late(&drained, "1 connection from nginx (");
}

#[test]
fn nginx_without_keepalive_leaves_what_is_in_work() {
    let Some(proxy) = Proxy::nginx("") else {
        return;
    };
    assert_eq!(proxy.drained_after_an_answer().ended, Ended::Empty);
    assert_late(
        &proxy.drained_with_a_stuck_request(),
        "1 connection from nginx (",
    );
}

#[test]
fn haproxy_pools_by_default_and_closes_when_told_to() {
    let Some(proxy) = Proxy::haproxy("") else {
        return;
    };
    let drained = proxy.drained_after_an_answer();
    assert_idle_only(
        &drained,
        "haproxy",
        "write `option http-server-close` into `backend b`",
    );
    let Some(proxy) = Proxy::haproxy("option http-server-close") else {
        return;
    };
    assert_eq!(proxy.drained_after_an_answer().ended, Ended::Empty);
    assert_late(
        &proxy.drained_with_a_stuck_request(),
        "1 connection from haproxy (",
    );
}

#[test]
fn caddy_pools_by_default_and_closes_when_told_to() {
    let Some(proxy) = Proxy::caddy("") else {
        return;
    };
    let drained = proxy.drained_after_an_answer();
    assert_idle_only(&drained, "caddy", "`transport http { keepalive off }`");
    let off = "{\n transport http {\n keepalive off\n }\n }";
    let Some(proxy) = Proxy::caddy(off) else {
        return;
    };
    assert_eq!(proxy.drained_after_an_answer().ended, Ended::Empty);
    assert_late(
        &proxy.drained_with_a_stuck_request(),
        "1 connection from caddy (",
    );
}

#[test]
fn a_program_that_is_no_front_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(directory.path())
        .unwrap()
        .join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    let _accepted = listener.accept().unwrap();
    let address = [Address::Unix(path)];
    let traffic = look(&address).unwrap();
    let front = Fronts::new(&address, &[]).of(&traffic.connections[0].client);
    let own = crate::host::process::name(std::process::id());
    assert_eq!(Some(front.program), own);
    let user = crate::host::user::name_of(nix::unistd::geteuid().as_raw());
    assert_eq!((front.user, front.pools), (Some(user), Pools::Unknown));
}
