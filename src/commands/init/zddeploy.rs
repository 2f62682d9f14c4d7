//! `zdd init --from deploy.conf`: a `zdd.toml` for a site of the original zddeploy, and its template
//! in the language of Jinja. Nothing that zddeploy reads is changed, so that the way back is open.

use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use serde_json::Value;

use super::{Request, State, Written, write_new};
use crate::commands::Surface;
use crate::commands::ending::SCHEMA;
use crate::config::deploy_conf::{DeployConf, Service};
use crate::error::{Context, Error, Result};
use crate::exit_code::ExitCode;
use crate::report::stdout;

/// The ending of the template that is written.
const TEMPLATE_END: &str = "jinja";

/// What was written, and what is still to be done, as in the JSON.
#[derive(Debug, Serialize)]
struct Converted {
    schema: u32,
    root: Utf8PathBuf,
    files: Vec<Written>,
    notes: Vec<String>,
    steps: String,
}

/// Writes `zdd.toml` and the template beside a `deploy.conf`. What is already there is left alone.
///
/// # Errors
/// When the file is wrong, or lies where its releases would.
pub fn run(surface: Surface<'_>, file: &Utf8Path, request: &Request) -> Result<ExitCode> {
    let conf = DeployConf::read(file)?;
    let directory = &conf.directory;
    let usual = || Utf8PathBuf::from(format!("{directory}-site"));
    let root = request
        .root
        .clone()
        .map_or_else(|| Ok(usual()), camino::absolute_utf8)?;
    if root.starts_with(directory) || directory.starts_with(&root) {
        let what = format!("`{root}` and the code in `{directory}` would lie in each other");
        let hint = format!("zdd init --from {file} --root {}", usual());
        return Err(Error::usage(what).hint(hint));
    }
    let text = fs_err::read_to_string(&conf.nginx.template);
    let text = text.context("the template of nginx cannot be read")?;
    let mut notes = conf.notes.clone();
    let template = conf.nginx.output.with_file_name(format!(
        "{}.{TEMPLATE_END}",
        conf.nginx.output.file_name().unwrap_or("nginx.conf")
    ));
    let settings = settings(&conf, &root, &template, &mut notes);
    let files = vec![
        write_new(directory.join("zdd.toml"), &settings, 0o644)?,
        write_new(template, &jinja(&text, &conf), 0o644)?,
    ];
    let converted = Converted {
        schema: SCHEMA,
        steps: steps(&conf, file),
        root,
        files,
        notes,
    };
    for Written { path, state } in &converted.files {
        surface.report.finished(state.verb(), path.as_str(), None);
        if *state == State::Kept {
            let text = format!("`{path}` is not what would be written: move it away to have that");
            surface.report.note(&text);
        }
    }
    for note in &converted.notes {
        surface.report.warning(note);
    }
    match surface.json {
        true => stdout::json(&converted)?,
        false => stdout::print(&converted.steps)?,
    }
    Ok(ExitCode::Done)
}

fn settings(
    conf: &DeployConf,
    root: &Utf8Path,
    template: &Utf8Path,
    notes: &mut Vec<String>,
) -> String {
    let directory = &conf.directory;
    let within = |path: &Utf8Path| path.strip_prefix(directory).map(Utf8Path::to_owned);
    let mut excluded = vec!["/.zdd/".to_owned(), "*.port".to_owned()];
    let own = conf.services.iter().flat_map(|service| {
        let current = service.current_pid_file();
        [
            service.pid_file.clone(),
            current,
            service.previous_pid_file(),
        ]
    });
    let own = own.chain([conf.nginx.output.clone(), conf.nginx.pid_file.clone()]);
    excluded.extend(own.filter_map(|path| Some(format!("/{}", within(&path).ok()?))));
    let template = within(template).unwrap_or_else(|_| template.to_owned());
    let mut text = format!(
        "root = {}\n\n[source]\npath = \".\"\nexclude = {}\n\n[hooks]\n# As zddeploy had it: without \
         it programs get the PATH of the system.\npass_env = [\"PATH\"]\n",
        quoted(root),
        list(&excluded),
    );
    for service in &conf.services {
        text += &table(service, directory, notes);
    }
    let _ = write!(
        text,
        "\n[proxy]\ntemplate = {}\noutput = {}\npid_file = {}\n",
        quoted(&template),
        quoted(&conf.nginx.output),
        quoted(&conf.nginx.pid_file),
    );
    text
}

/// The `[[service]]` of a `[service:NAME]`.
fn table(service: &Service, directory: &Utf8Path, notes: &mut Vec<String>) -> String {
    let name = name_of(service);
    let mut text = format!("\n[[service]]\nname = {}\n", quoted(&name));
    match service.cwd.strip_prefix(directory) {
        Ok(cwd) if cwd == "" => {}
        Ok(cwd) => {
            let _ = writeln!(text, "cwd = {}", quoted(cwd));
        }
        Err(_) => notes.push(format!(
            "`{name}` ran in `{}`; now it runs in its release: see whether `start` and `stop` fit",
            service.cwd
        )),
    }
    let mut line = |key: &str, words: &[String]| {
        let own = |word: &String| match word.strip_prefix(directory.as_str()) {
            Some(rest) if rest.starts_with('/') => format!(".{rest}"),
            _ => word.clone(),
        };
        let (first, rest) = words.split_first()?;
        let words: Vec<String> = std::iter::once(own(first))
            .chain(rest.iter().cloned())
            .collect();
        if words.iter().any(|word| word.contains(directory.as_str())) {
            notes.push(format!(
                "`{key}` of `{name}` names `{directory}`: each release has its own copy of that"
            ));
        }
        let words = words.iter().filter(|word| !word.is_empty());
        let words = shlex::try_join(words.map(String::as_str)).unwrap_or_default();
        Some(format!("{key} = {}\n", quoted(&words)))
    };
    text.extend(line("start", &service.start));
    text.extend(line("stop", &service.stop));
    let pid_file = match service.pid_file.strip_prefix(directory) {
        Ok(inside) => inside.to_owned(),
        Err(_) => {
            let file = service.pid_file.file_name().unwrap_or("service.pid");
            notes.push(format!(
                "`{name}` writes its pid to `{}`: let it write to `{file}` in its release, each has \
                 its own",
                service.pid_file
            ));
            file.into()
        }
    };
    let _ = writeln!(text, "pid_file = {}", quoted(&pid_file));
    text
}

