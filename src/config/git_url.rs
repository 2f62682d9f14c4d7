//! The text of addresses and names that git is given: which ones it may be given at all, and what
//! of them is never shown.

use std::borrow::Cow;
use std::ops::Range;

use super::mistake::quoted;

/// What git may talk; the value of `GIT_ALLOW_PROTOCOL` has the same words.
pub const PROTOCOLS: [&str; 5] = ["file", "git", "http", "https", "ssh"];

/// What stands in the place of what is not shown.
const STARS: &str = "***";

/// Whether git takes it for a path of this host: no scheme, and no `host:` before the first slash.
pub fn is_path(url: &str) -> bool {
    let (colon, slash) = (url.find(':'), url.find('/'));
    colon.is_none_or(|colon| slash.is_some_and(|slash| slash < colon))
}

/// Whether it names a repository on this host, by its path or by `file://`.
pub fn is_local(url: &str) -> bool {
    is_path(url) || scheme_of(url) == Some("file")
}

/// Why git is not given such an address, and what to write instead; none when it is fine.
pub fn fault(url: &str) -> Option<(String, String)> {
    let forms = "write a path, `https://…`, `ssh://…`, `git://…` or `user@host:path`".to_owned();
    let name = quoted(&masked(url));
    if url.trim().is_empty() {
        return Some(("the address of the repository is empty".to_owned(), forms));
    }
    if url.contains(char::is_control) {
        return Some((format!("{name} has a control character in it"), forms));
    }
    if url.starts_with('-') || host_of(url).is_some_and(|host| host.starts_with('-')) {
        return Some((format!("{name} would be an option, not an address"), forms));
    }
    if let Some(helper) = helper_of(url) {
        let message = format!("`{helper}::` lets git run another program");
        return Some((message, forms));
    }
    match scheme_of(url) {
        Some(scheme) if !PROTOCOLS.contains(&scheme) => {
            Some((format!("git is not asked over `{scheme}://`"), forms))
        }
        _ if is_path(url) && (url.starts_with('~') || url.starts_with('$')) => Some((
            format!("{name} is taken literally"),
            "`~` and variables are not expanded here; write the whole path".to_owned(),
        )),
        _ => None,
    }
}

/// Whether it can be the name of a branch or a tag, or a commit: what `git check-ref-format` says,
/// and no expression that only means something in a clone (`main~1`, `main@{1}`).
pub fn is_ref_name(name: &str) -> bool {
    let is_wrong = |c: char| c.is_control() || c == ' ' || "~^:?*[\\".contains(c);
    let is_part = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && !is_lock(part)
    };
    !name.starts_with('-')
        && name != "@"
        && !name.contains(is_wrong)
        && !name.contains("..")
        && !name.contains("@{")
        && name.split('/').all(is_part)
}

fn is_lock(part: &str) -> bool {
    // Names of git know no extension; the case matters.
    part.strip_suffix(".lock").is_some()
}

/// An address as it is shown and recorded: without passwords and tokens.
pub fn masked(url: &str) -> String {
    let secrets = secret_spans(url, |c| c == '/');
    let mut shown = with_stars(url, &secrets);
    if scheme_of(url).is_some()
        && let Some(question) = shown.find('?')
    {
        shown.truncate(question + 1);
        shown += STARS;
    }
    shown
}

/// Any text with the addresses in it masked.
pub fn masked_text(text: &str) -> String {
    with_stars(text, &secret_spans(text, ends_authority))
}

/// The same with a star for each byte, so that places in the text stay what they are.
pub(super) fn blotted(text: &str) -> Cow<'_, str> {
    let secrets = secret_spans(text, ends_authority);
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut blotted = text.to_owned();
    for span in secrets {
        let stars = "*".repeat(span.len());
        blotted.replace_range(span, &stars);
    }
    Cow::Owned(blotted)
}

/// The parts of an address that must not be seen, as they are written in it, longest first.
pub fn secrets_of(url: &str) -> Vec<String> {
    let mut secrets = Vec::new();
    for span in secret_spans(url, |c| c == '/') {
        let secret = &url[span];
        secrets.push(secret.to_owned());
        secrets.extend(secret.split_once(':').map(|(_, word)| word.to_owned()));
    }
    secrets.extend(url.split_once('?').map(|(_, query)| query.to_owned()));
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

fn with_stars(text: &str, spans: &[Range<usize>]) -> String {
    let mut shown = text.to_owned();
    for span in spans.iter().rev() {
        shown.replace_range(span.clone(), STARS);
    }
    shown
}

/// Where user names and passwords stand in the addresses of a text. Over ssh the user name is no
/// secret; over https it may be a token.
fn secret_spans(text: &str, ends: impl Fn(char) -> bool) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    for (at, _) in text.match_indices("://") {
        let start = at + "://".len();
        let rest = &text[start..];
        let authority = &rest[..rest.find(&ends).unwrap_or(rest.len())];
        let Some(end) = authority.rfind('@') else {
            continue;
        };
        let user = &authority[..end];
        let hidden = match text[..at].ends_with("ssh") {
            true => user.find(':').map(|colon| colon + 1..end),
            false => Some(0..end),
        };
        spans.extend(hidden.map(|span| start + span.start..start + span.end));
    }
    spans
}

