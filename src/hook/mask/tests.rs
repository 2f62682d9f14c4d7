use super::*;

fn mask(variables: &[(&str, &str)]) -> Mask {
    mask_with(variables, &Hooks::default())
}

fn mask_with(variables: &[(&str, &str)], hooks: &Hooks) -> Mask {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Mask::new(&variables.iter().map(owned).collect::<Vec<_>>(), hooks).unwrap()
}

#[test]
fn key_and_value_decide_what_is_a_secret() {
    for (key, value, is_masked) in [
        ("ANYTHING", "eight ch", true),
        ("ANYTHING", "seven c", false),
        ("PORT_RANGE", "80008000", false),
        ("RATIO", "0.12345678", false),
        ("CERT", "/etc/passwd", false),
        ("CERT", "/etc/nowhere", true),
        ("API_TOKEN", "abcd", true),
        ("API_TOKEN", "abc", false),
        ("db_password", "pass", true),
        ("SENTRY_DSN", "1234", true),
        ("KEY_FILE", "/etc/passwd", true),
        ("TOKEN_AUTH", "true", false),
    ] {
        let masked = mask(&[(key, value)]).apply(&format!("<{value}>"));
        assert_eq!(masked == "<***>", is_masked, "{key}={value}: {masked}");
    }
}

#[test]
fn the_lists_override_the_rules() {
    let hooks = Hooks {
        mask: vec!["SHORT".into(), "BOTH".into()],
        no_mask: vec!["STAGE".into(), "BOTH".into()],
        ..Hooks::default()
    };
    let variables = [
        ("SHORT", "ab"),
        ("STAGE", "production"),
        ("BOTH", "yes"),
        ("EMPTY", ""),
    ];
    let mask = mask_with(&variables, &hooks);
    assert_eq!(mask.apply("ab production yes"), "*** production ***");
}

#[test]
fn overlapping_secrets_leave_nothing() {
    let mask = mask(&[("A", "abcdefgh"), ("B", "efghijkl")]);
    assert_eq!(mask.apply("-abcdefghijkl-abcdefgh-"), "-***-***-");
}

#[test]
fn a_value_of_many_lines_is_masked_line_by_line() {
    let mask = mask(&[("PEM", "-----BEGIN\n  MIIEvQIBADANBg\nab\n-----END--")]);
    assert_eq!(mask.apply("x MIIEvQIBADANBg ab"), "x *** ab");
}

#[test]
fn a_secret_cut_anywhere_is_masked() {
    let secret = "sésame-öffne-dich";
    let mask = mask(&[("A", secret), ("B", "dich-and-more")]);
    let text = format!("before {secret} and {secret}{secret}-and-more after");
    for first in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
        for second in (first..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let mut pieces = mask.pieces();
            let shown = pieces.take(&text[..first], true)
                + &pieces.take(&text[first..second], true)
                + &pieces.take(&text[second..], false);
            let collapsed = shown.replace("******", "***").replace("******", "***");
            assert_eq!(collapsed, "before *** and *** after", "{first} {second}");
        }
    }
}

#[test]
fn the_longest_form_of_a_secret_is_masked_wherever_it_is_cut() {
    let mask = mask(&[("A", "sésame-öffne-dich")]);
    let forms = secret::forms("sésame-öffne-dich", 8);
    let longest = forms.iter().max_by_key(|form| form.len()).unwrap();
    let text = format!("before {longest} after");
    for cut in 0..=text.len() {
        let mut pieces = mask.pieces();
        let shown = pieces.take(&text[..cut], true) + &pieces.take(&text[cut..], false);
        assert_eq!(shown.replace("******", "***"), "before *** after", "{cut}");
    }
}

#[test]
fn what_is_held_back_stays_short() {
    let mask = mask(&[("A", "aaaaaaaa")]);
    let mut pieces = mask.pieces();
    for _ in 0..1000 {
        let shown = pieces.take(&"a".repeat(1000), true);
        assert!(!shown.contains('a') && pieces.held.len() < 200);
    }
    assert!(!pieces.take("", false).contains('a'));
}

#[test]
fn no_secrets_change_nothing() {
    let mut pieces = mask(&[]).pieces().take("text", true);
    pieces.push_str(&mask(&[]).apply("more"));
    assert_eq!(pieces, "textmore");
}
