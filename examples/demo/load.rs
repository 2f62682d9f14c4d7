//! The users: steady requests, each over a connection of its own, through the link that every
//! release is reached by.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How many ask for the quick page; one more asks for the slow one.
const QUICK_CLIENTS: usize = 3;

/// What a client waits between two requests.
const PAUSE: Duration = Duration::from_millis(5);

/// After so long without an answer a request has failed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Clients that ask until they are stopped.
pub struct Load {
    is_over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// Starts the clients.
    pub fn start(socket: &Path) -> Load {
        let is_over = Arc::new(AtomicBool::new(false));
        let pages = std::iter::repeat_n("/", QUICK_CLIENTS).chain(["/slow"]);
        let clients = pages.map(|page| {
            let (socket, is_over) = (socket.to_owned(), Arc::clone(&is_over));
            thread::spawn(move || ask_until(&is_over, &socket, page))
        });
        Load {
            clients: clients.collect(),
            is_over,
        }
    }

    /// Stops the clients and counts together what they saw.
    pub fn finish(self) -> Tally {
        self.is_over.store(true, Ordering::SeqCst);
        let mut sum = Tally::default();
        for client in self.clients {
            match client.join() {
                Ok(tally) => sum.add(tally),
                Err(_) => sum.failed += 1,
            }
        }
        sum
    }
}

fn ask_until(is_over: &AtomicBool, socket: &Path, page: &str) -> Tally {
    let mut tally = Tally::default();
    while !is_over.load(Ordering::SeqCst) {
        let began = Instant::now();
        match ask(socket, page) {
            Ok(version) => *tally.answers.entry(version).or_default() += 1,
            Err(error) => {
                tally.failed += 1;
                tally.first_failure.get_or_insert(error.to_string());
            }
        }
        tally.slowest = tally.slowest.max(began.elapsed());
        thread::sleep(PAUSE);
    }
    tally
}

/// One request; returns the version that answered.
fn ask(socket: &Path, page: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    write!(stream, "GET {page} HTTP/1.1\r\nHost: demo\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let is_good = answer.starts_with("HTTP/1.1 200 ");
    let version = answer.trim_end().rsplit(' ').next();
    match version {
        Some(version) if is_good => Ok(version.to_owned()),
        _ => Err(io::Error::other(format!(
            "bad answer `{}`",
            answer.trim_end()
        ))),
    }
}

/// What clients saw.
#[derive(Default)]
pub struct Tally {
    /// How many good answers, by the version that gave them.
    answers: BTreeMap<String, usize>,
    /// How many requests had no good answer.
    pub failed: usize,
    first_failure: Option<String>,
    slowest: Duration,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        for (version, count) in other.answers {
            *self.answers.entry(version).or_default() += count;
        }
        self.failed += other.failed;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.slowest = self.slowest.max(other.slowest);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers: usize = self.answers.values().sum();
        let versions: Vec<String> = self
            .answers
            .iter()
            .map(|(version, count)| format!("{count} by {version}"))
            .collect();
        writeln!(
            f,
            "{} requests, {} failed",
            answers + self.failed,
            self.failed
        )?;
        writeln!(f, "{answers} answered: {}", versions.join(", "))?;
        write!(f, "the slowest took {} ms", self.slowest.as_millis())?;
        match &self.first_failure {
            Some(failure) => write!(f, "\nthe first failure: {failure}"),
            None => Ok(()),
        }
    }
}
