use super::*;

#[test]
fn without_them_nothing_is_guessed() {
    let seen = [process(10, 50).denied(), process(11, 101).denied()];
    let observation = judge(&case(), &seen);
    assert_eq!(
        (observation.verdict, observation.release),
        (Verdict::Unreadable, None)
    );
}

#[test]
fn a_master_of_root_is_judged_by_its_readable_workers() {
    let worker = process(21, 101).cwd("B").maps(&["B/x/s.so"]);
    assert_eq!(
        verdict(&[process(10, 50).denied(), worker]),
        Verdict::Proved
    );
    let unsure = process(21, 101)
        .cwd("B")
        .maps(&["A/x/title.so", "B/x/s.so"]);
    assert_eq!(
        verdict(&[process(10, 50).denied(), unsure]),
        Verdict::Unreadable,
        "whether the old library is inherited cannot be told"
    );
}

#[test]
fn a_stale_process_counts_more_than_an_unreadable_one() {
    let stale = process(21, 101).cwd("A");
    let seen = [process(10, 50).denied(), process(22, 101).denied(), stale];
    assert_eq!(verdict(&seen), Verdict::Stale);
}
