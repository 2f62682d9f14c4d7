//! Steady requests through a proxy, none of which may fail.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// So many answers tell something.
const ENOUGH: usize = 10;

/// Steady requests until they are ended.
pub struct Load {
    clients: Vec<JoinHandle<()>>,
    over: Arc<AtomicBool>,
    good: Arc<AtomicUsize>,
    bad: Arc<AtomicUsize>,
}

impl Load {
    /// Four clients of what answers on a port of the loopback device.
    pub fn on(port: u16) -> Load {
        let over = Arc::new(AtomicBool::new(false));
        let (good, bad) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let client = || {
            let (over, good, bad) = (over.clone(), good.clone(), bad.clone());
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let counter = if ask(port).is_some() { &good } else { &bad };
                    counter.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(3));
                }
            })
        };
        Load {
            clients: (0..4).map(|_| client()).collect(),
            over,
            good,
            bad,
        }
    }

    /// Ends the requests: there were some, and none failed.
    pub fn lost_none(self) {
        let (good, bad) = self.end();
        assert!(good > ENOUGH, "{good} answered");
        assert_eq!(bad, 0, "failed, {good} answered");
    }

    /// Ends the requests once there were enough of them; how many were answered, and how many not.
    pub fn end(self) -> (usize, usize) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.good.load(Ordering::Relaxed) <= ENOUGH && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        (
            self.good.load(Ordering::Relaxed),
            self.bad.load(Ordering::Relaxed),
        )
    }
}

/// A port for nginx, below those that the kernel gives to the servers: none of them takes it while
/// nginx does not run.
pub fn free_port() -> u16 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let first = std::process::id() as usize * 50;
    loop {
        let number = first + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(20_000 + number % 10_000).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// The body of a good answer.
pub fn ask(port: u16) -> Option<String> {
    ask_at(port, "/")
}

/// The same at a path.
pub fn ask_at(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

/// Whether there is an nginx here; where there is none, there is nothing to try.
pub fn has_nginx() -> bool {
    let places = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
    places.iter().any(|place| Path::new(place).exists())
}

/// Ends the nginx whose pid stands in a file, if it is one.
pub fn end_nginx(pid_file: &Path) {
    use nix::sys::signal::{Signal, kill};
    let text = fs::read_to_string(pid_file).unwrap_or_default();
    let Ok(pid) = text.trim().parse::<i32>() else {
        return;
    };
    let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    if String::from_utf8_lossy(&title).contains("nginx: master") {
        let _ = kill(nix::unistd::Pid::from_raw(pid), Signal::SIGTERM);
    }
}