/// The template with the names of the original in the language of Jinja. What happens to look like
/// that language stays what it is.
fn jinja(text: &str, conf: &DeployConf) -> String {
    let names = conf.services.iter().map(|service| {
        let name = name_of(service).replace('-', "_");
        (format!("{{{}}}", service.name), format!("{{{{ {name} }}}}"))
    });
    let names: Vec<(String, String)> = names
        .chain(
            [
                ("{nginx_pid_filename}", "{{ nginx_pid_filename }}"),
                ("{conf_dir}", "{{ release_path }}"),
            ]
            .map(|(old, new)| (old.to_owned(), new.to_owned())),
        )
        .collect();
    let mut converted = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let mut names = names.iter();
        if let Some((old, new)) = names.find(|(old, _)| rest.starts_with(old.as_str())) {
            converted += new;
            rest = &rest[old.len()..];
            continue;
        }
        match ["{{", "{%", "{#"].iter().any(|it| rest.starts_with(it)) {
            true => converted += "{{ '{' }}",
            false => converted.push(next),
        }
        rest = &rest[next.len_utf8()..];
    }
    converted
}

/// The name of a service, in the letters that a `zdd.toml` takes.
fn name_of(service: &Service) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let name: String = service
        .name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => name,
        false => format!("service_{name}"),
    }
}

fn steps(conf: &DeployConf, file: &Utf8Path) -> String {
    let directory = &conf.directory;
    let mut text = format!(
        "\nRead zdd.toml, then, in {directory}:\n\n    zdd check\n    zdd release\n\nThe new instances \
         start beside the old ones, and nginx is led over to them. Then end what no user meets any\n\
         more:\n\n"
    );
    for service in &conf.services {
        let (cwd, stop) = (&service.cwd, service.stop.join(" "));
        let current = service.current_pid_file();
        let _ = writeln!(text, "    (cd {cwd} && {stop} $(cat {current}))");
    }
    let _ = writeln!(
        text,
        "\nThe way back: move zdd.toml away, and run zddeploy, or zdd release -c {file}.\n"
    );
    text
}

/// Texts as they stand in TOML.
fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|it| quoted(it).to_string()).collect();
    format!("[{}]", texts.join(", "))
}

/// A text as it stands in TOML.
fn quoted(text: impl AsRef<str>) -> Value {
    Value::from(text.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf() -> DeployConf {
        let text = "[nginx]\ntemplate = ./nginx.conf.template\npid_file = run/nginx.pid\n\
                    [service:web app]\npid_file = web.pid\nstart = ./run.sh -c 'x\nstop = kill\n\
                    [service:jobs]\npid_file = /run/jobs.pid\nstart = /srv/app/jobs --in /srv/app\n\
                    stop = kill -INT\ncwd = lib\n";
        DeployConf::parse(Utf8Path::new("/srv/app/deploy.conf"), text).unwrap()
    }

    #[test]
    fn what_is_written_means_the_same_and_has_no_mistake() {
        let mut notes = Vec::new();
        let text = settings(
            &conf(),
            "/srv/app-site".into(),
            "/srv/app/nginx.conf.jinja".into(),
            &mut notes,
        );
        let config = crate::config::parse("zdd.toml".into(), &text).unwrap();
        let [web, jobs] = &config.service[..] else {
            panic!("{text}")
        };
        assert_eq!(web.name.as_deref(), Some("web_app"));
        let words = shlex::split(web.start.as_deref().unwrap()).unwrap();
        assert_eq!(words, ["./run.sh", "-c", "'x"]);
        assert_eq!(web.stop.as_deref(), Some("kill"));
        assert_eq!(web.pid_file.as_deref(), Some("web.pid".into()));
        assert_eq!(jobs.start.as_deref(), Some("./jobs --in /srv/app"));
        assert_eq!(jobs.cwd.as_deref(), Some("lib".into()));
        assert_eq!(jobs.pid_file.as_deref(), Some("jobs.pid".into()));
        let proxy = config.proxy.unwrap();
        assert_eq!(proxy.template(), "nginx.conf.jinja");
        assert_eq!(proxy.output(), "/srv/app/nginx.conf");
        assert!(config.source.exclude.contains(&"/run/nginx.pid".to_owned()));
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(
            notes[0].contains("`start` of `jobs` names `/srv/app`"),
            "{notes:?}"
        );
        assert!(notes[1].contains("let it write to `jobs.pid`"), "{notes:?}");
    }

    #[test]
    fn a_template_keeps_all_braces_but_those_of_its_names() {
        let text = "pid {nginx_pid_filename}; events {}\nserver 127.0.0.1:{web app}; {jobs}{{jobs}}\n\
                    map $a {#b}\n";
        assert_eq!(
            jinja(text, &conf()),
            "pid {{ nginx_pid_filename }}; events {}\nserver 127.0.0.1:{{ web_app }}; \
             {{ jobs }}{{ '{' }}{{ jobs }}}\nmap $a {{ '{' }}#b}\n"
        );
    }
}
