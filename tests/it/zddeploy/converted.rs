//! `zdd init --from deploy.conf`: the site gets releases, and no user notices.

use super::released;

/// Where the releases lie, which end with the test.
struct Elsewhere(tempfile::TempDir);

impl Drop for Elsewhere {
    fn drop(&mut self) {
        crate::sandbox::processes::end_inside(self.0.path());
    }
}

#[test]
fn a_converted_site_is_led_over_to_releases_and_can_go_back() {
    let Some(place) = released() else { return };
    let old = place.pid("web.pid");
    let elsewhere = Elsewhere(tempfile::TempDir::with_prefix("zdd-").unwrap());
    let root = elsewhere.0.path().join("site");
    let init = format!("init --from deploy.conf --root {}", root.display());
    let template = place.read("nginx.conf.template");
    place
        .zdd("rollback")
        .run()
        .exits(1)
        .says("zdd init --from ");
    let said = place.zdd(&init).run().exits(0);
    let said = said.says("zdd.toml").says("kill -TERM $(cat ");
    assert_eq!(place.read("nginx.conf.template"), template);
    place.zdd("check").run().exits(0);

    let load = place.load();
    place.code("v2", "good");
    place.zdd("release").run().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v2"), "{said}");
    assert_eq!(place.pid("web.pid"), old, "nobody but a person ends it");
    let lines = said.stdout.lines().map(str::trim);
    let end = lines
        .filter(|line| line.starts_with("(cd "))
        .collect::<Vec<_>>();
    let ended = std::process::Command::new("sh")
        .args(["-c", &end.join(";")])
        .status();
    assert!(ended.unwrap().success());
    place.code("v3", "good");
    place.zdd("release").run().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v3"));
    place.zdd("rollback").run().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v2"));
    load.lost_none();
    place.zdd("status").run().exits(0);
    place
        .zdd("init --from deploy.conf")
        .run()
        .exits(0)
        .says("Found");

    std::fs::remove_file(place.root.join("zdd.toml")).unwrap();
    place.code("v4", "good");
    place.release().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v4"));
}
