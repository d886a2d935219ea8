//! Recognizes what looks like a credential in a text, whoever it belongs to.

use std::borrow::Cow;

use super::MASK;

/// How tokens of Databricks begin: personal access tokens, secrets of OAuth applications, federated ones.
const DATABRICKS: [&str; 3] = ["dapi", "dose", "dkea"];
/// How tokens of others begin that people keep at hand.
const OTHERS: [&str; 8] = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "xoxb-", "xoxp-"];
/// What follows such a beginning in a token has at least this many characters.
const SHORTEST: usize = 16;
/// And this many digits, which no word has.
const FEWEST_DIGITS: usize = 4;

/// A text without what looks like a credential: tokens of Databricks, GitHub and Slack, keys of AWS, and JSON Web Tokens.
/// For texts that repeat what a caller wrote where no secret belongs, such as names that nobody knows.
///
/// ```
/// let text = "no tool is named `dapi0123456789abcdef0123456789abcdef`";
/// assert_eq!(databricks::without_tokens(text), "no tool is named `***`");
/// ```
pub fn without_tokens(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let (mut at, mut written) = (0, 0);
    while let Some((start, end)) = next_word(text, at) {
        at = end;
        let word = text.get(start..end).unwrap_or_default();
        if is_token(word) {
            // The parts of a JSON Web Token are joined by dots.
            while let Some((_, further)) = next_word(text, at).filter(|(next, _)| text.get(at..*next) == Some(".")) {
                at = further;
            }
            masked.push_str(text.get(written..start).unwrap_or_default());
            masked.push_str(MASK);
            written = at;
        }
    }
    if written == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(text.get(written..).unwrap_or_default());
    Cow::Owned(masked)
}

/// Where the next run of characters that a token may have begins and ends.
fn next_word(text: &str, at: usize) -> Option<(usize, usize)> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let start = at + text.get(at..)?.find(is_part)?;
    let rest = text.get(start..)?;
    Some((start, start + rest.find(|letter| !is_part(letter)).unwrap_or(rest.len())))
}

fn is_token(word: &str) -> bool {
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    let is_long = |rest: &str| rest.len() >= SHORTEST && digits(rest) >= FEWEST_DIGITS;
    if let Some(rest) = ["AKIA", "ASIA"].iter().find_map(|start| word.strip_prefix(start)) {
        return rest.len() == SHORTEST && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    }
    // The header of a JSON Web Token: an object in Base64.
    if word.starts_with("eyJ") {
        return word.len() >= SHORTEST;
    }
    DATABRICKS.iter().chain(&OTHERS).filter_map(|start| word.strip_prefix(start)).any(is_long)
}

#[cfg(test)]
mod tests {
    use super::without_tokens;

    #[test]
    fn tokens_are_hidden_wherever_they_stand_and_words_are_not() {
        let hex = "0123456789abcdef0123456789abcdef";
        let jwt = format!("eyJhbGciOiJSUzI1NiJ9.{hex}.{hex}");
        for token in [
            format!("dapi{hex}"),
            format!("dapi{hex}-2"),
            format!("dapi-sandbox-{hex}"),
            format!("dose{hex}"),
            format!("ghp_{hex}"),
            "AKIA0123456789ABCDEF".to_owned(),
            jwt,
        ] {
            for (before, after) in
                [("", ""), ("`", "`"), ("/Volumes/a/", ""), ("tasks[0].", ": x"), ("a=", ", b"), ("é", "é")]
            {
                assert_eq!(without_tokens(&format!("{before}{token}{after}")), format!("{before}***{after}"));
            }
            assert_eq!(without_tokens(&format!("{token} and {token}")), "*** and ***");
        }
        for text in [
            "",
            "dapi",
            "dapi-very-secret",
            "dosed-with-something-2",
            "eyJ.b.c",
            "eyJustice",
            "a.b.c é … AKIA",
            "dapi123",
        ] {
            assert_eq!(without_tokens(text), text);
        }
    }
}
