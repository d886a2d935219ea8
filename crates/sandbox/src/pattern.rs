//! Patterns of paths: `{}` stands for one segment or a part of it, `{*}` for one or more segments.

use std::collections::HashSet;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// What stands before the first wildcard.
    head: String,
    rest: Vec<(Wildcard, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wildcard {
    Segment,
    Segments,
    /// As `Segments`, or nothing at all.
    Anything,
}

impl Pattern {
    /// Reads a template; names in braces do not matter.
    pub(crate) fn template(text: &str) -> Self {
        let mut parts = text.split('{');
        let head = parts.next().unwrap_or_default().to_owned();
        let rest = parts.map(|part| {
            let (name, literal) = part.split_once('}').unwrap_or((part, ""));
            (if name.starts_with('*') { Wildcard::Segments } else { Wildcard::Segment }, literal.to_owned())
        });
        Self { head, rest: rest.collect() }
    }

    /// Reads a glob: `*` within a segment, `**` across segments.
    pub(crate) fn glob(text: &str) -> Self {
        let mut parts = text.split('*');
        let head = parts.next().unwrap_or_default().to_owned();
        let mut rest: Vec<(Wildcard, String)> = Vec::new();
        for part in parts {
            match rest.last_mut() {
                Some((wildcard, literal)) if literal.is_empty() => {
                    (*wildcard, *literal) = (Wildcard::Anything, part.to_owned())
                }
                _ => rest.push((Wildcard::Segment, part.to_owned())),
            }
        }
        Self { head, rest }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        self.captures(text).is_some()
    }

    /// What the wildcards stand for.
    pub(crate) fn captures<'a>(&self, text: &'a str) -> Option<Vec<&'a str>> {
        let mut search = Search { captures: Vec::with_capacity(self.rest.len()), failed: HashSet::new() };
        search.reads(&self.rest, text.strip_prefix(self.head.as_str())?).then_some(search.captures)
    }

    /// Orders patterns: the lower, the more it says about what it matches.
    pub(crate) fn vagueness(&self) -> (usize, usize, std::cmp::Reverse<usize>) {
        let many = self.rest.iter().filter(|(wildcard, _)| *wildcard != Wildcard::Segment).count();
        let literal = self.head.len() + self.rest.iter().map(|(_, literal)| literal.len()).sum::<usize>();
        (many, self.rest.len(), std::cmp::Reverse(literal))
    }
}

struct Search<'a> {
    captures: Vec<&'a str>,
    /// How much of pattern and text was left where they did not match, so that it is not tried again.
    failed: HashSet<(usize, usize)>,
}

impl<'a> Search<'a> {
    fn reads(&mut self, rest: &[(Wildcard, String)], text: &'a str) -> bool {
        let Some(((wildcard, literal), after)) = rest.split_first() else { return text.is_empty() };
        if self.failed.contains(&(rest.len(), text.len())) {
            return false;
        }
        let limit = match wildcard {
            Wildcard::Segment => text.find('/').unwrap_or(text.len()),
            Wildcard::Segments | Wildcard::Anything => text.len(),
        };
        let shortest = usize::from(*wildcard != Wildcard::Anything);
        // The longest first, so that the last segment goes to the last wildcard.
        for end in (shortest..=limit).rev() {
            let Some((value, left)) = text.split_at_checked(end) else { continue };
            let Some(left) = left.strip_prefix(literal.as_str()) else { continue };
            self.captures.push(value);
            if self.reads(after, left) {
                return true;
            }
            self.captures.pop();
        }
        self.failed.insert((rest.len(), text.len()));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_capture_what_they_stand_for() {
        let pattern = Pattern::template("/a/{*}/b/{}:query");
        assert_eq!(pattern.captures("/a/x/y/b/z:query").unwrap(), ["x/y", "z"]);
        assert!(pattern.captures("/a/x/b/z/w:query").is_none());
        assert!(Pattern::template("/fs/files{*path}").matches("/fs/files/Volumes/a"));
        assert!(!Pattern::template("/a/{id}").matches("/a/"));
    }

    #[test]
    fn globs_stay_within_segments_unless_doubled() {
        assert!(Pattern::glob("/a/*/c").matches("/a/b/c"));
        assert!(!Pattern::glob("/a/*").matches("/a/b/c"));
        assert!(Pattern::glob("/a**").matches("/a/b/c"));
        assert!(Pattern::glob("/a**").matches("/a"));
        assert!(Pattern::glob("jobs.*.list").matches("jobs.jobs.list"));
    }

    #[test]
    fn many_wildcards_take_no_longer_than_they_must() {
        let glob = Pattern::glob(&format!("/{}b", "**a".repeat(30)));
        assert!(!glob.matches(&format!("/{}", "a".repeat(200))));
        assert!(glob.matches(&format!("/{}b", "a".repeat(200))));
    }

    #[test]
    fn the_plainer_pattern_is_less_vague() {
        let (plain, vague) = (Pattern::template("/a/b"), Pattern::template("/a/{}"));
        assert!(plain.vagueness() < vague.vagueness());
        assert!(vague.vagueness() < Pattern::template("/a/{*}").vagueness());
    }
}
