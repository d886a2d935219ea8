//! Patterns of names, as SHOW takes them: `*` is any text, `.` any letter and `|` an alternative; `%` is taken as `*`.

use regex::{Regex, RegexBuilder};

use crate::sql::error::SqlError;

/// Bytes of a pattern, at most; names have 255.
const LONGEST: usize = 1_000;

/// A pattern that is read once for all names.
#[derive(Debug, Clone)]
pub(crate) struct NamePattern(Regex);

impl NamePattern {
    pub(super) fn read(pattern: &str) -> Result<Self, SqlError> {
        if pattern.len() > LONGEST {
            return Err(SqlError::unsupported("patterns of names this long"));
        }
        let alternative = |pattern: &str| {
            let parts = pattern.trim().split(['*', '%']).map(|part| regex::escape(part).replace("\\.", "."));
            parts.collect::<Vec<_>>().join(".*")
        };
        let source: Vec<_> = pattern.split('|').map(alternative).collect();
        let regex = RegexBuilder::new(&format!("^(?:{})$", source.join("|"))).case_insensitive(true).build();
        regex.map(Self).map_err(|_| SqlError::unsupported("this pattern of names"))
    }
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for NamePattern {}

/// Whether a name is of a pattern; without one all are.
pub(super) fn like(name: &str, pattern: Option<&NamePattern>) -> bool {
    pattern.is_none_or(|NamePattern(regex)| regex.is_match(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_chosen_by_wildcards_and_alternatives() {
        let is_like = |name: &str, pattern: &str| like(name, Some(&NamePattern::read(pattern).unwrap()));
        assert!(is_like("daily_revenue", "d*") && is_like("Daily", "daily") && is_like("b", "a* | b"));
        assert!(is_like("abc", "a.c") && is_like("abc", "%c") && !is_like("abc", "b*") && !is_like("xab", "a*|x"));
        assert!(NamePattern::read(&"a*|".repeat(100_000)).is_err());
    }
}
