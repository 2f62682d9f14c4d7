use super::*;

fn judge(defaults: &str, backend: &str, server: &str) -> Pools {
    judge_behind("", defaults, backend, server)
}

fn judge_behind(frontend: &str, defaults: &str, backend: &str, server: &str) -> Pools {
    let directory = tempfile::tempdir().unwrap();
    let file = Utf8Path::from_path(directory.path())
        .unwrap()
        .join("haproxy.cfg");
    let text = format!(
        "global\n  maxconn 10 # few\ndefaults\n  mode http\n  {defaults}\n\
         frontend f\n  bind :80\n  {frontend}\nfrontend g\n  bind :81\n\
         backend other\n  server o unix@/srv/o.sock\n\
         backend app\n  {backend}\n  server a unix@/srv/a/current/run/app.sock {server}\n"
    );
    std::fs::write(&file, text).unwrap();
    pools(&[file], &["/srv/a/current/run/app.sock".to_owned()])
}

#[test]
fn a_backend_pools_by_default_and_with_reuse_off() {
    let Pools::Yes(change) = judge("", "", "check") else {
        panic!("pools");
    };
    assert!(change.starts_with("write `option http-server-close` into `backend app` in `"));
    assert!(change.ends_with("/haproxy.cfg` line 13"), "{change}");
    assert!(matches!(judge("", "http-reuse never", ""), Pools::Yes(_)));
    assert!(matches!(judge("", "# option httpclose", ""), Pools::Yes(_)));
}

#[test]
fn a_backend_that_closes_or_keeps_none_does_not_pool() {
    assert_eq!(judge("", "option http-server-close", ""), Pools::No);
    assert_eq!(judge("option httpclose", "", ""), Pools::No);
    assert_eq!(judge("", "", "pool-max-conn 0"), Pools::No);
    assert_eq!(
        judge("", "default-server pool-purge-delay 0", ""),
        Pools::No
    );
    assert_eq!(judge("", "mode tcp", ""), Pools::No);
}

#[test]
fn a_frontend_that_closes_counts_when_all_do() {
    let close = "option http-server-close";
    assert_eq!(judge_behind(close, "", "", ""), Pools::Unknown);
    let taken_back = "no option http-server-close";
    assert_eq!(judge_behind("", close, taken_back, ""), Pools::No);
    assert_eq!(
        judge_behind(taken_back, close, taken_back, ""),
        Pools::Unknown
    );
}

#[test]
fn settings_that_do_not_name_the_instance_tell_nothing() {
    assert_eq!(
        pools(&["/nonexistent".into()], &["/x".to_owned()]),
        Pools::Unknown
    );
}

#[test]
fn a_line_that_shuts_it_in_is_found_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = Utf8Path::from_path(directory.path())
        .unwrap()
        .join("haproxy.cfg");
    std::fs::write(&file, "global\n  # chroot /x\n  chroot /var/lib/haproxy\n").unwrap();
    assert_eq!(
        chroot(std::slice::from_ref(&file)),
        Some(format!("`chroot /var/lib/haproxy` in `{file}` line 3"))
    );
    std::fs::write(&file, "global\ndefaults\n  chroot /x\n").unwrap();
    assert_eq!(chroot(&[file]), None);
}
