//! Steady load on a host: clients in its network that ask on and on and write down every answer.
//! [`Load::start`] has the mix of the tests; [`Load::of`] takes any.

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
const SLOW: &str = "slow?ms=300";
/// Where most sites answer.
pub const USUAL: &str = "http://127.0.0.1/";
/// No client asks on for longer, whatever the test forgets.
const LIMIT: Duration = Duration::from_secs(400);

/// A connection that was closed or reset before the answer; a refused one is not among them.
const ENDED: [&str; 2] = ["io: Peer disconnected", "io: Connection reset by peer"];

/// How a client asks.
type Get = fn(&ureq::Agent, &str) -> Answer;

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Answer>>>,
}

/// Someone who asks on and on.
pub struct Client {
    /// What its answers are called.
    pub kind: &'static str,
    /// From an answer to the next request. Never nothing: refused connections come back at once.
    pub pause: Duration,
    /// Asks once.
    pub ask: Box<dyn FnMut() -> Answer + Send>,
}

/// What one request brought.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Which client asked.
    pub kind: &'static str,
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
    /// Starts the clients of the tests.
    pub fn start(host: &Host) -> Self {
        Load::mix(host, USUAL, ask_once)
    }

    /// The same for a site whose nginx is itself reloaded. It then closes idle connections of its
    /// clients, maybe in the moment in which one is used again: whoever keeps one asks again on a
    /// new one, as browsers and curl do.
    pub fn at_reloaded(host: &Host, url: &str) -> Self {
        Load::mix(host, url, ask_again)
    }

    /// Half of the clients keep a connection, and ask on it in this way.
    fn mix(host: &Host, url: &str, ask_on_kept: Get) -> Self {
        let clients = (0..CLIENTS).map(|number| match number.is_multiple_of(2) {
            true => mixed(url, agent(true), ask_on_kept),
            false => mixed(url, agent(false), ask_once),
        });
        Load::of(host, LIMIT, clients)
    }

    /// Starts these clients, who ask no longer than the limit.
    pub fn of(host: &Host, limit: Duration, clients: impl IntoIterator<Item = Client>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |mut client: Client| {
            let (stop, network) = (Arc::clone(&stop), host.network());
            std::thread::spawn(move || {
                setns(network, CloneFlags::CLONE_NEWNET).expect("root may enter a network");
                ask_on(&mut client, limit, &stop)
            })
        };
        Load {
            clients: clients.into_iter().map(start).collect(),
            stop,
        }
    }

    /// Lets the clients ask on for a while.
    pub fn go_on(&self, time: Duration) -> &Self {
        std::thread::sleep(time);
        self
    }

    /// Ends the load, with the requests in flight answered. Until now every client asked.
    pub fn stop(mut self) -> Figures {
        let has_ended = |client: &JoinHandle<_>| client.is_finished();
        assert!(
            !self.clients.iter().any(has_ended),
            "a client has ended by itself: the end of the test had no load"
        );
        self.stop.store(true, Ordering::Relaxed);
        let answers = std::mem::take(&mut self.clients)
            .into_iter()
            .flat_map(|client| client.join().expect("a client does not panic"))
            .collect();
        Figures { answers }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
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
    /// In no order.
    pub answers: Vec<Answer>,
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

/// A client of the tests: quick requests, every tenth a slow one.
fn mixed(url: &str, agent: ureq::Agent, get: Get) -> Client {
    let mut asked = 0;
    let (quick, slow) = (url.to_owned(), format!("{url}{SLOW}"));
    let ask = move || {
        asked += 1;
        let is_slow = asked % SLOW_EVERY == 0;
        get(&agent, if is_slow { &slow } else { &quick })
    };
    Client {
        kind: "mixed",
        pause: Duration::from_millis(5),
        ask: Box::new(ask),
    }
}

/// An HTTP client as a user's: it follows no redirect and gives up after 30 seconds.
pub fn agent(keeps_connection: bool) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(usize::from(keeps_connection))
        .timeout_global(Some(Duration::from_secs(30)))
        .proxy(None)
        .build()
        .into()
}

fn ask_on(client: &mut Client, limit: Duration, stop: &AtomicBool) -> Vec<Answer> {
    let started = Instant::now();
    let mut answers = Vec::new();
    while !stop.load(Ordering::Relaxed) && started.elapsed() < limit {
        let mut answer = (client.ask)();
        answer.kind = client.kind;
        answers.push(answer);
        std::thread::sleep(client.pause);
    }
    answers
}

/// A GET.
pub fn ask_once(agent: &ureq::Agent, url: &str) -> Answer {
    answer_of(|| {
        let mut response = agent.get(url).call()?;
        let version = response.body_mut().read_to_string()?;
        Ok::<_, ureq::Error>((response.status().as_u16(), version))
    })
}

/// A GET, once more where the connection ended without an answer.
fn ask_again(agent: &ureq::Agent, url: &str) -> Answer {
    let answer = ask_once(agent, url);
    match &answer.status {
        Err(error) if ENDED.iter().any(|it| error.starts_with(it)) => ask_once(agent, url),
        _ => answer,
    }
}

/// Makes a request that brings a status and a version, and notes when and what came of it.
pub fn answer_of<E: fmt::Display>(request: impl FnOnce() -> Result<(u16, String), E>) -> Answer {
    let started = Instant::now();
    let (status, version) = match request() {
        Ok((status, version)) => (Ok(status), version.trim().to_owned()),
        Err(error) => (Err(error.to_string()), String::new()),
    };
    Answer {
        kind: "",
        started,
        ended: Instant::now(),
        status,
        version,
    }
}
