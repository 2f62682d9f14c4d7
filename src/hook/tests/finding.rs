//! Which program is a hook, and which is refused.

use super::*;
use crate::config::schema::{self, HookTable};
use crate::config::units::Span;

#[test]
fn no_file_is_no_hook() {
    let site = Site::new();
    assert!(
        Point::ALL
            .iter()
            .all(|point| site.find(*point).unwrap().is_none())
    );
}

#[test]
fn a_line_in_zdd_toml_replaces_the_file() {
    let mut site = Site::new();
    site.write_hook(Point::Build, "#!/bin/sh\necho file\n");
    site.hooks.build = Some(schema::Hook::Line("echo line".into()));
    site.run(Point::Build).result.unwrap();
    assert_eq!(site.output(), ["line"]);
}

#[test]
fn a_table_without_a_line_sets_the_timeout_of_the_file() {
    let mut site = Site::new();
    site.write_hook(Point::Build, "#!/bin/sh\nsleep 30\n");
    let table = HookTable {
        run: None,
        user: None,
        timeout: Some(Span::millis(100)),
    };
    site.hooks.build = Some(schema::Hook::Table(table));
    let error = site.run(Point::Build).result.unwrap_err();
    assert!(
        error.to_string().contains("still running after 100ms"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_not_executable_is_an_error_with_the_command_to_run() {
    let site = Site::new();
    let path = site.write_hook(Point::Migrate, "#!/bin/sh\n");
    set_mode(&path, 0o644);
    let error = site.find(Point::Migrate).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the hook `{path}` is not executable")
    );
    assert_eq!(error.hint.unwrap(), format!("chmod +x {path}"));
}

#[test]
fn what_is_no_file_is_not_passed_over() {
    let site = Site::new();
    let path = site.write_hook(Point::Build, "");
    fs_err::remove_file(&path).unwrap();
    fs_err::os::unix::fs::symlink("nowhere", &path).unwrap();
    assert!(
        site.find(Point::Build)
            .unwrap_err()
            .to_string()
            .contains(path.as_str())
    );
    fs_err::remove_file(&path).unwrap();
    fs_err::create_dir(&path).unwrap();
    assert!(
        site.find(Point::Build)
            .unwrap_err()
            .to_string()
            .contains("is not a file")
    );
}

#[test]
fn a_script_without_a_first_line_or_with_a_wrong_one_says_what_is_missing() {
    let site = Site::new();
    let path = site.write_hook(Point::Build, "echo hi\n");
    let error = site.run(Point::Build).result.unwrap_err();
    assert_eq!(
        error.hint.unwrap(),
        format!("let `{path}` begin with the line `#!/bin/sh`")
    );
    site.write_hook(Point::Build, "#!/bin/sh\r\necho hi\r\n");
    let error = site.run(Point::Build).result.unwrap_err();
    assert!(error.hint.unwrap().ends_with("there: `/bin/sh\\r`?"));
}

#[test]
fn root_runs_no_hook_that_others_can_write() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let mut site = Site::new();
    set_mode(site.path(), 0o755);
    let path = site.write_hook(Point::Build, "#!/bin/sh\n");
    let directory = path.parent().unwrap().to_owned();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let own = |path: &Utf8Path, user, group| {
        std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
    };
    assert!(site.find(Point::Build).is_ok());
    let refused = |site: &Site, place: &Utf8Path| {
        let error = site.find(Point::Build).unwrap_err();
        let real = place.canonicalize_utf8().unwrap();
        assert_eq!(
            error.cause.unwrap(),
            format!("others than root can write `{real}`")
        );
    };
    set_mode(&path, 0o757);
    refused(&site, &path);
    set_mode(&path, 0o775);
    assert!(site.find(Point::Build).is_ok(), "the group is root's");
    own(&path, 0, nobody.gid.as_raw());
    refused(&site, &path);
    set_mode(&path, 0o755);
    own(&directory, nobody.uid.as_raw(), 0);
    refused(&site, &directory);
    site.hooks.user = Some("nobody".into());
    assert!(
        site.find(Point::Build).is_ok(),
        "it is not root who runs it"
    );
}