fn ends_authority(c: char) -> bool {
    matches!(c, '/' | '?' | '#' | '"' | '\'' | '`') || c.is_whitespace()
}

/// The word before `://`.
fn scheme_of(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once("://")?;
    is_scheme(scheme).then_some(scheme)
}

/// The word before `::`, which names a program `git-remote-WORD`.
fn helper_of(url: &str) -> Option<&str> {
    let (helper, _) = url.split_once("::")?;
    (helper.is_empty() || is_scheme(helper)).then_some(helper)
}

fn is_scheme(word: &str) -> bool {
    let belongs = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    !word.is_empty() && word.chars().all(belongs)
}

/// The host of an address with one.
fn host_of(url: &str) -> Option<&str> {
    let authority = match url.split_once("://") {
        Some((_, rest)) => rest.split('/').next()?,
        None if !is_path(url) => url.split(':').next()?,
        None => return None,
    };
    authority.rsplit('@').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_usual_forms_are_fine() {
        for url in [
            "/srv/git/app.git",
            "../app.git",
            "app",
            "file:///srv/app.git",
            "https://example.com/app.git",
            "http://u:p@example.com:8080/app.git",
            "ssh://git@example.com:22/app.git",
            "git://example.com/app",
            "git@example.com:team/app.git",
            "example.com:app.git",
            "[::1]:app.git",
            "/srv/odd::name",
        ] {
            assert_eq!(fault(url), None, "{url}");
        }
    }

    #[test]
    fn what_would_run_a_program_or_be_an_option_is_refused() {
        for url in [
            "",
            "  ",
            "-x",
            "--upload-pack=touch /tmp/x",
            "ext::sh -c date",
            "fd::17",
            "::x",
            "ftp://example.com/x",
            "ssh://-oProxyCommand=x/y",
            "ssh://git@-x/y",
            "git@-x:y",
            "a\nb",
            "~/app.git",
            "$HOME/app.git",
        ] {
            assert!(fault(url).is_some(), "{url}");
        }
    }

    #[test]
    fn paths_of_this_host_are_told_from_addresses_of_others() {
        for url in ["/a", "./a:b", "a/b:c", "a"] {
            assert!(is_path(url) && is_local(url), "{url}");
        }
        for url in ["host:a", "u@host:a/b", "https://h/a"] {
            assert!(!is_path(url) && !is_local(url), "{url}");
        }
        assert!(!is_path("file:///a") && is_local("file:///a"));
    }

    #[test]
    fn passwords_and_tokens_are_not_shown() {
        for (url, shown) in [
            ("https://example.com/a", "https://example.com/a"),
            ("https://tok3n@example.com/a", "https://***@example.com/a"),
            ("https://u:p@ss@h/a", "https://***@h/a"),
            ("https://u:p w'x@h/a", "https://***@h/a"),
            ("https://h/a?token=x", "https://h/a?***"),
            ("ssh://git@h/a", "ssh://git@h/a"),
            ("ssh://git:pw@h/a", "ssh://git:***@h/a"),
            ("git@h:a", "git@h:a"),
            ("/srv/a@b/c?d", "/srv/a@b/c?d"),
        ] {
            assert_eq!(masked(url), shown);
        }
        assert_eq!(
            masked_text("at 'https://u:p@h/x' and http://h/@ and https://t@h"),
            "at 'https://***@h/x' and http://h/@ and https://***@h"
        );
        assert_eq!(blotted("git = 'https://u:pä@h'"), "git = 'https://*****@h'");
        assert_eq!(secrets_of("https://u:pw@h/a?t=1"), ["u:pw", "pw", "t=1"]);
    }

    #[test]
    fn expressions_are_no_names() {
        for name in [
            "main",
            "feature/x",
            "v1.0",
            "0123abc",
            "refs/pull/1/head",
            "größe",
            "HEAD",
        ] {
            assert!(is_ref_name(name), "{name}");
        }
        for name in [
            "", "-x", "a b", "main~1", "main^", "a:b", "a..b", "@{1}", "@", "a//b", "/a", "a/",
            "a.lock", ".a", "a.", "a*", "a\\b", "a\n",
        ] {
            assert!(!is_ref_name(name), "{name}");
        }
    }
}
