//! The `User-Agent` header, in the grammar that Databricks' own clients use: `key/value` pairs separated by spaces.

use http::HeaderValue;

/// Longest value of a pair, as the official clients cut it.
const VALUE_LENGTH: usize = 64;

/// The variables by which coding agents are recognised, with the names reported for them.
const AGENTS: [(&str, &str); 16] = [
    ("AMP_CURRENT_THREAD_ID", "amp"),
    ("ANTIGRAVITY_AGENT", "antigravity"),
    ("AUGMENT_AGENT", "augment"),
    ("CLAUDECODE", "claude-code"),
    ("CLINE_ACTIVE", "cline"),
    ("CODEX_CI", "codex"),
    ("COPILOT_CLI", "copilot-cli"),
    ("CURSOR_AGENT", "cursor"),
    ("GEMINI_CLI", "gemini-cli"),
    ("GOOSE_TERMINAL", "goose"),
    ("KIRO", "kiro"),
    ("OPENCLAW_SHELL", "openclaw"),
    ("OPENCODE", "opencode"),
    ("PI_CODING_AGENT", "pi"),
    ("VSCODE_AGENT", "vscode-agent"),
    ("WINDSURF_AGENT", "windsurf"),
];

/// A variable that must be set, maybe to a certain value.
type Variable = (&'static str, Option<&'static str>);

/// Build systems, in order of their names: the name reported, and what must be set.
static BUILD_SYSTEMS: [(&str, &[Variable]); 10] = [
    ("aws-code-build", &[("CODEBUILD_BUILD_ARN", None)]),
    ("azure-devops", &[("TF_BUILD", Some("True"))]),
    ("bitbucket", &[("BITBUCKET_BUILD_NUMBER", None)]),
    ("circle", &[("CIRCLECI", Some("true"))]),
    ("github", &[("GITHUB_ACTIONS", Some("true"))]),
    ("gitlab", &[("GITLAB_CI", Some("true"))]),
    ("google-cloud-build", &[("PROJECT_ID", None), ("BUILD_ID", None), ("PROJECT_NUMBER", None), ("LOCATION", None)]),
    ("jenkins", &[("JENKINS_URL", None)]),
    ("tf-cloud", &[("TFC_RUN_ID", None)]),
    ("travis", &[("TRAVIS", Some("true"))]),
];

/// Who is calling.
///
/// ```
/// use databricks::{Config, UserAgent};
///
/// let user_agent = UserAgent::new("nightly-report", "1.4.0").with_environment(|name| std::env::var(name).ok());
/// let config = Config { user_agent, ..Config::new("acme.test", "dapi123")? };
/// # Ok::<(), databricks::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAgent {
    product: (String, String),
    upstream: Option<(String, String)>,
    runtime: Option<String>,
    build_system: Option<&'static str>,
    agent: Option<String>,
    meta_harness: Option<&'static str>,
}

impl Default for UserAgent {
    fn default() -> UserAgent {
        UserAgent::new("databricks-mcp-server", env!("CARGO_PKG_VERSION"))
    }
}

impl UserAgent {
    /// A product and its semantic version.
    pub fn new(product: &str, version: &str) -> UserAgent {
        UserAgent {
            product: (product.to_owned(), version.to_owned()),
            upstream: None,
            runtime: None,
            build_system: None,
            agent: None,
            meta_harness: None,
        }
    }

    /// Adds what the environment tells: the program that called this one (`DATABRICKS_SDK_UPSTREAM` and
    /// `DATABRICKS_SDK_UPSTREAM_VERSION`), the Databricks runtime, the build system and the coding agent.
    pub fn with_environment(mut self, lookup: impl Fn(&str) -> Option<String>) -> UserAgent {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        if let (Some(name), Some(version)) =
            (lookup("DATABRICKS_SDK_UPSTREAM"), lookup("DATABRICKS_SDK_UPSTREAM_VERSION"))
        {
            self.upstream = Some((name, version));
        }
        self.runtime = lookup("DATABRICKS_RUNTIME_VERSION");
        let is_set = |(variable, wanted): &Variable| {
            lookup(variable).is_some_and(|value| wanted.is_none_or(|wanted| value == wanted))
        };
        let found = BUILD_SYSTEMS.iter().find(|(_, variables)| variables.iter().all(is_set));
        self.build_system = found.map(|(name, _)| *name);
        self.meta_harness = lookup("OMNIGENT").map(|_| "omnigent");
        let mut present = AGENTS.iter().filter(|(variable, _)| lookup(variable).is_some());
        self.agent = match (present.next(), present.next()) {
            (Some(_), Some(_)) => Some("multiple".to_owned()),
            (Some((_, name)), None) => Some((*name).to_owned()),
            (None, _) => lookup("AGENT").or_else(|| lookup("AI_AGENT")),
        };
        self
    }

