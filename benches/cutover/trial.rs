//! A load, the commands given under it, and whether each ended as it had to.

use std::time::{Duration, Instant};

use crate::clients::LIMIT;
use crate::figures::{Command, Figures};
use crate::load::{Client, Load};
use crate::site::Site;
use crate::wrk::Wrk;

/// From the load's start to the first command: the steady state.
const STEADY: Duration = Duration::from_secs(5);
/// From a command's end to the next.
const REST: Duration = Duration::from_secs(2);

/// A site under load.
pub struct Trial<'a> {
    pub site: &'a Site,
    load: Load,
    wrk: Wrk,
    commands: Vec<Command>,
    /// Commands that did not end as they had to, with all they said.
    pub surprises: Vec<String>,
}

impl<'a> Trial<'a> {
    /// Starts the load and waits until it is steady.
    pub fn start(site: &'a Site, clients: Vec<Client>) -> Self {
        let load = Load::of(site, LIMIT, clients);
        let wrk = Wrk::start(site);
        load.go_on(STEADY);
        Trial {
            site,
            load,
            wrk,
            commands: Vec::new(),
            surprises: Vec::new(),
        }
    }

    /// Gives a command, which says what was wrong about its end and must leave a version live.
    pub fn command(
        &mut self,
        name: String,
        leaves: &str,
        run: impl FnOnce(&Site) -> Option<String>,
    ) {
        let started = Instant::now();
        let surprise = run(self.site);
        let ended = Instant::now();
        let live = self.site.live_version();
        if let Some(said) = surprise {
            self.surprises.push(format!("{name}: {said}"));
        }
        if live != leaves {
            self.surprises
                .push(format!("{name}: {live} is live, not {leaves}"));
        }
        self.commands.push(Command {
            name,
            started,
            ended,
            leaves: leaves.to_owned(),
        });
        self.load.go_on(REST);
    }

    /// Ends the load.
    pub fn finish(self) -> (Figures, Vec<String>) {
        let wrk = self.wrk.stop();
        let figures = Figures {
            answers: self.load.stop().answers,
            wrk,
            commands: self.commands,
        };
        (figures, self.surprises)
    }
}
