use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::pty::{Winsize, openpty};

use super::*;

/// A real terminal and what a person sees on it.
struct Pty {
    screen: Arc<Mutex<vt100::Parser>>,
    slave: OwnedFd,
    master: File,
}

impl Pty {
    fn new(columns: u16) -> Self {
        let pty = openpty(&size(columns), None).unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(24, columns, 0)));
        let master = File::from(pty.master);
        let (mut reader, shown) = (master.try_clone().unwrap(), Arc::clone(&screen));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(1..) = reader.read(&mut bytes).inspect(|count| {
                lock(&shown).process(&bytes[..*count]);
            }) {}
        });
        Pty {
            screen,
            slave: pty.slave,
            master,
        }
    }

    fn terminal(&self, is_verbose: bool, is_coloured: bool) -> Terminal {
        let fd = self.slave.as_fd().try_clone_to_owned().unwrap();
        Terminal::new(Stream::new(Some(fd)), is_verbose, is_coloured)
    }

    /// What is on the screen, when it satisfies the condition or after ten seconds.
    fn seen(&self, condition: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let text = lock(&self.screen).screen().contents();
            if condition(&text) || Instant::now() > deadline {
                return text;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn cursor_column(&self) -> u16 {
        lock(&self.screen).screen().cursor_position().1
    }
}

fn size(columns: u16) -> Winsize {
    Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

#[test]
fn finished_work_stays_and_running_work_is_one_line_with_what_was_heard_last() {
    let pty = Pty::new(80);
    let terminal = pty.terminal(false, true);
    terminal.finished("Created", "20261122014228", Some(Duration::from_millis(12)));
    terminal.started("Building", "hooks/build");
    terminal.event(Event::Output("Collecting flask"));
    terminal.event(Event::Output("\x1b[32m10%\rInstalling flask\x1b[0m\x07"));
    let text = pty.seen(|text| text.contains("Installing"));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[0], "     Created 20261122014228 in 12 ms");
    let running: String = lines[1]
        .chars()
        .filter(|&c| !SPINNER.contains(&&*c.to_string()))
        .collect();
    assert_eq!(running.trim(), "Building hooks/build  Installing flask");

    terminal.warning("`uploads` is empty");
    terminal.finished("Built", "hooks/build", Some(Duration::from_millis(1_200)));
    terminal.closing("live 20261122014228\n");
    drop(terminal);
    assert_eq!(
        pty.seen(|text| text.contains("live")),
        "     Created 20261122014228 in 12 ms
warning: `uploads` is empty
       Built hooks/build in 1.2 s
live 20261122014228"
    );
    assert_eq!(pty.cursor_column(), 0);
}

#[test]
fn short_work_does_not_flicker() {
    let pty = Pty::new(80);
    let terminal = pty.terminal(false, false);
    terminal.started("Linking", "shared files");
    let text = pty.seen(|text| text.contains("Linking"));
    assert!(text.contains("Linking"), "long work is shown");
    terminal.finished("Linked", "shared files", None);

    let (mut reader, writer) = io::pipe().unwrap();
    let terminal = Terminal::new(Stream::new(Some(writer.into())), false, false);
    for _ in 0..10 {
        terminal.started("Linking", "shared files");
        terminal.note("two of them");
        terminal.finished("Linked", "shared files", None);
    }
    drop(terminal);
    let mut bytes = String::new();
    reader.read_to_string(&mut bytes).unwrap();
    assert_eq!(
        bytes,
        "note: two of them\n      Linked shared files\n".repeat(10)
    );
}

#[test]
fn verbose_prints_every_line_above_the_running_one() {
    let pty = Pty::new(60);
    let terminal = pty.terminal(true, true);
    terminal.started("Building", "hooks/build");
    pty.seen(|text| text.contains("Building"));
    terminal.event(Event::Output("one"));
    terminal.event(Event::Output("two"));
    terminal.detail("cwd is /srv");
    let text = pty.seen(|text| text.lines().count() == 4);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["    | one", "    | two", "cwd is /srv"]);
    assert!(lines[3].contains("Building hooks/build  two"), "{text}");
}

#[test]
fn a_window_that_becomes_narrow_cuts_the_running_line() {
    let pty = Pty::new(80);
    let terminal = pty.terminal(false, true);
    terminal.started("Building", "hooks/build of a very long name");
    terminal.event(Event::Output(
        "国国国国国国国国国国国国国国国国国国国国国国国国国",
    ));
    pty.seen(|text| text.contains('国'));
    // The parser does not wrap its lines anew on a resize; `screen` tests that part.
    let columns = 20;
    resize(&pty, columns);
    lock(&pty.screen).screen_mut().set_size(24, columns);
    let text = pty.seen(|text| text.lines().count() == 1 && text.contains('…'));
    assert!(text.contains("Building hooks…"), "{text}");
    drop(terminal);
    assert_eq!(pty.seen(str::is_empty), "");
}

#[test]
fn the_running_line_fits_every_width_and_keeps_its_time_longest() {
    let screen = Screen::new(Stream::new(None));
    let line = RunningLine {
        screen,
        verb: "Switching".into(),
        what: "20261122014228".into(),
        heard: Arc::new(Mutex::new("2 of 3 processes run 国国国".into())),
        is_coloured: true,
    };
    let text = |width| {
        let text = line.text(Duration::from_secs(65), width);
        anstream::adapter::strip_str(&text).to_string()
    };
    for width in 20..120 {
        assert!(columns(&text(width)) < width);
        assert!(
            text(width).contains(" 1 min 5 s"),
            "{width}: {}",
            text(width)
        );
    }
    assert_eq!(text(30), "⠋ Switching 2026… 1 min 5 s");
    assert_eq!(
        text(80),
        " ⠋ Switching 20261122014228 1 min 5 s  2 of 3 processes run 国国国"
    );
}

#[test]
fn a_dropped_or_panicking_report_leaves_an_empty_line() {
    let pty = Pty::new(80);
    let terminal = pty.terminal(false, true);
    let outcome = thread::scope(|scope| {
        let panicking = scope.spawn(|| {
            let terminal = terminal;
            terminal.started("Building", "hooks/build");
            pty.seen(|text| text.contains("Building"));
            panic!("on purpose");
        });
        panicking.join()
    });
    assert!(outcome.is_err());
    assert_eq!(pty.seen(str::is_empty), "");
    assert_eq!(pty.cursor_column(), 0);
}

#[test]
fn a_terminal_that_dies_a_closed_pipe_and_a_full_disk_do_not_end_it() {
    let dead = openpty(&size(80), None).unwrap();
    let (reader, writer) = io::pipe().unwrap();
    drop((dead.master, reader));
    let full = File::options().write(true).open("/dev/full").unwrap();
    for fd in [dead.slave, writer.into(), full.into()] {
        let terminal = Terminal::new(Stream::new(Some(fd)), true, true);
        terminal.started("Building", "hooks/build");
        thread::sleep(FLICKER + 2 * TICK_INTERVAL);
        terminal.event(Event::Output("one"));
        terminal.finished("Built", "hooks/build", None);
        terminal.started("Switching", "20261122014228");
    }
}

fn resize(pty: &Pty, columns: u16) {
    let columns = columns.to_string();
    let terminal = pty.slave.as_fd().try_clone_to_owned().unwrap();
    let status = std::process::Command::new("stty")
        .args(["cols", &columns])
        .stdin(terminal)
        .status();
    assert!(status.unwrap().success());
    assert!(pty.master.metadata().is_ok());
}
