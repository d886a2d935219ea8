//! What this binary with this configuration exposes, as one document with a digest, which a person can approve and a
//! server can be compared with.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::Options;
use crate::consent::Level;
use crate::definition::{Action, ToolDefinition};
use crate::digest::Sha256Hex;
use crate::error::Error;
use crate::policy::PolicyFile;
use crate::registry::Registry;

/// Differences that are told one by one.
const MOST_DIFFERENCES: usize = 20;

/// What can be called and read, and within which limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surface {
    /// Version of the server.
    pub version: String,
    /// What the options allow.
    pub options: Allowed,
    /// Every tool that is listed, can be enabled, or is called by an executor; and each operation that an executor calls.
    pub tools: BTreeMap<String, Exposed>,
    /// Resource templates and the operations that read them.
    pub resources: BTreeMap<String, Vec<String>>,
    /// SHA-256 of each prompt: its words, what it takes, and what it embeds.
    pub prompts: BTreeMap<String, String>,
}

/// The options that decide what calls may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// Nothing can be changed.
    pub read_only: bool,
    /// SQL that may only read calls no functions that people made.
    pub no_user_functions: bool,
    /// What would change something is shown and not sent.
    pub dry_run: bool,
    /// What a person has to confirm: `destructive`, `write`, `never`, or `marked` where nothing is said.
    pub confirm: String,
    /// Names whose change a person has to confirm.
    pub protect: Vec<String>,
    /// SHA-256 of the policy file.
    pub policy: Option<String>,
    /// Tools may read and write files of the machine, within directories.
    pub local_files: bool,
    /// Names of workspaces, where there are several, and whether they are read-only.
    pub workspaces: BTreeMap<String, bool>,
}

/// A digest that is computed beside the start: a client asks for it first, and everything else need not wait.
pub type Digest = LazyLock<Option<String>, Box<dyn FnOnce() -> Option<String> + Send>>;

/// One tool or operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exposed {
    /// `read`, `write` or `destructive`, as it is under these options.
    pub risk: String,
    /// When a person has to confirm it, where the risk does not decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// Whether clients see it from the start.
    pub listed: bool,
    /// Method and path of each request that it can make.
    pub requests: Vec<String>,
    /// SHA-256 of its definition: name, words, schema and hints.
    pub definition: String,
}

/// A surface with its digest, as `audit --json` writes it and `--approved` reads it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// SHA-256 of the surface.
    pub digest: String,
    /// What was approved.
    pub surface: Surface,
}

impl Surface {
    /// What a registry made from these options exposes under a policy.
    pub fn of(registry: &Registry, options: &Options, policy: Option<&PolicyFile>) -> Self {
        let tools = registry.callable().map(|found| {
            let exposed = Exposed {
                risk: found.risk.name().to_owned(),
                confirm: found.definition.confirm.map(|confirm| confirm.name().to_owned()),
                listed: found.is_listed,
                requests: requests(found.definition),
                definition: definition(found.definition),
            };
            (found.definition.name.to_owned(), exposed)
        });
        let resources = registry.resources().iter().map(|resource| {
            let request = format!("{} {}", resource.operation.method.as_str(), resource.operation.path);
            (registry.template(resource), vec![request])
        });
        let prompts = registry.prompts().map(|prompt| (prompt.name.to_owned(), sha256(&format!("{prompt:?}"))));
        let workspaces = registry.workspaces().iter().map(|access| (access.name.clone(), access.read_only));
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            options: Allowed {
                read_only: registry.is_read_only(),
                no_user_functions: options.no_user_functions,
                dry_run: options.dry_run,
                confirm: options.confirm.0.map_or("marked", Level::name).to_owned(),
                protect: options.protected(),
                policy: policy.map(|policy| policy.digest().to_owned()),
                local_files: !options.local_roots().is_empty(),
                workspaces: workspaces.collect(),
            },
            tools: tools.collect(),
            resources: resources.collect(),
            prompts: prompts.collect(),
        }
    }

    /// The SHA-256 of its JSON, whose keys are in order.
    pub fn digest(&self) -> Result<String, Error> {
        let text = serde_json::to_string(self).map_err(|error| Error::failed(error.to_string()))?;
        Ok(sha256(&text))
    }

    /// Itself with its digest.
    pub fn approval(self) -> Result<Approval, Error> {
        Ok(Approval { digest: self.digest()?, surface: self })
    }

    /// Refuses a surface that is not the one of a file, and says where they differ.
    ///
    /// # Errors
    /// Also for a text that is no approval, and for one that was changed after it was written.
    pub fn check(&self, approved: &str) -> Result<(), Error> {
        let written = "create it again with `databricks-mcp-server audit --json` and the same options";
        let approval: Approval = serde_json::from_str(approved).map_err(|error| {
            Error::failed(format!("the file of `--approved` is not an approval: {error}")).with_hint(written)
        })?;
        if approval.surface.digest()? != approval.digest {
            let message = "the digest in the file of `--approved` is not that of its content: it was changed after it was written";
            return Err(Error::failed(message).with_hint(written));
        }
        if approval.surface == *self {
            return Ok(());
        }
        let value = |surface: &Self| serde_json::to_value(surface).map_err(|error| Error::failed(error.to_string()));
        let mut differences = Vec::new();
        differ("", &value(&approval.surface)?, &value(self)?, &mut differences);
        let more = differences.len().saturating_sub(MOST_DIFFERENCES);
        differences.truncate(MOST_DIFFERENCES);
        if more > 0 {
            differences.push(format!("and {more} more"));
        }
        let message = format!(
            "what this server exposes is not what the file of `--approved` says:\n- {}",
            differences.join("\n- ")
        );
        let hint = format!(
            "start the server with the approved version and options, or review the differences and \
                            {written}"
        );
        Err(Error::failed(message).with_hint(hint))
    }
}

