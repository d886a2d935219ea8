//! `.databrickscfg`: its grammar, which is that of the Databricks CLI and the Go SDK, and the choice of a profile.
//!
//! Written by hand because no crate reads it the same way: a comment needs a space before it, quotes around a value are
//! removed, `DEFAULT` is a profile like any other, and keys are case-sensitive. What the grammar allows but hardly
//! anybody means, such as a key in capitals, becomes a remark.

use std::io;
use std::path::Path;

use crate::auth::attribute::Attribute;
use crate::auth::environment::Environment;
use crate::auth::text_file;
use crate::error::Error;

/// The section that is no profile: the CLI keeps its own settings there.
const SETTINGS: &str = "__settings__";
/// The profile that is taken when none is named.
const DEFAULT: &str = "DEFAULT";

/// The profiles of the configuration file, in its order, each with its host.
///
/// ```
/// let none = databricks::profiles(&databricks::Environment::default())?;
/// assert!(none.is_empty());
/// # Ok::<(), databricks::Error>(())
/// ```
///
/// # Errors
/// When the file cannot be read.
pub fn profiles(environment: &Environment) -> Result<Vec<(String, Option<String>)>, Error> {
    let path = environment.variable("DATABRICKS_CONFIG_FILE").unwrap_or_else(|| "~/.databrickscfg".to_owned());
    let file = ConfigFile::load(&environment.expand(&path))?.unwrap_or_default();
    let profiles = file.sections.iter().filter(|section| section.name != SETTINGS && !section.values.is_empty());
    let host = |section: &Section| section.values.iter().find(|(key, _)| key == "host").map(|(_, host)| host.clone());
    Ok(profiles.map(|section| (section.name.clone(), host(section))).collect())
}

/// A configuration file, read.
#[derive(Default)]
pub(crate) struct ConfigFile {
    sections: Vec<Section>,
}

struct Section {
    name: String,
    /// The line of its head; 0 for keys before any head.
    line: usize,
    values: Vec<(String, String)>,
    remarks: Vec<Remark>,
}

/// What a reader of the file may take otherwise than this program does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark {
    line: usize,
    text: String,
}

/// A profile with its values.
pub(crate) struct Profile<'a> {
    pub(crate) name: &'a str,
    pub(crate) values: &'a [(String, String)],
    remarks: &'a [Remark],
}

impl Profile<'_> {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// What its writer may have meant otherwise, as ``line 3 of `~/.databrickscfg`: …``.
    pub(crate) fn remarks(&self, path: &Path) -> impl Iterator<Item = String> {
        self.remarks.iter().map(|remark| format!("line {} of `{}`: {}", remark.line, path.display(), remark.text))
    }
}

