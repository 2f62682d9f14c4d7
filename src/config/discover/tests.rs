use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;

/// A directory with files in it, each a path and a text.
fn tree(files: &[(&str, &str)]) -> (TempDir, Utf8PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
    for (file, text) in files {
        let file = path.join(file);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, text).unwrap();
    }
    (directory, path)
}

/// Loads from a working directory in which nothing lies.
fn load(request: &Request) -> Result<Loaded> {
    load_in(Utf8Path::new("/nowhere"), request)
}

fn refused(request: &Request) -> Error {
    let error = load(request).expect_err("should be refused");
    assert_eq!(error.kind, ErrorKind::Usage, "{error}");
    error
}

#[test]
fn a_named_file_is_read_whatever_lies_elsewhere() {
    let (_guard, dir) = tree(&[
        (
            "etc/site.toml",
            "keep = 2\nroot = '../www'\nenv_file = '.env'",
        ),
        ("www/zdd.toml", "keep = 3"),
    ]);
    let request = Request {
        config: Some(dir.join("etc/site.toml")),
        ..Request::default()
    };
    let loaded = load(&request).unwrap();
    assert_eq!(loaded.config.keep, 2);
    assert_eq!(loaded.config.root, Some(dir.join("etc/../www")));
    assert_eq!(loaded.config.env_file, Some(dir.join("etc/.env")));
    assert_eq!(loaded.config.name.as_deref(), Some("www"));
    assert_eq!(loaded.file, Some(dir.join("etc/site.toml")));
}

#[test]
fn the_root_of_the_command_line_beats_the_one_of_the_file() {
    let (_guard, dir) = tree(&[("www/zdd.toml", "root = '/elsewhere'\nname = 'shop'")]);
    let request = Request {
        root: Some(dir.join("www")),
        ..Request::default()
    };
    let loaded = load(&request).unwrap();
    assert_eq!(loaded.config.root, Some(dir.join("www")));
    assert_eq!(loaded.config.name.as_deref(), Some("shop"));
}

#[test]
fn the_root_defaults_to_the_directory_of_the_file_and_names_the_site() {
    let (_guard, dir) = tree(&[("www/zdd.toml", "[source]\npath = 'code'")]);
    let request = Request {
        config: Some(dir.join("www/zdd.toml")),
        ..Request::default()
    };
    let config = load(&request).unwrap().config;
    assert_eq!(config.root, Some(dir.join("www")));
    assert_eq!(config.name.as_deref(), Some("www"));
    assert_eq!(config.source.path, Some(dir.join("www/code")));
}

#[test]
fn without_any_file_a_root_is_enough() {
    let (_guard, dir) = tree(&[]);
    let request = Request {
        root: Some(dir.join("srv/www")),
        further: vec![dir.clone()],
        ..Request::default()
    };
    let loaded = load(&request).unwrap();
    assert_eq!(loaded.file, None);
    assert_eq!(
        loaded.config,
        Config {
            name: Some("www".into()),
            root: Some(dir.join("srv/www")),
            ..Config::default()
        }
    );
}

#[test]
fn with_neither_file_nor_root_the_error_says_what_to_type() {
    let (_guard, dir) = tree(&[]);
    let error = refused(&Request {
        further: vec![dir],
        ..Request::default()
    });
    assert!(error.hint.unwrap().contains("--root /var/www/myapp"));
}

#[test]
fn the_file_at_the_root_comes_before_the_one_in_the_code() {
    let (_guard, dir) = tree(&[("www/zdd.toml", "keep = 2"), ("code/zdd.toml", "keep = 3")]);
    let mut request = Request {
        root: Some(dir.join("www")),
        further: vec![dir.join("code")],
        ..Request::default()
    };
    assert_eq!(load(&request).unwrap().config.keep, 2);
    fs_err::remove_file(dir.join("www/zdd.toml")).unwrap();
    assert_eq!(load(&request).unwrap().config.keep, 3);
    request.further.insert(0, dir.join("not-there"));
    assert_eq!(load(&request).unwrap().config.keep, 3);
}

#[test]
fn the_file_in_the_working_directory_holds_unless_a_root_is_given() {
    let (_guard, dir) = tree(&[("here/zdd.toml", "keep = 2"), ("code/zdd.toml", "keep = 3")]);
    let mut request = Request {
        further: vec![dir.join("code")],
        ..Request::default()
    };
    let loaded = load_in(&dir.join("here"), &request).unwrap();
    assert_eq!(
        (loaded.config.keep, loaded.config.root),
        (2, Some(dir.join("here")))
    );
    // Whoever stands in one site and names another does not mean the services of the first.
    request.root = Some(dir.join("www"));
    let loaded = load_in(&dir.join("here"), &request).unwrap();
    assert_eq!(
        (loaded.config.keep, loaded.config.root),
        (3, Some(dir.join("www")))
    );
}

#[test]
fn a_file_that_travels_in_the_code_is_known_under_any_of_its_paths() {
    let (_guard, dir) = tree(&[("code/zdd.toml", "keep = 3")]);
    symlink("code", dir.join("link")).unwrap();
    for (here, code) in [("link", "code/."), ("code", "link")] {
        let request = Request {
            further: vec![dir.join(code)],
            ..Request::default()
        };
        let error = load_in(&dir.join(here), &request).unwrap_err();
        assert!(error.what.contains("travels"), "{error}");
    }
}

