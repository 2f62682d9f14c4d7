use super::*;

fn status() -> Case<'static> {
    Case {
        flipped_at: None,
        ..case()
    }
}

#[test]
fn strong_evidence_still_decides() {
    let worker = |release: &str| {
        let library = format!("{release}/x/s.so");
        process(21, 60).cwd(release).maps(&[library.as_str()])
    };
    let main = process(10, 50);
    assert_eq!(
        judge(&status(), &[main.clone(), worker("B")]).verdict,
        Verdict::Proved
    );
    let stale = judge(&status(), &[main, worker("A")]);
    assert_eq!(stale.verdict, Verdict::Stale);
    assert_eq!(stale.release.as_deref(), Some("A"));
    assert!(
        stale.leaving.is_empty(),
        "nothing leaves when nothing was flipped"
    );
}

#[test]
fn a_service_stale_since_long_names_what_it_runs() {
    let old = |worker: Seen| worker.cwd("r1").argv("r1/.venv/bin/python3");
    let seen = service(old(process(10, 5)), [workers(11, 6, old)]);
    let before = judge(&status(), &seen);
    assert_eq!(before.release.as_deref(), Some("r1"));
    assert_eq!((before.verdict, before.judged), (Verdict::Stale, 3));
    let flipped_back = Case {
        before: Some(&before),
        ..case()
    };
    let reloaded = service(old(process(10, 5)), [workers(31, 200, old)]);
    assert!(judge(&flipped_back, &reloaded).is_like(&before));
}
