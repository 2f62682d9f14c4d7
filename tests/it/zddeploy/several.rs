//! Several services in one `deploy.conf`, some of which speak no HTTP, and settings that are a part
//! of those of an nginx that runs already.

use super::fails;
use crate::sandbox::in_place::Place;

#[test]
fn of_several_services_all_become_live_or_none() {
    let Some(place) = Place::new() else { return };
    place.service("api", "python3 server.py api");
    place.edit(
        "nginx.conf.template",
        "    server {\n",
        "    upstream api {server 127.0.0.1:{api};}\n    server {\n        \
         location /api { proxy_pass http://api; }\n",
    );
    place.release().exits(0);
    let served = || [place.serves(), place.serves_at("/api")].map(Option::unwrap);
    assert_eq!(served(), ["v1", "v1"]);

    place.code("v2", "good");
    place.file("api.mode", "dies");
    fails(&place, 1).says("api").says("out of luck");
    assert_eq!(served(), ["v1", "v1"]);

    // The first one ends while the second one starts.
    place.code("v2", "short-lived");
    place.file("api.mode", "slow");
    fails(&place, 1).says("`web` did not stay up");
    assert_eq!(served(), ["v1", "v1"]);

    place.code("v2", "good");
    place.file("api.mode", "good");
    let old = [place.pid("web.pid"), place.pid("api.pid")];
    let load = place.load();
    let output = place.zdd("release -v").run().exits(0);
    load.lost_none();
    assert_eq!(served(), ["v2", "v2"]);
    let at = |what: &str| output.stderr.find(what).unwrap();
    let stops = old.map(|pid| at(&format!("running `kill -TERM {pid}`")));
    assert!(stops[0] < stops[1], "in the order of the file:\n{output}");
    assert!(at("Started web") < at("Started api"), "{output}");
    let mut live = [place.pid("web.current.pid"), place.pid("api.current.pid")];
    live.sort_unstable();
    let mut servers = place.servers();
    servers.sort_unstable();
    assert_eq!(servers, live);
}

#[test]
fn what_speaks_no_http_is_ready_when_it_stays_up() {
    let Some(place) = Place::new() else { return };
    place.service("bus", "python3 bus.py");
    place.file("bus.py", include_str!("bus.py"));
    place.edit("nginx.conf.template", "events {}", "# bus {bus}\nevents {}");
    place
        .release()
        .exits(0)
        .says("bus speaks no HTTP: it counts as ready");
    let port = place.read(&format!("{}.port", place.pid("bus.pid")));
    let settings = place.read("nginx.conf").unwrap();
    assert!(settings.contains(&format!("# bus {}\n", port.unwrap())));

    place.code("v2", "good");
    place.edit("deploy.conf", "bus.py", "bus.py dies");
    fails(&place, 1).says("bus").says("out of luck");
}

/// An nginx of somebody else's, which includes what lies in `sites/`.
fn with_an_nginx_of_its_own(place: &Place) {
    let all = place.read("nginx.conf.template").unwrap();
    let (global, site) = all.split_once("    upstream").unwrap();
    let global = global.replace("{nginx_pid_filename}", "TEMP/nginx.pid");
    let root = place.root.to_str().unwrap();
    let global = format!("{global}    include TEMP/sites/*.conf;\n}}\n").replace("TEMP", root);
    place.file("main.conf", &global);
    std::fs::create_dir(place.root.join("sites")).unwrap();
    let site = site.trim_end().strip_suffix('}').unwrap();
    place.file("sites/web.conf.template", &format!("upstream{site}"));
    place.edit(
        "deploy.conf",
        "./nginx.conf.template",
        "./sites/web.conf.template",
    );
    place.start_nginx("main.conf");
}

#[test]
fn settings_that_an_nginx_includes_are_released_like_whole_ones() {
    let Some(place) = Place::new() else { return };
    with_an_nginx_of_its_own(&place);
    let nginx = place.pid("nginx.pid");
    place.release().exits(0);
    assert_eq!(place.serves().as_deref(), Some("v1"));
    let settings = place.read("sites/web.conf");

    place.code("v2", "good");
    let good = place.read("sites/web.conf.template").unwrap();
    place.file("sites/web.conf.template", &format!("{good}nonsense;\n"));
    fails(&place, 1).says("unknown directive \"nonsense\"");
    assert_eq!(place.read("sites/web.conf"), settings);

    place.file("sites/web.conf.template", &good);
    let load = place.load();
    place.release().exits(0);
    load.lost_none();
    assert_eq!(place.serves().as_deref(), Some("v2"));
    assert_eq!(place.pid("nginx.pid"), nginx);
    assert_eq!(place.servers().len(), 1);
}

#[test]
fn an_nginx_that_reads_something_else_is_left_alone() {
    let Some(place) = Place::new() else { return };
    with_an_nginx_of_its_own(&place);
    place.edit("main.conf", "sites/*.conf", "elsewhere/*.conf");
    place
        .release()
        .exits(1)
        .says("does not read")
        .says("which does not include it");
    assert!(place.servers().is_empty());
    assert_eq!(place.read("sites/web.conf"), None);
}
