use super::*;

fn old_worker(worker: Seen) -> Seen {
    worker.cwd("A").maps(&["A/x/speedups.so"])
}

fn new_worker(worker: Seen) -> Seen {
    worker.cwd("B").maps(&["B/x/speedups.so"])
}

#[test]
fn before_the_master_acted_it_is_stale() {
    let seen = service(process(10, 50).cwd("A"), [workers(11, 50, old_worker)]);
    let observation = judge(&case(), &seen);
    assert_eq!(observation.verdict, Verdict::Stale);
    assert_eq!(observation.release.as_deref(), Some("A"));
    assert!(
        observation.reason.contains("pid 11"),
        "{}",
        observation.reason
    );
    assert!(
        observation.reason.contains("/proc/11/cwd"),
        "{}",
        observation.reason
    );
}

#[test]
fn new_workers_that_loaded_their_code_prove_it() {
    let seen = service(process(10, 50).cwd("B"), [workers(21, 101, new_worker)]);
    let observation = judge(&case(), &seen);
    assert_eq!(observation.verdict, Verdict::Proved);
    assert_eq!(observation.release.as_deref(), Some("B"));
    assert_eq!((observation.judged, observation.arrived), (3, 3));
    assert!(
        observation
            .evidence
            .iter()
            .any(|one| one.kind == EvidenceKind::Maps)
    );
}

#[test]
fn new_workers_that_only_work_in_the_release_do_not() {
    let seen = service(process(10, 50).cwd("B"), [workers(21, 101, |w| w.cwd("B"))]);
    let observation = judge(&case(), &seen);
    assert_eq!(observation.verdict, Verdict::Unproved);
    assert_eq!(observation.release.as_deref(), Some("B"));
}

#[test]
fn one_that_still_loads_keeps_all_unproved() {
    let mut seen = service(process(10, 50).cwd("B"), [workers(21, 101, new_worker)]);
    seen[3].maps.clear();
    assert_eq!(verdict(&seen), Verdict::Unproved);
}

#[test]
fn the_same_tick_as_the_flip_is_not_after_it() {
    let exec = |started| process(10, started).image(9).cwd("B");
    assert_eq!(verdict(&[exec(100)]), Verdict::Unproved);
    assert_eq!(verdict(&[exec(101)]), Verdict::Proved);
}

#[test]
fn without_chdir_the_new_workers_are_stale_at_once() {
    let old = |worker: Seen| worker.cwd("A").argv("A/.venv/bin/python3");
    let seen = service(old(process(10, 50)), [workers(21, 101, old)]);
    let observation = judge(&case(), &seen);
    assert_eq!(observation.verdict, Verdict::Stale);
    assert!(observation.leaving.is_empty());
}

#[test]
fn new_code_on_the_old_virtualenv_is_mixed() {
    let mixed = |worker: Seen| worker.cwd("B").argv("A/.venv/bin/python3");
    let seen = service(mixed(process(10, 50)), [workers(21, 101, mixed)]);
    let observation = judge(&case(), &seen);
    assert_eq!(observation.verdict, Verdict::Mixed);
    assert_eq!(observation.evidence[0].kind, EvidenceKind::Argv);
    assert!(observation.evidence[0].path.as_str().contains("/A/"));
}

#[test]
fn a_library_of_the_old_virtualenv_that_only_the_worker_loaded_is_mixed() {
    let mixed = |worker: Seen| worker.cwd("B").maps(&["A/x/speedups.so"]);
    let seen = service(process(10, 50).cwd("B"), [workers(21, 101, mixed)]);
    assert_eq!(verdict(&seen), Verdict::Mixed);
}

#[test]
fn a_library_inherited_from_the_master_is_no_evidence_and_a_note() {
    let title = "A/x/setproctitle.so";
    let worker = |worker: Seen| worker.cwd("B").maps(&[title, "B/x/speedups.so"]);
    let main = process(10, 50).cwd("B").maps(&[title]);
    let observation = judge(&case(), &service(main.clone(), [workers(21, 101, worker)]));
    assert_eq!(observation.verdict, Verdict::Proved);
    assert!(
        observation.notes[0].contains("the main process 10"),
        "{:?}",
        observation.notes
    );
    let worker = |worker: Seen| worker.cwd("B").maps(&[title]);
    let seen = service(main, [workers(21, 101, worker)]);
    assert_eq!(
        verdict(&seen),
        Verdict::Unproved,
        "an inherited library proves nothing"
    );
}

