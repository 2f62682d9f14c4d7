//! The clients of a load, all in the host's network and steady rather than fast: the machine has
//! to have time left for what is measured.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use tungstenite::{Message, WebSocket};

use crate::load::{self, Answer, Client};

/// The clients whose requests are short: their times and gaps are the figures.
pub const SHORT: [&str; 2] = ["new", "kept"];
/// No client asks on for longer.
pub const LIMIT: Duration = Duration::from_secs(900);

const QUICK: &str = "http://127.0.0.1/";
const WEBSOCKET: &str = "ws://127.0.0.1/ws";
const BODY: usize = 1 << 20;
/// How long a WebSocket is used, and the pause between its messages.
const SESSION: Duration = Duration::from_secs(1);
const BEAT: Duration = Duration::from_millis(100);

/// One of each kind, two of most. `wrk` comes beside them.
pub fn all(has_websocket: bool) -> Vec<Client> {
    let mut clients = vec![
        quick("new"),
        quick("new"),
        quick("kept"),
        quick("kept"),
        upload(),
        slow(2_000),
        slow(2_000),
    ];
    if has_websocket {
        clients.push(websocket());
    }
    clients
}

/// More long requests than three workers can take at once, and the short ones between them.
pub fn crowd() -> Vec<Client> {
    let long = std::iter::repeat_with(|| slow(2_000)).take(5);
    let short = ["new", "new", "kept", "kept"].map(quick);
    short.into_iter().chain(long).chain([upload()]).collect()
}

fn quick(kind: &'static str) -> Client {
    let agent = load::agent(kind == "kept");
    Client {
        kind,
        pause: Duration::from_millis(10),
        ask: Box::new(move || load::ask_once(&agent, QUICK)),
    }
}

/// Answers that take so many milliseconds, on a connection that is kept.
fn slow(millis: u32) -> Client {
    let agent = load::agent(true);
    let url = format!("http://127.0.0.1/slow?ms={millis}");
    Client {
        kind: "slow",
        pause: Duration::from_millis(10),
        ask: Box::new(move || load::ask_once(&agent, &url)),
    }
}

/// Bodies of one MiB, on a connection that is kept. The app says how much of it has come.
fn upload() -> Client {
    let (agent, body) = (load::agent(true), vec![b'x'; BODY]);
    let post = move || -> Result<(u16, String), Box<dyn std::error::Error>> {
        let mut response = agent.post(QUICK).send(&body)?;
        let received = response.headers().get("X-Received").cloned();
        let version = response.body_mut().read_to_string()?;
        let status = response.status().as_u16();
        if status == 200 && received.is_none_or(|length| length != BODY.to_string()) {
            return Err("the body came in part".into());
        }
        Ok((status, version))
    };
    Client {
        kind: "upload",
        pause: Duration::from_millis(50),
        ask: Box::new(move || load::answer_of(&post)),
    }
}

/// A WebSocket for a second, a message ten times a second: one answer.
fn websocket() -> Client {
    Client {
        kind: "websocket",
        pause: Duration::from_millis(10),
        ask: Box::new(|| load::answer_of(session)),
    }
}

fn session() -> Result<(u16, String), Box<dyn std::error::Error>> {
    let stream = TcpStream::connect("127.0.0.1:80")?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let (mut socket, _) = tungstenite::client(WEBSOCKET, stream)?;
    let (started, mut version) = (Instant::now(), String::new());
    while started.elapsed() < SESSION {
        version = echoed(&mut socket, "hello")?;
        std::thread::sleep(BEAT);
    }
    socket.close(None)?;
    while socket.read().is_ok() {}
    Ok((200, version))
}

/// Sends a text and returns the version that echoes it.
fn echoed(
    socket: &mut WebSocket<TcpStream>,
    text: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    socket.send(Message::text(text))?;
    match socket.read()? {
        Message::Text(answer) => {
            let version = answer.strip_suffix(text).ok_or("another text came back")?;
            Ok(version.trim().to_owned())
        }
        Message::Close(why) => {
            let code = why.map_or(1005, |why| u16::from(why.code));
            Err(format!("the server closed the WebSocket with {code}").into())
        }
        other => Err(format!("not an echo: {other}").into()),
    }
}

/// Whether an answer is good.
pub fn is_good(answer: &Answer) -> bool {
    answer.status == Ok(200)
}
