//! Times, durations and sizes as people read them, and times as programs do. Pure, but for the
//! time zone.

use std::time::Duration;

use ::time::format_description::well_known::Rfc3339;
use ::time::macros::format_description;
use ::time::{OffsetDateTime, UtcOffset};

/// Units of time in seconds, largest first, as a relative time names them.
const UNITS: [(i64, &str, &str); 6] = [
    (365 * 86_400, "year", "years"),
    (30 * 86_400, "month", "months"),
    (86_400, "day", "days"),
    (3_600, "h", "h"),
    (60, "min", "min"),
    (1, "s", "s"),
];

/// Units of size in bytes, largest first.
const SIZES: [(u64, &str); 4] = [
    (1 << 40, "TiB"),
    (1 << 30, "GiB"),
    (1 << 20, "MiB"),
    (1 << 10, "KiB"),
];

/// How long ago: `just now`, `40 s ago`, `3 min ago`, `2 days ago`; `in 3 min` when the clock went
/// back since.
pub fn ago(then: OffsetDateTime, now: OffsetDateTime) -> String {
    let seconds = now.unix_timestamp() - then.unix_timestamp();
    let unit = UNITS.iter().find(|(length, ..)| seconds.abs() >= *length);
    let Some((length, one, many)) = unit else {
        return "just now".to_owned();
    };
    let count = seconds.abs() / length;
    let name = if count == 1 { one } else { many };
    if seconds < 0 {
        format!("in {count} {name}")
    } else {
        format!("{count} {name} ago")
    }
}

/// How long something took: `850 ms`, `12.3 s`, `2 min 5 s`, `1 h 3 min`, `2 days 4 h`. Rounded
/// down, but never to nothing.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() == 0 => "under 1 ms".to_owned(),
        0 => format!("{} ms", duration.as_millis()),
        1..60 if duration.subsec_millis() < 100 => format!("{seconds} s"),
        1..60 => format!("{seconds}.{} s", duration.subsec_millis() / 100),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => {
            let days = seconds / 86_400;
            let name = if days == 1 { "day" } else { "days" };
            two(days, name, seconds % 86_400 / 3_600, "h")
        }
    }
}

/// A size: `512 B`, `3.4 MiB`, `12 GiB`.
pub fn bytes(bytes: u64) -> String {
    let Some((length, name)) = SIZES.iter().find(|(length, _)| bytes >= *length) else {
        return format!("{bytes} B");
    };
    let tenths = u128::from(bytes) * 10 / u128::from(*length);
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {name}"),
        (whole, _) if whole >= 100 => format!("{whole} {name}"),
        (whole, tenth) => format!("{whole}.{tenth} {name}"),
    }
}

/// A time as this server's people read it: `2026-11-22 02:42:28 +01:00`.
///
/// The offset is the one that held at that time, summer or winter. It comes from `localtime_r`,
/// which is safe beside other threads as long as none changes the environment; zdd never does.
/// Where the zone is not known it is UTC.
pub fn local(time: OffsetDateTime) -> String {
    at_offset(
        time,
        UtcOffset::local_offset_at(time).unwrap_or(UtcOffset::UTC),
    )
}

/// A time as JSON has it: RFC 3339, UTC, whole seconds (`fromdate` of jq takes no fractions).
pub fn rfc3339(time: OffsetDateTime) -> String {
    let seconds = time
        .to_offset(UtcOffset::UTC)
        .replace_nanosecond(0)
        .unwrap_or(time);
    // Only years that no clock has (beyond 9999) do not fit the format.
    seconds.format(&Rfc3339).unwrap_or_default()
}

fn at_offset(time: OffsetDateTime, offset: UtcOffset) -> String {
    let format = format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory]:[offset_minute]"
    );
    let time = time.checked_to_offset(offset).unwrap_or(time);
    time.format(&format).unwrap_or_default()
}

/// Two units, the smaller only where it says something.
fn two(large: u64, large_name: &str, small: u64, small_name: &str) -> String {
    match small {
        0 => format!("{large} {large_name}"),
        _ => format!("{large} {large_name} {small} {small_name}"),
    }
}

#[cfg(test)]
mod tests {
    use ::time::macros::{datetime, offset};

    use super::*;

    #[test]
    fn relative_times_name_one_unit_and_survive_a_clock_that_goes_back() {
        let now = datetime!(2026-11-22 01:42:28 UTC);
        for (seconds, shown) in [
            (0, "just now"),
            (1, "1 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3_599, "59 min ago"),
            (3_600, "1 h ago"),
            (86_399, "23 h ago"),
            (86_400, "1 day ago"),
            (2 * 86_400, "2 days ago"),
            (45 * 86_400, "1 month ago"),
            (800 * 86_400, "2 years ago"),
            (-180, "in 3 min"),
        ] {
            let then = now - ::time::Duration::seconds(seconds);
            assert_eq!(ago(then, now), shown);
        }
        let end = datetime!(9999-12-31 23:59:59 UTC);
        assert_eq!(ago(end, OffsetDateTime::UNIX_EPOCH), "in 8035 years");
    }

    #[test]
    fn durations_grow_from_milliseconds_to_days() {
        for (millis, shown) in [
            (0, "under 1 ms"),
            (1, "1 ms"),
            (850, "850 ms"),
            (1_000, "1 s"),
            (12_345, "12.3 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min"),
            (125_000, "2 min 5 s"),
            (3_780_000, "1 h 3 min"),
            (187_200_000, "2 days 4 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), shown);
        }
        assert!(duration(Duration::MAX).ends_with('h'));
    }

    #[test]
    fn sizes_are_binary() {
        for (size, shown) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1 KiB"),
            (3_565_159, "3.4 MiB"),
            (150 << 20, "150 MiB"),
            (u64::MAX, "16777215 TiB"),
        ] {
            assert_eq!(bytes(size), shown);
        }
    }

    #[test]
    fn times_have_their_offset_for_people_and_are_utc_for_programs() {
        let time = datetime!(2026-11-22 01:42:28.987 UTC);
        assert_eq!(rfc3339(time), "2026-11-22T01:42:28Z");
        assert_eq!(rfc3339(time.to_offset(offset!(+1))), "2026-11-22T01:42:28Z");
        assert_eq!(at_offset(time, offset!(+1)), "2026-11-22 02:42:28 +01:00");
        assert_eq!(
            at_offset(time, offset!(-3:30)),
            "2026-11-21 22:12:28 -03:30"
        );
    }

    #[test]
    fn the_time_zone_is_known_beside_other_threads() {
        let stop = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| stop.wait());
            let known = UtcOffset::local_offset_at(OffsetDateTime::UNIX_EPOCH);
            stop.wait();
            assert!(known.is_ok());
        });
    }
}
