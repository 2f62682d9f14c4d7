//! How long an `upstream` keeps its connections, and the lines that keep them briefly.

use std::time::Duration;

use super::Version;
use crate::running::front::Pools;
use crate::running::front::settings::Directive;

/// The version that pools by itself.
const POOLS_SINCE: Version = (1, 29, 7);

/// The version that can be told to use a connection for so long only.
const HAS_TIME_SINCE: Version = (1, 19, 10);

/// A pool that is left within this time can be waited for at each switch.
const BRIEF_LIMIT: Duration = Duration::from_secs(10);

/// How long nginx uses one connection, and keeps an idle one, when it is not told: the directives
/// that tell it, and what the changes write.
const TIMES: [(&str, Duration, &str); 2] = [
    ("keepalive_time", Duration::from_secs(3600), "1s"),
    ("keepalive_timeout", Duration::from_secs(60), "1s"),
];

/// Whether a version pools where nothing tells it to. None when the version is not known.
pub fn pools_by_itself(version: Option<Version>) -> Option<bool> {
    version.map(|version| version >= POOLS_SINCE)
}

/// Whether this `upstream` pools. `keeps_open` is whether anything makes an nginx that does not
/// pool by itself leave a connection open after an answer.
pub fn of_upstream(upstream: &Directive, keeps_open: bool, version: Option<Version>) -> Pools {
    let keepalive = told(upstream, "keepalive");
    let by_itself = pools_by_itself(version);
    match keepalive.map(|it| it.arguments().first().map(String::as_str)) {
        Some(Some("0")) => return Pools::No,
        Some(_) if keeps_open || by_itself == Some(true) => {}
        None if by_itself == Some(true) => {}
        // An old one then speaks HTTP/1.0, and tells the server to close.
        _ if by_itself == Some(false) => return Pools::No,
        _ => return Pools::Unknown,
    }
    let left_within: Option<Duration> = TIMES.map(|it| of(upstream, &it)).into_iter().sum();
    match left_within {
        Some(time) if time <= BRIEF_LIMIT => Pools::Briefly(time),
        _ => Pools::Yes(change(upstream, keepalive, version)),
    }
}

/// How long it is, told or not; nothing where that cannot be read.
fn of(upstream: &Directive, (name, usual, _): &(&str, Duration, &str)) -> Option<Duration> {
    match told(upstream, name) {
        Some(it) => it.arguments().first().and_then(|text| time(text)),
        None => Some(*usual),
    }
}

/// What to write so that the pool is left within seconds; an old nginx cannot be told.
fn change(upstream: &Directive, keepalive: Option<&Directive>, version: Option<Version>) -> String {
    let name = upstream.arguments().first().map_or("", String::as_str);
    if let Some(keepalive) = keepalive.filter(|_| version.is_none_or(|it| it < HAS_TIME_SINCE)) {
        return format!(
            "remove `{};` from `upstream {name}` in {}",
            keepalive.words.join(" "),
            keepalive.place()
        );
    }
    let is_short = |time: Option<Duration>| time.is_some_and(|time| time <= BRIEF_LIMIT / 2);
    let long = TIMES.iter().filter(|it| !is_short(of(upstream, it)));
    let (lines, old): (Vec<_>, Vec<_>) = long
        .map(|(name, _, time)| (format!("{name} {time};"), told(upstream, name)))
        .unzip();
    let old = old.into_iter().flatten();
    let old: Vec<_> = old.map(|it| format!("`{};`", it.words.join(" "))).collect();
    let instead = match old.as_slice() {
        [] => String::new(),
        old => format!(" instead of {}", old.join(" and ")),
    };
    format!(
        "write `{}`{instead} into `upstream {name}` in {}",
        lines.join(" "),
        keepalive.unwrap_or(upstream).place()
    )
}

fn told<'a>(upstream: &'a Directive, name: &str) -> Option<&'a Directive> {
    upstream.block.iter().find(|it| it.name() == name)
}

/// A time as nginx writes it: `5`, `500ms`, `1m30s`.
pub fn time(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit());
        let (number, behind) = rest.split_at(digits.unwrap_or(rest.len()));
        let letters = behind.find(|it: char| it.is_ascii_digit() || it == ' ');
        let (unit, behind) = behind.split_at(letters.unwrap_or(behind.len()));
        let millis: u64 = match unit {
            "ms" => 1,
            "s" | "" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "M" => 2_592_000_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        sum += Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(millis)?);
        rest = behind.trim_start();
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_nginx_reads_it() {
        for (text, millis) in [
            ("5", 5_000),
            ("1s", 1_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1h 5", 3_605_000),
            ("0", 0),
            ("2w 1M", 3_801_600_000),
            ("1y", 31_536_000_000),
        ] {
            assert_eq!(time(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "1x", "-1", "$time", "99999999999999999999"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
