//! A tiny web server that a release of the sandbox can start: it answers on the unix socket that
//! zdd gives it, with the version of the directory it was started in, and with the name of that
//! directory in the header `X-Release`.
//!
//! What it shall do wrong is said by files of the code: `refuses-to-start`, and `sick-NAME` for a
//! path that answers 500. `listens-on-tcp` takes a port of the kernel's choice instead of the
//! socket, and `writes-its-port` writes it to `run/port`; `listens-twice` takes one more, and
//! `has-a-control-socket` has one as gunicorn does; `speaks-otherwise` is no web server.
//! `dies-when-live` ends it a second after `current` leads to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

/// Serves until the process is ended.
pub fn serve() -> ! {
    let version = std::fs::read_to_string("version").unwrap_or_default();
    if Path::new("refuses-to-start").exists() {
        let _ = writeln!(std::io::stderr(), "broken code in {version}");
        std::process::exit(3);
    }
    if Path::new("dies-when-live").exists() {
        std::thread::spawn(die_when_live);
    }
    if Path::new("listens-on-tcp").exists() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let _second = Path::new("listens-twice")
            .exists()
            .then(|| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let _control = Path::new("has-a-control-socket")
            .exists()
            .then(|| UnixListener::bind("gunicorn.ctl").expect("the release is writable"));
        if Path::new("writes-its-port").exists() {
            let port = listener.local_addr().expect("it is bound").port();
            std::fs::create_dir_all("run").expect("the release is writable");
            std::fs::write("run/port", port.to_string()).expect("the release is writable");
        }
        loop {
            if let Ok((stream, _)) = listener.accept() {
                let _ = answer(&stream, version.trim());
            }
        }
    }
    let socket = std::env::var_os("ZDD_SOCKET").expect("started by zdd");
    let listener = UnixListener::bind(socket).expect("the socket is free");
    loop {
        if let Ok((stream, _)) = listener.accept() {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            let _ = answer(&stream, version.trim());
        }
    }
}

fn die_when_live() {
    let own = std::env::current_dir().expect("it is there");
    while !Path::new("../../current")
        .canonicalize()
        .is_ok_and(|live| live == own)
    {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_secs(1));
    std::process::exit(9);
}

fn answer<S>(mut stream: &S, version: &str) -> std::io::Result<()>
where
    for<'s> &'s S: Read + Write,
{
    if Path::new("speaks-otherwise").exists() {
        return stream.write_all(b"220 at your service\r\n");
    }
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let name = first
        .split_whitespace()
        .nth(1)
        .unwrap_or("/")
        .trim_start_matches('/');
    let status = match Path::new(&format!("sick-{name}")).exists() {
        true => "500 Internal Server Error",
        false => "200 OK",
    };
    let length = version.len();
    let directory = std::env::current_dir()?;
    let release = directory.file_name().unwrap_or_default().display();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nX-Release: {release}\r\n\
         Connection: close\r\n\r\n{version}"
    )
}

/// Asks a server on a unix socket; the status and the body, when it answers.
pub fn ask(socket: &Path, path: &str) -> Option<(u16, String)> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let status = text.split_whitespace().nth(1)?.parse().ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    Some((status, body.to_owned()))
}
