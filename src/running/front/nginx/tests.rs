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

#[test]
fn an_upstream_pools_by_its_own_word() {
    let Pools::Yes(change) = judge(&site("keepalive 16;"), Some(OLD)) else {
        panic!("pools");
    };
    assert!(change.starts_with("remove `keepalive 16;` from `upstream app` in `"));
    assert!(change.ends_with("/nginx.conf` line 2"), "{change}");
    assert_eq!(judge(&site(""), Some(OLD)), Pools::No);
    assert_eq!(judge(&site("# keepalive 16;\n"), Some(OLD)), Pools::No);
    assert_eq!(judge(&site("keepalive_timeout 60;"), Some(OLD)), Pools::No);
}

#[test]
fn a_new_nginx_pools_unless_told_not_to() {
    let Pools::Yes(change) = judge(&site(""), Some(NEW)) else {
        panic!("pools");
    };
    assert!(change.starts_with("write `keepalive 0;` into `upstream app`"));
    assert_eq!(judge(&site("keepalive 0;"), Some(NEW)), Pools::No);
    assert_eq!(judge(&site(""), None), Pools::Unknown);
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
