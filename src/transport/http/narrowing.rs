//! What a request takes away from its server: by its path, as `/mcp/x/jobs,sql` and `/mcp/readonly`, or by headers.

use http::{HeaderMap, StatusCode};

use crate::registry::Narrowing;
use crate::transport::http::problem::Problem;

/// Toolsets and presets, separated by commas.
const TOOLSETS: &str = "x-mcp-toolsets";
/// Tools, separated by commas.
const TOOLS: &str = "x-mcp-tools";
/// `true` leaves nothing but reading.
const READ_ONLY: &str = "x-mcp-readonly";
/// Longer lists name no tools.
const MOST_BYTES: usize = 4 << 10;

/// What the path leaves, and of that the headers. `path` is what follows `/mcp`.
///
/// # Errors
/// For a path that means nothing, and for headers that cannot be read. To ignore them would leave more than was asked for.
pub(crate) fn asked(path: &str, headers: &HeaderMap) -> Result<[Narrowing; 2], Problem> {
    Ok([of_path(path)?, of_headers(headers)?])
}

fn of_headers(headers: &HeaderMap) -> Result<Narrowing, Problem> {
    let listed =
        |name| -> Result<_, Problem> { Ok(header(headers, name)?.map(names).filter(|names| !names.is_empty())) };
    let read_only = match header(headers, READ_ONLY)?.map(str::trim) {
        None | Some("" | "false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return Err(wrong(format!("the header `{READ_ONLY}` is `true` or `false`"))),
    };
    Ok(Narrowing { toolsets: listed(TOOLSETS)?, tools: listed(TOOLS)?, read_only })
}

fn of_path(path: &str) -> Result<Narrowing, Problem> {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let mut asked = Narrowing::default();
    while let Some(part) = parts.next() {
        match (part, asked.toolsets.is_none()) {
            ("readonly", _) if !asked.read_only => asked.read_only = true,
            ("x", true) => {
                let toolsets = parts.next().map(names).filter(|names| !names.is_empty());
                asked.toolsets = Some(toolsets.ok_or_else(unknown_path)?);
            }
            _ => return Err(unknown_path()),
        }
    }
    Ok(asked)
}

fn unknown_path() -> Problem {
    let message = "there are `/mcp`, `/mcp/readonly`, `/mcp/x/TOOLSETS` and `/mcp/x/TOOLSETS/readonly`";
    Problem::new(StatusCode::NOT_FOUND, message)
}

fn wrong(message: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, message)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let value = value.to_str().ok().filter(|value| value.len() <= MOST_BYTES && values.next().is_none());
    value.map(Some).ok_or_else(|| wrong(format!("the header `{name}` comes twice, is too long, or is not text")))
}

fn names(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    // The same names in another order are the same.
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::asked;
    use crate::registry::Narrowing;

    fn narrowings(path: &str, headers: &[(&str, &str)]) -> Option<[Narrowing; 2]> {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::try_from(*name).expect("a name"), HeaderValue::try_from(*value).expect("text"))
        });
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(name, value);
        }
        asked(path, &all).ok()
    }

    #[test]
    fn paths_and_headers_take_away() {
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let nothing = Narrowing::default;
        let read_only = || Narrowing { read_only: true, ..nothing() };
        for (path, headers, expected) in [
            ("", vec![], [nothing(), nothing()]),
            ("/", vec![("x-mcp-toolsets", ""), ("x-mcp-readonly", "false")], [nothing(), nothing()]),
            ("/readonly", vec![], [read_only(), nothing()]),
            ("", vec![("x-mcp-readonly", "true")], [nothing(), read_only()]),
            ("/x/sql,jobs", vec![], [Narrowing { toolsets: names(&["jobs", "sql"]), ..nothing() }, nothing()]),
            (
                "/x/jobs/readonly",
                vec![("x-mcp-toolsets", "sql, files"), ("x-mcp-tools", "list_jobs")],
                [
                    Narrowing { toolsets: names(&["jobs"]), read_only: true, ..nothing() },
                    Narrowing { toolsets: names(&["files", "sql"]), tools: names(&["list_jobs"]), read_only: false },
                ],
            ),
        ] {
            assert_eq!(narrowings(path, &headers), Some(expected), "{path} {headers:?}");
        }
        for path in ["/x", "/x/", "/y", "/readonly/readonly", "/x/a/x/b", "/x/,"] {
            assert_eq!(narrowings(path, &[]), None, "{path}");
        }
        assert_eq!(narrowings("", &[("x-mcp-readonly", "yes")]), None, "what is not understood is not ignored");
        assert_eq!(narrowings("", &[("x-mcp-tools", "a"), ("x-mcp-tools", "b")]), None);
    }
}
