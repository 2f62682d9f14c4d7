use super::*;

/// `origin` has `lib` at `vendor/lib`, and that has `inner` at `deep`, both beside it.
fn nested() -> Place {
    let place = Place::new();
    for name in ["inner", "lib"] {
        place.make(name, "sha1");
        place.commit(&format!("work-{name}"), "version", name);
    }
    place.git("work-lib", &["submodule", "add", "-q", "../inner", "deep"]);
    place.push("work-lib");
    place.git("work", &["submodule", "add", "-q", "../lib", "vendor/lib"]);
    place.push("work");
    place.settings.borrow_mut().submodules = true;
    place
}

#[test]
fn submodules_come_along_at_their_recorded_commits_without_data_of_git() {
    let place = nested();
    place.commit("work-lib", "version", "newer than recorded");
    let wanted = ["vendor/lib/deep/version", "vendor/lib/version"];
    let files = place.files(&[".gitmodules"]);
    assert_eq!(files, [&wanted[..], &["version"]].concat());
    let (to, _) = place
        .exported(&place.fetch(None).unwrap().commit, &[])
        .unwrap();
    assert_eq!(
        fs::read_to_string(to.join("vendor/lib/version")).unwrap(),
        "lib"
    );
    assert_eq!(
        place.files(&[".gitmodules", "/vendor/lib/deep"]),
        ["vendor/lib/version", "version"]
    );
    assert_eq!(place.files(&["/vendor", ".gitmodules"]), ["version"]);
    place.settings.borrow_mut().subdir = Some("vendor".into());
    assert_eq!(
        place.files(&[".gitmodules"]),
        ["lib/deep/version", "lib/version"]
    );
}

#[test]
fn without_being_asked_for_they_stay_empty_and_that_is_said() {
    let place = nested();
    place.settings.borrow_mut().submodules = false;
    assert_eq!(place.files(&[]), [".gitmodules", "version"]);
    assert!(place.path("release/vendor/lib").is_dir());
    assert!(place.warnings().contains("`vendor/lib` is a submodule"));
}

#[test]
fn one_that_is_there_is_not_fetched_again_and_one_that_is_gone_is_named() {
    let place = nested();
    place.fetch(None).unwrap();
    fs::rename(place.path("inner"), place.path("inner-gone")).unwrap();
    place.fetch(None).unwrap();
    fs::remove_dir_all(place.site.mirrors_dir()).unwrap();
    let error = place.fetch(None).unwrap_err();
    let what = "the submodule `vendor/lib/deep` cannot be fetched";
    assert_eq!(error.what, what);
    assert!(
        error
            .cause
            .unwrap()
            .contains("does not appear to be a git repository")
    );
}

#[test]
fn a_commit_that_its_repository_lost_is_named() {
    let place = nested();
    place.git("work-lib", &["checkout", "-q", "--orphan", "new"]);
    place.push("work-lib");
    place.git(
        "work-lib",
        &["push", "-qf", "origin", "HEAD:refs/heads/main"],
    );
    place.git("lib", &["update-ref", "-d", "refs/heads/new"]);
    place.git("lib", &["reflog", "expire", "--expire=now", "--all"]);
    place.git("lib", &["gc", "-q", "--prune=now"]);
    let error = place.fetch(None).unwrap_err();
    assert_eq!(error.what, "the submodule `vendor/lib` cannot be fetched");
    assert!(error.cause.is_some());
}

#[test]
fn an_address_that_would_run_a_program_is_refused() {
    let place = nested();
    for url in [
        "ext::sh -c 'touch /tmp/x'",
        "--upload-pack=touch /tmp/x",
        "-x",
    ] {
        place.git(
            "work",
            &[
                "config",
                "-f",
                ".gitmodules",
                "submodule.vendor/lib.url",
                url,
            ],
        );
        place.push("work");
        let error = place.fetch(None).unwrap_err();
        assert!(error.what.contains("`vendor/lib`"), "{url}: {error}");
    }
    fs::remove_file(place.path("work/.gitmodules")).unwrap();
    place.push("work");
    let error = place.fetch(None).unwrap_err();
    assert!(error.cause.unwrap().contains("has no address"));
}
