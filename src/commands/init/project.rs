//! What the files of a project say about it: what it is made of, how its app is called, and which
//! site it belongs to.

use camino::{Utf8Path, Utf8PathBuf};

use super::Stack;
use crate::config::discover;
use crate::error::Result;

/// Files that give a stack away. The first one that is there decides: frameworks often have a
/// `package.json` for their assets, too.
const SIGNS: [(&str, Stack); 11] = [
    ("manage.py", Stack::Django),
    ("config.ru", Stack::Rails),
    ("public/index.php", Stack::Php),
    ("composer.json", Stack::Php),
    ("server.js", Stack::Node),
    ("package.json", Stack::Node),
    ("app.py", Stack::Flask),
    ("requirements.txt", Stack::Flask),
    ("pyproject.toml", Stack::Flask),
    ("hugo.toml", Stack::Static),
    ("public/index.html", Stack::Static),
];

/// The stack of the project, and the file that shows it.
pub(super) fn guess(project: &Utf8Path) -> Option<(Stack, &'static str)> {
    let signs = SIGNS.iter().copied();
    let mut signs = signs.map(|(file, stack)| (stack, file));
    signs.find(|(_, file)| project.join(file).exists())
}

/// Whether it is a Django project.
pub(super) fn is_django(project: &Utf8Path) -> bool {
    project.join("manage.py").exists()
}

/// What gunicorn is asked to serve in a Django project: the module beside the settings that
/// `manage.py` names, else one of the site's name.
pub(super) fn django_app(project: &Utf8Path, name: &str) -> String {
    let text = fs_err::read_to_string(project.join("manage.py")).unwrap_or_default();
    let package = settings_module(&text).and_then(|module| module.split('.').next());
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let package = package.map_or_else(|| name.chars().map(word).collect(), str::to_owned);
    format!("{package}.wsgi:application")
}

/// The module in `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")`.
fn settings_module(manage: &str) -> Option<&str> {
    let (_, rest) = manage.split_once("DJANGO_SETTINGS_MODULE")?;
    let module = rest.split(['"', '\'']).nth(2)?;
    let is_module = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    (!module.is_empty() && module.chars().all(is_module)).then_some(module)
}

/// The name and the root of the site by a `zdd.toml` that is there already.
///
/// # Errors
/// When it cannot be read, or has mistakes.
pub(super) fn settled(project: &Utf8Path) -> Result<Option<(String, Utf8PathBuf)>> {
    let file = project.join("zdd.toml");
    if !file.exists() {
        return Ok(None);
    }
    let config = discover::load(&discover::Request {
        config: Some(file),
        ..discover::Request::default()
    })?
    .config;
    Ok(config.name.zip(config.root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sign_decides() {
        for (files, expected) in [
            ("manage.py package.json requirements.txt", Some("manage.py")),
            ("Gemfile config.ru package.json", Some("config.ru")),
            ("composer.json package.json", Some("composer.json")),
            ("package.json index.html", Some("package.json")),
            ("app.py requirements.txt", Some("app.py")),
            ("Gemfile README.md", None),
            ("", None),
        ] {
            let project = tempfile::tempdir().unwrap();
            let project = Utf8Path::from_path(project.path()).unwrap();
            for file in files.split_whitespace() {
                fs_err::write(project.join(file), "").unwrap();
            }
            assert_eq!(guess(project).map(|(_, file)| file), expected, "{files}");
        }
    }

    #[test]
    fn django_is_served_by_the_package_of_its_settings() {
        let line = |rest: &str| format!("os.environ.setdefault('DJANGO_SETTINGS_MODULE', {rest})");
        for (manage, expected) in [
            (line("'mysite.settings'"), "mysite.wsgi:application"),
            (
                line("\"shop.settings.production\""),
                "shop.wsgi:application",
            ),
            (line("name"), "my_app.wsgi:application"),
            (line("'a b'"), "my_app.wsgi:application"),
            (String::new(), "my_app.wsgi:application"),
        ] {
            let project = tempfile::tempdir().unwrap();
            let project = Utf8Path::from_path(project.path()).unwrap();
            fs_err::write(project.join("manage.py"), &manage).unwrap();
            assert_eq!(django_app(project, "my-app"), expected, "{manage}");
        }
    }
}
