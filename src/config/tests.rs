//! What is right and wrong in a `zdd.toml`, from its text to the finding.

use camino::Utf8Path;

use super::schema::{Hook, HookTable, Kind, OnStale, Role, Scope, Status, Statuses, SwitchWay};
use super::units::{Size, Span};
use super::{Config, parse};
use crate::error::Finding;

mod mistakes;
mod texts;

/// All that is wrong with a text.
fn findings(text: &str) -> Vec<Finding> {
    parse(Utf8Path::new("zdd.toml"), text).expect_err("the text should be wrong")
}

fn config(text: &str) -> Config {
    match parse(Utf8Path::new("zdd.toml"), text) {
        Ok(config) => config,
        Err(findings) => panic!("{}", pictures(&findings)),
    }
}

/// The findings as they are printed.
fn pictures(findings: &[Finding]) -> String {
    let picture = |finding: &Finding| finding.excerpt.clone();
    let pictures: Vec<String> = findings.iter().filter_map(picture).collect();
    pictures.join("\n\n")
}

#[test]
fn an_empty_file_means_the_defaults_of_the_design() {
    for text in ["", "\n", "# nothing\r\n", "\u{feff}"] {
        assert_eq!(config(text), Config::default());
    }
    let config = config("[[service]]\nunit = 'a.service'\n[[health]]\ntcp = 'localhost:80'");
    let (service, health) = (&config.service[0], &config.health[0]);
    assert_eq!((config.keep, config.keep_failed), (5, 1));
    assert_eq!(config.hooks.timeout, Span::secs(900));
    assert_eq!(
        (service.drain, service.stop_timeout),
        (Span::secs(30), Span::secs(10))
    );
    assert_eq!(
        (service.switch_timeout, service.sudo),
        (Span::secs(30), false)
    );
    assert_eq!(
        (health.interval, health.timeout),
        (Span::millis(500), Span::secs(5))
    );
    assert_eq!((health.within, health.successes), (Span::secs(30), 1));
    assert_eq!((config.probe.rate, config.probe.max_failures), (10, 3));
    assert!(config.probe.watch.is_zero());
}

