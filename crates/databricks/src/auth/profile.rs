//! Writing a profile of the configuration file after a login: where it leads, and never a secret. Everything else in
//! the file stays as people have written it.

use std::io;
use std::path::{Path, PathBuf};

use crate::auth::attribute::Attribute;
use crate::auth::context::Context;
use crate::auth::private_file;
use crate::auth::settings::Source;
use crate::auth::text_file;
use crate::error::Error;
use crate::host::Host;

/// A profile to be written at the end of a login.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
    name: String,
    /// The host that stands in it already.
    host: Option<String>,
}

impl Draft {
    /// The profile that was named explicitly; `None` if none was. One that has credentials of its own is not led to
    /// another host: they would be sent there.
    pub(crate) fn of(context: &Context) -> Result<Option<Draft>, Error> {
        let settings = &context.settings;
        let (Some(name), Some(Source::Explicit)) =
            (settings.get(Attribute::Profile), settings.source(Attribute::Profile))
        else {
            return Ok(None);
        };
        if name == "__settings__" || name.contains(['[', ']', '\n', '\r', '"', '`']) {
            return Err(Error::configuration("this cannot be the name of a profile")
                .with_hint("name it with letters, digits, dots and dashes"));
        }
        let path = context.environment.expand(settings.get(Attribute::ConfigFile).unwrap_or("~/.databrickscfg"));
        let text = read(&path).map_err(|error| failed(&path, &error))?;
        let lines: Vec<_> = text.lines().collect();
        let host = section(&lines, name).and_then(|(start, end)| value(&lines, start..end, "host"));
        let draft = Draft { path, name: name.to_owned(), host };
        if let Some(host) = context.host().filter(|host| draft.leads_elsewhere(host)) {
            let own: Vec<_> = Attribute::all()
                .filter(|attribute| attribute.group().is_some())
                .filter(|attribute| settings.source(*attribute) == Some(&Source::Profile(draft.name.clone())))
                .map(Attribute::key)
                .collect();
            if !own.is_empty() {
                return Err(Error::configuration(format!(
                    "profile `{name}` is for another host than `{host}` and has credentials for it: {}",
                    own.join(", ")
                ))
                .with_hint("log in with another profile name"));
            }
        }
        Ok(Some(draft))
    }

    fn leads_elsewhere(&self, host: &Host) -> bool {
        self.host
            .as_deref()
            .is_some_and(|there| there.parse::<Host>().ok().as_ref().map(Host::as_str) != Some(host.as_str()))
    }

    /// Writes host and, where they matter, account and workspace. Returns the file if something in it has changed.
    pub(crate) fn write(&self, context: &Context) -> Result<Option<PathBuf>, Error> {
        let Some(host) = context.host() else { return Ok(None) };
        if self.host.is_some() && !self.leads_elsewhere(host) {
            return Ok(None);
        }
        let account_id = context.account_id().filter(|_| context.is_account_host());
        let workspace_id = context.settings.get(Attribute::WorkspaceId).or_else(|| host.workspace_id());
        let values = [
            (Attribute::Host, Some(host.as_str())),
            (Attribute::AccountId, account_id),
            (Attribute::WorkspaceId, workspace_id),
        ];
        // An id with a space or a quote is none, and would be read differently than it is written.
        let plain =
            |text: &&str| !text.contains(|character: char| character.is_whitespace() || "\"'`#;\\".contains(character));
        let values: Vec<_> =
            values.into_iter().filter_map(|(attribute, value)| Some((attribute.key(), value.filter(plain)?))).collect();
        let text = read(&self.path).map_err(|error| failed(&self.path, &error))?;
        let written = private_file::replace(&self.path, edited(&text, &self.name, &values).as_bytes());
        written.map_err(|error| failed(&self.path, &error))?;
        Ok(Some(self.path.clone()))
    }
}

fn read(path: &Path) -> io::Result<String> {
    match text_file::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        result => result,
    }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::configuration(format!("cannot write a profile into `{}`: {error}", path.display()))
}

/// The text with these values in a section, which is added if it is not there.
fn edited(text: &str, name: &str, values: &[(&str, &str)]) -> String {
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let borrowed: Vec<_> = lines.iter().map(String::as_str).collect();
    let (start, end) = match section(&borrowed, name) {
        Some(place) => place,
        None => {
            if lines.last().is_some_and(|line| !line.trim().is_empty()) {
                lines.push(String::new());
            }
            lines.push(format!("[{name}]"));
            (lines.len(), lines.len())
        }
    };
    let mut rest = Vec::new();
    for (key, value) in values {
        let written = format!("{key} = {value}");
        match lines.get_mut(start..end).into_iter().flatten().find(|line| key_of(line) == Some(key)) {
            Some(line) => *line = written,
            None => rest.push(written),
        }
    }
    lines.splice(start..start, rest);
    lines.join(ending) + ending
}

/// The lines of a section, without its head.
fn section(lines: &[&str], name: &str) -> Option<(usize, usize)> {
    let head = |line: &str| {
        let (inside, _) = line.trim().trim_start_matches('\u{feff}').strip_prefix('[')?.rsplit_once(']')?;
        Some(inside.trim().to_owned())
    };
    let start = lines.iter().position(|line| head(line).as_deref() == Some(name))? + 1;
    let end =
        lines.iter().skip(start).position(|line| head(line).is_some()).map_or(lines.len(), |length| start + length);
    Some((start, end))
}

fn value(lines: &[&str], place: std::ops::Range<usize>, key: &str) -> Option<String> {
    let line = lines.get(place)?.iter().rfind(|line| key_of(line) == Some(key))?;
    let (_, value) = line.split_once(['=', ':'])?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
}

fn key_of(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return None;
    }
    Some(line.split_once(['=', ':'])?.0.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_added_or_completed_and_the_rest_stays() {
        let values = [("host", "https://new.test"), ("account_id", "acc")];
        for (text, expected) in [
            ("", "[p]\nhost = https://new.test\naccount_id = acc\n"),
            ("[a]\nk = 1", "[a]\nk = 1\n\n[p]\nhost = https://new.test\naccount_id = acc\n"),
            (
                "[p]\n; mine\nhost=old # why\ncluster_id = c\n\n[b]\nhost = b\n",
                "[p]\naccount_id = acc\n; mine\nhost = https://new.test\ncluster_id = c\n\n[b]\nhost = b\n",
            ),
            ("[b]\r\nx=1\r\n[ p ]\r\n", "[b]\r\nx=1\r\n[ p ]\r\nhost = https://new.test\r\naccount_id = acc\r\n"),
            ("# [p]\nhost = top\n", "# [p]\nhost = top\n\n[p]\nhost = https://new.test\naccount_id = acc\n"),
        ] {
            assert_eq!(edited(text, "p", &values), expected, "{text}");
        }
    }

    #[test]
    fn values_are_found_in_their_section() {
        let lines: Vec<_> = "[a]\nhost = x\n[p]\n# host = no\nhost = \"y\"\n[b]\nhost = z".lines().collect();
        let (start, end) = section(&lines, "p").unwrap();
        assert_eq!(value(&lines, start..end, "host").as_deref(), Some("y"));
        assert_eq!(value(&lines, start..end, "token"), None);
        assert_eq!(section(&lines, "gone"), None);
    }
}