fn sha256(text: &str) -> String {
    let mut digest = Sha256Hex::default();
    digest.add(text.as_bytes());
    digest.finish()
}

/// Method and path of each request that a tool can make.
fn requests(tool: &ToolDefinition) -> Vec<String> {
    tool.uses.iter().map(|operation| format!("{} {}", operation.method.as_str(), operation.path)).collect()
}

/// The SHA-256 of what a client sees: words, schema and hints. It reads the schemas of operations as they stand in the
/// binary, since a server with executors would otherwise parse more than a thousand of them before it answers.
fn definition(tool: &ToolDefinition) -> String {
    let schema = match tool.action {
        Action::Operation(operation) => operation.input_schema.to_owned(),
        Action::Composite(composite) => (composite.schema)().to_string(),
    };
    let hints = json!([tool.idempotent, tool.open_world]);
    sha256(&json!([tool.name, tool.title, tool.description, schema, hints]).to_string())
}

/// Where two documents differ: what is new, what is gone, and what has another value.
fn differ(place: &str, approved: &Value, now: &Value, found: &mut Vec<String>) {
    match (approved, now) {
        (Value::Object(approved), Value::Object(now)) => {
            let inner = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
            for (key, before) in approved {
                match now.get(key) {
                    Some(after) => differ(&inner(key), before, after, found),
                    None => found.push(format!("`{}` was approved and is gone", inner(key))),
                }
            }
            let new = now.keys().filter(|key| !approved.contains_key(*key));
            found.extend(new.map(|key| format!("`{}` was not approved", inner(key))));
        }
        (approved, now) if approved != now && place.starts_with("prompts.") => {
            found.push(format!("`{place}`: its text or its arguments differ"));
        }
        (approved, now) if approved != now && place.ends_with(".definition") => {
            found.push(format!("`{place}`: its text, its schema or its annotations differ"));
        }
        (approved, now) if approved != now => {
            found.push(format!("`{place}`: {approved} was approved, and it is {now}"))
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{Approval, Surface};
    use crate::config::Options;
    use crate::registry::Registry;

    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn surface(arguments: &str) -> Surface {
        let arguments = ["databricks-mcp-server"].into_iter().chain(arguments.split_whitespace());
        let options = Cli::parse_from(arguments).options;
        let registry = Registry::new(&options.selection().expect("a selection")).expect("a registry");
        Surface::of(&registry, &options, None)
    }

    fn approval(surface: Surface) -> String {
        serde_json::to_string_pretty(&surface.approval().expect("a digest")).expect("JSON")
    }

    #[test]
    fn every_option_that_matters_is_a_difference_that_is_named() {
        let approved = approval(surface("--toolsets jobs"));
        assert!(surface("--toolsets jobs").check(&approved).is_ok());
        for (options, words) in [
            ("--toolsets jobs,apps", "`tools.deploy_app` was not approved"),
            ("--toolsets jobs --exclude-tools delete_job", "`tools.delete_job` was approved and is gone"),
            ("--toolsets jobs --read-only", "`options.read_only`: false was approved, and it is true"),
            ("--toolsets jobs --no-user-functions", "`options.no_user_functions`"),
            ("--toolsets jobs --dry-run", "`options.dry_run`"),
            ("--toolsets jobs --confirm never", "`options.confirm`: \"marked\" was approved, and it is \"never\""),
            ("--toolsets jobs --protect prod*", "`options.protect`"),
            ("--toolsets jobs --local-root /", "`options.local_files`"),
            ("--toolsets jobs --profile a --profile b", "`options.workspaces.a` was not approved"),
            ("--toolsets jobs,reach", "more"),
            ("--toolsets jobs --discover", "more"),
        ] {
            let refusal = surface(options).check(&approved).expect_err(options).to_string();
            assert!(refusal.contains(words), "{options}: {refusal}");
        }
    }

    #[test]
    fn an_approval_cannot_be_edited() {
        let approved = approval(surface("--toolsets jobs"));
        let edited = approved.replacen("\"destructive\"", "\"read\"", 1);
        for (text, words) in [
            (edited.as_str(), "it was changed after it was written"),
            ("{}", "is not an approval"),
            ("", "is not an approval"),
        ] {
            let refusal = surface("--toolsets jobs").check(text).expect_err(words).to_string();
            assert!(refusal.contains(words), "{refusal}");
        }
    }

    #[test]
    fn it_names_every_request_and_is_the_same_each_time() {
        let surface = surface("--toolsets all");
        let run = surface.tools.get("run_notebook").expect("a composite");
        assert!(
            run.requests.iter().any(|request| request.starts_with("POST /api/2") && request.ends_with("/runs/submit")),
            "{run:?}"
        );
        assert!(surface.resources.values().all(|requests| !requests.is_empty()));
        let text = approval(surface.clone());
        let read: Approval = serde_json::from_str(&text).expect("an approval");
        assert_eq!((read.digest, read.surface == surface), (surface.digest().expect("a digest"), true));
    }
}
