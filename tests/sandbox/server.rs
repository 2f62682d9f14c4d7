//! A tiny web server that a release of the sandbox can start: it answers on the unix socket that
//! zdd gives it, with the version of the directory it was started in, and with the name of that
//! directory in the header `X-Release`.
//!
//! What it shall do wrong is said by files of the code: `refuses-to-start`, and `sick-NAME` for a
//! path that answers 500.

use std::io::{BufRead, BufReader, Read, Write};
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
    let socket = std::env::var_os("ZDD_SOCKET").expect("started by zdd");
    let listener = UnixListener::bind(socket).expect("the socket is free");
    loop {
        let Ok((stream, _)) = listener.accept() else {
            continue;
        };
        let _ = answer(stream, version.trim());
    }
}

fn answer(mut stream: UnixStream, version: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
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
