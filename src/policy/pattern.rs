//! Patterns of names: of what is in catalogs, of paths, and of jobs, clusters, warehouses and workspaces.

use crate::globs;
use crate::quoting::{self, fold};

/// What a pattern, or an object, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Catalogs, schemas, and tables, views, volumes, functions and models in them, by their full names.
    Data,
    /// Files and folders of the workspace tree, by their paths.
    Paths,
    /// Jobs, by their names.
    Jobs,
    /// Clusters, by their names.
    Clusters,
    /// SQL warehouses, by their names.
    Warehouses,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Data, Self::Paths, Self::Jobs, Self::Clusters, Self::Warehouses];

    /// Its key in a policy.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Paths => "paths",
            Self::Jobs => "jobs",
            Self::Clusters => "clusters",
            Self::Warehouses => "warehouses",
        }
    }

    /// The parts of a name of this kind; `None` for what is no name, or one that may mean something else than it says.
    pub(crate) fn parts(self, name: &str) -> Option<Vec<String>> {
        match self {
            Self::Data => quoting::parts(name),
            Self::Paths => path(name),
            Self::Jobs | Self::Clusters | Self::Warehouses => (!name.is_empty()).then(|| vec![name.to_owned()]),
        }
    }
}

/// The parts of an absolute path of the workspace tree, which may also be written from `/Workspace`.
fn path(given: &str) -> Option<Vec<String>> {
    let folded = fold(given);
    if given.contains('\\') || ["%2e", "%2f", "%5c"].iter().any(|sign| folded.contains(sign)) {
        return None;
    }
    let path = given.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut parts: Vec<_> = path.split('/').map(str::to_owned).collect();
    if parts.first().is_some_and(|first| first == "Workspace") {
        parts.remove(0);
    }
    if path.is_empty() {
        parts.clear();
    }
    let is_plain = |part: &String| !matches!(part.trim(), "" | "." | "..");
    parts.iter().all(is_plain).then_some(parts)
}

/// An object that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    /// Its name as it is shown.
    pub(crate) name: String,
    parts: Vec<String>,
}

impl Object {
    /// An object by its name; `None` where that is none.
    pub(crate) fn new(kind: Kind, name: &str) -> Option<Self> {
        Some(Self { kind, name: name.to_owned(), parts: kind.parts(name)? })
    }

    /// An object of catalogs by the parts of its name.
    pub(crate) fn of_parts(parts: Vec<String>) -> Self {
        Self { kind: Kind::Data, name: parts.join("."), parts }
    }
}

/// A pattern of names of a kind. `*` and `?` stand for any signs of one part; a pattern covers what is in what it names.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) kind: Kind,
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    /// As it is written.
    exact: globs::Pattern,
    /// Without regard to case.
    folded: globs::Pattern,
    is_literal: bool,
    letters: usize,
}

/// How precisely a pattern names an object: more parts, then fewer of them with `*`, then more letters.
pub(crate) type Precision = (usize, usize, usize);

impl Pattern {
    /// A pattern as it is written.
    pub(crate) fn new(kind: Kind, text: &str) -> Result<Self, String> {
        let parts = kind.parts(text).filter(|parts| !parts.is_empty());
        let parts = parts.ok_or_else(|| match kind {
            Kind::Data => {
                format!("`{text}` is not the name of a catalog, a schema or something in one, such as `main.sales.*`")
            }
            Kind::Paths => format!("`{text}` is not a path of the workspace tree, such as `/Users/*/private`"),
            Kind::Jobs | Kind::Clusters | Kind::Warehouses => "the name is empty".to_owned(),
        })?;
        if kind == Kind::Data && parts.len() > 3 {
            return Err(format!("`{text}` has more than three parts"));
        }
        let parts = parts.iter().map(|part| Part::new(part)).collect::<Result<_, _>>()?;
        Ok(Self { kind, parts })
    }

    /// Whether it covers an object: the object itself, or what it is in. `exactly` has letters differ by their case where
    /// they do so in the workspace.
    pub(crate) fn covers(&self, object: &Object, exactly: bool) -> bool {
        self.kind == object.kind && self.parts.len() <= object.parts.len() && self.agrees(object, exactly)
    }

