use super::*;

fn judge(text: &str) -> Pools {
    let directory = tempfile::tempdir().unwrap();
    let file = Utf8Path::from_path(directory.path())
        .unwrap()
        .join("Caddyfile");
    std::fs::write(&file, text).unwrap();
    std::fs::write(file.with_file_name("site.caddy"), PLAIN).unwrap();
    let names = ["/srv/a/current/run/app.sock", "127.0.0.1:8000"].map(str::to_owned);
    pools(&file, &names)
}

const PLAIN: &str = "example.org {\n\treverse_proxy unix//srv/a/current/run/app.sock\n}\n";

#[test]
fn a_plain_proxy_pools() {
    let Pools::Yes(change) = judge(PLAIN) else {
        panic!("pools");
    };
    assert!(change.starts_with("write `transport http { keepalive off }`"));
    assert!(change.ends_with("/Caddyfile` line 2"), "{change}");
    for proxy in [
        "reverse_proxy /api/* 127.0.0.1:8000",
        "reverse_proxy http://127.0.0.1:8000 # why not",
        "handle {\n reverse_proxy {\n to \"unix//srv/a/current/run/app.sock\"\n }\n}",
        "reverse_proxy 127.0.0.1:8000 {\n transport http {\n keepalive 30s\n }\n}",
        "# reverse_proxy 127.0.0.1:8000 {\n# keepalive off\n#}\nreverse_proxy 127.0.0.1:8000",
    ] {
        assert!(
            matches!(judge(&format!(":80 {{\n{proxy}\n}}")), Pools::Yes(_)),
            "{proxy}"
        );
    }
}

#[test]
fn keepalive_off_closes_only_where_it_is_written() {
    let off = "reverse_proxy unix//srv/a/current/run/app.sock {\n\
               transport http {\n keepalive off\n }\n}";
    let other = "reverse_proxy unix//srv/other.sock";
    assert_eq!(judge(&format!(":80 {{\n{off}\n{other}\n}}")), Pools::No);
    let swapped = format!(":80 {{\n{off}\n{other}\n}}").replace("a/current/run/app.sock", "b");
    assert_eq!(judge(&swapped), Pools::Unknown);
}

#[test]
fn imported_files_are_read_and_snippets_make_unsure() {
    assert!(matches!(judge("import *.caddy"), Pools::Yes(_)));
    let snippet = ":80 {\n reverse_proxy 127.0.0.1:8000 {\n import transport\n }\n}";
    assert_eq!(judge(snippet), Pools::Unknown);
    assert_eq!(judge("{\"apps\": {}}"), Pools::Unknown);
}
