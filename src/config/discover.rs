//! Which `zdd.toml` holds for a command, and what its relative paths are relative to.
//!
//! The order: a named file (`--config`, `$ZDD_CONFIG`); with `--root` the file there, without it
//! the one in the working directory; then the directories a command adds, which are those of the
//! code (SOURCE for `release`, the target for `rollback`). The first file found is the only one
//! read. A file that travels with the code must name the root.

use camino::{Utf8Path, Utf8PathBuf, absolute_utf8};

use super::deploy_conf;
use super::git_url;
use super::parse::parse;
use super::schema::Config;
use crate::error::{Context, Error, ErrorKind, Finding, Result};

/// The name of the file in every place where it is looked for.
const FILE_NAME: &str = "zdd.toml";

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `--config` or `$ZDD_CONFIG`.
    pub config: Option<Utf8PathBuf>,
    /// `--root`.
    pub root: Option<Utf8PathBuf>,
    /// Directories of code, looked into last: SOURCE, or the release to roll back to.
    pub further: Vec<Utf8PathBuf>,
}

/// The settings of a site, ready to be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// `root` and `name` are always there; `root`, `env_file`, `source.path` and a path in
    /// `source.git` are absolute, with symlinks as the user wrote them.
    pub config: Config,
    /// The file that was read, absolute; `None` when the defaults hold.
    pub file: Option<Utf8PathBuf>,
}

/// Finds and reads the configuration.
///
/// # Errors
/// A usage error when the file is missing, unreadable or wrong (with all findings), or when
/// neither a file nor `--root` says where the site is.
pub fn load(request: &Request) -> Result<Loaded> {
    load_in(Utf8Path::new(""), request)
}

/// The `deploy.conf` of the original zddeploy that holds for a command instead of a `zdd.toml`: a
/// named file of that form, else the one in the working directory where there is no `zdd.toml` and
/// nothing else is named.
pub fn deploy_conf(request: &Request) -> Option<Utf8PathBuf> {
    deploy_conf_in(Utf8Path::new(""), request)
}

fn deploy_conf_in(here: &Utf8Path, request: &Request) -> Option<Utf8PathBuf> {
    if let Some(file) = &request.config {
        return is_deploy_conf(file).then(|| file.clone());
    }
    if request.root.is_some() || !request.further.is_empty() {
        return None;
    }
    let file = here.join(deploy_conf::FILE_NAME);
    (is_missing(&here.join(FILE_NAME)) && !is_missing(&file)).then_some(file)
}

/// By its ending, else by its first section.
fn is_deploy_conf(file: &Utf8Path) -> bool {
    match file.extension() {
        Some("toml") => false,
        Some("conf" | "ini" | "cfg") => true,
        _ => {
            let text = fs_err::read_to_string(file).unwrap_or_default();
            let mut lines = text.lines();
            lines.any(|line| line.starts_with("[service:") || line.starts_with("[nginx]"))
        }
    }
}

/// The same with a working directory that tests can choose.
fn load_in(here: &Utf8Path, request: &Request) -> Result<Loaded> {
    refuse_empty(request)?;
    let root = request.root.as_deref().map(absolute).transpose()?;
    let Some(found) = find(here, request)? else {
        let root = root.ok_or_else(nothing_says_where)?;
        return Ok(Loaded {
            config: settled(Config::default(), root),
            file: None,
        });
    };
    let config = parse(&found.file, &found.text).map_err(wrong)?;
    let directory = absolute(found.file.parent().unwrap_or(Utf8Path::new("")))?;
    let root = match (root, &config.root) {
        (Some(root), _) => root,
        (None, Some(root)) => absolute(&directory.join(root))?,
        (None, None) if found.travels => return Err(names_no_root(&found.file)),
        (None, None) => directory.clone(),
    };
    Ok(Loaded {
        file: Some(absolute(&found.file)?),
        config: settled(relative_to(&directory, config)?, root),
    })
}

/// A file that was found and could be read.
struct Found {
    /// Its path as the user would write it.
    file: Utf8PathBuf,
    text: String,
    /// Whether it lies in a directory of code.
    travels: bool,
}

fn find(here: &Utf8Path, request: &Request) -> Result<Option<Found>> {
    if let Some(file) = &request.config {
        let missing = || {
            Error::usage(format!("there is no `{file}`"))
                .hint("`--config` and `ZDD_CONFIG` name a `zdd.toml` that exists")
        };
        let text = read(file)?.ok_or_else(missing)?;
        let travels = lies_in_code(file, &request.further);
        let file = file.clone();
        return Ok(Some(Found {
            file,
            text,
            travels,
        }));
    }
    let first = request.root.as_deref().unwrap_or(here);
    let directories =
        std::iter::once(first).chain(request.further.iter().map(Utf8PathBuf::as_path));
    for directory in directories {
        let file = directory.join(FILE_NAME);
        if let Some(text) = read(&file)? {
            let travels = lies_in_code(&file, &request.further);
            return Ok(Some(Found {
                file,
                text,
                travels,
            }));
        }
    }
    Ok(None)
}