    /// Whether it covers a part of an object, such as a table of a catalog.
    pub(crate) fn covers_part_of(&self, object: &Object) -> bool {
        self.kind == object.kind && self.parts.len() > object.parts.len() && self.agrees(object, false)
    }

    fn agrees(&self, object: &Object, exactly: bool) -> bool {
        let exactly = exactly && self.kind != Kind::Data;
        self.parts.iter().zip(&object.parts).all(|(part, name)| match exactly {
            true => part.exact.is_match(name),
            false => part.folded.is_match(fold(name)),
        })
    }

    pub(crate) fn precision(&self) -> Precision {
        let literal = self.parts.iter().filter(|part| part.is_literal).count();
        (self.parts.len(), literal, self.parts.iter().map(|part| part.letters).sum())
    }
}

impl Part {
    fn new(text: &str) -> Result<Self, String> {
        let is_sign = |letter: &char| "*?[]{}\\".contains(*letter);
        Ok(Self {
            exact: globs::of(text)?,
            folded: globs::of(&fold(text))?,
            is_literal: !text.contains(|letter| is_sign(&letter)),
            letters: text.chars().filter(|letter| !is_sign(letter)).count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_names_and_what_is_in_it() {
        for (kind, pattern, object, covers) in [
            (Kind::Data, "prod", "prod.sales.orders", true),
            (Kind::Data, "prod", "PROD", true),
            (Kind::Data, "prod", "`Prod`.sales", true),
            (Kind::Data, "prod", "production.sales", false),
            (Kind::Data, "prod*", "production.sales", true),
            (Kind::Data, "*.hr", "main.hr.people", true),
            (Kind::Data, "*.hr", "hr.main.people", false),
            (Kind::Data, "main.*.pii_*", "main.sales.pii_people", true),
            (Kind::Data, "main.*.pii_*", "main.sales", false),
            (Kind::Data, "straße", "STRASSE.a.b", true),
            (Kind::Data, "main.`a.b`", "main.`a.b`.c", true),
            (Kind::Data, "main.`a.b`", "main.a.b", false),
            (Kind::Paths, "/Shared/finance", "/Workspace/Shared/finance/report", true),
            (Kind::Paths, "/Workspace/Shared/finance", "/Shared/finance/", true),
            (Kind::Paths, "/Shared/finance", "/shared/FINANCE", true),
            (Kind::Paths, "/Shared/finance", "/Shared/financial", false),
            (Kind::Paths, "/Users/*/private", "/Users/a@b.test/private/x", true),
            (Kind::Jobs, "nightly *", "nightly load", true),
            (Kind::Jobs, "nightly *", "Nightly load", true),
        ] {
            let (pattern, object) = (Pattern::new(kind, pattern), Object::new(kind, object).expect(object));
            assert_eq!(pattern.as_ref().expect("a pattern").covers(&object, false), covers, "{pattern:?} {object:?}");
        }
        let object = Object::new(Kind::Jobs, "Nightly load").expect("an object");
        assert!(!Pattern::new(Kind::Jobs, "nightly *").expect("a pattern").covers(&object, true));
        let catalog = Object::new(Kind::Data, "main").expect("an object");
        assert!(Pattern::new(Kind::Data, "main.hr").expect("a pattern").covers_part_of(&catalog));
        assert!(!Pattern::new(Kind::Data, "prod.hr").expect("a pattern").covers_part_of(&catalog));
    }

    #[test]
    fn what_may_mean_something_else_is_no_name() {
        for path in ["relative", "/a/../b", "/a//b", "/a/./b", "/a/%2e%2e/b", "/a%2Fb", "/a\\b", "/a/ .. /b"] {
            assert_eq!(Object::new(Kind::Paths, path), None, "{path}");
        }
        for name in ["", "a..b", "`a", "a.`b`c"] {
            assert_eq!(Object::new(Kind::Data, name), None, "{name}");
        }
    }
}