impl ConfigFile {
    /// Reads a file; `None` if there is none.
    pub(crate) fn load(path: &Path) -> Result<Option<ConfigFile>, Error> {
        let shown = path.display();
        match text_file::read(path) {
            Ok(text) => ConfigFile::parse(&text)
                .map(Some)
                .map_err(|(line, why)| Error::configuration(format!("cannot read `{shown}`: {why} in line {line}"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::configuration(format!("cannot read `{shown}`: {error}"))),
        }
    }

    /// An error is the line's number and what is wrong with it. The line itself may hold a secret.
    fn parse(text: &str) -> Result<ConfigFile, (usize, &'static str)> {
        let mut file = ConfigFile::default();
        let mut current = (DEFAULT.to_owned(), 0);
        let mut lines = text.trim_start_matches('\u{feff}').lines().zip(1..);
        while let Some((line, number)) = lines.next() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(rest) = line.strip_prefix('[') {
                let (name, _) = rest.rsplit_once(']').ok_or((number, "a section without `]`"))?;
                current = (name.trim().to_owned(), number);
                let section = file.section(&current);
                if section.line != number {
                    let text = match section.line {
                        0 => format!(
                            "keys before any section already belong to the profile `{}`, which continues here",
                            section.name
                        ),
                        line => format!("the profile `{}` began in line {line} and continues here", section.name),
                    };
                    section.remarks.push(Remark { line: number, text });
                }
                continue;
            }
            let (key, rest) = line.split_once(['=', ':']).ok_or((number, "neither a section nor `key = value`"))?;
            let mut raw = rest.trim().to_owned();
            while raw.ends_with('\\') {
                raw.pop();
                let Some((next, _)) = lines.next() else { break };
                raw.push_str(next.trim());
            }
            let value = value(&raw).ok_or((number, "a quoted value without a closing quote"))?;
            let section = file.section(&current);
            let key = key.trim().trim_matches('"');
            if key.contains(char::is_whitespace) {
                // The words may hold a secret, so they are not repeated.
                let text = "it is ignored, because it has no `=` after the key".to_owned();
                section.remarks.push(Remark { line: number, text });
                continue;
            }
            let is_known = section.values.iter().any(|(name, _)| name == key);
            let text = if let Some(known) = misspelt(key) {
                Some(format!("`{key}` is ignored: write the key as `{known}`"))
            } else if section.line == 0 && section.values.is_empty() {
                Some(format!("keys before the first `[profile]` belong to the profile `{DEFAULT}`"))
            } else {
                is_known.then(|| "this key is set twice in its profile, and this value counts".to_owned())
            };
            section.remarks.extend(text.map(|text| Remark { line: number, text }));
            section.values.retain(|(name, _)| name != key);
            section.values.push((key.to_owned(), value.to_owned()));
        }
        Ok(file)
    }

    /// The section of this name, which begins in this line if it is new; a second one continues the first.
    fn section(&mut self, (name, line): &(String, usize)) -> &mut Section {
        let index = self.sections.iter().position(|section| section.name == *name).unwrap_or(self.sections.len());
        if index == self.sections.len() {
            let section = Section { name: name.clone(), line: *line, values: Vec::new(), remarks: Vec::new() };
            self.sections.push(section);
        }
        #[expect(clippy::indexing_slicing, reason = "the section was found or added just now")]
        &mut self.sections[index]
    }

    /// Whether there is such a profile.
    pub(crate) fn has(&self, name: &str) -> bool {
        name == SETTINGS || self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<Profile<'_>> {
        let section = self.sections.iter().find(|section| section.name == name && !section.values.is_empty())?;
        Some(Profile { name: &section.name, values: &section.values, remarks: &section.remarks })
    }

    /// The profile asked for; else the default that the CLI has stored; else `DEFAULT`, if there is one.
    pub(crate) fn profile(&self, asked: Option<&str>, path: &Path) -> Result<Option<Profile<'_>>, Error> {
        let stored = self.find(SETTINGS).and_then(|settings| {
            let name = settings.values.iter().find(|(key, _)| key == "default_profile")?.1.trim();
            (!name.is_empty()).then(|| name.to_owned())
        });
        let Some(name) = asked.map(str::to_owned).or(stored) else {
            return Ok(self.find(DEFAULT));
        };
        let path = path.display();
        if name == SETTINGS {
            return Err(Error::configuration(format!(
                "cannot use `{path}`: `{SETTINGS}` is a reserved section name and cannot be used as a profile"
            )));
        }
        match self.find(&name) {
            Some(profile) => Ok(Some(profile)),
            None => Err(Error::configuration(format!("`{path}` has no `{name}` profile configured"))
                .with_hint(self.known_profiles())),
        }
    }

    /// Sections that are the default to nobody but their writer: its name in other letters.
    pub(crate) fn near_default(&self, path: &Path) -> impl Iterator<Item = String> {
        let is_near = |section: &&Section| {
            section.name != DEFAULT && section.name.eq_ignore_ascii_case(DEFAULT) && !section.values.is_empty()
        };
        self.sections.iter().filter(is_near).map(move |Section { name, line, .. }| {
            format!(
                "line {line} of `{}`: `[{name}]` is another profile than `[{DEFAULT}]`, which is taken where none is \
                 named: write it in capitals, or name it with `--profile {name}`",
                path.display()
            )
        })
    }

    fn known_profiles(&self) -> String {
        let names: Vec<_> = self
            .sections
            .iter()
            .filter(|section| section.name != SETTINGS && !section.values.is_empty())
            .map(|section| format!("`{}`", section.name))
            .collect();
        if names.is_empty() {
            return "create a profile with `databricks-mcp-server auth login --profile NAME`".to_owned();
        }
        format!("name one of {}", names.join(", "))
    }
}

/// The key that was meant by one that is none, for its case, its dashes or a slip of the pen. Other tools keep keys of
/// their own in this file, so one that is like no other is nobody's mistake.
fn misspelt(key: &str) -> Option<&'static str> {
    let plain = key.to_ascii_lowercase().replace('-', "_");
    let known = || Attribute::all().flat_map(|attribute| attribute.keys().iter().copied());
    if known().any(|known| known == key) {
        return None;
    }
    let slips = |known: &str| strsim::osa_distance(known, &plain);
    let nearest = known().min_by_key(|known| slips(known))?;
    (slips(nearest) <= nearest.len() / 4).then_some(nearest)
}

