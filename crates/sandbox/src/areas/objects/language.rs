//! The languages of notebooks, and how each is spelled in which place.

/// What a notebook is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Sql,
    Scala,
    R,
}

impl Language {
    const ALL: [Self; 4] = [Self::Python, Self::Sql, Self::Scala, Self::R];

    /// As the API writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "PYTHON",
            Self::Sql => "SQL",
            Self::Scala => "SCALA",
            Self::R => "R",
        }
    }

    /// As notebook documents, magic commands and the names in DBC archives write it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Sql => "sql",
            Self::Scala => "scala",
            Self::R => "r",
        }
    }

    /// The extension of its sources.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Python => "py",
            language => language.word(),
        }
    }

    /// What its comments begin with.
    pub(super) fn comment(self) -> &'static str {
        match self {
            Self::Python | Self::R => "#",
            Self::Sql => "--",
            Self::Scala => "//",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.name() == name)
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.word().eq_ignore_ascii_case(word))
    }

    pub(super) fn from_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.extension().eq_ignore_ascii_case(extension))
    }
}