/// The text of a file, or `None` when there is no such file. One that is there but cannot be read
/// is an error: to go on with other settings would be worse.
fn read(file: &Utf8Path) -> Result<Option<String>> {
    match fs_err::read(file) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            Error::usage(format!("line {line} of `{file}` is not UTF-8"))
                .hint("save the file as UTF-8")
        }),
        Err(_) if is_missing(file) => Ok(None),
        Err(error) => Err(Error::usage(format!("cannot read `{file}`")).cause(error)),
    }
}

/// Nothing is there, not even a link that leads nowhere.
fn is_missing(file: &Utf8Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    fs_err::symlink_metadata(file)
        .is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

fn lies_in_code(file: &Utf8Path, directories: &[Utf8PathBuf]) -> bool {
    let real = |path: &Utf8Path| path.canonicalize_utf8().ok();
    let parent = file.parent().filter(|parent| !parent.as_str().is_empty());
    let parent = real(parent.unwrap_or(Utf8Path::new(".")));
    parent.is_some()
        && directories
            .iter()
            .any(|directory| real(directory) == parent)
}

/// `--root ""` comes from an unset variable, and would mean the working directory.
fn refuse_empty(request: &Request) -> Result<()> {
    let is_empty = |path: &Option<Utf8PathBuf>| path.as_ref().is_some_and(|path| path == "");
    match (is_empty(&request.config), is_empty(&request.root)) {
        (true, _) => Err(Error::usage("the path of the configuration is empty")
            .hint("look at `--config` and `ZDD_CONFIG`")),
        (_, true) => Err(Error::usage("the path of the root is empty").hint("look at `--root`")),
        _ => Ok(()),
    }
}

fn nothing_says_where() -> Error {
    Error::usage("nothing says where the site is: there is no `zdd.toml` here and no `--root`")
        .hint("`zdd release ./site --root /var/www/myapp`, or `zdd init` to write a `zdd.toml`")
}

fn names_no_root(file: &Utf8Path) -> Error {
    let finding = Finding::new("a `zdd.toml` that travels inside the code must name the `root`")
        .hint("add `root = \"/var/www/myapp\"` at its top, or give `--root`");
    wrong(vec![Finding {
        file: Some(file.to_string()),
        ..finding
    }])
}

fn wrong(findings: Vec<Finding>) -> Error {
    Error::from_findings(ErrorKind::Usage, findings)
}

/// The paths of a file are relative to it.
fn relative_to(directory: &Utf8Path, mut config: Config) -> Result<Config> {
    let of_proxy = config.proxy.as_mut();
    let of_proxy = of_proxy.map(|proxy| [&mut proxy.output, &mut proxy.pid_file]);
    let paths = [&mut config.env_file, &mut config.source.path].into_iter();
    let paths = paths.chain(of_proxy.into_iter().flatten()).flatten();
    let logs = config.probe.logs.iter_mut().flatten();
    let certificates = config
        .health
        .iter_mut()
        .filter_map(|check| check.ca.as_mut());
    for path in paths.chain(logs).chain(certificates) {
        *path = absolute(&directory.join(&*path))?;
    }
    if let Some(url) = config
        .source
        .git
        .as_mut()
        .filter(|url| git_url::is_path(url))
    {
        *url = absolute(&directory.join(&*url))?.into_string();
    }
    Ok(config)
}

fn settled(config: Config, root: Utf8PathBuf) -> Config {
    let name = config.name.clone().unwrap_or_else(|| last_part(&root));
    Config {
        name: Some(name),
        root: Some(root),
        ..config
    }
}

/// What a directory is called, also when its path ends in `..`.
fn last_part(directory: &Utf8Path) -> String {
    let real = || directory.canonicalize_utf8().ok();
    let name = directory.file_name().map(str::to_owned);
    name.or_else(|| real()?.file_name().map(str::to_owned))
        .unwrap_or_else(|| "site".to_owned())
}

/// The path from `/` on, without looking at what symlinks mean.
fn absolute(path: &Utf8Path) -> Result<Utf8PathBuf> {
    let here = Utf8Path::new(".");
    let path = if path.as_str().is_empty() { here } else { path };
    absolute_utf8(path).context(format!("cannot tell where `{path}` is"))
}

#[cfg(test)]
mod tests;
