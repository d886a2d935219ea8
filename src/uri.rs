//! The URIs of resources: templates with `{name}` for one segment and `{+path}` for a path.
//!
//! Where there are several workspaces, `?workspace=NAME` at the end says which; without it, it is the first.
//!
//! A path is written without its leading slash: `databricks://notebooks/Users/me/etl` is `/Users/me/etl`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &SEGMENT.remove(b'/');
const QUERY: &str = "?workspace=";

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
    format!("{uri}{QUERY}{}", utf8_percent_encode(name, SEGMENT))
}

/// The URI without its workspace, and the name of that.
pub(crate) fn workspace(uri: &str) -> (&str, Option<String>) {
    let named = uri.rsplit_once(QUERY).and_then(|(uri, name)| Some((uri, decoded(name)?)));
    named.map_or((uri, None), |(uri, name)| (uri, Some(name)))
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
    use super::{expand, in_workspace, matches, workspace};

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
    fn workspaces_go_there_and_back() {
        let named = in_workspace("databricks://notebooks/a%3Fworkspace=b", "pro d&?");
        assert_eq!(named, "databricks://notebooks/a%3Fworkspace=b?workspace=pro%20d%26%3F");
        assert_eq!(workspace(&named), ("databricks://notebooks/a%3Fworkspace=b", Some("pro d&?".to_owned())));
        assert_eq!(workspace("databricks://jobs/1"), ("databricks://jobs/1", None));
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
