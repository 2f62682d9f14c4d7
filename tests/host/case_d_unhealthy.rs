//! Case d: the new code runs and is not well, in every way a health check knows.

use std::time::Duration;

use crate::Case;
use crate::load::Load;
use crate::site::Site;

pub const CASES: &[Case] = &[
    ("case_d::health_says_500", error),
    ("case_d::health_answers_after_a_minute", late),
    ("case_d::health_sends_an_endless_body", endless),
    ("case_d::health_redirects", redirect),
    ("case_d::health_hangs_up", hang_up),
];

fn error() {
    assert_taken_back("return 'no database', 500", "500");
}

fn late() {
    assert_taken_back("time.sleep(60); return 'ok'", "within");
}

fn endless() {
    let body = "import itertools; return (b'x' * 65536 for _ in itertools.count())";
    assert_taken_back(body, "health");
}

fn redirect() {
    assert_taken_back("return 'ok', 302, {'Location': '/'}", "302");
}

fn hang_up() {
    assert_taken_back("import os; os._exit(1)", "502");
}

/// `body` is the health view of v3; the message must have `fact`.
fn assert_taken_back(body: &str, fact: &str) {
    let site = Site::serving("v2");
    let old = site.current();
    site.configure(
        "contains = \"ok\"",
        "contains = \"ok\"\ntimeout = \"1s\"\nwithin = \"4s\"",
    );
    let view = format!("def sick():\n    {body}\n\n\napp.view_functions['health'] = sick");
    site.append_code("v3", &view);
    let load = Load::start(&site);
    let outcome = site.release("v3");
    let ended = std::time::Instant::now();
    load.go_on(Duration::from_secs(1));
    let figures = load.stop();
    outcome
        .assert_exit(3)
        .assert_field("/outcome", "rolled_back")
        .assert_field("/serving", old.as_str())
        .assert_field("/error/step", "verify")
        .assert_says(fact);
    figures.assert_none_failed();
    figures.assert_only("v2", ended..);
    assert_eq!(site.current(), old);
    site.assert_tidy();
}
