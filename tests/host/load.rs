//! Steady load on a host: clients in its network that ask on and on and write down every answer.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use crate::host::Host;

/// Half of them open a connection for each request, half keep theirs.
const CLIENTS: usize = 12;
/// One request in so many takes [`SLOW`].
const SLOW_EVERY: usize = 10;
const SLOW: &str = "http://127.0.0.1/slow?ms=300";
const QUICK: &str = "http://127.0.0.1/";
/// No client asks on for longer, whatever the test forgets.
const LIMIT: Duration = Duration::from_secs(120);

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Answer>>>,
}

/// What one request brought.
#[derive(Clone, Debug)]
pub struct Answer {
    /// When it was sent.
    pub started: Instant,
    /// When it was answered.
    pub ended: Instant,
    /// The status, or what went wrong.
    pub status: Result<u16, String>,
    /// The body without its line end: the site's version.
    pub version: String,
}

impl Load {
    /// Starts all clients.
    pub fn start(host: &Host) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |number: usize| {
            let (stop, network) = (Arc::clone(&stop), host.network());
            std::thread::spawn(move || {
                setns(network, CloneFlags::CLONE_NEWNET).expect("root may enter a network");
                ask_on(&agent(number.is_multiple_of(2)), &stop)
            })
        };
        Load {
            clients: (0..CLIENTS).map(client).collect(),
            stop,
        }
    }

    /// Lets the clients ask on for a while.
    pub fn go_on(&self, time: Duration) -> &Self {
        std::thread::sleep(time);
        self
    }

    /// Ends the load, with the requests in flight answered.
    pub fn stop(self) -> Figures {
        self.stop.store(true, Ordering::Relaxed);
        let answers = self
            .clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client does not panic"))
            .collect();
        Figures { answers }
    }
}

/// One request from inside the host.
pub fn ask(host: &Host, url: &str) -> Answer {
    let network = host.network();
    std::thread::scope(|scope| {
        scope
            .spawn(move || {
                setns(network, CloneFlags::CLONE_NEWNET).expect("root may enter a network");
                ask_once(&agent(false), url)
            })
            .join()
            .expect("a client does not panic")
    })
}

/// All answers that a load got.
pub struct Figures {
    answers: Vec<Answer>,
}

impl Figures {
    /// How many requests were made.
    pub fn requests(&self) -> usize {
        self.answers.len()
    }

    /// Everything that is not a 200.
    pub fn failed(&self) -> Vec<&Answer> {
        let failed = |answer: &&Answer| answer.status != Ok(200);
        self.answers.iter().filter(failed).collect()
    }

    /// Which versions answered the requests sent in a time, and how many each.
    pub fn versions(&self, time: impl RangeBounds<Instant>) -> BTreeMap<&str, usize> {
        let mut versions = BTreeMap::new();
        for answer in self.answers.iter().filter(|a| time.contains(&a.started)) {
            *versions.entry(answer.version.as_str()).or_default() += 1;
        }
        versions
    }

    /// One version answered everything that was sent in a time.
    #[track_caller]
    pub fn assert_only(&self, version: &str, time: impl RangeBounds<Instant>) {
        let versions = self.versions(time);
        let only = versions.len() == 1 && versions.contains_key(version);
        assert!(only, "all answers should be {version}, not {versions:?}");
    }

    /// No request failed, and there were enough to tell.
    #[track_caller]
    pub fn assert_none_failed(&self) {
        assert!(self.requests() > 50, "too little load to tell: {self}");
        assert!(self.failed().is_empty(), "requests failed: {self}");
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.failed();
        write!(f, "{} requests, {} failed", self.requests(), failed.len())?;
        let Some(first) = self.answers.iter().map(|answer| answer.started).min() else {
            return Ok(());
        };
        for answer in failed.iter().take(5) {
            let at = answer.started.duration_since(first);
            let took = answer.ended.duration_since(answer.started);
            write!(f, "\n  at {at:.2?}, for {took:.2?}: {:?}", answer.status)?;
        }
        Ok(())
    }
}

fn agent(keeps_connection: bool) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(usize::from(keeps_connection))
        .timeout_global(Some(Duration::from_secs(30)))
        .proxy(None)
        .build()
        .into()
}

fn ask_on(agent: &ureq::Agent, stop: &AtomicBool) -> Vec<Answer> {
    let started = Instant::now();
    let mut answers = Vec::new();
    while !stop.load(Ordering::Relaxed) && started.elapsed() < LIMIT {
        let is_slow = answers.len() % SLOW_EVERY == SLOW_EVERY - 1;
        answers.push(ask_once(agent, if is_slow { SLOW } else { QUICK }));
        // Refused connections come back at once: let no client spin.
        std::thread::sleep(Duration::from_millis(5));
    }
    answers
}

fn ask_once(agent: &ureq::Agent, url: &str) -> Answer {
    let started = Instant::now();
    let answer = agent.get(url).call().and_then(|mut response| {
        let body = response.body_mut().read_to_string()?;
        Ok((response.status().as_u16(), body))
    });
    let ended = Instant::now();
    match answer {
        Ok((status, body)) => Answer {
            started,
            ended,
            status: Ok(status),
            version: body.trim().to_owned(),
        },
        Err(error) => Answer {
            started,
            ended,
            status: Err(error.to_string()),
            version: String::new(),
        },
    }
}
