//! Names of things in a request: `main.sales.orders` says that it is about a table, not that it is about orders.

/// What a word of a request names, in words of the index: a kind of thing, nothing that helps, or `None` where it is a word.
pub(super) fn named(word: &str) -> Option<&'static str> {
    let word = word.trim_matches(|letter: char| ".,;:?!()[]\"'`".contains(letter));
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| word.starts_with(prefix));
    if starts(&["/Volumes/", "Volumes/"]) {
        Some("volume file")
    } else if starts(&["dbfs:/", "/dbfs", "/mnt", "/tmp", "/FileStore"]) {
        Some("dbfs file")
    } else if ["/Shared", "/Users", "/Workspace", "/Repos"].iter().any(|root| is_below(word, root)) {
        Some("workspace notebook folder")
    } else if starts(&["http://", "https://"]) {
        Some("url")
    } else if is_email_address(word) {
        Some("user")
    } else if parts(word).is_some_and(|parts| parts == 3) {
        Some("table")
    } else if is_version(word) {
        Some("version")
    } else if is_identifier(word) {
        Some("")
    } else {
        None
    }
}

fn is_below(word: &str, root: &str) -> bool {
    word.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_email_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'))
}

/// How many parts a dotted name has, each of which is an identifier of SQL.
fn parts(word: &str) -> Option<usize> {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    word.split('.').all(is_part).then(|| word.split('.').count())
}

fn is_version(word: &str) -> bool {
    let number = word.strip_prefix(['v', 'V']).unwrap_or_default();
    !number.is_empty() && number.chars().all(|letter| letter.is_ascii_digit())
}

/// Whether it is an id or a number, but no span of time, no size and no quarter.
fn is_identifier(word: &str) -> bool {
    let lower = word.to_lowercase();
    let unit = lower.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let is_quantity = unit.len() < lower.len() && ["min", "h", "d", "s", "gb", "k", "m"].contains(&unit);
    let is_quarter = ["q1", "q2", "q3", "q4"].contains(&lower.as_str());
    let is_number = !lower.is_empty() && unit.is_empty();
    let has_digit = word.contains(|letter: char| letter.is_ascii_digit());
    is_number || (has_digit && word.chars().count() >= 3 && !is_quantity && !is_quarter)
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn names_say_what_they_are_of() {
        for (word, kind) in [
            ("/Volumes/main/raw/landing/2026", Some("volume file")),
            ("/Shared/etl/load", Some("workspace notebook folder")),
            ("/Users/me@acme.test/x", Some("workspace notebook folder")),
            ("/Sharedness", None),
            ("dbfs:/tmp/a.csv", Some("dbfs file")),
            ("jane@acme.test,", Some("user")),
            ("main.sales.orders?", Some("table")),
            ("main.sales", None),
            ("e.g.", None),
            ("v3", Some("version")),
            ("0923-abc", Some("")),
            ("4711", Some("")),
            ("30min", None),
            ("q3", None),
            ("orders", None),
            ("", None),
            ("...", None),
        ] {
            assert_eq!(named(word), kind, "{word}");
        }
    }
}
