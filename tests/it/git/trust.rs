//! What git is not trusted with, and what it must not give away.

use super::*;

/// A setting of git for one command.
fn with_setting(program: Program, key: &str, value: &str) -> Program {
    program
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", key)
        .env("GIT_CONFIG_VALUE_0", value)
}

#[test]
fn a_password_in_the_address_is_neither_shown_nor_written_down() {
    let (site, repository) = site_of("");
    let url = "https://user:s3cret@example.com/origin.git";
    site.settings(&format!("[source]\ngit = \"{url}\"\n"));
    // git is told to take the repository beside the site for that address.
    let instead = format!("url.{}.insteadOf", repository.bare.display());
    let run = |words: &str| {
        let output = with_setting(site.zdd(words), &instead, url).run();
        output.does_not_say("s3cret")
    };
    run("--json release")
        .exits(0)
        .says("https://***@example.com/origin.git");
    run("-v release").exits(0);
    run("--json release --dry-run").exits(0);
    run("release --ref nope").exits(1).says("***");
    run("--json release --if-changed").exits(0);
    run("rollback").exits(0);
    for words in ["--json show", "show", "--json list", "status", "check"] {
        run(words);
    }
    assert_eq!(holder_of(&site.root, "s3cret"), None);
    let refused = "http://user:s3cret@127.0.0.1:1/x";
    site.settings(&format!("[source]\ngit = \"{refused}\"\n"));
    site.zdd("--json release")
        .run()
        .exits(1)
        .does_not_say("s3cret");
    site.settings(&format!("[source]\ngit = \"{refused}\"\npath = \".\"\n"));
    site.zdd("--json release")
        .run()
        .exits(2)
        .does_not_say("s3cret");
}

#[test]
fn no_other_program_is_run_for_an_address() {
    let (site, _) = site_of("");
    let mark = site.scratch().join("mark");
    let line = format!("touch {}", mark.display());
    for url in [
        format!("ext::sh -c '{line}'"),
        format!("--upload-pack={line}"),
        format!("-u{line}"),
    ] {
        site.settings(&format!("[source]\ngit = \"{url}\"\n"));
        site.zdd("release").run().exits(2);
    }
    site.settings("[source]\ngit = \"https://example.com/x\"\n");
    let release = with_setting(
        site.zdd("release"),
        &format!("url.ext::sh -c '{line}' .insteadOf"),
        "https://example.com/",
    );
    // Not even where the settings of git allow it.
    let release = release
        .env("GIT_CONFIG_COUNT", "2")
        .env("GIT_CONFIG_KEY_1", "protocol.allow")
        .env("GIT_CONFIG_VALUE_1", "always");
    release.run().exits(1).says("transport 'ext' not allowed");
    assert!(!mark.exists());
    has_nothing(&site);
}

#[test]
fn a_submodule_of_a_repository_elsewhere_is_not_taken_from_this_host() {
    let (site, repository) = site_of("submodules = true\n");
    let lib = Repository::named(site.scratch(), "private.git");
    let add = git(&repository.work)
        .words("submodule add -q")
        .arg(&lib.bare);
    add.arg("lib").run().exits(0);
    repository.push();
    site.does("release");
    // The same repository, reached over something like ssh.
    let ssh = site.scratch().join("ssh");
    fs::write(&ssh, "#!/bin/sh\nfor line; do :; done\neval \"$line\"\n").unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let url = format!("git@example.com:{}", repository.bare.display());
    site.settings(&format!("[source]\ngit = \"{url}\"\nsubmodules = true\n"));
    let release = || site.zdd("release").env("GIT_SSH_COMMAND", &ssh).run();
    release().exits(1).says("is a path of this host");
    site.settings(&format!("[source]\ngit = \"{url}\"\n"));
    release().exits(0).says("`lib` is a submodule");
}

