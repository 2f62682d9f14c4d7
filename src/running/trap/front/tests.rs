//! What `zdd check` says of each way from a proxy to an instance.

use super::*;
use crate::running::front::Pools;

fn place(path: &str, mode: u32) -> Place {
    Place {
        path: path.into(),
        uid: 1000,
        owner: "deploy".to_owned(),
        gid: 1000,
        group: "deploy".to_owned(),
        mode,
        is_directory: !path.ends_with(".sock"),
        has_access_list: false,
    }
}

fn visitor(program: &str, groups: &[u32]) -> Visitor {
    Visitor {
        front: Front {
            program: program.to_owned(),
            user: Some("www-data".to_owned()),
            pools: Pools::No,
        },
        identity: Identity {
            uid: 33,
            groups: groups.to_vec(),
        },
        groups: groups.to_vec(),
        is_named: true,
        chroot: None,
    }
}

fn approach(root: u32, run: u32, socket: u32) -> Approach {
    Approach {
        unit: "app@.service".to_owned(),
        socket: "/srv/app/current/run/app.sock".into(),
        places: vec![
            place("/srv/app", root),
            place("/run/app/1", run),
            place("/run/app/1/app.sock", socket),
        ],
        runtime_directories: vec!["/run/app/1".into()],
        ..Approach::default()
    }
}

/// What is said where the live instance and the next one are alike.
fn said(visitors: &[Visitor], approach: &Approach) -> Vec<Trap> {
    predict(visitors, Some(approach), approach)
}

#[test]
fn a_proxy_in_the_group_or_among_all_others_gets_there() {
    let open = approach(0o755, 0o750, 0o770);
    assert_eq!(said(&[visitor("nginx", &[33, 1000])], &open), []);
    assert_eq!(
        said(&[visitor("nginx", &[33])], &approach(0o711, 0o755, 0o777)),
        []
    );
}

#[test]
fn each_barrier_comes_with_its_line() {
    let member = "usermod -aG deploy www-data && systemctl restart nginx";
    for (approach, groups, change) in [
        (approach(0o755, 0o750, 0o770), vec![33], member.to_owned()),
        (
            approach(0o700, 0o755, 0o777),
            vec![33],
            "chmod o+x /srv/app".to_owned(),
        ),
        (
            approach(0o701, 0o755, 0o777),
            vec![33, 1000],
            "chmod g+x /srv/app".to_owned(),
        ),
        (
            approach(0o755, 0o700, 0o770),
            vec![33],
            format!("[Service]\nRuntimeDirectoryMode=0750\n{member}"),
        ),
        (
            approach(0o755, 0o750, 0o755),
            vec![33, 1000],
            "[Service]\nUMask=0007".to_owned(),
        ),
    ] {
        let traps = said(&[visitor("nginx", &groups)], &approach);
        assert_eq!(traps.len(), 1, "{traps:?}");
        assert_eq!((traps[0].level, &traps[0].change), (Level::Error, &change));
    }
}

#[test]
fn a_proxy_that_was_started_too_early_is_to_be_restarted_and_haproxy_to_be_told() {
    let way = approach(0o755, 0o750, 0o770);
    let mut early = visitor("nginx", &[33]);
    early.groups.push(1000);
    assert_eq!(said(&[early], &way)[0].change, "systemctl restart nginx");
    let haproxy = said(&[visitor("haproxy", &[33])], &way);
    assert!(
        haproxy[0].change.contains("`group deploy` in `global`"),
        "{haproxy:?}"
    );
}

#[test]
fn a_directory_of_root_is_opened_for_others_and_gunicorn_has_its_own_umask() {
    let mut way = approach(0o755, 0o750, 0o777);
    way.places[1].gid = 0;
    let traps = said(&[visitor("nginx", &[33])], &way);
    assert_eq!(traps[0].change, "[Service]\nRuntimeDirectoryMode=0755");
    let mut way = approach(0o755, 0o755, 0o700);
    way.start_words = vec!["gunicorn".to_owned()];
    let traps = said(&[visitor("nginx", &[33, 1000])], &way);
    assert_eq!(traps[0].change, "start gunicorn with: --umask 007");
}

#[test]
fn only_those_that_name_the_socket_count_and_none_is_said() {
    let way = approach(0o755, 0o750, 0o770);
    let mut other = visitor("caddy", &[44]);
    other.is_named = false;
    assert_eq!(said(&[visitor("nginx", &[1000]), other.clone()], &way), []);
    let traps = said(&[other], &way);
    let levels: Vec<Level> = traps.iter().map(|trap| trap.level).collect();
    assert_eq!(levels, [Level::Note, Level::Warning]);
    assert_eq!(
        traps[0].change,
        "reverse_proxy unix//srv/app/current/run/app.sock"
    );
    assert_eq!(said(&[], &way), []);
}

#[test]
fn what_keeps_connections_or_is_shut_in_is_said_with_its_line() {
    let way = approach(0o755, 0o755, 0o777);
    let mut pooling = visitor("nginx", &[33]);
    pooling.front.pools = Pools::Yes("remove `keepalive 8;`".to_owned());
    let traps = said(&[pooling], &way);
    assert_eq!(
        (traps[0].level, traps[0].change.as_str()),
        (Level::Warning, "remove `keepalive 8;`")
    );
    let mut shut_in = visitor("haproxy", &[33]);
    shut_in.chroot = Some("`chroot /var/lib/haproxy`".to_owned());
    let traps = said(&[shut_in], &way);
    assert_eq!(traps[0].level, Level::Error);
}

#[test]
fn a_unit_that_was_changed_is_judged_by_the_directory_of_the_next_instance() {
    let (open, shut) = (approach(0o755, 0o750, 0o770), approach(0o755, 0o700, 0o700));
    let proxy = [visitor("nginx", &[33, 1000])];
    let traps = predict(&proxy, Some(&open), &shut);
    assert_eq!(traps.len(), 1, "{traps:?}");
    assert_eq!(traps[0].change, "[Service]\nRuntimeDirectoryMode=0750");
    let socket = approach(0o755, 0o750, 0o755);
    assert_eq!(predict(&proxy, Some(&open), &socket), []);
    let first = predict(&proxy, None, &socket);
    assert_eq!((first.len(), first[0].level), (1, Level::Warning));
    assert_eq!(predict(&proxy, None, &shut)[0].level, Level::Error);
}

#[test]
fn servers_make_their_sockets_in_their_own_ways() {
    for (line, mode) in [
        ("/usr/bin/node server.js", 0o755),
        ("python -m gunicorn app:app", 0o777),
        ("python -m gunicorn --umask 007 app:app", 0o770),
        ("python -m gunicorn --umask=0o77 app:app", 0o700),
        ("python -m gunicorn -m 63 app:app", 0o700),
        ("python -m uvicorn --uds /x app:app", 0o666),
    ] {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(planned_socket_mode(&words, 0o022), mode, "{line}");
    }
}
