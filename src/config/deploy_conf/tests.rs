//! The original's own samples, and what its parser makes of odd files.

use super::*;

fn parsed(text: &str) -> DeployConf {
    DeployConf::parse(Utf8Path::new("/srv/app/deploy.conf"), text).unwrap()
}

fn wrong(text: &str) -> Vec<String> {
    let findings = DeployConf::parse(Utf8Path::new("/srv/app/deploy.conf"), text).unwrap_err();
    let shown = findings.into_iter().map(|finding| {
        assert_eq!(finding.file.as_deref(), Some("/srv/app/deploy.conf"));
        let hint = finding.hint.unwrap();
        format!(
            "{}: {} ({hint})",
            finding.line.unwrap_or(0),
            finding.message
        )
    });
    shown.collect()
}

const SAMPLE: &str = "[nginx]
template: ./nginx.conf.template
pid_file: ./nginx.pid

[service:hello]
pid_file: ./gunicorn.pid
start: gunicorn -D -c settings_gunicorn.py app:app
stop: kill -WINCH
";

#[test]
fn a_sample_of_the_original_is_read() {
    let conf = parsed(SAMPLE);
    assert_eq!(conf.nginx.template, "/srv/app/nginx.conf.template");
    assert_eq!(conf.nginx.output, "/srv/app/nginx.conf");
    assert_eq!(conf.nginx.pid_file, "/srv/app/nginx.pid");
    let [service] = &conf.services[..] else {
        panic!("{conf:?}")
    };
    assert_eq!(service.name, "hello");
    assert_eq!(service.start.len(), 5);
    assert_eq!(service.stop, ["kill", "-WINCH"]);
    assert_eq!(service.cwd, "/srv/app");
    assert_eq!(service.current_pid_file(), "/srv/app/gunicorn.current.pid");
    assert_eq!(
        service.previous_pid_file(),
        "/srv/app/gunicorn.previous.pid"
    );
    assert_eq!(service.port_file(12), "/srv/app/12.port");
    assert!(conf.notes.is_empty(), "{:?}", conf.notes);
}

#[test]
fn the_rules_of_pythons_parser_hold() {
    let conf = parsed(
        "# a comment
; another
REM a third
[DEFAULT]
base = /opt/%(who)s
who = me
[service:B]
PID_File = %(base)s/b.pid ; a comment; with more
START: run;now  --rate=50%%
stop = kill
  -TERM
# between
[nginx]
template = x.template
pid_file : n.pid;not a comment ; this neither
[service:a:b]
pid_file = ../a.pid
start = ./a=b
stop = \"\"
[service:B]
cwd = sub
[service:a:b]
stop = kill
",
    );
    assert_eq!(
        conf.nginx.pid_file,
        "/srv/app/n.pid;not a comment ; this neither"
    );
    let [first, second] = &conf.services[..] else {
        panic!("{conf:?}")
    };
    assert_eq!((first.name.as_str(), second.name.as_str()), ("B", "a:b"));
    assert_eq!(first.pid_file, "/opt/me/b.pid");
    assert_eq!(first.start, ["run;now", "", "--rate=50%"]);
    assert_eq!(first.stop, ["kill\n-TERM"]);
    assert_eq!(first.cwd, "/srv/app/sub");
    assert_eq!(second.pid_file, "/srv/app/../a.pid");
    assert_eq!(second.start, ["./a=b"]);
    assert_eq!(second.stop, ["kill"]);
}

#[test]
fn older_spellings_hold_with_a_note_and_unknown_keys_are_told() {
    let conf = parsed(
        "[global]
nginx_template = n.conf.template
[nginx]
pid_file = n.pid
log_file = n.log
[service:web]
pid_file = w.pid
start_script = bin/start
stop_script = ./stop
strat = x
",
    );
    assert_eq!(conf.nginx.output, "/srv/app/n.conf");
    assert_eq!(conf.services[0].start, ["/srv/app/bin/start"]);
    assert_eq!(conf.services[0].stop, ["/srv/app/stop"]);
    assert_eq!(
        conf.notes,
        [
            "/srv/app/deploy.conf:2: `nginx_template` in `[global]` is obsolete: write `template` \
             into `[nginx]` instead",
            "/srv/app/deploy.conf:5: `log_file` in `[nginx]` is obsolete: it says nothing any more; \
             remove it",
            "/srv/app/deploy.conf:8: `start_script` in `[service:web]` is obsolete: write `start` \
             instead",
            "/srv/app/deploy.conf:9: `stop_script` in `[service:web]` is obsolete: write `stop` \
             instead",
            "/srv/app/deploy.conf:10: `strat` in `[service:web]` means nothing and is ignored",
        ]
    );
}

#[test]
fn all_mistakes_are_told_with_their_line_and_what_to_do() {
    let sample = SAMPLE
        .replace(".template", ".tpl")
        .replace("stop:", "stopp:");
    assert_eq!(
        wrong(&sample),
        [
            "2: `template` in `[nginx]` must end in `.template`: `/srv/app/nginx.conf.tpl` (the \
             settings of nginx are written beside it, under its name without that ending)",
            "5: `stop` is missing in `[service:hello]` (add `stop = kill -TERM`, for instance)",
        ]
    );
    assert_eq!(
        wrong("[service:a]\npid_file=%(x)s\nstart=50%\nstop=%(stop)s\n"),
        [
            "0: there is no section `[nginx]` (add `[nginx]` with `template = \
             ./nginx.conf.template` and `pid_file = ./nginx.pid`)",
            "2: `pid_file` in `[service:a]`: `%(x)s` refers to a key that is not there (add `x` to \
             `[service:a]` or to `[DEFAULT]`)",
            "3: `start` in `[service:a]`: a lone `%` (write `%%` for a percent sign, `%(key)s` for \
             the value of a key)",
            "4: `stop` in `[service:a]`: `%(stop)s` refers to itself (see what `stop` is made of)",
        ]
    );
    assert_eq!(
        wrong("a = 1\n[nginx\n[nginx]\nfoo\n"),
        [
            "1: `a = 1` stands before any section (begin the file with `[nginx]` or \
             `[service:web]`)",
            "2: `[nginx` is no section (close its bracket: `[service:web]`)",
            "4: `foo` is no key with a value (write `key = value`, or indent it when it goes on \
             with the line above)",
        ]
    );
}
