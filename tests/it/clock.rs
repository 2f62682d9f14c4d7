//! The clock of the server jumps; in the process itself, with a clock that tests set.

use std::sync::Mutex;

use camino::Utf8PathBuf;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use zdd::commands::{Context, Surface, prune, release, rollback};
use zdd::config::discover;
use zdd::exit_code::ExitCode;
use zdd::host::clock::Clock;
use zdd::report::{Event, Report};

use crate::sandbox::Site;

struct SetClock(Mutex<OffsetDateTime>);

impl SetClock {
    fn at(now: OffsetDateTime) -> SetClock {
        SetClock(Mutex::new(now))
    }

    fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for SetClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }
}

struct Silence;

impl Report for Silence {
    fn event(&self, _: Event<'_>) {}
}

/// The site as the commands see it at the time of this clock.
fn context<'a>(site: &Site, clock: &'a SetClock) -> Context<'a> {
    let surface = Surface {
        report: &Silence,
        clock,
        json: false,
    };
    let root = Utf8PathBuf::from_path_buf(site.root.clone()).unwrap();
    let request = discover::Request {
        config: None,
        root: Some(root),
        further: Vec::new(),
    };
    Context::open(surface, &request, "test".to_owned()).unwrap()
}

fn release(site: &Site, clock: &SetClock, version: &str) -> String {
    site.code(version);
    let source = Utf8PathBuf::from_path_buf(site.source.clone()).unwrap();
    let request = release::Request {
        source: Some(source),
        ..Default::default()
    };
    let ended = release::run(&context(site, clock), &request).unwrap();
    assert_eq!(ended, ExitCode::Done);
    site.current().unwrap()
}

#[test]
fn two_releases_in_the_same_second_have_two_names() {
    let site = Site::new("");
    let clock = SetClock::at(datetime!(2026-02-28 23:59:59 UTC));
    assert_eq!(release(&site, &clock, "v1"), "20260228235959");
    assert_eq!(
        release(&site, &clock, "v2"),
        "20260301000000",
        "a valid time"
    );
    assert_eq!(release(&site, &clock, "v3"), "20260301000001");
}

#[test]
fn a_clock_that_goes_back_a_day_changes_no_order() {
    let site = Site::new("keep = 9\n");
    let clock = SetClock::at(datetime!(2026-11-22 12:00:00 UTC));
    let first = release(&site, &clock, "v1");
    clock.advance(Duration::days(-1));
    let second = release(&site, &clock, "v2");
    clock.advance(Duration::seconds(5));
    let third = release(&site, &clock, "v3");
    assert!(second < first && third < first, "the names mislead");
    let order: Vec<_> = site.states().into_iter().map(|(id, _)| id).collect();
    assert_eq!(order, [first.clone(), second.clone(), third.clone()]);

    let back = || rollback::run(&context(&site, &clock), &rollback::Request::default()).unwrap();
    assert_eq!(back(), ExitCode::Done);
    assert_eq!(site.current(), Some(second.clone()));
    clock.advance(Duration::days(-400));
    assert_eq!(back(), ExitCode::Done);
    assert_eq!(site.current(), Some(first.clone()));
    assert_eq!(back(), ExitCode::Refused, "nothing is older");

    let fourth = release(&site, &clock, "v4");
    let request = prune::Request {
        keep: Some(1),
        ..Default::default()
    };
    assert_eq!(
        prune::run(&context(&site, &clock), &request).unwrap(),
        ExitCode::Done
    );
    let states = site.states();
    let state = |id: &String| {
        states
            .iter()
            .find(|(known, _)| known == id)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(state(&fourth), "live");
    assert_eq!(state(&first), "retired", "the one a rollback would go to");
    assert_eq!(state(&second), "pruned");
    assert_eq!(
        state(&third),
        "bad",
        "one failed release is kept: the newest"
    );
}