    /// Names the program on whose behalf the calls are made, for example the MCP client. It is also reported as the
    /// agent where the environment names none.
    pub fn with_upstream(mut self, name: &str, version: &str) -> UserAgent {
        self.upstream = Some((name.to_owned(), version.to_owned()));
        self.agent.get_or_insert_with(|| name.to_owned());
        self
    }

    /// The header for calls that authenticate by `auth_type`; `None` for calls without credentials.
    pub(crate) fn header(&self, auth_type: Option<&str>) -> HeaderValue {
        let (product, version) = &self.product;
        // The toolchain is pinned to the crate's `rust-version`, so that is the compiler's.
        let rust = concat!(env!("CARGO_PKG_RUST_VERSION"), ".0");
        let mut pairs = vec![
            (product.as_str(), version.as_str()),
            ("databricks-sdk-rust", env!("CARGO_PKG_VERSION")),
            ("rust", rust),
            ("os", std::env::consts::OS),
        ];
        pairs.extend(auth_type.map(|auth_type| ("auth", auth_type)));
        if let Some((name, version)) = &self.upstream {
            pairs.extend([("upstream", name.as_str()), ("upstream-version", version.as_str())]);
        }
        pairs.extend(self.runtime.as_deref().map(|runtime| ("runtime", runtime)));
        pairs.extend(self.build_system.map(|name| ("cicd", name)));
        pairs.extend(self.agent.as_deref().map(|agent| ("agent", agent)));
        pairs.extend(self.meta_harness.map(|name| ("meta-harness", name)));
        let header = pairs
            .into_iter()
            .map(|(key, value)| format!("{}/{}", allowed(key), allowed(value)))
            .collect::<Vec<_>>()
            .join(" ");
        // Only characters that a header may carry are left, so the fallback is never taken.
        HeaderValue::from_str(&header).unwrap_or(HeaderValue::from_static("databricks-mcp-server"))
    }
}

/// Only the characters of the grammar, and not too many of them.
fn allowed(text: &str) -> String {
    text.chars()
        .take(VALUE_LENGTH)
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' | '+' | '-' => character,
            _ => '-',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(user_agent: &UserAgent) -> String {
        let header = user_agent.header(Some("pat"));
        let (_, tail) = header.to_str().unwrap().split_once(" auth/pat").unwrap();
        tail.trim().to_owned()
    }

    #[test]
    fn names_product_and_authentication() {
        let header = UserAgent::new("shop", "1.2.3").header(Some("pat"));
        let header = header.to_str().unwrap();
        assert!(header.starts_with("shop/1.2.3 databricks-sdk-rust/"), "{header}");
        assert!(header.ends_with(&format!(" os/{} auth/pat", std::env::consts::OS)), "{header}");
        assert!(!UserAgent::default().header(None).to_str().unwrap().contains("auth/"));
    }

    #[test]
    fn reads_the_environment() {
        for (variables, expected) in [
            (&[][..], ""),
            (&[("CLAUDECODE", "1")][..], "agent/claude-code"),
            (&[("CLAUDECODE", "1"), ("KIRO", "1")][..], "agent/multiple"),
            (&[("AGENT", "my agent/2")][..], "agent/my-agent-2"),
            (&[("GITLAB_CI", "true"), ("GITHUB_ACTIONS", "true")][..], "cicd/github"),
            (&[("GITHUB_ACTIONS", "")][..], ""),
            (&[("TF_BUILD", "False")][..], ""),
            (&[("PROJECT_ID", "p"), ("BUILD_ID", "b"), ("LOCATION", "l")][..], ""),
            (
                &[("PROJECT_ID", "p"), ("BUILD_ID", "b"), ("PROJECT_NUMBER", "7"), ("LOCATION", "l")][..],
                "cicd/google-cloud-build",
            ),
            (&[("OMNIGENT", "1"), ("CODEX_CI", "1")][..], "agent/codex meta-harness/omnigent"),
            (&[("DATABRICKS_SDK_UPSTREAM", "x")][..], ""),
            (
                &[("DATABRICKS_SDK_UPSTREAM", "x"), ("DATABRICKS_SDK_UPSTREAM_VERSION", "1.0.0")][..],
                "upstream/x upstream-version/1.0.0",
            ),
            (&[("DATABRICKS_RUNTIME_VERSION", "15.4 LTS/ML")][..], "runtime/15.4-LTS-ML"),
        ] {
            let lookup = |name: &str| {
                variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(tail(&UserAgent::default().with_environment(lookup)), expected);
        }
    }

    #[test]
    fn any_client_name_fits_the_header() {
        let user_agent = UserAgent::default().with_upstream("Client\r\nX-Evil: ü", "1");
        assert_eq!(tail(&user_agent), "upstream/Client--X-Evil--- upstream-version/1 agent/Client--X-Evil---");
    }
}
