//! The settings of unified authentication with where each came from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::auth::attribute::Attribute;
use crate::error::Error;
use crate::secret::Secret;

/// Settings by name. An empty value counts as unset, and what is set first stays.
///
/// ```
/// use databricks::{Attribute, Settings};
///
/// let settings = Settings::default().with(Attribute::Profile, "dev").with(Attribute::Token, "dapi123");
/// assert_eq!(settings.get(Attribute::Profile), Some("dev"));
/// assert!(!format!("{settings:?}").contains("dapi123"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<Attribute, Setting>);

#[derive(Clone, PartialEq, Eq)]
struct Setting {
    value: Secret,
    source: Source,
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The program, or its command line.
    Explicit,
    /// An environment variable.
    Variable(&'static str),
    /// A profile of the configuration file.
    Profile(String),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Explicit => formatter.write_str("set by the program"),
            Source::Variable(name) => write!(formatter, "from {name}"),
            Source::Profile(name) => write!(formatter, "from profile `{name}`"),
        }
    }
}

impl Settings {
    /// Sets a value explicitly; it wins over environment and profile.
    #[must_use]
    pub fn with(mut self, attribute: Attribute, value: impl Into<String>) -> Settings {
        self.put(attribute, Some(&value.into()));
        self
    }

    /// The value, also of a secret one.
    pub fn get(&self, attribute: Attribute) -> Option<&str> {
        Some(self.0.get(&attribute)?.value.expose())
    }

    /// What is set, and where it comes from, in words such as `from DATABRICKS_HOST`.
    ///
    /// ```
    /// use databricks::{Attribute, Settings};
    ///
    /// let settings = Settings::default().with(Attribute::Profile, "dev");
    /// let told: Vec<_> = settings.sources().map(|(attribute, source)| format!("{}: {source}", attribute.key())).collect();
    /// assert_eq!(told, ["profile: set by the program"]);
    /// ```
    pub fn sources(&self) -> impl Iterator<Item = (Attribute, String)> {
        self.0.iter().map(|(attribute, setting)| (*attribute, setting.source.to_string()))
    }

    /// Makes a value what the program says it is. Its source stays if it was that before.
    pub(crate) fn put(&mut self, attribute: Attribute, value: Option<&str>) {
        match value.map(str::trim).filter(|value| !value.is_empty()) {
            None => drop(self.0.remove(&attribute)),
            Some(value) if self.get(attribute) == Some(value) => {}
            Some(value) => {
                self.0.insert(attribute, Setting { value: value.into(), source: Source::Explicit });
            }
        }
    }

    /// Sets what is not set yet.
    pub(crate) fn fill(&mut self, attribute: Attribute, value: &str, source: Source) {
        let value = value.trim();
        if !value.is_empty() {
            self.0.entry(attribute).or_insert_with(|| Setting { value: value.into(), source });
        }
    }

    /// Sets from variables what is not set yet and passes `wanted`.
    pub(crate) fn fill_from_variables(
        &mut self,
        lookup: impl Fn(&str) -> Option<String>,
        wanted: impl Fn(Attribute) -> bool,
    ) {
        for attribute in Attribute::all().filter(|attribute| wanted(*attribute)) {
            let found = attribute.variables().iter().find_map(|name| {
                let value = lookup(name).filter(|value| !value.trim().is_empty())?;
                Some((*name, value))
            });
            if let Some((name, value)) = found {
                self.fill(attribute, &value, Source::Variable(name));
            }
        }
    }

    pub(crate) fn source(&self, attribute: Attribute) -> Option<&Source> {
        Some(&self.0.get(&attribute)?.source)
    }

    /// The name under which a value was given: its variable, or its key in a profile.
    pub(crate) fn name(&self, attribute: Attribute) -> String {
        match self.source(attribute) {
            Some(Source::Variable(name)) => (*name).to_owned(),
            Some(Source::Profile(profile)) => format!("`{}` in profile `{profile}`", attribute.key()),
            Some(Source::Explicit) | None => attribute.key().to_owned(),
        }
    }

    /// Whether a switch is on. The words are those that Go's `strconv.ParseBool` takes.
    pub(crate) fn is_on(&self, attribute: Attribute) -> bool {
        matches!(self.get(attribute), Some("1" | "t" | "T" | "true" | "TRUE" | "True"))
    }

