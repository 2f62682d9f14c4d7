//! A small server for tests: real sockets, and answers written byte by byte as the test wants.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use camino::Utf8Path;

/// Both directions of a connection.
pub trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// A server that runs until it is dropped.
pub struct Server {
    /// Where it is asked: `http://127.0.0.1:PORT` or `http://unix:PATH:`.
    pub url: String,
    connections: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    wake: Box<dyn Fn() + Send>,
}

impl Server {
    /// On a free port. `serve` gets the number of the connection, counted from 1, and the stream.
    pub fn tcp(serve: impl Fn(usize, &mut dyn Stream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accept = move || Box::new(listener.accept().unwrap().0) as Box<dyn Stream + Send>;
        let wake = move || drop(TcpStream::connect(address));
        Server::run(format!("http://{address}"), accept, wake, serve)
    }

    /// On a unix socket.
    pub fn unix(
        path: &Utf8Path,
        serve: impl Fn(usize, &mut dyn Stream) + Send + Sync + 'static,
    ) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let accept = move || Box::new(listener.accept().unwrap().0) as Box<dyn Stream + Send>;
        let socket = path.to_owned();
        let wake = move || drop(UnixStream::connect(&socket));
        Server::run(format!("http://unix:{path}:"), accept, wake, serve)
    }

    /// On a free port, answering every request with this text.
    pub fn answering(text: impl Into<String>) -> Self {
        let text = text.into();
        Server::tcp(move |_, stream| reply(stream, &text))
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// `127.0.0.1:PORT`.
    pub fn host_and_port(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    fn run(
        url: String,
        mut accept: impl FnMut() -> Box<dyn Stream + Send> + Send + 'static,
        wake: impl Fn() + Send + 'static,
        serve: impl Fn(usize, &mut dyn Stream) + Send + Sync + 'static,
    ) -> Self {
        let connections = Arc::new(AtomicUsize::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let serve = Arc::new(serve);
        let (count, end) = (Arc::clone(&connections), Arc::clone(&is_over));
        thread::spawn(move || {
            loop {
                let mut stream = accept();
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(number, &mut *stream));
            }
        });
        Server {
            url,
            connections,
            is_over,
            wake: Box::new(wake),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        (self.wake)();
    }
}

/// Reads one request and returns its text.
pub fn request(stream: &mut dyn Stream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one request and answers with this text.
pub fn reply(stream: &mut dyn Stream, text: &str) {
    request(stream);
    let _ = stream.write_all(text.as_bytes());
}

/// A whole answer: `head` is the status and more header lines, joined by newlines.
pub fn answer(head: &str, body: &str) -> String {
    let head = head.replace('\n', "\r\n");
    let length = body.len();
    format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// Goes on writing this text, so often, until the client is gone.
pub fn write_for_ever(stream: &mut dyn Stream, text: &str, pause: Duration) {
    while stream.write_all(text.as_bytes()).is_ok() {
        thread::sleep(pause);
    }
}

/// Says nothing until the client is gone.
pub fn stay_silent(stream: &mut dyn Stream) {
    while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
}
