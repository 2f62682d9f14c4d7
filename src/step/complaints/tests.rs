use std::io::Write;

use super::*;

fn plain(line: &str) -> String {
    line.replace("s3cret", "***")
}

fn of(before: &[&str], after: &[&str]) -> Complaints {
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    let (after, before) = (owned(after), owned(before));
    gathered("app".into(), "less".into(), after, before, &plain)
}

#[test]
fn what_came_before_too_is_counted_apart() {
    let found = of(
        &["13:01 [7] ERROR: no cache"],
        &["13:40 [9] ERROR: no cache", "13:40 [9] ERROR: no table"],
    );
    assert_eq!((found.count, found.known, found.new_ones()), (2, 1, 1));
    assert_eq!(found.lines, ["13:40 [9] ERROR: no table"]);
}

#[test]
fn a_few_lines_are_kept_masked_and_cut() {
    let long = format!("ERROR: s3cret {}", "ä".repeat(500));
    let found = of(&[], &[long.as_str(); 9]);
    assert_eq!((found.count, found.lines.len()), (9, LINES));
    assert!(found.lines[0].starts_with("ERROR: *** ää"));
    assert_eq!(found.lines[0].chars().count(), LINE_LETTERS + 1);
}

#[test]
fn a_file_is_read_from_its_end_on_and_only_about_this_site() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let path = Utf8Path::from_path(file.path()).unwrap().to_owned();
    let line = |server: &str| {
        format!(
            "2026/11/25 13:40:02 [error] 1#1: *3 no live upstreams while connecting to upstream, \
             client: 1.1.1.1, server: {server}, request: \"GET / HTTP/1.1\"\n"
        )
    };
    file.write_all(line("a").as_bytes()).unwrap();
    let watched = |marks: &[&str]| File {
        log: LogFile::at_end(&path).unwrap(),
        marks: marks.iter().map(|mark| (*mark).to_owned()).collect(),
    };
    let (ours, all) = (watched(&[", server: a,"]), watched(&[]));
    file.write_all((line("b") + &line("a")).as_bytes()).unwrap();
    assert_eq!(of_file(ours, &plain).count, 1);
    let found = of_file(all, &plain);
    assert_eq!(found.count, 2);
    assert_eq!(
        found.lines[0],
        "13:40:02 no live upstreams while connecting to upstream: GET /"
    );
}
