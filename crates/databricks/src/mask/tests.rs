use serde_json::json;

use super::Mask;
use crate::secret::Secret;

fn mask(secrets: &[&str]) -> Mask {
    Mask::new(secrets.iter().copied().map(Secret::from))
}

#[test]
fn a_secret_is_found_however_it_is_written() {
    let mask = mask(&["dapi\"12/34+5678"]);
    for text in [
        "dapi\"12/34+5678",
        r#"dapi\"12/34+5678"#,
        r#"dapi\"12\/34+5678"#,
        r#"{\"t\":\"dapi\\\"12\/34+5678\"}"#,
        r"\u0064api\u002212\u002f34+5678",
        "dapi%2212%2F34%2b5678",
        "dapi&quot;12&#x2F;34&#43;5678",
        "da\u{0}pi\"12\u{200b}/34\u{1b}+5678",
        "da\npi\"12/3\u{202e}4+5678",
        r"d\u0000api\u002212\u200b/34+5678",
    ] {
        let text = format!("before {text} after");
        let masked = mask.text(&text);
        assert!(masked.starts_with("before ") && masked.ends_with(" after"), "{text}: {masked}");
        assert!(masked.contains("***") && !masked.contains("34") && !masked.contains("5678"), "{text}: {masked}");
    }
}

#[test]
fn a_secret_with_blanks_and_letters_of_any_language_is_found_in_forms_and_urls() {
    let mask = mask(&["pässwörd of Łódź"]);
    for text in ["p%C3%A4ssw%C3%B6rd+of+%C5%81%c3%b3d%c5%ba", "p%C3%A4ssw%c3%b6rd%20of%20Łódź", "pässwörd+of+Łódź"]
    {
        assert_eq!(mask.text(&format!("?x={text}&y=%FF%C3")), "?x=***&y=%FF%C3");
    }
}

#[test]
fn a_secret_is_found_in_base64_alone_and_inside_of_other_text() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    let secret = "dose~~~very?secret???1";
    let mask = mask(&[secret]);
    for before in ["", "a", "ab", "client:", "an-id:"] {
        for text in [STANDARD.encode(format!("{before}{secret}")), URL_SAFE.encode(format!("{before}{secret}"))] {
            let masked = mask.text(&text).into_owned();
            let left = masked.replace("***", "");
            assert!(masked.contains("***") && left.len() <= before.len() * 4 / 3 + 8, "{before}: {masked}");
        }
    }
    assert_eq!(mask.text("Y29ycmVjdCBob3JzZSBiYXR0ZXJ5"), "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5");
}

#[test]
fn other_text_stays_as_it_is() {
    let mask = mask(&["dapi1234567890abcdef", "hunter2"]);
    for text in
        ["", "nothing here", "C:\\dir\\new", "100 % of it", "a & b &c; &#xZZ;", "dapi", "hunter", "\\u12", "%", "\\"]
    {
        assert_eq!(mask.text(text), text);
    }
    assert_eq!(super::Mask::default().text("dapi1234567890abcdef"), "dapi1234567890abcdef");
}

#[test]
fn a_part_of_a_long_secret_is_masked() {
    let secret: String = (0..2_000).map(|number| format!("<{number}>")).collect();
    let quoted = format!("near: {{\"string_value\":\"{}…", &secret[..900]);
    assert_eq!(mask(&[&secret]).text(&quoted), "near: {\"string_value\":\"***…");
    let tail = format!("…{}\"}}", &secret[secret.len() - 40..]);
    assert_eq!(mask(&[&secret]).text(&tail), "…***\"}");
}

#[test]
fn a_short_value_is_masked_where_it_stands_alone() {
    let mask = mask(&["1234", ""]);
    assert_eq!(mask.text("value \"1234\" of 12345, (1234)"), "value \"***\" of 12345, (***)");
    assert!(super::Mask::new([Secret::from("")]).is_empty());
}

#[test]
fn secrets_that_overlap_leave_nothing() {
    let mask = mask(&["abcdefgh", "efghijkl"]);
    assert_eq!(mask.text("-abcdefghijkl-abcdefgh-"), "-***-***-");
}

#[test]
fn texts_and_names_of_an_answer_are_masked() {
    let mut value =
        json!({ "token dapi1234567890abcdef": [1, "x dapi1234567890abcdef", { "a": r"dapi\u0031234567890abcdef" }] });
    mask(&["dapi1234567890abcdef"]).json(&mut value);
    assert_eq!(value, json!({ "token ***": [1, "x ***", { "a": "***" }] }));
}

#[test]
fn the_secret_itself_is_not_printed() {
    assert!(!format!("{:?}", mask(&["dapi1234567890abcdef"])).contains("dapi"));
}