#[test]
fn ssh_is_told_to_ask_nobody_and_keeps_the_options_of_the_caller() {
    let (site, repository) = site_of("");
    let ssh = site.scratch().join("ssh");
    let said = site.scratch().join("said");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> '{}'\nfor line; do :; done\neval \"$line\"\n",
        said.display()
    );
    fs::write(&ssh, script).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let url = format!("git@example.com:{}", repository.bare.display());
    site.settings(&format!("[source]\ngit = \"{url}\"\n"));
    let own = format!("{} -i key", ssh.display());
    site.zdd("release")
        .env("GIT_SSH_COMMAND", &own)
        .run()
        .exits(0);
    let lines = text(said.clone());
    for line in lines.lines() {
        assert!(
            line.starts_with("-i key ") && line.contains("-oBatchMode=yes"),
            "{line}"
        );
    }
    assert!(lines.lines().count() >= 2, "{lines}");
    fs::remove_file(&said).unwrap();
    with_setting(site.zdd("release"), "core.sshCommand", &own)
        .run()
        .exits(0);
    assert!(text(said).starts_with("-i key "));
}

#[test]
fn a_repository_of_another_user_is_refused_with_the_line_to_change() {
    if !nix::unistd::Uid::effective().is_root() {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"!!! SKIPPED: only root can give a repository away\n",
        );
        return;
    }
    let (site, repository) = site_of("");
    for entry in walkdir::WalkDir::new(&repository.bare) {
        let nobody = Some(65534);
        std::os::unix::fs::lchown(entry.unwrap().path(), nobody, nobody).unwrap();
    }
    let home = site.scratch().join("home");
    fs::create_dir(&home).unwrap();
    let release = || site.zdd("release").env("HOME", &home).run();
    let line = format!(
        "git config --global --add safe.directory {}",
        repository.bare.display()
    );
    let output = release().exits(1).says("dubious ownership");
    assert!(
        output.stderr.contains(&format!("hint:  {line}")),
        "{output}"
    );
    has_nothing(&site);
    let change = Program::new("/bin/sh")
        .arg("-c")
        .arg(line)
        .env("HOME", &home);
    change.run().exits(0);
    release().exits(0);
}

#[test]
fn no_filter_and_no_attribute_of_the_caller_has_a_part_in_a_release() {
    let (site, repository) = site_of("");
    repository.file(".gitattributes", "*.bin filter=lfs\n");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
    repository.file("big.bin", pointer);
    repository.push();
    let home = site.scratch().join("home");
    fs::create_dir(&home).unwrap();
    let attributes = home.join("attributes");
    fs::write(&attributes, "version export-ignore\n").unwrap();
    let filter = "[filter \"lfs\"]\nsmudge = echo smudged\nrequired = true\n";
    let settings = format!(
        "[core]\nattributesFile = {}\n{filter}",
        attributes.display()
    );
    fs::write(home.join(".gitconfig"), settings).unwrap();
    let output = site.zdd("release").env("HOME", &home).run().exits(0);
    output
        .says("`big.bin` only stands for a file that Git LFS keeps")
        .says("(1 file)");
    assert_eq!(text(site.root.join("current/big.bin")), pointer);
    assert_eq!(site.version().as_deref(), Some("v1"));
}

#[test]
fn a_link_called_revision_is_not_followed() {
    let (site, repository) = site_of("");
    let outside = site.scratch().join("outside");
    fs::write(&outside, "precious").unwrap();
    for name in ["REVISION", "REVISION_TIME"] {
        std::os::unix::fs::symlink(&outside, repository.work.join(name)).unwrap();
    }
    let id = repository.push();
    site.does("release")
        .says("the link `REVISION` leads out of the release");
    assert_eq!(text(outside), "precious");
    assert_eq!(text(site.root.join("current/REVISION")), format!("{id}\n"));
}

#[test]
fn nobody_is_asked_for_a_password() {
    use std::io::{Read, Write};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
                  Content-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
    });
    let site = Site::new(&format!("[source]\ngit = \"http://{address}/x.git\"\n"));
    let asking = site.scratch().join("asking");
    let mark = site.scratch().join("mark");
    fs::write(&asking, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
    fs::set_permissions(&asking, fs::Permissions::from_mode(0o755)).unwrap();
    let release = ["GIT_ASKPASS", "SSH_ASKPASS"]
        .iter()
        .fold(site.zdd("release"), |zdd, name| zdd.env(name, &asking));
    let output = release.run().exits(1);
    output
        .says("terminal prompts disabled")
        .says("a deploy key or a credential helper");
    assert!(!mark.exists());
    has_nothing(&site);
}
