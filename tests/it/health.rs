//! Health checks after the switch: each way to be unhealthy takes the release back.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use crate::sandbox::Site;

/// Answers every connection with what `answer` writes; the address it listens on.
fn listen(answer: impl Fn(&mut dyn Write) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            answer(&mut stream);
        }
    });
    address.to_string()
}

/// A site whose v1 is live, checked from now on at this address.
fn checked_at(address: &str) -> Site {
    let site = Site::new("");
    site.release("v1");
    site.settings(&format!(
        "[[service]]\nreload = \"true\"\n[[health]]\nurl = \"http://{address}/health\"\n\
         within = \"600ms\"\ninterval = \"50ms\"\ntimeout = \"300ms\"\n[probe]\nrate = 0\n"
    ));
    site
}

#[track_caller]
fn is_taken_back(site: &Site, reason: &str) {
    let output = site
        .releasing("v2")
        .run()
        .exits(3)
        .says(reason)
        .says("state:");
    assert_eq!(output.json()["outcome"], "rolled_back", "{output}");
    assert_eq!(output.json()["error"]["step"], "verify", "{output}");
    assert_eq!(site.version().as_deref(), Some("v1"));
    assert!(output.took < Duration::from_secs(20), "{output}");
}

/// What is bad already is not asked again on the way back; so it is good until the release began.
fn good_once(bad: &'static str) -> String {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    listen(move |stream| {
        let count = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let text = if count == 0 {
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        } else {
            bad
        };
        let _ = stream.write_all(text.as_bytes());
    })
}

#[test]
fn an_answer_of_500_takes_the_release_back() {
    let address = listen(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    });
    is_taken_back(&checked_at(&address), "500");
}

#[test]
fn an_answer_that_comes_too_late_takes_the_release_back() {
    let address = listen(|_| std::thread::sleep(Duration::from_secs(60)));
    is_taken_back(&checked_at(&address), "300ms");
}

#[test]
fn a_redirect_takes_the_release_back() {
    let address = listen(|stream| {
        let _ = stream.write_all(
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        );
    });
    is_taken_back(&checked_at(&address), "302");
}

#[test]
fn an_endless_body_that_lacks_the_text_takes_the_release_back() {
    let address = listen(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let site = checked_at(&address);
    let settings = std::fs::read_to_string(site.root.join("zdd.toml")).unwrap();
    site.settings(&settings.replace("within", "contains = \"ok\"\nwithin"));
    is_taken_back(&site, "does not end");
}

#[test]
fn a_refused_connection_takes_the_release_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    is_taken_back(&checked_at(&address), "refused");
}

#[test]
fn a_site_that_was_good_and_stays_bad_on_the_old_release_needs_a_human() {
    let address = good_once("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    let site = checked_at(&address);
    let output = site
        .releasing("v2")
        .run()
        .exits(4)
        .says("a human must look");
    assert_eq!(output.json()["outcome"], "rollback_failed");
    assert_eq!(site.version().as_deref(), Some("v1"));
    // The journal is still there: the next command tries again, and says the same.
    site.zdd("recover").run().exits(4);
}

#[test]
fn health_that_was_red_before_is_said_before_anything_is_built() {
    let address = listen(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    });
    let site = checked_at(&address);
    let output = site.releasing("v2").run().exits(3);
    let said = output.stderr.find("already before").expect("it is said");
    assert!(said < output.stderr.find("Created").unwrap(), "{output}");
}

#[test]
fn a_watch_that_sees_failures_takes_the_release_back() {
    let site = Site::new("");
    site.release("v1");
    site.settings(&format!(
        "[[health]]\ncommand = \"test $(cat {0}/asked | wc -c) -lt 3 || \
         grep -q v1 {0}/site/current/version; s=$?; printf x >> {0}/asked; exit $s\"\n\
         interval = \"20ms\"\n[probe]\nwatch = \"20s\"\nmax_failures = 2\n",
        site.scratch().display()
    ));
    std::fs::write(site.scratch().join("asked"), "").unwrap();
    let output = site.releasing("v2").run().exits(3);
    assert!(output.took < Duration::from_secs(15), "{output}");
    assert_eq!(site.version().as_deref(), Some("v1"));
}
