use super::*;

fn read(text: &str) -> Vec<(String, String)> {
    let file = EnvFile::parse(text, "app.env".into()).unwrap();
    file.variables().to_vec()
}

fn value(text: &str) -> String {
    let file = EnvFile::parse(text, "app.env".into()).unwrap();
    file.value("A").unwrap().to_owned()
}

fn mistakes(text: &str) -> Vec<String> {
    let error = EnvFile::parse(text, "app.env".into()).unwrap_err();
    error.findings.into_iter().map(|f| f.message).collect()
}

#[test]
fn plain_lines_comments_and_empty_lines_are_read() {
    let text = "# one\n; two\n\nA=1\n  B = two words  \nexport C=3\nEMPTY=\n";
    let expected = [("A", "1"), ("B", "two words"), ("C", "3"), ("EMPTY", "")];
    assert_eq!(
        read(text),
        expected.map(|(k, v)| (k.to_owned(), v.to_owned()))
    );
}

#[test]
fn values_are_what_systemd_makes_of_them() {
    for (text, expected) in [
        ("A='single $X \\n \"'", "single $X \\n \""),
        ("A=\"double \\\" \\\\ \\$ \\` \\n\"", "double \" \\ $ ` \\n"),
        ("A=\"one \\\n two\"", "one  two"),
        ("A=\"first\nsecond\"", "first\nsecond"),
        ("A=one \\\n  two", "one   two"),
        ("A=a\\ b\\\\c", "a b\\c"),
        ("A=not # a comment", "not # a comment"),
        ("A=$HOME ${B} $(id)", "$HOME ${B} $(id)"),
        ("A=un\"quoted\"", "un\"quoted\""),
        ("A='one'\"two\" three", "onetwothree"),
        ("A='blank '", "blank "),
        ("A=blank\\ ", "blank "),
        ("A=b=c", "b=c"),
        ("A=crlf\r\nB=2\r\n", "crlf"),
        ("A=1\nA=2", "2"),
        ("# a comment ends here \\\nA=seen", "seen"),
        ("A=\u{e9}\u{20ac}", "\u{e9}\u{20ac}"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn every_mistake_is_named_with_file_and_line_and_none_with_the_text() {
    let text = "A=1\njust-a-secret\nB=\"\n\"\n1C=x\nD-E=x\nF='open\n\n";
    assert_eq!(
        mistakes(text),
        [
            "`app.env` line 2: this line is no `KEY=value` and no comment",
            "`app.env` line 5: `1C` is not a name for a variable",
            "`app.env` line 6: `D-E` is not a name for a variable",
            "`app.env` line 7: the quote of `F` is never closed",
        ]
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = EnvFile::read("/nowhere/app.env".into()).unwrap_err();
    assert!(error.to_string().contains("/nowhere/app.env"), "{error}");
}

#[test]
fn a_nul_byte_never_reaches_the_environment() {
    assert_eq!(
        mistakes("A=a\0b"),
        ["`app.env` line 1: the value of `A` contains a NUL byte"]
    );
}
