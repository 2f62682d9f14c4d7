//! What of a hook's output is not shown, anywhere.

use super::*;

/// Everything that was shown or kept of the run.
fn traces(site: &Site, ended: &Ended) -> String {
    let tail = ended.result.as_ref().err().map(|e| e.tail.join("\n"));
    [
        site.output().join("\n"),
        site.log(),
        tail.unwrap_or_default(),
    ]
    .join("\n")
}

#[test]
fn secrets_are_masked_in_the_output_the_log_and_the_tail() {
    let site = Site::with_env("DATABASE_URL=postgres://app:s3cret-pw@db/app\nAPI_KEY='p@ss w/rd'");
    let ended = site.run_script(
        "echo plain $DATABASE_URL
        printf 'hal'; sleep 0.1; printf 'ves %s' \"${API_KEY%??}\"; sleep 0.1; echo \"${API_KEY#???????}\"
        printf %s \"$API_KEY\" | base64
        printf 'user:%s' \"$API_KEY\" | base64
        echo 'p%40ss%20w%2Frd'
        echo only the s3cret-pw
        printf '\\033[31mp@ss\\033[0m w/rd\\n'
        env >&2
        exit 1",
    );
    let traces = traces(&site, &ended);
    for secret in [
        "s3cret",
        "p@ss",
        "w/rd",
        "cEBzcyB3L3Jk",
        "BAc3Mgdy9yZ",
        "p%40ss",
    ] {
        assert!(!traces.contains(secret), "{secret}: {traces}");
    }
    assert!(
        traces.contains("plain ***\n") && traces.contains("halves ***\n"),
        "{traces}"
    );
    assert!(traces.contains("only the ***\n"), "{traces}");
}

#[test]
fn a_secret_that_straddles_the_cut_of_a_long_line_is_masked() {
    for before in (8192 - 24)..8192 {
        let site = Site::with_env("API_KEY=straddling-secret-value");
        let script = format!("head -c {before} /dev/zero | tr '\\0' x; echo \"$API_KEY\"end");
        let ended = site.run_script(&script);
        let traces = traces(&site, &ended);
        let joined = site.output().concat();
        assert!(joined.ends_with("x***end"), "{before}: {joined}");
        for part in ["stra", "secr", "alue"] {
            assert!(!traces.contains(part), "{before}: {part}");
        }
    }
}

#[test]
fn control_characters_do_not_reach_the_terminal_or_the_log() {
    let site = Site::new();
    let ended = site.run_script("printf 'a\\033]0;title\\007b\\033[2Jc\\010\\tz\\n'; false");
    assert!(ended.result.is_err());
    assert_eq!(site.output(), ["abc\tz"]);
    assert_eq!(site.log(), "abc\tz\n");
}