#[test]
fn an_inherited_library_counts_when_a_script_pins_the_virtualenv() {
    let title = "A/x/setproctitle.so";
    let worker = |worker: Seen| worker.cwd("B").maps(&[title]);
    let seen = service(
        process(10, 50).cwd("B").maps(&[title]),
        [workers(21, 101, worker)],
    );
    let pinned = Case {
        interpreter_is_pinned: true,
        ..case()
    };
    assert_eq!(judge(&pinned, &seen).verdict, Verdict::Mixed);
}

#[test]
fn a_wanted_library_inherited_from_the_master_proves_nothing() {
    let config = "B/x/config.so";
    let worker = |worker: Seen| worker.cwd("B").maps(&[config]);
    let main = process(10, 50).cwd("B").maps(&[config]);
    assert_eq!(
        verdict(&service(main, [workers(21, 101, worker)])),
        Verdict::Unproved
    );
}

#[test]
fn an_interpreter_copied_into_the_old_virtualenv_is_forgiven_when_new_libraries_are_loaded() {
    let copied = |worker: Seen| worker.exe("A/.venv/bin/python3.11").cwd("B");
    let good = |worker: Seen| copied(worker).maps(&["B/x/speedups.so"]);
    let seen = service(copied(process(10, 50)), [workers(21, 101, good)]);
    assert_eq!(verdict(&seen), Verdict::Proved);
    let seen = service(copied(process(10, 50)), [workers(21, 101, copied)]);
    assert_eq!(verdict(&seen), Verdict::Mixed);
    let compiled = |worker: Seen| worker.exe("A/bin/server").cwd("B").maps(&["B/lib/x.so"]);
    let seen = service(compiled(process(10, 50)), [workers(21, 101, compiled)]);
    assert_eq!(
        verdict(&seen),
        Verdict::Mixed,
        "a compiled server is its own code"
    );
}

#[test]
fn old_workers_leave_when_as_many_new_ones_took_over() {
    let before = before(Verdict::Proved);
    let case = Case {
        before: Some(&before),
        ..case()
    };
    let old = workers(11, 50, old_worker);
    let seen = service(
        process(10, 50).cwd("B"),
        [old.clone(), workers(21, 101, new_worker)],
    );
    let observation = judge(&case, &seen);
    assert_eq!(observation.verdict, Verdict::Proved);
    assert_eq!(observation.leaving.len(), 3);
    assert_eq!(observation.leaving[0].release, "A");
    let mut two = workers(21, 101, new_worker);
    two.pop();
    let observation = judge(&case, &service(process(10, 50).cwd("B"), [old, two]));
    assert_eq!(observation.verdict, Verdict::Stale, "two are not yet three");
}

#[test]
fn one_that_closed_its_socket_and_has_something_to_finish_is_leaving() {
    let before = before(Verdict::Proved);
    let case = Case {
        before: Some(&before),
        ..case()
    };
    let mut seen = service(process(10, 50).cwd("B"), [workers(21, 101, new_worker)]);
    seen.push(old_worker(process(11, 50)).silent());
    seen.push(process(40, 50).silent().cwd("A"));
    let observation = judge(&case, &seen);
    assert_eq!(observation.verdict, Verdict::Proved);
    let pids: Vec<u32> = observation.leaving.iter().map(|one| one.pid).collect();
    assert_eq!(pids, [11], "pid 40 never answered");
}

#[test]
fn an_old_worker_forked_after_the_flip_is_never_leaving() {
    let mut seen = service(process(10, 50).cwd("B"), [workers(21, 101, new_worker)]);
    seen.push(old_worker(process(30, 101)));
    let observation = judge(&case(), &seen);
    assert_eq!(observation.verdict, Verdict::Stale);
    assert!(observation.leaving.is_empty());
    assert_eq!(observation.evidence[0].pid, 30);
}

#[test]
fn a_master_without_workers_is_judged_itself() {
    assert_eq!(verdict(&[process(10, 50).cwd("B")]), Verdict::Unproved);
    assert_eq!(
        verdict(&[process(10, 50).cwd("B").maps(&["A/x/lib.so"])]),
        Verdict::Mixed
    );
}