#[test]
fn every_key_of_the_design_that_is_built_is_read() {
    let config = config(include_str!("tests/complete.toml"));
    assert_eq!(config.name.as_deref(), Some("myapp"));
    assert_eq!(
        config.root.as_deref(),
        Some(Utf8Path::new("/var/www/myapp"))
    );
    assert_eq!((config.keep, config.keep_failed), (7, 2));
    assert_eq!(
        config.env_file.as_deref(),
        Some(Utf8Path::new("shared/.env"))
    );
    let source = &config.source;
    assert_eq!(
        source.git.as_deref(),
        Some("git@example.com:team/myapp.git")
    );
    assert_eq!(source.reference.as_deref(), Some("main"));
    assert_eq!(source.subdir.as_deref(), Some(Utf8Path::new("app")));
    assert!(source.submodules);
    let other = self::config("[source]\npath = '.'").source;
    assert_eq!(other.path.as_deref(), Some(Utf8Path::new(".")));
    assert_eq!(config.source.exclude, [".git", "*.log"]);
    assert_eq!(config.shared.files, [".env"]);
    assert_eq!(config.shared.dirs, ["uploads", "logs"]);
    assert_eq!(config.shared.bridge, ["static"]);
    assert_eq!(config.require.env, ["DATABASE_URL"]);
    assert_eq!(config.require.commands, ["python3"]);
    assert_eq!(config.require.free_space, Some(Size::from_bytes(1 << 30)));
    assert_eq!(
        config.require.free_memory,
        Some(Size::from_bytes(256 << 20))
    );
    let hooks = &config.hooks;
    assert_eq!(
        (hooks.dir.as_str(), hooks.timeout),
        ("ops/hooks", Span::secs(1200))
    );
    assert_eq!(hooks.user.as_deref(), Some("deploy"));
    assert_eq!(hooks.pass_env, ["SSH_AUTH_SOCK"]);
    assert_eq!(
        (&hooks.mask[..], &hooks.no_mask[..]),
        (&["A".into()][..], &["B".into()][..])
    );
    assert_eq!(hooks.build, Some(Hook::Line("make".into())));
    assert_eq!(
        hooks.migrate,
        Some(Hook::Table(HookTable {
            run: Some("./migrate".into()),
            user: Some("dba".into()),
            timeout: Some(Span::secs(3600)),
        }))
    );
    for hook in [&hooks.check, &hooks.warm, &hooks.verify] {
        assert!(matches!(hook, Some(Hook::Line(_))));
    }
    for hook in [&hooks.finish, &hooks.revert, &hooks.failed] {
        assert!(matches!(hook, Some(Hook::Line(_))));
    }
    let [
        web,
        worker,
        process,
        instance,
        program,
        port,
        daemon,
        command,
    ] = &config.service[..]
    else {
        panic!("{:?}", config.service)
    };
    assert_eq!(web.unit.as_deref(), Some("gunicorn.service"));
    assert_eq!((web.scope, web.sudo), (Scope::System, true));
    assert_eq!((web.switch, web.role), (SwitchWay::Reload, Role::Web));
    assert_eq!(web.on_stale, OnStale::Restart);
    assert_eq!(
        (web.switch_timeout, web.drain),
        (Span::secs(40), Span::secs(20))
    );
    assert_eq!(web.health.as_deref(), Some("/health"));
    assert!(
        web.dry_boot
            .as_deref()
            .is_some_and(|line| line.contains("$ZDD_SOCKET"))
    );
    assert_eq!(
        (worker.switch, worker.role),
        (SwitchWay::Restart, Role::Worker)
    );
    assert_eq!(worker.scope, Scope::User);
    assert_eq!(process.start.as_deref(), Some("./server"));
    assert_eq!(
        process.socket.as_deref(),
        Some(Utf8Path::new("run/app.sock"))
    );
    assert_eq!(process.stop_timeout, Span::secs(5));
    assert_eq!(
        (instance.kind(), instance.standby),
        (Kind::Instance, Span::secs(600))
    );
    assert_eq!(daemon.pid_file.as_deref(), Some("web.pid".into()));
    assert_eq!(daemon.stop.as_deref(), Some("kill -TERM"));
    assert_eq!(daemon.cwd.as_deref(), Some("app".into()));
    assert_eq!(command.name.as_deref(), Some("pages"));
    assert_eq!(config.proxy.unwrap().output(), "nginx.conf");
    assert_eq!(program.kind(), Kind::Program);
    assert_eq!(program.values["workers"], "3");
    assert_eq!(program.conf_dir, "/etc/supervisor/zdd.d");
    assert_eq!(program.contains.as_deref(), Some("ok"));
    assert_eq!(port.port_file.as_deref(), Some(Utf8Path::new("run/port")));
    assert_eq!(port.quiet.as_deref(), Some("bin/quiet"));
    assert_eq!(port.queue.as_deref(), Some("bin/queue"));
    assert_eq!(command.reload.as_deref(), Some("./reload.sh"));
    let [http, tcp, line, https] = &config.health[..] else {
        panic!("{:?}", config.health)
    };
    assert_eq!(https.ca.as_deref(), Some("/etc/ssl/internal-ca.pem".into()));
    assert_eq!(
        http.url.as_deref(),
        Some("http://unix:/run/app.sock:/health")
    );
    assert_eq!(
        http.status,
        Statuses::Any(vec![Status::Code(204), Status::Class("2xx".into())])
    );
    assert_eq!(http.contains.as_deref(), Some("ok"));
    assert_eq!(http.release.as_deref(), Some("header:X-Release"));
    assert_eq!(http.host.as_deref(), Some("example.com"));
    assert_eq!(
        (http.interval, http.timeout),
        (Span::millis(250), Span::secs(2))
    );
    assert_eq!((http.within, http.successes), (Span::secs(60), 3));
    assert_eq!(tcp.tcp.as_deref(), Some("[::1]:5432"));
    assert_eq!(line.command.as_deref(), Some("./ok"));
    assert_eq!(config.probe.url.as_deref(), Some("http://127.0.0.1/"));
    assert_eq!(
        (config.probe.rate, config.probe.watch),
        (20, Span::secs(60))
    );
    assert_eq!(config.probe.max_failures, 5);
}

#[test]
fn the_complete_example_leaves_out_no_key() {
    let text = include_str!("tests/complete.toml");
    for key in super::json_schema::keys() {
        let is_alias = key.starts_with("linked_");
        assert!(
            is_alias || text.contains(&key),
            "tests/complete.toml lacks `{key}`"
        );
    }
}

#[test]
fn both_names_of_the_shared_lists_mean_the_same() {
    assert_eq!(
        config("[shared]\nlinked_files = ['.env']\nlinked_dirs = ['logs']"),
        config("[shared]\nfiles = ['.env']\ndirs = ['logs']"),
    );
}
