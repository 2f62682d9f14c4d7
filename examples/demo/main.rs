//! `cargo run --release --example demo`: five real commands of zdd on a scratch site, under steady
//! requests. Needs neither root nor systemd, and leaves nothing behind.
//!
//! One program plays all three parts, by the name it is started under: the demo itself, `zdd` (the
//! whole real command line), and `server`, the little web app that is released.

mod load;
mod scratch;
mod server;

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use load::{Load, Tally};
use scratch::Scratch;

/// What stops the demo early.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let name = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default();
    if name == "zdd" {
        return ExitCode::from(zdd::cli::run(&zdd::host::clock::SystemClock));
    }
    let ended = if name == "server" {
        server::run().map_err(Failure::from)
    } else {
        demo()
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "{}: {failure}", name.display());
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<(), Failure> {
    let began = Instant::now();
    let stage = Stage {
        scratch: Scratch::new()?,
        signal: Arc::default(),
    };
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register_usize(
            signal,
            Arc::clone(&stage.signal),
            signal.unsigned_abs() as usize,
        )?;
    }
    let tally = play(&stage)?;
    let Stage { scratch, .. } = stage;
    scratch.clear()?;
    let took = began.elapsed().as_secs_f64();
    say(&format!(
        "\nDone in {took:.1} s. The site, its processes and its files are gone again."
    ));
    if tally.failed > 0 {
        return Err(format!("{} requests failed", tally.failed).into());
    }
    Ok(())
}

/// The story, scene by scene.
fn play(stage: &Stage) -> Result<Tally, Failure> {
    let app = &stage.scratch;
    say(&format!(
        "A site in {}, with one service: a web app on a unix socket.",
        app.site_dir().display()
    ));
    heading("v1, the first release");
    app.write_version("v1")?;
    stage.zdd(&["release", "../app"], 0)?;

    say("\nFrom here on, clients ask for pages all the time, some for slow ones.");
    let load = Load::start(&app.socket());
    heading("v2: users move to it, and nobody notices");
    app.write_version("v2")?;
    stage.zdd(&["release", "../app"], 0)?;

    heading("v3 forgot a file: it starts, but one of its pages is broken");
    app.write_version("v3")?;
    app.forget_menu()?;
    stage.zdd(&["release", "../app"], 3)?;

    heading("v2 is back by itself. To v1, by hand");
    stage.zdd(&["rollback"], 0)?;

    let tally = load.finish();
    heading("What is there now");
    stage.zdd(&["list"], 0)?;
    heading("What the clients saw");
    say(&tally.to_string());
    Ok(tally)
}

/// Where the demo plays, and what may end it early.
struct Stage {
    scratch: Scratch,
    /// The number of the last signal; 0 without one.
    signal: Arc<AtomicUsize>,
}

impl Stage {
    /// Runs zdd in the site's directory; what it prints is seen as it is.
    fn zdd(&self, words: &[&str], expected: i32) -> Result<(), Failure> {
        let command = format!("zdd {}", words.join(" "));
        say(&format!("{STRONG}$ {command}{STRONG:#}"));
        let mut child = Command::new(std::env::current_exe()?)
            .arg0("zdd")
            .args(words)
            .current_dir(self.scratch.site_dir())
            .env_remove("ZDD_CONFIG")
            .spawn()?;
        let mut is_told = false;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            // A terminal sends Ctrl-C to zdd as well; any other signal is passed on.
            if !is_told && ![0, SIGINT].contains(&self.signal()) {
                kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM)?;
                is_told = true;
            }
            thread::sleep(Duration::from_millis(10));
        };
        if self.signal() != 0 {
            return Err("interrupted; everything is removed again".into());
        }
        let code = status.code().unwrap_or(-1);
        say(&format!("{DIM}(exit code {code}){DIM:#}"));
        if code != expected {
            return Err(format!("`{command}` ended with {code}, not with {expected}").into());
        }
        Ok(())
    }

    fn signal(&self) -> i32 {
        i32::try_from(self.signal.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

const STRONG: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const TITLE: Style = AnsiColor::Cyan.on_default().bold();

fn heading(text: &str) {
    say(&format!("\n{TITLE}== {text}{TITLE:#}"));
}

/// A line on standard output; a reader that went away is no reason to leave a mess.
fn say(text: &str) {
    let mut out = anstream::stdout();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
