//! The READMEs of `examples`, as they stand: whoever pastes their blocks has the site they tell of.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::Case;
use crate::host::Host;
use crate::load::{self, Load};
use crate::readme::Readme;

pub const CASES: &[Case] = &[
    ("readme::a_broken_one_is_seen", broken),
    ("readme::django_supervisor", django_supervisor),
    ("readme::gunicorn_reload", gunicorn_reload),
    ("readme::instance", instance),
];

/// The harness watches itself.
fn broken() {
    let host = Host::boot();
    host.sh("useradd --create-home --shell /bin/sh deploy");
    let good = "# It works\n\n```sh\npwd\nexport WORD=kept\ncd /srv\n```\n\n```console\n$ false\n```\n\
                1. In a list:\n   ```sh\n   pwd; echo $WORD; cat <<END\n     two more\n   END\n   ```\n\
                ## Later, as `deploy`\n```sh\nid --user --name; pwd\n```\n";
    let outputs = Readme::parse("good", "/opt", good).follow(&host);
    let printed: Vec<&str> = outputs.iter().map(|it| it.stdout.as_str()).collect();
    assert_eq!(
        printed,
        [
            "/opt\n",
            "/srv\nkept\n  two more\n",
            "deploy\n/home/deploy\n"
        ]
    );

    let bad = "# One\n\n```sh\ntrue\n```\n\n# Two\n\n```sh\ncd /var\nls nothing-there\ntouch /srv/after\n```\n";
    let readme = Readme::parse("bad", "/opt", bad);
    let panic = catch_unwind(AssertUnwindSafe(|| readme.follow(&host)));
    let text = panic.err().and_then(|it| it.downcast::<String>().ok());
    let text = *text.expect("it must fail, and say why");
    for said in [
        "bad:9: does not work as it stands",
        "-- \"Two\", pasted by root:\ncd /var\nls nothing-there\n",
        "this ended with 2: ls nothing-there",
    ] {
        assert!(text.contains(said), "`{said}` is not in:\n{text}");
    }
    host.sh("test ! -e /srv/after");
}

fn django_supervisor() {
    follow_under_load("django-supervisor");
}

fn gunicorn_reload() {
    follow_under_load("gunicorn-reload");
}

fn instance() {
    follow_under_load("instance");
}

/// The last block brings v2 and takes it back; all before it is done once, up to the first release.
fn follow_under_load(example: &str) {
    let host = Host::boot();
    let readme = Readme::of_example(example);
    let (last, before) = readme.blocks.split_last().expect("there are blocks");
    for block in before {
        readme.paste(&host, block);
    }
    assert_eq!(version(&host), "v1");
    let load = Load::start(&host);
    readme.paste(&host, last);
    let taken_back = Instant::now();
    load.go_on(Duration::from_secs(1));
    let figures = load.stop();
    figures.assert_none_failed();
    figures.assert_only("v1", taken_back..);
    assert!(figures.versions(..).contains_key("v2"), "v2 was live");
}

/// What a user of the site gets.
fn version(host: &Host) -> String {
    let answer = load::ask(host, "http://127.0.0.1/");
    assert_eq!(answer.status, Ok(200));
    answer.version
}
