//! With the real nginx, on ports of the loopback device. Where there is none, there is nothing to
//! prove.

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use super::*;

/// An nginx of its own, which ends with the test.
struct Own {
    _guard: tempfile::TempDir,
    directory: Utf8PathBuf,
    settings: Utf8PathBuf,
    pid_file: Utf8PathBuf,
}

impl Own {
    fn new() -> Option<Own> {
        if !program().is_absolute() {
            return None;
        }
        let guard = tempfile::tempdir().unwrap();
        let directory = guard.path().canonicalize().unwrap();
        let directory = Utf8PathBuf::from_path_buf(directory).unwrap();
        Some(Own {
            settings: directory.join("nginx.conf"),
            pid_file: directory.join("nginx.pid"),
            directory,
            _guard: guard,
        })
    }

    fn nginx(&self) -> Nginx<'_> {
        Nginx {
            settings: &self.settings,
            pid: Pid::File(&self.pid_file),
            through_sudo: false,
        }
    }

    fn text(&self, port: u16, answer: &str) -> String {
        let directory = &self.directory;
        format!(
            "pid {directory}/nginx.pid; error_log {directory}/error.log; worker_processes 2;
            events {{}}
            http {{ access_log off; {}
            server {{
                listen 127.0.0.1:{port}; return 200 {answer}; }} }}",
            temporary(directory)
        )
    }

    fn started(&self, port: u16) -> Master {
        self.nginx()
            .place(self.text(port, "one").as_bytes())
            .unwrap();
        let said = self.directory.join("said");
        self.nginx().start(&said, &Patience::endless()).unwrap()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(master) = self.nginx().master() {
            let _ = master.quit();
        }
    }
}

/// Directories that any user can write to.
fn temporary(directory: &Utf8Path) -> String {
    let names = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    names
        .map(|name| format!("{name}_temp_path {directory}/{name};"))
        .join(" ")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn answer(port: u16) -> String {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split("\r\n\r\n").nth(1).unwrap().to_owned()
}

#[test]
fn a_reload_is_proved_by_new_workers_and_one_that_is_not_applied_is_noticed() {
    let Some(own) = Own::new() else { return };
    let port = free_port();
    let master = own.started(port);
    assert_eq!(answer(port), "one");
    let nginx = own.nginx();
    assert_eq!(
        nginx.reads(Some(&master), &Patience::endless()).unwrap(),
        Reads::Whole { prefix: None }
    );

    nginx.place(own.text(port, "two").as_bytes()).unwrap();
    nginx.reload(&master).unwrap();
    assert_eq!(answer(port), "two");

    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let text = own.text(taken.local_addr().unwrap().port(), "three");
    let whole = Reads::Whole { prefix: None };
    nginx.test(&text, &whole, &Patience::endless()).unwrap();
    nginx.place(text.as_bytes()).unwrap();
    let error = nginx.reload(&master).unwrap_err();
    let tail = error.tail.join("\n");
    assert!(
        tail.contains("[emerg]") && tail.contains("in use"),
        "{error:?}"
    );
    assert_eq!(answer(port), "two");

    nginx.place(own.text(port, "four").as_bytes()).unwrap();
    nginx.reload(&master).unwrap();
    assert_eq!(answer(port), "four");
}

/// Settings whose reload takes until somebody reads this log.
fn slow(text: &str, log: &Utf8Path) -> String {
    nix::unistd::mkfifo(log.as_std_path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let slow = text.replace("access_log off", &format!("access_log {log}"));
    assert_ne!(slow, text);
    slow
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let is_met = (0..2000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        condition()
    });
    assert!(is_met, "{what}");
}

#[test]
fn the_workers_of_an_earlier_reload_that_was_slow_prove_nothing() {
    let Some(own) = Own::new() else { return };
    let port = free_port();
    let master = own.started(port);
    let nginx = own.nginx();
    let old = master.workers();
    let logs = ["two", "three"].map(|name| own.directory.join(name));
    nginx
        .place(slow(&own.text(port, "two"), &logs[0]).as_bytes())
        .unwrap();
    assert!(master.hang_up().unwrap());
    wait_until("it works", || !master.is_at_rest());
    nginx
        .place(slow(&own.text(port, "three"), &logs[1]).as_bytes())
        .unwrap();
    std::thread::scope(|scope| {
        let told = scope.spawn(|| nginx.reload(&master).map(|()| answer(port)));
        // Long enough for who does not wait to be misled.
        std::thread::sleep(LOOK_INTERVAL * 20);
        let _first = fs::File::open(&logs[0]).unwrap();
        wait_until("the earlier one is over", || master.has_renewed(&old));
        assert_eq!(answer(port), "two");
        // Longer than a master may go on with its workers that is through with a reload.
        std::thread::sleep(Duration::from_secs(6));
        let _second = fs::File::open(&logs[1]).unwrap();
        assert_eq!(told.join().unwrap().unwrap(), "three");
    });
}

#[test]
fn settings_that_nginx_refuses_are_told_under_their_own_name_and_leave_nothing() {
    let Some(own) = Own::new() else { return };
    let whole = Reads::Whole { prefix: None };
    let text = format!("{} nonsense;", own.text(free_port(), "one"));
    let error = own.nginx().test(&text, &whole, &Patience::endless());
    let error = error.unwrap_err();
    let tail = error.tail.join("\n");
    assert!(tail.contains("unknown directive \"nonsense\""), "{tail}");
    assert!(tail.contains(own.settings.as_str()), "{tail}");
    let left = fs::read_dir(&own.directory).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().contains("tmp")),
        "{left:?}"
    );
}

