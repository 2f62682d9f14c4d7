//! The web app that is released: HTTP on the unix socket that zdd names. Told to end, it takes
//! what waits in its queue, finishes what it began, and only then goes.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

/// How long a slow page takes.
const SLOW: Duration = Duration::from_millis(300);

/// Without any request for so long, whoever played the demo is gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until TERM.
pub fn run() -> io::Result<()> {
    let socket = env::var_os("ZDD_SOCKET").ok_or_else(|| io::Error::other("no ZDD_SOCKET"))?;
    let page = fs::read_to_string("index.html")?;
    let mut signals = Signals::new([SIGTERM])?;
    let listener = UnixListener::bind(&socket)?;
    let is_leaving = AtomicBool::new(false);
    let last_request = Mutex::new(Instant::now());
    let is_idle = || {
        last_request
            .lock()
            .is_ok_and(|then| then.elapsed() > IDLE_TIMEOUT)
    };

    thread::scope(|scope| {
        scope.spawn(|| {
            while signals.pending().next().is_none() && !is_idle() {
                thread::sleep(Duration::from_millis(10));
            }
            is_leaving.store(true, Ordering::SeqCst);
            // Wakes the loop below, should it be waiting.
            UnixStream::connect(&socket)
        });
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    scope.spawn(|| answer(stream, &page));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            if let Ok(mut then) = last_request.lock() {
                *then = Instant::now();
            }
            // From here on, only what is in the queue already.
            if is_leaving.load(Ordering::SeqCst) {
                listener.set_nonblocking(true)?;
            }
        }
    })
}

fn answer(stream: UnixStream, page: &str) -> io::Result<()> {
    let mut lines = BufReader::new(&stream).lines();
    let Some(request) = lines.next().transpose()? else {
        return Ok(());
    };
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let (status, body) = match request.split(' ').nth(1) {
        Some("/") => ("200 OK", page.to_owned()),
        Some("/health") => ("200 OK", "alive\n".to_owned()),
        Some("/slow") => {
            thread::sleep(SLOW);
            ("200 OK", page.to_owned())
        }
        Some("/menu") => match fs::read_to_string("menu.txt") {
            Ok(menu) => ("200 OK", menu),
            Err(error) => ("500 Internal Server Error", format!("menu.txt: {error}\n")),
        },
        _ => ("404 Not Found", "no such page\n".to_owned()),
    };
    let length = body.len();
    write!(
        &stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
