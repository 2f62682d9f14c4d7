use super::*;

fn preloading(before: &Observation) -> Case<'_> {
    Case {
        preload: Some("`--preload` on its command line"),
        before: Some(before),
        ..case()
    }
}

#[test]
fn workers_in_the_new_release_hold_the_old_code() {
    let before = before(Verdict::Proved);
    let seen = service(process(10, 50).cwd("B"), [workers(21, 101, |w| w.cwd("B"))]);
    let observation = judge(&preloading(&before), &seen);
    assert_eq!(observation.verdict, Verdict::Stale);
    assert_eq!(observation.release.as_deref(), Some("A"));
    assert!(
        observation.reason.contains("--preload"),
        "{}",
        observation.reason
    );
    let unknown = Case {
        before: None,
        ..preloading(&before)
    };
    assert_eq!(judge(&unknown, &seen).verdict, Verdict::Stale);
}

#[test]
fn a_lazily_loaded_new_library_does_not_hide_it() {
    let before = before(Verdict::Proved);
    let worker = |worker: Seen| worker.cwd("B").maps(&["B/x/lazy.so"]);
    let seen = service(process(10, 50).cwd("B"), [workers(21, 101, worker)]);
    assert_eq!(judge(&preloading(&before), &seen).verdict, Verdict::Stale);
}

#[test]
fn after_the_flip_back_the_code_it_holds_is_the_wanted_one_again() {
    let before = before(Verdict::Proved);
    let back = Case {
        wanted: "A",
        ..preloading(&before)
    };
    let seen = service(process(10, 50).cwd("A"), [workers(21, 101, |w| w.cwd("A"))]);
    let observation = judge(&back, &seen);
    assert_eq!(observation.verdict, Verdict::Proved);
    assert!(observation.is_like(&before));
}

#[test]
fn after_a_restart_it_does_no_harm() {
    let before = before(Verdict::Proved);
    let fresh = |worker: Seen| worker.image(99).cwd("B");
    let seen = service(fresh(process(10, 101)), [workers(21, 102, fresh)]);
    assert_eq!(judge(&preloading(&before), &seen).verdict, Verdict::Proved);
}

#[test]
fn when_nothing_was_flipped_and_nothing_is_known_it_is_unproved() {
    let before = before(Verdict::Proved);
    let status = Case {
        flipped_at: None,
        before: None,
        ..preloading(&before)
    };
    let seen = service(process(10, 50).cwd("B"), [workers(21, 51, |w| w.cwd("B"))]);
    assert_eq!(judge(&status, &seen).verdict, Verdict::Unproved);
}
