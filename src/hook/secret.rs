//! The forms in which a secret shows up in the output of programs: as it is, line by line,
//! percent-encoded in an address, escaped in JSON, in base64.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::report::printable;

/// What RFC 3986 lets stand as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What Python's `quote` encodes.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// What JavaScript's `encodeURIComponent` encodes.
const COMPONENT: &AsciiSet = &UNRESERVED
    .remove(b'!')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*');

/// Fewer characters of base64 would be found in any text.
const SHORTEST_BASE64: usize = 5;

/// Where `base64` and `openssl base64` break their lines.
const BASE64_COLUMNS: [usize; 2] = [76, 64];

/// Every form of a secret that is looked for. A part shorter than `shortest` bytes (a line, the
/// password in an address) is no secret of its own.
pub(super) fn forms(secret: &str, shortest: usize) -> BTreeSet<String> {
    let lines = secret.lines().map(str::trim);
    let passwords = password_of(secret).map(|password| {
        let decoded = percent_decode_str(password).decode_utf8_lossy();
        [password.to_owned(), decoded.into_owned()]
    });
    let parts = lines
        .map(str::to_owned)
        .chain(passwords.into_iter().flatten());
    let parts = parts.filter(|part| part.len() >= shortest);
    let mut forms = BTreeSet::from([secret.to_owned()]);
    forms.extend(parts);
    for text in forms.clone() {
        forms.extend([printable(&text), json(&text)]);
        forms.extend(percent_encoded(&text));
        forms.extend(base64(text.as_bytes()));
    }
    forms.remove("");
    forms
}

/// The password in `scheme://user:password@host`.
fn password_of(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password)
}

/// The text inside a JSON string.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent_encoded(text: &str) -> Vec<String> {
    let encode = |set| utf8_percent_encode(text, set).to_string();
    let mut forms = [NON_ALPHANUMERIC, UNRESERVED, PATH, COMPONENT]
        .map(encode)
        .to_vec();
    forms.push(forms[1].replace("%20", "+"));
    forms.push(lower_case_escapes(&forms[1]));
    forms
}

fn lower_case_escapes(encoded: &str) -> String {
    let mut escaped = 0_u8;
    let lower = |character: char| {
        escaped = if character == '%' {
            3
        } else {
            escaped.saturating_sub(1)
        };
        match escaped {
            0 => character,
            _ => character.to_ascii_lowercase(),
        }
    };
    encoded.chars().map(lower).collect()
}

fn base64(bytes: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for engine in [STANDARD, URL_SAFE] {
        let whole = engine.encode(bytes);
        forms.push(whole.trim_end_matches('=').to_owned());
        for columns in BASE64_COLUMNS {
            let rows = whole.as_bytes().chunks(columns);
            forms.extend(rows.map(|row| String::from_utf8_lossy(row).into_owned()));
        }
        forms.extend((0..3).map(|before| base64_inside(&engine, bytes, before)));
        forms.push(whole);
    }
    forms.retain(|form| form.len() >= SHORTEST_BASE64);
    forms
}

/// What the bytes look like after `before` other ones and with anything behind them: only the
/// characters that belong to the bytes alone. Finds the password in `user:password`.
fn base64_inside(engine: &impl Engine, bytes: &[u8], before: usize) -> String {
    let padded = [&vec![0; before], bytes].concat();
    let first = (before * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    let encoded = engine.encode(&padded);
    encoded.get(first..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_in_base64_whatever_stands_around_it() {
        let secret = "correct horse battery";
        for (before, behind) in [
            ("", ""),
            ("u:", ""),
            ("a", "\n"),
            ("ab", "cd"),
            ("abc", "d"),
        ] {
            let encoded = STANDARD.encode(format!("{before}{secret}{behind}"));
            let forms = forms(secret, 8);
            let longest = forms.iter().filter(|form| encoded.contains(*form));
            let covered = longest.map(String::len).max().unwrap_or(0);
            assert!(covered >= secret.len() * 8 / 6 - 2, "{encoded}: {covered}");
        }
    }

    #[test]
    fn wrapped_base64_is_known_row_by_row() {
        let secret = "0123456789abcdefghij".repeat(10);
        let forms = forms(&secret, 8);
        for row in STANDARD.encode(&secret).as_bytes().chunks(76) {
            assert!(forms.contains(std::str::from_utf8(row).unwrap()));
        }
    }

    #[test]
    fn encodings_of_addresses_and_json_are_known() {
        let forms = forms("p@ss/wörd \"x\"", 8);
        for form in [
            "p%40ss%2Fw%C3%B6rd%20%22x%22",
            "p%40ss%2fw%c3%b6rd%20%22x%22",
            "p%40ss/w%C3%B6rd%20%22x%22",
            "p%40ss%2Fw%C3%B6rd+%22x%22",
            "p@ss/wörd \\\"x\\\"",
        ] {
            assert!(forms.contains(form), "{form}: {forms:#?}");
        }
    }

    #[test]
    fn the_password_of_an_address_is_a_secret_of_its_own() {
        let forms = forms("postgres://app:s3cr%40t@db/app", 4);
        assert!(forms.contains("s3cr%40t") && forms.contains("s3cr@t"));
    }
}
