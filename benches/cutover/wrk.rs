//! A client of another make: `wrk`, held to a steady pace by a script that counts who answered.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use crate::clients::LIMIT;
use crate::host::Host;
use crate::program::Running;

/// `wrk` at work.
pub struct Wrk(Running);

/// What `wrk` counted.
#[derive(Default)]
pub struct Counts {
    /// How often each version answered with 200.
    pub versions: BTreeMap<String, usize>,
    /// Answers with another status, and connections that broke.
    pub failed: usize,
}

impl Wrk {
    /// Starts it on connections that are kept.
    pub fn start(host: &Host) -> Self {
        let duration = format!("{}s", LIMIT.as_secs());
        let program = host.program(["wrk", "--threads", "1", "--connections", "3"]);
        let program = program.args(["--timeout", "30s", "--duration", &duration]);
        let program = program.args(["--script", "/opt/apps/wrk.lua", "http://127.0.0.1/"]);
        Wrk(program.limit(LIMIT * 2).spawn())
    }

    /// Ends it and reads its counts.
    pub fn stop(mut self) -> Counts {
        assert!(self.0.is_running(), "`wrk` has ended by itself");
        self.0.signal(Signal::SIGINT);
        let output = self.0.wait();
        let counts = Counts::read(&output.stdout);
        assert!(counts.requests() > 0, "`wrk` counted nothing:\n{output}");
        counts
    }
}

impl Counts {
    fn read(text: &str) -> Self {
        let mut counts = Counts::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = words.last().and_then(|word| word.parse().ok());
            match (words.as_slice(), number) {
                (["answer", who, _], Some(count)) if who.starts_with("status-") => {
                    counts.failed += count;
                }
                (["answer", who, _], Some(count)) => {
                    counts.versions.insert((*who).to_owned(), count);
                }
                (["broken", _], Some(count)) => counts.failed += count,
                _ => {}
            }
        }
        counts
    }

    /// All requests that came to an end.
    pub fn requests(&self) -> usize {
        self.versions.values().sum::<usize>() + self.failed
    }
}
