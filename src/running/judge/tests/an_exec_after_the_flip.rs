use super::*;

#[test]
fn makes_the_working_directory_strong() {
    let fresh = |process: Seen| process.image(99).cwd("B");
    let seen = service(fresh(process(10, 101)), [workers(21, 102, fresh)]);
    assert_eq!(verdict(&seen), Verdict::Proved);
}

#[test]
fn makes_a_script_named_through_current_strong() {
    assert_eq!(
        verdict(&[process(10, 101).image(99).through_current()]),
        Verdict::Proved
    );
    let old = process(10, 50).through_current();
    assert_eq!(
        verdict(&[old]),
        Verdict::Unproved,
        "it resolved the link before the flip"
    );
}

#[test]
fn is_not_assumed_of_a_process_that_still_is_its_starter() {
    let between = process(10, 101).image(SYSTEMD).cwd("B");
    assert_eq!(verdict(&[between]), Verdict::Unproved);
}

#[test]
fn is_not_assumed_of_a_fork_of_an_old_process_that_is_gone() {
    let orphan = process(31, 101).parent(1).cwd("B");
    let case_without_main = Case {
        main: None,
        ..case()
    };
    let verdict = judge(&case_without_main, std::slice::from_ref(&orphan)).verdict;
    assert_eq!(verdict, Verdict::Unproved, "nothing is known of its origin");
    let before = before(Verdict::Proved);
    let known = Case {
        before: Some(&before),
        ..case_without_main
    };
    assert_eq!(
        judge(&known, &[orphan]).verdict,
        Verdict::Unproved,
        "an old image"
    );
    let other = process(31, 101).parent(1).image(99).cwd("B");
    assert_eq!(
        judge(&known, &[other]).verdict,
        Verdict::Proved,
        "a new image"
    );
}

#[test]
fn is_told_by_the_image_when_a_process_replaces_itself() {
    let before = before(Verdict::Proved);
    let case = Case {
        before: Some(&before),
        ..case()
    };
    let same = process(10, 50).cwd("B");
    assert_eq!(judge(&case, &[same]).verdict, Verdict::Unproved);
    let replaced = process(10, 50).image(99).cwd("B");
    assert_eq!(
        judge(&case, std::slice::from_ref(&replaced)).verdict,
        Verdict::Proved
    );
    let child = process(21, 101).image(99).cwd("B");
    assert_eq!(judge(&case, &[replaced, child]).verdict, Verdict::Proved);
}

#[test]
fn with_the_old_working_directory_is_mixed_unless_the_code_is_looked_up_through_current() {
    let spawned = process(21, 101).image(99).through_current().cwd("A");
    let seen = [process(10, 50).cwd("A"), spawned];
    assert_eq!(verdict(&seen), Verdict::Mixed);
    let app_dir = Case {
        code_is_through_current: true,
        ..case()
    };
    let observation = judge(&app_dir, &seen);
    assert_eq!(observation.verdict, Verdict::Proved);
    assert!(
        observation
            .notes
            .iter()
            .any(|note| note.contains("pid 21 still works in"))
    );
}

#[test]
fn on_the_old_interpreter_and_in_the_old_directory_is_stale() {
    let spawned = process(21, 101)
        .image(99)
        .argv("A/.venv/bin/python")
        .cwd("A");
    assert_eq!(
        verdict(&[process(10, 50).cwd("A"), spawned]),
        Verdict::Stale
    );
}
