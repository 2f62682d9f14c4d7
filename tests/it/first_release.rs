//! The first release of a site has nothing to go back to.

use crate::sandbox::{Site, processes};

#[test]
fn a_first_release_that_fails_after_the_flip_leaves_no_current() {
    let site = Site::new("[hooks]\nverify = \"false\"\n");
    let output = site.releasing("v1").run().exits(1);
    assert_eq!(output.json()["outcome"], "failed");
    assert!(output.json()["serving"].is_null(), "{output}");
    assert!(std::fs::symlink_metadata(site.root.join("current")).is_err());
    assert_eq!(site.directories().len(), 1, "kept for a look");
    assert_eq!(site.states()[0].1, "failed");
    site.settings("");
    site.release("v2");
    assert_eq!(site.version().as_deref(), Some("v2"));
    site.zdd("rollback").run().exits(1);
}

#[test]
fn a_first_release_with_a_process_leaves_none_behind() {
    let settings = crate::process::settings();
    let site = Site::new(&format!("{settings}[hooks]\nverify = \"false\"\n"));
    site.releasing("v1").run().exits(1);
    assert_eq!(processes::inside(&site.root), []);
}

#[test]
fn a_first_release_that_fails_before_the_flip_is_a_plain_failure() {
    let site = Site::new("[hooks]\nbuild = \"exit 1\"\n");
    let output = site.releasing("v1").run().exits(1);
    assert!(output.json()["from"].is_null() && output.json()["serving"].is_null());
}
