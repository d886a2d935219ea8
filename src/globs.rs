//! Globs that clients and policy files give. The crate that turns them into regular expressions recurses where braces
//! nest, and panics if the expression is too large, so both are bounded here.

use globset::{Glob, GlobSet, GlobSetBuilder};

/// Characters of a glob, at most.
const LONGEST: usize = 1_000;
/// Braces within braces, at most.
const DEEPEST: usize = 8;

/// What matches any of the globs.
///
/// # Errors
/// For what is no glob, and for one that is too long or too deep; the text names it and says why.
pub(crate) fn any_of<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(glob(pattern)?);
    }
    set.build().map_err(|error| format!("too much for one pattern: {}", error.kind()))
}

/// One glob.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    set: GlobSet,
}

/// One glob as it is written.
///
/// # Errors
/// As [`any_of`].
pub(crate) fn of(pattern: &str) -> Result<Pattern, String> {
    Ok(Pattern { text: pattern.to_owned(), set: any_of([pattern])? })
}

impl Pattern {
    pub(crate) fn is_match(&self, text: impl AsRef<std::path::Path>) -> bool {
        self.set.is_match(text)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

fn glob(pattern: &str) -> Result<Glob, String> {
    let length = pattern.chars().count();
    if length > LONGEST {
        return Err(format!("a pattern of {length} characters is too long: it may have {LONGEST}"));
    }
    let (mut depth, mut deepest) = (0_usize, 0);
    for letter in pattern.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > DEEPEST {
        return Err(format!("`{pattern}` has braces nested {deepest} deep; at most {DEEPEST} are allowed"));
    }
    Glob::new(pattern).map_err(|error| format!("`{pattern}` is not a glob: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::{any_of, of};

    #[test]
    fn what_would_take_the_process_is_an_error() {
        let braces = |count: usize| format!("{}a{}", "{".repeat(count), "}".repeat(count));
        for (pattern, expected) in [
            (braces(100_000), "too long"),
            (braces(400), "braces nested"),
            ("{a,".repeat(300) + "b" + &"}".repeat(300), "too long"),
            ("[a".to_owned(), "is not a glob"),
            ("[!a]".repeat(250), ""),
        ] {
            match of(&pattern) {
                Ok(_) => assert!(expected.is_empty(), "{pattern:.40}"),
                Err(error) => assert!(error.contains(expected), "{error:.200}"),
            }
        }
        let set = any_of(["**/*.py", "{a,b}/{c,{d,e}}"]).expect("globs");
        assert!(set.is_match("x/y.py") && set.is_match("b/e") && !set.is_match("b/f"));
    }
}