#[test]
fn a_file_that_travels_in_the_code_must_name_the_root() {
    let (_guard, dir) = tree(&[
        ("code/zdd.toml", "keep = 3"),
        ("named/zdd.toml", "root = '../www'"),
    ]);
    for config in [None, Some(dir.join("code/zdd.toml"))] {
        let error = refused(&Request {
            config,
            further: vec![dir.join("code")],
            ..Request::default()
        });
        assert!(error.what.contains("`root`"), "{error}");
        assert!(error.hint.unwrap().contains("--root"));
        assert_eq!(
            error.findings[0].file,
            Some(dir.join("code/zdd.toml").to_string())
        );
    }
    let named = Request {
        further: vec![dir.join("named")],
        ..Request::default()
    };
    assert_eq!(
        load(&named).unwrap().config.root,
        Some(dir.join("named/../www"))
    );
}

#[test]
fn a_path_through_a_link_stays_as_it_was_written() {
    let (_guard, dir) = tree(&[("real/zdd.toml", "keep = 2")]);
    symlink("real", dir.join("link")).unwrap();
    let request = Request {
        root: Some(dir.join("link/.")),
        ..Request::default()
    };
    let loaded = load(&request).unwrap();
    assert_eq!(loaded.config.root, Some(dir.join("link")));
    assert_eq!(loaded.config.name.as_deref(), Some("link"));
}

#[test]
fn what_is_named_but_missing_or_unreadable_is_refused_by_name() {
    let (_guard, dir) = tree(&[("dir/zdd.toml/x", ""), ("latin/zdd.toml", "")]);
    fs_err::write(dir.join("latin/zdd.toml"), b"keep = 3\nname = \"caf\xe9\"").unwrap();
    symlink("nowhere", dir.join("zdd.toml")).unwrap();
    for (file, words) in [
        ("missing.toml", "there is no `"),
        ("zdd.toml", "cannot read `"),
        ("dir/zdd.toml", "cannot read `"),
        ("latin/zdd.toml", "line 2 of `"),
    ] {
        let file = dir.join(file);
        let error = refused(&Request {
            config: Some(file.clone()),
            ..Request::default()
        });
        assert!(error.what.contains(&format!("{words}{file}`")), "{error}");
    }
    // A file that lies where it is looked for, but leads nowhere, is not passed over.
    let error = refused(&Request {
        root: Some(dir.clone()),
        ..Request::default()
    });
    assert!(error.what.starts_with("cannot read"), "{error}");
}

#[test]
fn a_file_that_may_not_be_read_is_not_passed_over() {
    let (_guard, dir) = tree(&[("zdd.toml", "keep = 3")]);
    let file = dir.join("zdd.toml");
    fs_err::set_permissions(&file, PermissionsExt::from_mode(0o000)).unwrap();
    let request = Request {
        root: Some(dir),
        ..Request::default()
    };
    // Root reads everything, and then the file simply holds.
    match load(&request) {
        Ok(loaded) => assert_eq!(loaded.config.keep, 3),
        Err(error) => assert!(error.what.starts_with("cannot read"), "{error}"),
    }
}

#[test]
fn an_empty_path_comes_from_an_unset_variable_and_is_refused() {
    for (config, root) in [(Some(""), None), (None, Some(""))] {
        let error = refused(&Request {
            config: config.map(Utf8PathBuf::from),
            root: root.map(Utf8PathBuf::from),
            ..Request::default()
        });
        assert!(error.what.ends_with("is empty"), "{error}");
    }
}

#[test]
fn mistakes_in_the_file_come_with_their_places() {
    let (_guard, dir) = tree(&[("zdd.toml", "keep = 0\nxyzzy = 1\n")]);
    let error = refused(&Request {
        root: Some(dir.clone()),
        ..Request::default()
    });
    assert_eq!(error.findings.len(), 2);
    let excerpt = error.findings[0].excerpt.as_deref().unwrap();
    assert!(
        excerpt.contains(&format!("--> {dir}/zdd.toml:1:8")),
        "{excerpt}"
    );
}

#[test]
fn a_deploy_conf_holds_where_it_is_named_or_alone() {
    let guard = tempfile::tempdir().unwrap();
    let here = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
    let named = |file: &str| Request {
        config: Some(here.join(file)),
        ..Request::default()
    };
    let nothing = Request::default();
    assert_eq!(deploy_conf_in(&here, &nothing), None);
    fs_err::write(here.join("deploy.conf"), "[nginx]\n").unwrap();
    fs_err::write(here.join("other"), "# x\n[service:web]\n").unwrap();
    let file = here.join("deploy.conf");
    assert_eq!(deploy_conf_in(&here, &nothing), Some(file));
    for (file, is_one) in [
        ("no.conf", true),
        ("other", true),
        ("no.toml", false),
        ("no", false),
    ] {
        assert_eq!(
            deploy_conf_in(&here, &named(file)).is_some(),
            is_one,
            "{file}"
        );
    }
    let source = Request {
        further: vec![here.clone()],
        ..Request::default()
    };
    assert_eq!(deploy_conf_in(&here, &source), None);
    fs_err::write(here.join("zdd.toml"), "").unwrap();
    assert_eq!(deploy_conf_in(&here, &nothing), None);
}