    /// The OAuth scopes, sorted.
    pub(crate) fn scopes(&self) -> String {
        let given = self.get(Attribute::Scopes).unwrap_or_default();
        let scopes: BTreeSet<&str> =
            given.split([',', ' ', '\t']).map(str::trim).filter(|scope| !scope.is_empty()).collect();
        if scopes.is_empty() {
            return "all-apis".to_owned();
        }
        scopes.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// The ways of authenticating that something is set for.
    pub(crate) fn groups(&self) -> BTreeSet<&'static str> {
        self.0.keys().filter_map(|attribute| attribute.group()).collect()
    }

    /// Refuses settings for two ways of authenticating, unless it is said which to take.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let groups = self.groups();
        if groups.len() <= 1 || self.get(Attribute::AuthType).is_some() {
            return Ok(());
        }
        let names = groups.iter().copied().collect::<Vec<_>>().join(" and ");
        let mut message = format!("more than one authorization method configured: {names}");
        for group in groups {
            let of_group: Vec<_> = self
                .0
                .iter()
                .filter(|(attribute, _)| attribute.group() == Some(group))
                .map(|(attribute, setting)| format!("{} {}", attribute.key(), setting.source))
                .collect();
            message.push_str(&format!("\n  `{group}`: {}", of_group.join(", ")));
        }
        Err(Error::configuration(message)
            .with_hint("remove the settings of all but one, or say with DATABRICKS_AUTH_TYPE which one to use"))
    }

    /// The values that must not be shown.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter().filter(|(attribute, _)| attribute.is_secret()).map(|(_, setting)| &setting.value)
    }
}

/// Names, sources and open values; secret ones never.
impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = formatter.debug_map();
        for (attribute, Setting { value, source }) in &self.0 {
            let shown = if attribute.is_secret() { "***" } else { value.expose() };
            map.entry(&attribute.key(), &format_args!("{shown} ({source})"));
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_set_a_value_wins() {
        let mut settings = Settings::default().with(Attribute::Host, "a").with(Attribute::Token, " ");
        settings.fill(Attribute::Host, "b", Source::Profile("p".to_owned()));
        settings.fill_from_variables(|name| Some(format!("{name}!")), |attribute| attribute == Attribute::Token);
        assert_eq!(
            (settings.get(Attribute::Host), settings.source(Attribute::Host)),
            (Some("a"), Some(&Source::Explicit))
        );
        assert_eq!(settings.source(Attribute::Token), Some(&Source::Variable("DATABRICKS_TOKEN")));
        assert_eq!(settings.get(Attribute::AuthType), None);
        settings.put(Attribute::Token, Some("DATABRICKS_TOKEN!"));
        assert_eq!(settings.source(Attribute::Token), Some(&Source::Variable("DATABRICKS_TOKEN")));
        settings.put(Attribute::Token, None);
        assert_eq!(settings.get(Attribute::Token), None);
    }

    #[test]
    fn scopes_are_sorted_and_unique() {
        for (given, expected) in [
            ("", "all-apis"),
            ("clusters", "clusters"),
            ("b,a , c,,b", "a b c"),
            ("sql all-apis", "all-apis sql"),
            (" , ", "all-apis"),
        ] {
            assert_eq!(Settings::default().with(Attribute::Scopes, given).scopes(), expected, "{given}");
        }
    }

    #[test]
    fn two_ways_contradict_each_other() {
        let mut settings = Settings::default().with(Attribute::Token, "secret-token");
        settings.fill(Attribute::Username, "me", Source::Profile("dev".to_owned()));
        settings.fill(Attribute::Password, "hunter2", Source::Variable("DATABRICKS_PASSWORD"));
        let error = settings.validate().unwrap_err();
        assert_eq!(
            error.to_string(),
            "more than one authorization method configured: basic and pat\n  \
             `basic`: username from profile `dev`, password from DATABRICKS_PASSWORD\n  \
             `pat`: token set by the program"
        );
        assert!(error.hint().unwrap().contains("DATABRICKS_AUTH_TYPE"));
        settings.put(Attribute::AuthType, Some("basic"));
        settings.validate().unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
