//! Giving an nginx other settings and taking them back, whoever decides what stands in them: a site
//! with releases (`[proxy]`) or one that is released in place. The settings that were good before
//! are kept, and nothing counts until nginx is proved to use what was written.

use std::time::{Duration, Instant};

use camino::Utf8Path;
use fs_err as fs;

use super::in_place;
use crate::error::{Context, Error, Result};
use crate::host::atomic_file;
use crate::host::signal::Patience;
use crate::proxy::nginx::{Master, Nginx, Reads};
use crate::report::Report;
use crate::service::Unit;
use crate::site::Site;

/// The fact that the settings are about to be replaced.
const PLACING: &str = "placing";

/// The fact that nginx is about to be told: users may meet the new instances from then on.
const TELLING: &str = "telling";

/// How long a unit may take to pass the word on.
const TELL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an nginx that zdd started may take to end.
const QUIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is looked whether it has.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Where nginx is switched: what a stage must have for it.
pub trait Ground {
    /// The site.
    fn site(&self) -> &Site;
    /// Who is told.
    fn report(&self) -> &dyn Report;
    /// Until when the command wants to go on.
    fn patience(&self) -> Patience;
    /// Writes down what undo must know, before it happens.
    ///
    /// # Errors
    /// When the journal cannot be written.
    fn write_down(&mut self, fact: &str) -> Result<()>;
    /// Whether that was written down.
    fn is_written_down(&self, fact: &str) -> bool;
}

/// The nginx of a site, and how it was before the command.
#[derive(Debug)]
pub struct Front<'a> {
    /// Its settings and its master.
    pub nginx: Nginx<'a>,
    /// What tells it to read its settings again; a signal otherwise.
    pub unit: Option<Unit>,
    /// The master that ran.
    pub master_before: Option<Master>,
    /// Whether its settings were there.
    pub had_settings: bool,
}

/// Whether nginx was told of the new instances: users may have met them.
pub fn was_told(ground: &impl Ground) -> bool {
    ground.is_written_down(TELLING)
}

/// Has the settings tested, keeps those that were good before, and puts the new ones in place.
/// Nobody uses them yet.
///
/// # Errors
/// When nginx refuses them, does not read them, or they cannot be written.
pub fn place(ground: &mut impl Ground, front: &Front<'_>, text: &str) -> Result<()> {
    let nginx = &front.nginx;
    let master = nginx.master();
    let patience = ground.patience();
    let reads = nginx.reads(master.as_ref(), &patience)?;
    refuse_others(nginx.settings, master, &reads)?;
    nginx.test(text, &reads, &patience)?;
    if front.had_settings {
        keep_last_good(ground.site(), nginx.settings)?;
    }
    ground.write_down(PLACING)?;
    nginx.place(text.as_bytes())?;
    nginx.test_placed(&reads, &patience)?;
    if front.had_settings {
        return Ok(());
    }
    // Of a file that was not there it could only be expected.
    let reads = nginx.reads(master.as_ref(), &patience)?;
    refuse_others(nginx.settings, master, &reads)
}

/// Lets nginx use what is in place, and proves that it does. One that does not run is started.
///
/// # Errors
/// When it does not use them.
pub fn take_effect(ground: &mut impl Ground, front: &Front<'_>) -> Result<Master> {
    ground.write_down(TELLING)?;
    match front.nginx.master() {
        Some(master) => reload(ground, front, &master).map(|()| master),
        None => start(ground, front),
    }
}

/// Puts the settings back that were there before, and lets nginx use them where it was told of
/// others. Right when nothing, or only a part, was done.
///
/// # Errors
/// When nginx does not use them again.
pub fn put_back(ground: &impl Ground, front: &Front<'_>) -> Result<()> {
    if !ground.is_written_down(PLACING) {
        return Ok(());
    }
    let nginx = &front.nginx;
    if front.had_settings {
        nginx.place(&last_good(ground.site(), nginx.settings)?)?;
    } else {
        let what = format!("cannot remove `{}`", nginx.settings);
        atomic_file::remove(nginx.settings).context(what)?;
    }
    if !was_told(ground) {
        return Ok(());
    }
    match (front.master_before, nginx.master()) {
        (Some(_), Some(master)) => reload(ground, front, &master),
        (Some(_), None) => start(ground, front).map(drop),
        (None, Some(master)) => quit(&master),
        (None, None) => Ok(()),
    }
}