/// A value without its quotes and the comment behind it; `None` where a quote has no end.
fn value(raw: &str) -> Option<&str> {
    for quote in ["\"\"\"", "`"] {
        if let Some(rest) = raw.strip_prefix(quote) {
            return rest.rsplit_once(quote).map(|(value, _)| value);
        }
    }
    let comment = raw.find(" #").or_else(|| raw.find(" ;"));
    let value = raw.get(..comment.unwrap_or(raw.len())).unwrap_or(raw).trim();
    let unquoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    Some(unquoted.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(text: &str, profile: &str, key: &str) -> Option<String> {
        let file = ConfigFile::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        file.find(profile)?.get(key).map(str::to_owned)
    }

    #[test]
    fn values_are_read_as_the_cli_reads_them() {
        for (line, expected) in [
            ("password = plain", "plain"),
            ("password=plain", "plain"),
            ("  password   :  plain  ", "plain"),
            ("password = \"%Y#X$Z\" # comment", "%Y#X$Z"),
            ("password = '%Y#X$Z' # comment", "%Y#X$Z"),
            ("password = %Y#X$Z # comment", "%Y#X$Z"),
            ("password = a;b ; comment", "a;b"),
            ("password = a=b:c", "a=b:c"),
            ("password = https://acme.test/?o=1", "https://acme.test/?o=1"),
            ("password = \"half", "\"half"),
            ("password = 'a\"", "'a\""),
            ("password = \"", "\""),
            ("password = `a # b`", "a # b"),
            ("password = \"\"\"a ; b\"\"\"", "a ; b"),
            ("password = a\\\n  b", "ab"),
            ("password = one\npassword = two", "two"),
            ("\"password\" = x", "x"),
            ("password =", ""),
            ("password = ü\u{a0}", "ü"),
        ] {
            assert_eq!(get(&format!("[p]\n{line}\n"), "p", "password").as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_may_be_meant_otherwise_is_remarked() {
        let remarks = |text: &str, profile: &str| {
            let file = ConfigFile::parse(text).ok().unwrap();
            let profile = file.find(profile).unwrap();
            profile.remarks(Path::new("cfg")).collect::<Vec<_>>()
        };
        for (text, profile, expected) in [
            ("[p]\nhost = x\ntoken = y\n", "p", vec![]),
            ("[p]\nHOST = x\n", "p", vec!["line 2 of `cfg`: `HOST` is ignored: write the key as `host`"]),
            (
                "[p]\nauth-type = pat",
                "p",
                vec!["line 2 of `cfg`: `auth-type` is ignored: write the key as `auth_type`"],
            ),
            ("[p]\nhots = x\n", "p", vec!["line 2 of `cfg`: `hots` is ignored: write the key as `host`"]),
            (
                "[p]\nclient_sercet = x\n",
                "p",
                vec!["line 2 of `cfg`: `client_sercet` is ignored: write the key as `client_secret`"],
            ),
            ("[p]\njobs-api-version = 2.1\nport = 1\nclient = x", "p", vec![]),
            (
                "host = x\n",
                "DEFAULT",
                vec!["line 1 of `cfg`: keys before the first `[profile]` belong to the profile `DEFAULT`"],
            ),
            (
                "[p]\nhost = x\n[q]\n[p]\nhost = y\n",
                "p",
                vec![
                    "line 4 of `cfg`: the profile `p` began in line 1 and continues here",
                    "line 5 of `cfg`: this key is set twice in its profile, and this value counts",
                ],
            ),
            (
                "[p]\nhost = x\ntoken dapi123:4\n",
                "p",
                vec!["line 3 of `cfg`: it is ignored, because it has no `=` after the key"],
            ),
        ] {
            assert_eq!(remarks(text, profile), expected, "{text}");
        }
    }

    #[test]
    fn sections_are_told_apart() {
        let text = "\u{feff}top = 1\r\n; comment\r\n[a] ; comment\r\nkey = x\r\nKEY = y\r\n# [no]\r\n[pat.with.dot]\r\nk=1\r\n[a]\r\nmore = z\r\n[empty]\r\n";
        for (profile, key, expected) in [
            ("DEFAULT", "top", Some("1")),
            ("a", "key", Some("x")),
            ("a", "KEY", Some("y")),
            ("a", "more", Some("z")),
            ("a", "top", None),
            ("pat.with.dot", "k", Some("1")),
            ("no", "key", None),
            ("empty", "key", None),
        ] {
            assert_eq!(get(text, profile, key).as_deref(), expected, "{profile} {key}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_never_shown() {
        for (text, expected) in [
            ("[p", "a section without `]` in line 1"),
            ("[p]\n\nsecret-value", "neither a section nor `key = value` in line 3"),
            ("[p]\ntoken = `secret-value", "a quoted value without a closing quote in line 2"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("cfg");
            std::fs::write(&path, text).unwrap();
            let error = ConfigFile::load(&path).err().unwrap().to_string();
            assert!(error.ends_with(expected) && !error.contains("secret-value"), "{error}");
        }
        assert!(ConfigFile::load(Path::new("/nowhere/at/all")).unwrap().is_none());
    }

    #[test]
    fn a_profile_is_chosen() {
        let path = Path::new("cfg");
        let both = "[__settings__]\ndefault_profile = work\n[DEFAULT]\nk=1\n[work]\nk=2\n[empty]\n";
        for (text, asked, expected) in [
            (both, None, Ok(Some("work"))),
            (both, Some("DEFAULT"), Ok(Some("DEFAULT"))),
            (both, Some("none"), Err("`cfg` has no `none` profile configured")),
            (both, Some("empty"), Err("`cfg` has no `empty` profile configured")),
            (both, Some("work "), Err("`cfg` has no `work ` profile configured")),
            ("[DEFAULT]\nk=1\n[work]\nk=2\n", None, Ok(Some("DEFAULT"))),
            ("[__settings__]\ndefault_profile =\n[DEFAULT]\nk=1\n", None, Ok(Some("DEFAULT"))),
            ("[work]\nk=2\n", None, Ok(None)),
            ("[DEFAULT]\n", None, Ok(None)),
            ("", None, Ok(None)),
            ("", Some("DEFAULT"), Err("`cfg` has no `DEFAULT` profile configured")),
            (
                "[__settings__]\ndefault_profile=gone\n[DEFAULT]\nk=1",
                None,
                Err("`cfg` has no `gone` profile configured"),
            ),
            (
                "[__settings__]\ndefault_profile=__settings__\n",
                None,
                Err("cannot use `cfg`: `__settings__` is a reserved section name and cannot be used as a profile"),
            ),
        ] {
            let file = ConfigFile::parse(text).ok().unwrap();
            let result = file.profile(asked, path).map(|profile| profile.map(|profile| profile.name.to_owned()));
            let expected = expected.map(|name| name.map(str::to_owned)).map_err(str::to_owned);
            assert_eq!(result.map_err(|error| error.to_string()), expected, "{text} {asked:?}");
        }
        for (text, lines) in [
            ("[a]\nk=1\n[default]\nk=2\n[Default]\nk=3\n", vec![3, 5]),
            ("[DEFAULT]\nk=1\n[default]\nk=2\n", vec![3]),
            ("[DEFAULT]\nk=1\n[a]\nk=2\n", vec![]),
            ("[default]\n", vec![]),
        ] {
            let told: Vec<_> = ConfigFile::parse(text).ok().unwrap().near_default(path).collect();
            let is_of = |(text, line): (&String, &i32)| {
                text.starts_with(&format!("line {line} of `cfg`: `[")) && text.contains("`--profile ")
            };
            assert!(told.len() == lines.len() && told.iter().zip(&lines).all(is_of), "{text}: {told:?}");
        }
        let error = ConfigFile::parse(both).ok().unwrap().profile(Some("x"), path).err().unwrap();
        assert_eq!(error.hint(), Some("name one of `DEFAULT`, `work`"));
    }

    /// Any text is read or refused with the number of a line. `0..2_000` texts are bent at random by the seed that a failure
    /// tells.
    #[test]
    fn any_text_is_read_or_refused() {
        let pieces = [
            "[a]",
            "[",
            "]",
            "DEFAULT",
            "__settings__",
            "host",
            "=",
            ":",
            "\n",
            "\r\n",
            "\\\n",
            "\\",
            "\"",
            "\"\"\"",
            "`",
            " #",
            ";",
            "\u{feff}",
            "\0",
            "\u{202e}",
            "default_profile=a",
            " ",
            "\t",
            "HOST-X",
            "token = dapi",
        ];
        for seed in 0..2_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let text: String = (0..random.usize(..60)).filter_map(|_| random.choice(pieces)).collect();
            let lines = text.lines().count();
            match ConfigFile::parse(&text) {
                Ok(file) => {
                    let asked = random.choice([None, Some("a"), Some("DEFAULT"), Some("")]).flatten();
                    if let Ok(Some(profile)) = file.profile(asked, Path::new("cfg")) {
                        assert!(profile.remarks.iter().all(|remark| (1..=lines).contains(&remark.line)), "seed {seed}");
                        assert!(!profile.values.is_empty(), "seed {seed}");
                    }
                }
                Err((line, _)) => assert!((1..=lines).contains(&line), "seed {seed}: line {line} of {lines}"),
            }
        }
        for link in ["[a", "]", "\\\n", "\"", "`", "a=1\n", "[a]\n", "=", "#"] {
            let long = link.repeat(50_000);
            let _ = ConfigFile::parse(&long).map(|file| file.profile(None, Path::new("cfg")).is_ok());
        }
    }
}
