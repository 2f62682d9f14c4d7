use super::*;

#[test]
fn branches_tags_and_commits_are_found_by_their_names_and_numbers() {
    let place = Place::new();
    let first = place.git("work", &["rev-parse", "HEAD"]);
    place.git("work", &["tag", "light"]);
    place.git("work", &["tag", "-a", "-m", "x", "v1.0"]);
    place.git("work", &["push", "-q", "origin", "--tags"]);
    let second = place.commit("work", "version", "v2");
    place.git("work", &["checkout", "-q", "-b", "feature/x"]);
    let third = place.commit("work", "version", "v3");
    let pulled = place.commit("work", "version", "pulled");
    place.git("work", &["push", "-q", "origin", "HEAD:refs/pull/7/head"]);
    place.git(
        "work",
        &[
            "push",
            "-qf",
            "origin",
            &format!("{third}:refs/heads/feature/x"),
        ],
    );
    for (name, id) in [
        ("main", &second),
        ("refs/heads/main", &second),
        ("heads/main", &second),
        ("feature/x", &third),
        ("light", &first),
        ("v1.0", &first),
        ("refs/tags/v1.0", &first),
        ("HEAD", &second),
        ("refs/pull/7/head", &pulled),
        (&first, &first),
        (&first.to_uppercase(), &first),
        (&third[..10], &third),
    ] {
        assert_eq!(place.id_of(name), *id, "{name}");
    }
    let fetched = place.fetch(None).unwrap();
    assert_eq!(fetched.commit.id, second);
    let revision = Revision {
        id: second,
        time: Some(1_700_000_000),
        branch: Some("main".to_owned()),
        is_dirty: false,
    };
    assert_eq!(fetched.revision, revision);
    let name = |reference| place.ask(Some(reference)).unwrap().name;
    assert_eq!(name("refs/tags/v1.0"), "v1.0");
    assert_eq!(name("refs/heads/main"), "main");
    assert_eq!(place.warnings(), "");
}

#[test]
fn what_was_asked_for_first_is_fetched_whatever_is_pushed_meanwhile() {
    let place = Place::new();
    let first = place.commit("work", "version", "wanted");
    let wanted = place.ask(Some("main")).unwrap();
    place.git("work", &["commit", "-q", "--amend", "-m", "another"]);
    place.git("work", &["push", "-qf", "origin", "main"]);
    let commit = place.fetch_wanted(&wanted).unwrap().commit;
    assert_eq!(commit.id, first);
    let (to, _) = place.exported(&commit, &[]).unwrap();
    assert_eq!(fs::read_to_string(to.join("version")).unwrap(), "wanted");
    assert_ne!(place.id_of("main"), first);
}

#[test]
fn a_branch_wins_over_a_tag_of_its_name_and_that_is_said() {
    let place = Place::new();
    place.git("work", &["tag", "main"]);
    place.git("work", &["push", "-q", "origin", "refs/tags/main"]);
    fs::write(place.path("work/version"), "v2").unwrap();
    place.git("work", &["commit", "-qam", "x"]);
    place.git("work", &["push", "-q", "origin", "HEAD:refs/heads/main"]);
    let second = place.git("work", &["rev-parse", "HEAD"]);
    assert_eq!(place.id_of("main"), second);
    assert!(place.warnings().contains("a tag are called `main`"));
    assert_ne!(place.id_of("refs/tags/main"), second);
}

#[test]
fn a_branch_that_is_gone_is_unknown_and_leaves_its_name_to_others() {
    let place = Place::new();
    place.git("work", &["checkout", "-q", "-b", "a"]);
    place.commit("work", "version", "a");
    place.id_of("a");
    place.git("work", &["push", "-q", "--delete", "origin", "a"]);
    let error = place.fetch(Some("a")).unwrap_err();
    assert!(error.what.ends_with("has no `a`"), "{error}");
    assert_eq!(
        error.cause.as_deref(),
        Some("fatal: couldn't find remote ref a")
    );
    place.git("work", &["checkout", "-q", "-b", "x"]);
    place.git("work", &["branch", "-q", "-D", "a"]);
    place.git("work", &["checkout", "-q", "-b", "a/b"]);
    let id = place.commit("work", "version", "b");
    assert_eq!(place.id_of("a/b"), id);
    let error = place.fetch(Some("origin/main")).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("write `main`"));
}