/// A reload would change nothing, and the old instances be stopped under their users.
///
/// # Errors
/// When the nginx that runs does not read the settings.
pub fn refuse_others(settings: &Utf8Path, master: Option<Master>, reads: &Reads) -> Result<()> {
    let (Some(master), Reads::Not { main }) = (master, reads) else {
        return Ok(());
    };
    let what = format!("nginx (pid {}) does not read `{settings}`", master.pid);
    let cause = format!("it was started with `{main}`, which does not include it");
    let hint = format!(
        "include it there, or end that nginx and let zdd start one: kill -QUIT {}",
        master.pid
    );
    Err(Error::failed(what).cause(cause).hint(hint))
}

/// Whether it took the settings must be known, whatever signal arrives.
fn reload(ground: &impl Ground, front: &Front<'_>, master: &Master) -> Result<()> {
    let (nginx, report) = (&front.nginx, ground.report());
    let pid = master.pid;
    match &front.unit {
        Some(unit) => {
            let name = unit.name();
            report.detail(&format!("reloading {name}: nginx (pid {pid})"));
            let tell = || unit.reload(TELL_TIMEOUT, &Patience::endless());
            nginx.reload_by(master, &tell)
        }
        None if nginx.through_sudo => {
            report.detail(&format!("running `nginx -s reload` for nginx (pid {pid})"));
            let tell = || nginx.tell_by_program(master, &Patience::endless());
            nginx.reload_by(master, &tell)
        }
        None => {
            report.detail(&format!("sending HUP to nginx (pid {pid})"));
            nginx.reload(master)
        }
    }
}

fn start(ground: &impl Ground, front: &Front<'_>) -> Result<Master> {
    let settings = front.nginx.settings;
    if let Some(unit) = &front.unit {
        let what = format!("`{}` does not run", unit.name());
        return Err(Error::failed(what).hint(format!("systemctl start {}", unit.name())));
    }
    let report = ground.report();
    report.detail(&format!("running `nginx -c {settings}`"));
    let said = ground.site().in_place_log_path("nginx");
    front.nginx.start(&said, &Patience::endless())
}

/// The settings of nginx before this command. When they cannot be had, those that are there stay:
/// without any, nginx could not even start.
fn last_good(site: &Site, settings: &Utf8Path) -> Result<Vec<u8>> {
    let what = format!("`{settings}` is left as it is, since what stood there before is lost");
    fs::read(site.last_good_path()).context(what)
}

fn keep_last_good(site: &Site, settings: &Utf8Path) -> Result<()> {
    let what = "cannot keep the last good settings of nginx";
    let text = fs::read(settings).context(what)?;
    atomic_file::replace(&site.last_good_path(), &text, 0o600).context(what)
}

/// Ends an nginx that did not run before.
fn quit(master: &Master) -> Result<()> {
    let what = || format!("nginx (pid {}) does not end", master.pid);
    master.quit().context(what())?;
    let deadline = Instant::now() + QUIT_TIMEOUT;
    while master.is_running() {
        if Instant::now() >= deadline {
            return Err(Error::failed(what()));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}

impl Ground for super::Stage<'_> {
    fn site(&self) -> &Site {
        self.site
    }

    fn report(&self) -> &dyn Report {
        self.report
    }

    fn patience(&self) -> Patience {
        super::Stage::patience(self)
    }

    fn write_down(&mut self, fact: &str) -> Result<()> {
        self.fact(fact, true)
    }

    fn is_written_down(&self, fact: &str) -> bool {
        self.known(fact) == Some(true)
    }
}

impl Ground for in_place::Stage<'_> {
    fn site(&self) -> &Site {
        self.site
    }

    fn report(&self) -> &dyn Report {
        self.report
    }

    fn patience(&self) -> Patience {
        in_place::Stage::patience(self)
    }

    fn write_down(&mut self, fact: &str) -> Result<()> {
        self.fact(fact, true)
    }

    fn is_written_down(&self, fact: &str) -> bool {
        self.known(fact) == Some(true)
    }
}
