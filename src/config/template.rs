//! Texts with names filled in, in the language of Jinja: the file of a program of supervisor, the
//! settings of a proxy. A name that is not there is an error, never an empty text.

use std::collections::BTreeMap;

use camino::Utf8Path;
use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use crate::error::{Error, Result};

/// What a template may name. The value of a name may be a table of texts.
pub type Names = BTreeMap<String, Value>;

/// Fills the names into a template; `path` is what the error calls it. The text ends with one line
/// break.
///
/// # Errors
/// When it is no template, or names something that is not there: with the line, and all the names
/// that there are.
pub fn render(text: &str, path: &Utf8Path, names: &Names) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let rendered = environment
        .template_from_str(text)
        .and_then(|template| template.render(names));
    let ended = rendered.map(|text| text.trim_end().to_owned() + "\n");
    ended.map_err(|error| {
        let line = error.line();
        let cause = match error.kind() {
            ErrorKind::UndefinedError => unknown_in(text, line, names),
            _ => None,
        };
        let cause = cause.unwrap_or_else(|| reason(&error));
        let place = line.map_or(path.to_string(), |line| format!("{path}:{line}"));
        let hint = format!("a template may name {}", listed(names));
        Error::failed(format!("cannot fill in `{place}`"))
            .cause(cause)
            .hint(hint)
    })
}

/// The names on this line that are not there.
fn unknown_in(text: &str, line: Option<usize>, names: &Names) -> Option<String> {
    let line = text.lines().nth(line?.checked_sub(1)?)?;
    let environment = Environment::new();
    let template = environment.template_from_str(text).ok()?;
    let used = template.undeclared_variables(true).into_iter();
    let mut unknown: Vec<String> = used
        .filter(|name| line.contains(name.as_str()) && !is_known(name, names))
        .map(|name| format!("`{name}`"))
        .collect();
    unknown.sort();
    (!unknown.is_empty()).then(|| format!("there is no {}", unknown.join(" and no ")))
}

fn is_known(name: &str, names: &Names) -> bool {
    let mut parts = name.split('.');
    let first = parts.next().and_then(|part| names.get(part)).cloned();
    let found = parts.try_fold(first, |value, part| match value?.get_attr(part) {
        Ok(inner) if !inner.is_undefined() => Some(Some(inner)),
        _ => None,
    });
    found.flatten().is_some()
}

/// The names; of a table those in it.
fn listed(names: &Names) -> String {
    let words = names.iter().flat_map(|(name, value)| {
        if value.kind() != ValueKind::Map {
            return vec![format!("`{name}`")];
        }
        let keys = value.try_iter().into_iter().flatten();
        keys.map(|key| format!("`{name}.{key}`")).collect()
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The words of the engine, without its own name for the text.
fn reason(error: &minijinja::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first
        .split(" (in <string>")
        .next()
        .unwrap_or(first)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let values = BTreeMap::from([("host".to_owned(), "example.com".to_owned())]);
        Names::from([
            ("web".to_owned(), Value::from(4711_u16)),
            ("web_previous".to_owned(), Value::from("")),
            ("values".to_owned(), Value::from(values)),
        ])
    }

    #[test]
    fn names_become_what_they_stand_for_and_the_braces_of_nginx_stay() {
        let template = "upstream web {\n  server 127.0.0.1:{{ web }};\n\
                        {% if web_previous %}  server {{ web_previous }} backup;\n{% endif %}}\n\
                        server { server_name {{ values.host }}; }\n";
        let text = render(template, "t".into(), &names()).unwrap();
        assert_eq!(
            text,
            "upstream web {\n  server 127.0.0.1:4711;\n}\nserver { server_name example.com; }\n"
        );
    }

    #[test]
    fn a_name_that_is_not_there_is_told_with_its_line_and_those_that_are() {
        for (line, unknown) in [
            ("{{ wbe }}", "`wbe`"),
            ("{{ values.port }}", "`values.port`"),
        ] {
            let template = format!("{{{{ web }}}}\n\n{line};\n");
            let error = render(&template, "nginx.conf".into(), &names()).unwrap_err();
            assert_eq!(error.what, "cannot fill in `nginx.conf:3`");
            assert_eq!(error.cause.unwrap(), format!("there is no {unknown}"));
            let hint = error.hint.unwrap();
            assert!(
                hint.ends_with("`values.host`, `web`, `web_previous`"),
                "{hint}"
            );
        }
    }

    #[test]
    fn what_is_no_template_is_told_with_its_line() {
        let error = render("a\n{% if %}\n", "nginx.conf".into(), &names()).unwrap_err();
        assert_eq!(error.what, "cannot fill in `nginx.conf:2`");
        assert!(!error.cause.unwrap().contains("<string>"));
    }
}