#[test]
fn the_beginning_of_several_commits_is_refused_in_gits_words() {
    let place = Place::new();
    // Of so many numbers, two begin with the same four digits.
    let mut stream = String::new();
    for turn in 0..900 {
        stream += &format!("commit refs/heads/many\ncommitter a <a@b> {turn} +0000\ndata 0\n");
    }
    fs::write(place.path("stream"), stream).unwrap();
    let line = "git fast-import --quiet < ../stream && git push -q origin many";
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(place.path("work"))
        .output();
    assert!(output.unwrap().status.success());
    let ids = place.git("work", &["rev-list", "many"]);
    let mut beginnings: Vec<&str> = ids.lines().map(|id| &id[..4]).collect();
    beginnings.sort_unstable();
    let double = beginnings
        .windows(2)
        .find(|pair| pair[0] == pair[1])
        .unwrap()[0];
    let error = place.fetch(Some(double)).unwrap_err();
    assert!(error.what.contains("several commits"), "{error}");
    let words = error.cause.unwrap();
    assert!(
        words.contains(&format!("short object ID {double} is ambiguous")),
        "{words}"
    );
    let error = place.fetch(Some("0123456")).unwrap_err();
    assert!(
        error
            .cause
            .unwrap()
            .contains("couldn't find remote ref 0123456")
    );
}

#[test]
fn what_cannot_be_reached_or_has_nothing_is_said_in_gits_words() {
    let place = Place::new();
    let refusal = |url: &str| {
        place.settings.borrow_mut().git = Some(url.to_owned());
        place.ask(None).unwrap_err()
    };
    let gone = refusal("/no/such/repository");
    assert_eq!(
        gone.what,
        "the repository `/no/such/repository` cannot be read"
    );
    assert!(
        gone.cause
            .unwrap()
            .contains("does not appear to be a git repository")
    );
    let refused = refusal("git://127.0.0.1:1/x");
    assert!(
        refused
            .cause
            .unwrap()
            .contains("unable to connect to 127.0.0.1")
    );
    let secret = refusal("http://user:s3cret@127.0.0.1:1/x?token=s3cret");
    let text = format!("{secret} {}", secret.hint.as_deref().unwrap());
    assert!(text.contains("http://***@127.0.0.1:1/x?***"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    place.git(".", &["init", "-q", "--bare", "-b", "main", "empty"]);
    let empty = refusal(place.path("empty").as_str());
    assert!(empty.what.ends_with("has nothing to release"), "{empty}");
    place.git("origin", &["symbolic-ref", "HEAD", "refs/heads/none"]);
    let headless = refusal(place.path("origin").as_str());
    assert!(headless.hint.unwrap().contains("ref = "));
    assert!(!place.site.mirrors_dir().exists(), "to ask makes nothing");
}

#[test]
fn a_repository_without_a_branch_at_its_head_is_taken_at_that_commit() {
    let place = Place::new();
    place.git("work", &["checkout", "-q", "--detach"]);
    fs::write(place.path("work/version"), "detached").unwrap();
    place.git("work", &["commit", "-qam", "x"]);
    let id = place.git("work", &["rev-parse", "HEAD"]);
    place.settings.borrow_mut().git = Some(place.path("work").into_string());
    let commit = place.fetch(None).unwrap().commit;
    assert_eq!((commit.id, commit.name.as_str()), (id, "HEAD"));
}

#[test]
fn a_repository_that_never_answers_is_waited_for_only_as_long_as_one_wants() {
    let place = Place::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("git://{}/x", silent.local_addr().unwrap());
    place.settings.borrow_mut().git = Some(url);
    let settings = place.settings.borrow().clone();
    let repository = Repository::of(&place.site, &settings, None).unwrap();
    let began = Instant::now();
    let error = repository.ask(&Patience::over()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert!(began.elapsed().as_secs() < 20);
}

#[test]
fn a_repository_of_sha256_is_fetched_also_where_one_of_sha1_was() {
    let place = Place::new();
    place.fetch(None).unwrap();
    place.make("other", "sha256");
    let id = place.commit("work-other", "version", "sha256");
    place.settings.borrow_mut().git = Some(place.path("other").into_string());
    let commit = place.fetch(None).unwrap().commit;
    assert_eq!((commit.id.len(), &commit.id), (64, &id));
    let (to, _) = place.exported(&commit, &[]).unwrap();
    assert_eq!(fs::read_to_string(to.join("version")).unwrap(), "sha256");
}

#[test]
fn what_is_no_commit_is_refused() {
    let place = Place::new();
    let tree = place.git("work", &["rev-parse", "HEAD^{tree}"]);
    let blob = place.git("work", &["rev-parse", "HEAD:version"]);
    place.git("work", &["tag", "a-tree", &tree]);
    place.git("work", &["tag", "a-blob", &blob]);
    place.git("work", &["push", "-q", "origin", "--tags"]);
    for name in ["a-tree", "a-blob", &tree] {
        let error = place.fetch(Some(name)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Failed, "{name}: {error}");
    }
}
