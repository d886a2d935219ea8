//! What `--protect` names: whatever touches it in any other way than reading is confirmed.

use crate::error::Error;
use crate::policy::pattern::{Kind, Object, Pattern};

/// The kinds of objects that can be protected.
pub(crate) const KINDS: [Kind; 3] = [Kind::Data, Kind::Jobs, Kind::Paths];

/// Patterns of names.
#[derive(Debug, Default)]
pub(crate) struct Protected(Vec<(String, Vec<Pattern>)>);

impl Protected {
    /// The patterns of the flag: each is one of names in catalogs and of names of jobs, or one of paths if it begins with `/`.
    pub(super) fn new(given: &[String]) -> Result<Self, Error> {
        let given = given.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        given.map(|text| Ok((text.to_owned(), patterns(text)?))).collect::<Result<_, Error>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pattern that covers an object, what it is in, or a part of it.
    pub(crate) fn covering(&self, object: &Object) -> Option<&str> {
        let covers = |pattern: &Pattern| pattern.covers(object, false) || pattern.covers_part_of(object);
        self.0.iter().find(|(_, patterns)| patterns.iter().any(covers)).map(|(text, _)| text.as_str())
    }
}

fn patterns(text: &str) -> Result<Vec<Pattern>, Error> {
    let wrong = |why: String| Error::failed(format!("`--protect {text}` is not usable: {why}"));
    if text.starts_with('/') {
        return Ok(vec![Pattern::new(Kind::Paths, text).map_err(wrong)?]);
    }
    let jobs = Pattern::new(Kind::Jobs, text).map_err(wrong)?;
    // A name of a job need not be one of data.
    Ok(Pattern::new(Kind::Data, text).into_iter().chain([jobs]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_one_of_data_jobs_or_paths() {
        let given = ["prod*", "main.*", "/Shared/prod", "nightly load"].map(str::to_owned);
        let protected = Protected::new(&given).expect("patterns");
        for (kind, name, pattern) in [
            (Kind::Data, "prod", Some("prod*")),
            (Kind::Data, "Production.sales.orders", Some("prod*")),
            (Kind::Data, "main.sales", Some("main.*")),
            // It holds what is protected.
            (Kind::Data, "main", Some("main.*")),
            (Kind::Data, "dev.prod.orders", None),
            (Kind::Jobs, "prod-nightly", Some("prod*")),
            (Kind::Jobs, "Nightly Load", Some("nightly load")),
            (Kind::Jobs, "dev", None),
            (Kind::Paths, "/Workspace/Shared/prod/etl", Some("/Shared/prod")),
            (Kind::Paths, "/Shared", Some("/Shared/prod")),
            (Kind::Paths, "/Users/prod", None),
        ] {
            assert_eq!(protected.covering(&Object::new(kind, name).expect(name)), pattern, "{name}");
        }
        let wrong = |text: &str| Protected::new(&[text.to_owned()]).expect_err(text).to_string();
        assert!(wrong("/a/../b").contains("`--protect /a/../b` is not usable"));
        assert!(wrong("[a").contains("not a glob"));
        assert!(Protected::new(&[" ".to_owned()]).expect("none").is_empty());
    }
}
