use super::*;

const OLD: Version = (1, 22, 1);
const NEW: Version = (1, 29, 7);

fn judge(text: &str, version: Option<Version>) -> Pools {
    let directory = tempfile::tempdir().unwrap();
    let file = Utf8Path::from_path(directory.path())
        .unwrap()
        .join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let names = ["/srv/a/current/run/app.sock", "127.0.0.1:8000"].map(str::to_owned);
    pools(&Tree::read(&file), &names, &|| version)
}

/// The settings of a site whose `upstream` says this.
fn site(upstream: &str) -> String {
    format!(
        "http {{ upstream other {{ server unix:/srv/b.sock; keepalive 9; }}\n\
         upstream app {{ server unix:/srv/a/current/run/app.sock fail_timeout=0; {upstream} }}\n\
         server {{ location / {{ proxy_http_version 1.1; proxy_pass http://app; }} }} }}"
    )
}

/// What is to be changed in such settings.
fn change(upstream: &str, version: Version) -> String {
    match judge(&site(upstream), Some(version)) {
        Pools::Yes(change) => change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_upstream_pools_by_its_own_word() {
    let change = change("keepalive 16;", OLD);
    let wanted = "write `keepalive_time 1s; keepalive_timeout 1s;` into `upstream app` in `";
    assert!(change.starts_with(wanted), "{change}");
    assert!(change.ends_with("/nginx.conf` line 2"), "{change}");
    assert_eq!(judge(&site(""), Some(OLD)), Pools::No);
    assert_eq!(judge(&site("# keepalive 16;\n"), Some(OLD)), Pools::No);
    assert_eq!(judge(&site("keepalive_timeout 60;"), Some(OLD)), Pools::No);
}

#[test]
fn a_new_nginx_pools_unless_told_not_to() {
    assert!(change("", NEW).starts_with("write `keepalive_time 1s; keepalive_timeout 1s;` into"));
    assert_eq!(judge(&site("keepalive 0;"), Some(NEW)), Pools::No);
    assert_eq!(judge(&site(""), None), Pools::Unknown);
}

#[test]
fn one_that_cannot_be_told_for_how_long_is_to_keep_nothing() {
    for version in [Some((1, 18, 0)), None] {
        let Pools::Yes(change) = judge(&site("keepalive 16;"), version) else {
            panic!("pools");
        };
        let wanted = "remove `keepalive 16;` from `upstream app` in `";
        assert!(change.starts_with(wanted), "{change}");
    }
}

#[test]
fn a_pool_is_brief_when_both_times_are_short() {
    let seconds = |seconds| Pools::Briefly(Duration::from_secs(seconds));
    let brief = "keepalive 16; keepalive_time 1s; keepalive_timeout 1s;";
    assert_eq!(judge(&site(brief), Some(OLD)), seconds(2));
    assert_eq!(judge(&site(brief), Some(NEW)), seconds(2));
    assert_eq!(
        judge(&site("keepalive_time 5; keepalive_timeout 2s;"), Some(NEW)),
        seconds(7)
    );
    for (upstream, wanted) in [
        ("keepalive_time 1s;", "write `keepalive_timeout 1s;` into"),
        (
            "keepalive_timeout 2m; keepalive_time 5s;",
            "write `keepalive_timeout 1s;` instead of `keepalive_timeout 2m;` into",
        ),
        (
            "keepalive_timeout $x; keepalive_time 6s;",
            "write `keepalive_time 1s; keepalive_timeout 1s;` instead of `keepalive_time 6s;` and \
             `keepalive_timeout $x;` into",
        ),
    ] {
        let told = change(&format!("keepalive 16; {upstream}"), OLD);
        assert!(told.starts_with(wanted), "{told}");
    }
    // One site keeps them for ever, the other does not.
    let both = format!("{}\n{}", site(brief), site("keepalive 2;"));
    assert!(matches!(judge(&both, Some(OLD)), Pools::Yes(_)));
}

#[test]
fn websockets_go_where_the_header_upgrade_is_passed_on() {
    let site = site("keepalive 2;");
    let passing = |site: &str| {
        let verdict = judge(site, Some(OLD));
        assert!(verdict.change().is_some(), "{verdict:?}");
        matches!(verdict, Pools::WithWebSockets(_))
    };
    assert!(!passing(&site));
    let header = "proxy_set_header Upgrade $http_upgrade; proxy_pass";
    assert!(passing(&site.replace("proxy_pass", header)));
    let inherited = "server { proxy_set_header upgrade $http_upgrade; location";
    let inherits = site.replace("server { location", inherited);
    assert!(passing(&inherits));
    let other = "proxy_set_header Host $host; proxy_pass";
    assert!(!passing(&inherits.replace("proxy_pass", other)));
    let other = format!("{header} http://other; }} location /b {{ proxy_pass");
    assert!(!passing(&site.replace("proxy_pass", &other)));
}

#[test]
fn an_old_nginx_that_speaks_http_1_0_closes_each_connection() {
    let text = site("keepalive 16;").replace("proxy_http_version 1.1;", "");
    assert_eq!(judge(&text, Some(OLD)), Pools::No);
    assert!(matches!(judge(&text, Some(NEW)), Pools::Yes(_)));
}

#[test]
fn an_instance_may_be_named_without_an_upstream_or_by_its_port() {
    for target in [
        "http://unix:/srv/a/current/run/app.sock:/x",
        "http://127.0.0.1:8000/x",
    ] {
        let text = format!("http {{ server {{ proxy_pass {target}; }} }}");
        assert_eq!(judge(&text, Some(OLD)), Pools::No);
        assert_eq!(judge(&text, Some(NEW)), Pools::Unknown);
    }
    let by_port =
        site("keepalive 2;").replace("unix:/srv/a/current/run/app.sock", "127.0.0.1:8000");
    assert!(matches!(judge(&by_port, Some(OLD)), Pools::Yes(_)));
}

#[test]
fn settings_that_do_not_name_the_instance_tell_nothing() {
    assert_eq!(
        judge("http { upstream o { server x; keepalive 3; } }", Some(OLD)),
        Pools::Unknown
    );
    assert_eq!(judge("", Some(OLD)), Pools::Unknown);
}

#[test]
fn a_version_is_read_from_what_nginx_prints() {
    assert_eq!(version_in("nginx version: nginx/1.22.1"), Some(OLD));
    assert_eq!(
        version_in("nginx version: nginx/1.29.7 (Ubuntu)"),
        Some(NEW)
    );
    assert_eq!(version_in("built by gcc"), None);
}

#[test]
fn a_stream_does_not_pool_whatever_the_version() {
    let text = "stream { upstream app { server 127.0.0.1:8000; } server { proxy_pass app; } }";
    assert_eq!(judge(text, Some(NEW)), Pools::No);
    let both = format!("{text}\n{}", site(""));
    assert!(matches!(judge(&both, Some(NEW)), Pools::Yes(_)));
}
