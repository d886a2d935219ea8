//! The URIs of resources: templates with `{name}` for one segment and `{+path}` for a path.
//!
//! If there are several workspaces, `?workspace=NAME` at the end says which; the default is the first. `?offset=N`
//! reads a long text from a character on. Both are joined by `&`.
//!
//! A path is written without its leading slash: `databricks://notebooks/Users/me/etl` is `/Users/me/etl`.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &SEGMENT.remove(b'/');
const WORKSPACE: &str = "workspace";
const OFFSET: &str = "offset";

/// The URI of a template for the given variables; `None` where one is missing.
pub(crate) fn expand<'a>(template: &str, value: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let mut uri = String::new();
    for part in parts(template) {
        match part {
            Part::Literal(text) => uri.push_str(text),
            Part::Segment(name) => uri.extend(utf8_percent_encode(value(name)?, SEGMENT)),
            Part::Path(name) => uri.extend(utf8_percent_encode(value(name)?.trim_start_matches('/'), PATH)),
        }
    }
    Some(uri)
}

/// The variables of a URI, if it is one of the template.
pub(crate) fn matches<'t>(template: &'t str, uri: &str) -> Option<Vec<(&'t str, String)>> {
    let mut variables = Vec::new();
    let mut rest = uri;
    let parts = parts(template);
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Literal(text) => rest = rest.strip_prefix(text)?,
            Part::Segment(name) => {
                let end = match parts.get(index + 1) {
                    Some(Part::Literal(next)) => rest.find(next)?,
                    _ => rest.len(),
                };
                let (value, after) = rest.split_at_checked(end)?;
                if value.is_empty() || value.contains(['/', '?', '#']) {
                    return None;
                }
                variables.push((*name, decoded(value)?));
                rest = after;
            }
            Part::Path(name) => {
                variables.push((*name, format!("/{}", decoded(rest)?.trim_start_matches('/'))));
                rest = "";
            }
        }
    }
    rest.is_empty().then_some(variables)
}

/// The URI of the same thing in a named workspace.
pub(crate) fn in_workspace(uri: &str, name: &str) -> String {
    Address { uri, workspace: Some(name.to_owned()), offset: 0 }.to_string()
}

/// A URI without its query, and what that says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    /// The URI of the resource.
    pub(crate) uri: &'a str,
    /// The workspace it is in, if that is named.
    pub(crate) workspace: Option<String>,
    /// The first character of its text to read.
    pub(crate) offset: usize,
}

impl<'a> Address<'a> {
    /// Takes a URI apart. A `?` that begins anything else belongs to the name of the resource.
    pub(crate) fn parse(whole: &'a str) -> Self {
        let query = whole.rsplit_once('?').and_then(|(uri, query)| {
            let mut address = Self { uri, workspace: None, offset: 0 };
            for pair in query.split('&') {
                match pair.split_once('=')? {
                    (WORKSPACE, name) => address.workspace = Some(decoded(name)?),
                    (OFFSET, number) => address.offset = number.parse().ok()?,
                    _ => return None,
                }
            }
            Some(address)
        });
        query.unwrap_or(Self { uri: whole, workspace: None, offset: 0 })
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.uri)?;
        let mut mark = '?';
        if let Some(name) = &self.workspace {
            write!(formatter, "{mark}{WORKSPACE}={}", utf8_percent_encode(name, SEGMENT))?;
            mark = '&';
        }
        if self.offset > 0 {
            write!(formatter, "{mark}{OFFSET}={}", self.offset)?;
        }
        Ok(())
    }
}

enum Part<'a> {
    Literal(&'a str),
    Segment(&'a str),
    Path(&'a str),
}

fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        parts.push(Part::Literal(literal));
        parts.push(match name.strip_prefix('+') {
            Some(name) => Part::Path(name),
            None => Part::Segment(name),
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest));
    }
    parts
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Address, expand, in_workspace, matches};

    #[test]
    fn uris_go_there_and_back() {
        let cases = [
            ("databricks://jobs/{job_id}", "job_id", "12", "databricks://jobs/12"),
            ("databricks://tables/{full_name}", "full_name", "a.b c.d/é", "databricks://tables/a.b%20c.d%2F%C3%A9"),
            ("databricks://notebooks/{+path}", "path", "/Users/a b/n#1", "databricks://notebooks/Users/a%20b/n%231"),
            ("databricks://jobs/{id}/runs", "id", "7", "databricks://jobs/7/runs"),
        ];
        for (template, name, value, uri) in cases {
            assert_eq!(expand(template, |asked| (asked == name).then_some(value)).as_deref(), Some(uri));
            assert_eq!(matches(template, uri), Some(vec![(name, value.to_owned())]));
        }
    }

    #[test]
    fn workspaces_and_offsets_go_there_and_back() {
        let named = in_workspace("databricks://notebooks/a%3Fworkspace=b", "pro d&?");
        assert_eq!(named, "databricks://notebooks/a%3Fworkspace=b?workspace=pro%20d%26%3F");
        for (text, uri, workspace, offset) in [
            (named.as_str(), "databricks://notebooks/a%3Fworkspace=b", Some("pro d&?"), 0),
            ("databricks://jobs/1", "databricks://jobs/1", None, 0),
            ("databricks://notebooks/a?offset=7", "databricks://notebooks/a", None, 7),
            ("databricks://notebooks/a?workspace=b&offset=7", "databricks://notebooks/a", Some("b"), 7),
            ("databricks://notebooks/really?", "databricks://notebooks/really?", None, 0),
            ("databricks://notebooks/a?offset=-1", "databricks://notebooks/a?offset=-1", None, 0),
        ] {
            let address = Address { uri, workspace: workspace.map(str::to_owned), offset };
            assert_eq!(Address::parse(text), address);
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_uri_of_the_template_does_not_match() {
        let template = "databricks://jobs/{job_id}";
        for uri in
            ["databricks://jobs/", "databricks://jobs/1/2", "databricks://job/1", "jobs/1", "databricks://jobs/%ff"]
        {
            assert_eq!(matches(template, uri), None, "{uri}");
        }
        assert_eq!(matches("databricks://folders/{+path}", "databricks://folders/"), Some(vec![("path", "/".into())]));
    }
}
