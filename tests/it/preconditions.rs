//! What stands against a release is said before anything is built, all at once.

use std::fs;

use crate::sandbox::{Program, Site};

#[test]
fn everything_that_is_missing_is_said_at_once_and_nothing_is_built() {
    let site = Site::new(
        "[shared]\nfiles = [\".env\"]\n[require]\nenv = [\"NOT_SET\"]\n\
         commands = [\"no-such-program\"]\nfree_space = \"900GiB\"\nfree_memory = \"900GiB\"\n",
    );
    let output = site.releasing("v1").run().exits(1);
    assert_eq!(output.json()["outcome"], "refused");
    let errors = output.json()["errors"].as_array().unwrap().len();
    assert_eq!(errors, 5, "{output}");
    for text in [
        ".env",
        "NOT_SET",
        "no-such-program",
        "free space",
        "free memory",
    ] {
        assert!(output.stderr.contains(text), "{text} is not in {output}");
    }
    assert_eq!(site.directories(), Vec::<String>::new());
    assert_eq!(site.states(), []);
}

#[test]
fn current_that_is_a_real_directory_is_refused_with_the_command_that_repairs_it() {
    let site = Site::new("");
    fs::create_dir(site.root.join("current")).unwrap();
    fs::write(site.root.join("current/precious"), "x").unwrap();
    site.releasing("v1")
        .run()
        .exits(1)
        .says("not a link")
        .says("mv ");
    assert!(site.root.join("current/precious").exists());
    assert_eq!(site.directories(), Vec::<String>::new());

    // The command as `zdd check` prints it makes of what is served the first release.
    let found = findings(&site, "is not a link");
    let [repair] = found.as_slice() else {
        panic!("{found:?}")
    };
    Program::new("sh").arg("-ec").arg(repair).run().exits(0);
    assert!(site.root.join("current/precious").exists());
    let before = site.current();
    site.release("v1");
    assert_ne!(site.current(), before);
    assert_eq!(site.directories().len(), 2);
    assert_eq!(findings(&site, "is not a link"), Vec::<String>::new());
}

/// The changes that `zdd check` prints for findings with this text.
fn findings(site: &Site, text: &str) -> Vec<String> {
    let checked = site.zdd("--json check").run().json();
    let all = checked["findings"].as_array().unwrap().iter();
    let ours = all.filter(|it| it["what"].as_str().unwrap().contains(text));
    ours.map(|it| it["change"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_site_that_nobody_asks_is_warned_of() {
    let service = "[[service]]\nname = \"web\"\nstart = \"./server\"\n";
    let unasked = |settings: &str| {
        let site = Site::new(settings);
        findings(&site, "nothing is asked after the switch")
    };
    assert_eq!(
        unasked(service),
        ["add:\n[[health]]\nurl = \"http://127.0.0.1/health\""]
    );
    for asked in [
        "health = \"/health\"\n",
        "[[health]]\ncommand = \"true\"\n",
        "role = \"worker\"\n",
    ] {
        assert_eq!(
            unasked(&format!("{service}{asked}")),
            Vec::<String>::new(),
            "{asked}"
        );
    }
}

#[test]
fn current_that_dangles_or_leads_elsewhere_is_refused() {
    let site = Site::new("");
    site.release("v1");
    for target in ["releases/20200101000000", "/etc"] {
        site.link_current(target);
        site.releasing("v2").run().exits(1).says(target);
        site.zdd("rollback").run().exits(1);
        site.zdd("prune --keep 1").run().exits(1);
        assert_eq!(site.directories().len(), 1);
        site.zdd("status").run().exits(1).says(target);
    }
}

#[test]
fn a_source_that_is_the_site_or_in_it_is_refused() {
    let site = Site::new("");
    let id = site.release("v1");
    let release = site.root.join("releases").join(id);
    for source in [site.root.clone(), release, site.scratch().to_owned()] {
        site.zdd("release").arg(&source).run().exits(1);
    }
    site.zdd("release not-there").run().exits(1);
    assert_eq!(site.directories().len(), 1);
}

#[test]
fn a_socket_path_that_the_kernel_would_refuse_is_said_before() {
    let long = "x".repeat(90);
    let site = Site::new(&format!(
        "[[service]]\nstart = \"true\"\nsocket = \"{long}\"\n"
    ));
    site.releasing("v1").run().exits(1).says("107");
    assert_eq!(site.directories(), Vec::<String>::new());
}

#[test]
fn a_site_that_everybody_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let site = Site::new("");
    fs::set_permissions(&site.root, fs::Permissions::from_mode(0o777)).unwrap();
    site.releasing("v1").run().exits(1).says("chmod o-w");
    assert_eq!(site.directories(), Vec::<String>::new());
}

#[test]
fn a_server_with_one_worker_that_zdd_starts_is_noted_once_there_is_a_release() {
    let start = |words: &str| format!("[[service]]\nname = \"web\"\nstart = \"{words}\"\n");
    let site = Site::new("");
    site.settings(&start("python3 -m gunicorn app:app"));
    let noted = || findings(&site, "`web`: it has one worker");
    assert_eq!(noted(), Vec::<String>::new(), "its settings are not there");
    site.settings("");
    site.release("v1");
    site.settings(&start("python3 -m gunicorn app:app"));
    assert_eq!(noted(), ["add to its command line: --workers 3"]);
    site.settings(&start("python3 -m gunicorn --threads 8 app:app"));
    assert_eq!(noted(), Vec::<String>::new());
    fs::write(site.root.join("env"), "WEB_CONCURRENCY=3\n").unwrap();
    let told = start("python3 -m gunicorn app:app");
    site.settings(&format!("env_file = \"env\"\n{told}"));
    assert_eq!(noted(), Vec::<String>::new());
}
