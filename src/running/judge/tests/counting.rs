use super::*;

#[test]
fn children_without_the_socket_are_not_judged() {
    let worker = process(21, 101).cwd("B").maps(&["B/x/s.so"]);
    let tail = process(40, 50).silent().cwd("A").image(8);
    assert_eq!(
        verdict(&[process(10, 50).cwd("B"), worker, tail]),
        Verdict::Proved
    );
}

#[test]
fn a_wrapper_that_does_not_listen_is_not_judged() {
    let shell = process(10, 50).silent().cwd("A");
    let worker = process(21, 101).image(9).cwd("B");
    assert_eq!(verdict(&[shell, worker]), Verdict::Proved);
}

#[test]
fn a_main_process_is_judged_by_its_workers_unless_it_answers_elsewhere_only() {
    let mut main = process(10, 50).cwd("A");
    let worker = process(21, 101).cwd("B").maps(&["B/x/s.so"]);
    let before = before(Verdict::Proved);
    let case = Case {
        before: Some(&before),
        ..case()
    };
    main.sockets = vec![SOCKET, 6000];
    let with_control_socket = [main.clone(), worker.clone()];
    assert_eq!(judge(&case, &with_control_socket).verdict, Verdict::Proved);
    main.sockets = vec![6000];
    assert_eq!(judge(&case, &[main, worker]).verdict, Verdict::Stale);
}

#[test]
fn all_processes_of_a_worker_service_are_judged() {
    let quiet = |process: Seen| process.silent();
    let main = quiet(process(10, 101)).image(99).cwd("B");
    let child = quiet(process(21, 102)).image(99).cwd("B");
    assert_eq!(verdict(&[main.clone(), child]), Verdict::Proved);
    let old = quiet(process(22, 50)).cwd("A");
    let before = before(Verdict::Proved);
    let case = Case {
        before: Some(&before),
        ..case()
    };
    assert_eq!(judge(&case, &[main.clone(), old]).verdict, Verdict::Stale);
    let helper = quiet(process(23, 50)).image(5);
    assert_eq!(
        verdict(&[main, helper]),
        Verdict::Proved,
        "a helper from elsewhere"
    );
}

#[test]
fn children_of_one_that_hands_connections_on_are_judged_in_its_place() {
    let mut daemon = process(10, 50);
    daemon.program = "/usr/bin/node".into();
    let node = |pid, release: &str| {
        let mut child = process(pid, 101).silent().image(pid.into()).cwd(release);
        child.program = "/usr/bin/node".into();
        child
    };
    assert_eq!(verdict(&[daemon.clone(), node(21, "A")]), Verdict::Stale);
    assert_eq!(verdict(&[daemon, node(21, "B")]), Verdict::Proved);
}

#[test]
fn a_listener_without_a_path_in_any_release_keeps_it_unproved() {
    let worker = process(21, 101).cwd("B").maps(&["B/x/s.so"]);
    let daemonised = process(22, 50);
    assert_eq!(
        verdict(&[process(10, 50), worker, daemonised]),
        Verdict::Unproved
    );
}

#[test]
fn nothing_at_all_is_unproved() {
    let observation = judge(&case(), &[]);
    assert_eq!(
        (observation.verdict, observation.release),
        (Verdict::Unproved, None)
    );
    let elsewhere = judge(&case(), &[process(10, 50)]);
    assert_eq!(
        (elsewhere.verdict, elsewhere.release),
        (Verdict::Unproved, None)
    );
    assert_eq!(verdict(&[process(10, 50).silent()]), Verdict::Unproved);
}