#[test]
fn a_start_on_a_taken_port_fails_with_the_words_of_nginx() {
    let Some(own) = Own::new() else { return };
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    own.nginx().place(own.text(port, "one").as_bytes()).unwrap();
    let said = own.directory.join("said");
    let error = own.nginx().start(&said, &Patience::endless()).unwrap_err();
    assert!(error.tail.join("\n").contains("in use"), "{error:?}");
    assert_eq!(own.nginx().master(), None);
}

#[test]
fn a_pid_file_with_the_number_of_another_program_names_no_nginx() {
    let Some(own) = Own::new() else { return };
    fs::write(&own.pid_file, std::process::id().to_string()).unwrap();
    assert_eq!(own.nginx().master(), None);
    fs::write(&own.pid_file, "").unwrap();
    assert_eq!(own.nginx().master(), None);
}

#[test]
fn included_settings_are_known_and_foreign_ones_too() {
    let Some(own) = Own::new() else { return };
    let port = free_port();
    let master = own.started(port);
    let part = own.directory.join("part.conf");
    fs::write(
        &part,
        format!("server {{ listen 127.0.0.1:{port}; return 200 part; }}"),
    )
    .unwrap();
    let other = Nginx {
        settings: &part,
        pid: Pid::File(&own.pid_file),
        through_sudo: false,
    };
    let main = own.settings.clone();
    let not = Reads::Not { main: main.clone() };
    assert_eq!(
        other.reads(Some(&master), &Patience::endless()).unwrap(),
        not
    );
    let directory = &own.directory;
    let text = format!(
        "pid {directory}/nginx.pid; error_log {directory}/error.log; events {{}}
        http {{ access_log off; {} include part.conf; }}",
        temporary(directory)
    );
    own.nginx().place(text.as_bytes()).unwrap();
    let included = other.reads(Some(&master), &Patience::endless()).unwrap();
    assert_eq!(included, Reads::Included { main, prefix: None });
    other.test_placed(&included, &Patience::endless()).unwrap();
    other.reload(&master).unwrap();
    assert_eq!(answer(port), "part");
    other.place(b"nonsense;").unwrap();
    assert!(other.test_placed(&included, &Patience::endless()).is_err());
}
