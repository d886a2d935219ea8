//! Everything that can be configured, in one place: flags override the environment.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::TypedValueParser;
use databricks::{Attribute, Config, Environment, Limits, Settings};
use prometheus_client::metrics::counter::Counter;

use crate::consent::{self, Choice, Terms};
use crate::error::Error;
use crate::nearest::did_you_mean;
use crate::registry::Selection;
use crate::traces::Traces;
use crate::workspaces::Access;

/// What a variable says of these holds for one workspace, so it is not taken for several at once.
const OF_ONE_WORKSPACE: [Attribute; 9] = [
    Attribute::Host,
    Attribute::Token,
    Attribute::Username,
    Attribute::Password,
    Attribute::MetadataServiceUrl,
    Attribute::AzureResourceId,
    Attribute::WarehouseId,
    Attribute::ClusterId,
    Attribute::ServerlessComputeId,
];

/// The toolsets of `--discover`: finding and enabling tools, and calling what is not enabled.
const DISCOVERY: [&str; 2] = ["discovery", "reach"];

/// The budget of one answer unless another is set.
const RESULT_TOKENS: u32 = 6_000;
/// How long a list is kept for completions, unless it is said; runs and folders are kept for less.
const CACHE_SECONDS: u32 = 60;

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Workspace URL, e.g. `https://acme.cloud.databricks.com`, instead of DATABRICKS_HOST; secrets have no flag
    #[arg(long, global = true, help_heading = "Workspace", value_name = "URL")]
    pub host: Option<String>,
    /// Profile of `~/.databrickscfg`; overrides environment variables (which override DATABRICKS_CONFIG_PROFILE).
    /// Repeat it to serve several workspaces: tools take the name as `workspace`, and the first is the default
    #[arg(
        long = "profile",
        global = true,
        help_heading = "Workspace",
        env = "DATABRICKS_MCP_PROFILES",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub profiles: Vec<String>,
    /// One of these profiles, in which nothing can be changed
    #[arg(
        long = "read-only-profile",
        global = true,
        help_heading = "Workspace",
        env = "DATABRICKS_MCP_READ_ONLY_PROFILES",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub read_only_profiles: Vec<String>,
    /// SQL warehouse for calls that name none, instead of DATABRICKS_WAREHOUSE_ID
    #[arg(long, global = true, help_heading = "Workspace", value_name = "ID")]
    pub warehouse_id: Option<String>,
    /// Toolsets to enable: names of toolsets or presets (`analyst`, `data-engineer`, …), `default` or `all`
    #[arg(
        long,
        global = true,
        help_heading = "Tools",
        env = "DATABRICKS_MCP_TOOLSETS",
        value_delimiter = ',',
        value_name = "NAMES"
    )]
    pub toolsets: Vec<String>,
    /// Begin with tools that find and enable others, instead of listing all; `--toolsets` adds to them
    #[arg(long, global = true, help_heading = "Tools", env = "DATABRICKS_MCP_DISCOVER", value_parser = clap::builder::FalseyValueParser::new())]
    pub discover: bool,
    /// Tools to enable in addition to `--toolsets`; without it, only these
    #[arg(
        long,
        global = true,
        help_heading = "Tools",
        env = "DATABRICKS_MCP_TOOLS",
        value_delimiter = ',',
        value_name = "NAMES"
    )]
    pub tools: Vec<String>,
    /// Tools to leave out
    #[arg(
        long,
        global = true,
        help_heading = "Tools",
        env = "DATABRICKS_MCP_EXCLUDE_TOOLS",
        value_delimiter = ',',
        value_name = "NAMES"
    )]
    pub exclude_tools: Vec<String>,
    /// Leave out every tool that can change anything; overrides all other options
    #[arg(long, global = true, help_heading = "Tools", env = "DATABRICKS_MCP_READ_ONLY", value_parser = clap::builder::FalseyValueParser::new())]
    pub read_only: bool,
    /// In read-only SQL, refuse user-defined functions, such as `main.tools.discount`
    #[arg(long, global = true, help_heading = "Tools", env = "DATABRICKS_MCP_NO_USER_FUNCTIONS", value_parser = clap::builder::FalseyValueParser::new())]
    pub no_user_functions: bool,
    /// Rules and limits for calls, as a YAML file (see `docs/policy.md`)
    #[arg(long, global = true, help_heading = "Tools", env = "DATABRICKS_MCP_POLICY", value_name = "FILE",
          value_parser = clap::builder::OsStringValueParser::new().map(PathBuf::from))]
    pub policy: Option<PathBuf>,
    /// Send nothing that changes anything: such calls return the requests that they would send
    #[arg(long, global = true, help_heading = "Tools", env = "DATABRICKS_MCP_DRY_RUN", value_parser = clap::builder::FalseyValueParser::new())]
    pub dry_run: bool,
    /// What a person has to confirm, through the client: `destructive` calls, every `write`, or `never`. If the client cannot
    /// ask, these calls are refused; without this flag, only those that take most with them (`docs/confirm.md`)
    #[arg(long, global = true, help_heading = "Tools", env = "DATABRICKS_MCP_CONFIRM", value_name = "WHAT",
          default_value = "", hide_default_value = true, value_parser = consent::choice)]
    pub confirm: Choice,
    /// Names whose change a person always has to confirm, such as `prod*,main.*,/Shared/prod`: catalogs, schemas, tables,
    /// jobs, and paths of the workspace
    #[arg(
        long,
        global = true,
        help_heading = "Tools",
        env = "DATABRICKS_MCP_PROTECT",
        value_delimiter = ',',
        value_name = "GLOBS"
    )]
    pub protect: Vec<String>,
    /// Start only if the server exposes exactly what this file of `audit --json` says
    #[arg(long, global = true, help_heading = "Tools", env = "DATABRICKS_MCP_APPROVED", value_name = "FILE",
          value_parser = clap::builder::OsStringValueParser::new().map(PathBuf::from))]
    pub approved: Option<PathBuf>,
    /// Maximum estimated tokens in one answer
    #[arg(long, global = true, help_heading = "Tools", env = "DATABRICKS_MCP_MAX_RESULT_TOKENS", default_value_t = RESULT_TOKENS,
          value_name = "N", value_parser = result_tokens)]
    pub max_result_tokens: u32,
    /// Seconds for which lists that change slowly are cached; 0 turns the cache off
    #[arg(long, global = true, help_heading = "Tools", env = "DATABRICKS_MCP_CACHE_TTL", default_value_t = CACHE_SECONDS,
          value_name = "SECONDS", value_parser = cache_seconds)]
    pub cache_ttl: u32,
    /// Most requests to a workspace under way at once; it limits them by rate, not by their number
    #[arg(long, global = true, help_heading = "Workspace", env = "DATABRICKS_MCP_MAX_REQUESTS", default_value_t = Limits::AT_ONCE,
          value_name = "N", value_parser = at_once)]
    pub max_requests: u32,
    /// A directory of this machine in which tools may read and write files (repeatable); without it they cannot
    #[arg(long = "local-root", global = true, help_heading = "Tools", env = "DATABRICKS_MCP_LOCAL_ROOT", value_name = "DIR",
          value_parser = clap::builder::OsStringValueParser::new().map(PathBuf::from))]
    pub local_roots: Vec<PathBuf>,
    /// Use the embedded sandbox workspace instead of a real one
    #[arg(long, global = true, help_heading = "Sandbox", env = "DATABRICKS_MCP_SANDBOX", value_parser = clap::builder::FalseyValueParser::new())]
    pub sandbox: bool,
    /// Faults that the sandbox injects, as a JSON file, to see what a client does when Databricks misbehaves
    #[arg(long, global = true, help_heading = "Sandbox", value_name = "FILE")]
    pub sandbox_faults: Option<PathBuf>,
    /// Initial state of the sandbox instead of its samples, as a JSON file (see `crates/sandbox/README.md`)
    #[arg(long, global = true, help_heading = "Sandbox", value_name = "FILE")]
    pub sandbox_seed: Option<PathBuf>,
    /// Time in the sandbox: `demo` (a run takes some seconds), `fast` (less than one), `real`, or `manual` (moved by request)
    #[arg(long, global = true, help_heading = "Sandbox", default_value = "demo", value_name = "SPEED",
          value_parser = ["demo", "fast", "real", "manual"], hide_possible_values = true)]
    pub sandbox_clock: String,
    /// Record every call in this file, as a hash chain of JSON lines; `-` is stderr. If a record cannot be written,
    /// nothing is changed
    #[arg(long, global = true, help_heading = "Logs", env = "DATABRICKS_MCP_AUDIT_LOG", value_name = "FILE",
          value_parser = clap::builder::OsStringValueParser::new().map(PathBuf::from))]
    pub audit_log: Option<PathBuf>,
    /// Send traces to an OpenTelemetry collector over OTLP, at OTEL_EXPORTER_OTLP_ENDPOINT (`serve` and `http`)
    #[arg(long, global = true, help_heading = "Logs", env = "DATABRICKS_MCP_OTLP", value_parser = clap::builder::FalseyValueParser::new())]
    pub otlp: bool,
    /// Log level on stderr: off, error, warn, info, debug or trace
    #[arg(
        long,
        global = true,
        help_heading = "Logs",
        env = "DATABRICKS_MCP_LOG_LEVEL",
        default_value = "warn",
        value_name = "LEVEL"
    )]
    pub log_level: tracing::level_filters::LevelFilter,
}

impl Options {
    /// The directories that tools may use.
    pub fn local_roots(&self) -> Vec<PathBuf> {
        self.local_roots.iter().filter(|path| !path.as_os_str().is_empty()).cloned().collect()
    }

    /// The policy file; an empty variable sets none.
    pub fn policy(&self) -> Option<&Path> {
        self.policy.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    /// The patterns of what is protected.
    pub fn protected(&self) -> Vec<String> {
        names(&self.protect)
    }

    /// What a person has to confirm.
    pub fn terms(&self) -> Result<Terms, Error> {
        Terms::new(self.confirm, &self.protected())
    }

    /// The file of the audit log; an empty variable sets none.
    pub fn audit_log(&self) -> Option<&Path> {
        self.audit_log.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    /// The file of what is approved; an empty variable names none.
    pub fn approved(&self) -> Option<&Path> {
        self.approved.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    /// Which tools to enable, and for which workspaces.
    pub fn selection(&self) -> Result<Selection, Error> {
        let workspaces = self.workspaces()?;
        let discovery = DISCOVERY.iter().copied().filter(|_| self.discover);
        Ok(Selection {
            toolsets: names(&self.toolsets).into_iter().chain(discovery.map(str::to_owned)).collect(),
            tools: names(&self.tools),
            exclude_tools: names(&self.exclude_tools),
            read_only: workspaces.iter().all(|access| access.read_only),
            dry_run: self.dry_run,
            workspaces,
        })
    }

    /// The workspaces to serve, the default first: one per profile, or the one that is configured without.
    pub fn workspaces(&self) -> Result<Vec<Access>, Error> {
        let (profiles, read_only) = (names(&self.profiles), names(&self.read_only_profiles));
        if let Some(name) = read_only.iter().find(|name| !profiles.contains(name)) {
            let hint = did_you_mean(name, profiles.iter().map(String::as_str));
            let message = format!("`--read-only-profile {name}` is not one of the profiles that are served{hint}");
            return Err(Error::failed(message).with_hint(format!("to serve it as well, add `--profile {name}`")));
        }
        if profiles.len() > 1 {
            if let Some(flag) =
                self.host.as_ref().map(|_| "host").or(self.warehouse_id.as_ref().map(|_| "warehouse-id"))
            {
                let message = format!("`--{flag}` is for one workspace, and there are {}", profiles.len());
                let key = flag.replace('-', "_");
                return Err(Error::failed(message).with_hint(format!("set `{key}` in each profile")));
            }
            for (index, name) in profiles.iter().enumerate() {
                if let Some(other) = profiles.iter().take(index).find(|other| other.eq_ignore_ascii_case(name)) {
                    let message = format!("the profiles `{other}` and `{name}` have the same name except for its case");
                    return Err(Error::failed(message).with_hint("rename one of them in `~/.databrickscfg`"));
                }
            }
        }
        let read_only = |name: &String| self.read_only || read_only.contains(name);
        if profiles.is_empty() {
            return Ok(vec![Access { name: String::new(), read_only: self.read_only }]);
        }
        Ok(profiles.into_iter().map(|name| Access { read_only: read_only(&name), name }).collect())
    }

    /// How to reach a workspace of [`Options::workspaces`]: flags, then the environment, then the profile. Nothing is
    /// contacted; a missing host or credential shows when it is needed.
    pub fn client_config(&self, workspace: &Access) -> Result<Config, Error> {
        let config = Config::resolve(self.settings(workspace), self.environment())?;
        let concurrency = usize::try_from(self.max_requests).unwrap_or(usize::MAX);
        Ok(Config { limits: Limits { concurrency, ..config.limits }, ..config })
    }

    /// The workspace of a command that is about one.
    pub fn only_workspace(&self) -> Result<Access, Error> {
        let mut workspaces = self.workspaces()?;
        match (workspaces.pop(), workspaces.len()) {
            (Some(workspace), 0) => Ok(workspace),
            (_, more) => Err(Error::failed(format!("this command is for one workspace, and there are {}", more + 1))
                .with_hint("name one with `--profile`")),
        }
    }

    fn settings(&self, workspace: &Access) -> Settings {
        let flags = [
            (Attribute::Host, self.host.as_deref()),
            (Attribute::Profile, Some(workspace.name.as_str())),
            (Attribute::WarehouseId, self.warehouse_id.as_deref()),
        ];
        let given = flags.into_iter().filter_map(|(attribute, value)| Some((attribute, value?.trim())));
        let given = given.filter(|(_, value)| !value.is_empty());
        given.fold(Settings::default(), |settings, (attribute, value)| settings.with(attribute, value))
    }

    /// Where spans go; `dropped` counts those that do not get there.
    pub(crate) fn traces(&self, dropped: Counter) -> Result<Traces, Error> {
        if self.otlp { Traces::open(&Environment::system(), dropped) } else { Ok(Traces::default()) }
    }

    fn environment(&self) -> Environment {
        let system = Environment::system();
        let hidden = self.hidden_variables();
        system.clone().with_variables(move |name| if hidden.contains(&name) { None } else { system.variable(name) })
    }

    /// The same for a login, which is for one workspace, and maybe for a profile that does not exist yet.
    pub fn login_config(&self) -> Result<Config, Error> {
        let workspace = self.only_workspace()?;
        Ok(Config::resolve_for_login(self.settings(&workspace), self.environment())?)
    }

    /// The variables that are set and not taken, as each of several profiles stands alone.
    pub fn passed_over(&self) -> Vec<&'static str> {
        let system = Environment::system();
        self.hidden_variables().into_iter().filter(|name| system.variable(name).is_some()).collect()
    }

    fn hidden_variables(&self) -> Vec<&'static str> {
        if names(&self.profiles).len() <= 1 {
            return Vec::new();
        }
        OF_ONE_WORKSPACE.into_iter().filter_map(Attribute::variable).collect()
    }
}

/// A budget of tokens.
fn result_tokens(text: &str) -> Result<u32, String> {
    number(text, RESULT_TOKENS, 500..=25_000)
}

/// A number of requests.
fn at_once(text: &str) -> Result<u32, String> {
    number(text, Limits::AT_ONCE, 1..=1_000)
}

/// A time to live.
fn cache_seconds(text: &str) -> Result<u32, String> {
    number(text, CACHE_SECONDS, 0..=3_600)
}

/// A number. Clients pass on variables that nobody has filled in: an empty one is not set, as with all others.
fn number(text: &str, default: u32, range: std::ops::RangeInclusive<u32>) -> Result<u32, String> {
    if text.trim().is_empty() {
        return Ok(default);
    }
    let expected = || format!("expected a whole number from {} to {}", range.start(), range.end());
    text.trim().parse().ok().filter(|number| range.contains(number)).ok_or_else(expected)
}

/// Names as given, without blanks, empty ones and repetitions.
fn names(given: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in given.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    /// Options alone, as a command line.
    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn options(arguments: &str) -> Options {
        Cli::parse_from(["databricks-mcp-server"].into_iter().chain(arguments.split_whitespace())).options
    }

    fn served(arguments: &str) -> Result<Vec<(String, bool)>, String> {
        let workspaces = options(arguments).workspaces().map_err(|error| error.to_string())?;
        Ok(workspaces.into_iter().map(|access| (access.name, access.read_only)).collect())
    }

    #[test]
    fn profiles_are_served_in_their_order() {
        for (arguments, expected) in [
            ("", vec![("", false)]),
            ("--read-only", vec![("", true)]),
            ("--profile dev", vec![("dev", false)]),
            ("--profile dev --read-only-profile dev", vec![("dev", true)]),
            ("--profile prod --profile dev --profile prod", vec![("prod", false), ("dev", false)]),
            ("--profile dev,prod --read-only-profile prod", vec![("dev", false), ("prod", true)]),
            ("--profile dev --profile prod --read-only", vec![("dev", true), ("prod", true)]),
        ] {
            let expected = expected.into_iter().map(|(name, read_only)| (name.to_owned(), read_only)).collect();
            assert_eq!(served(arguments), Ok(expected), "{arguments}");
        }
        let only = |arguments: &str| options(arguments).only_workspace().map(|access| access.name).ok();
        assert_eq!((only("--profile dev"), only("--profile dev,prod")), (Some("dev".to_owned()), None));
        let selection = options("--profile dev --read-only-profile dev").selection();
        assert!(selection.is_ok_and(|selection| selection.read_only));
    }

    #[test]
    fn an_empty_value_sets_nothing() {
        let arguments = ["", "--max-result-tokens", "", "--local-root", "", "--toolsets", "", "--profile", ""];
        let options = Cli::try_parse_from(arguments).map(|cli| cli.options).expect("arguments");
        assert_eq!((options.max_result_tokens, options.local_roots().len()), (RESULT_TOKENS, 0));
        assert_eq!(options.workspaces().expect("one").len(), 1);
        for wrong in ["499", "25001", "-1", "6k"] {
            let error = Cli::try_parse_from(["", "--max-result-tokens", wrong]).expect_err(wrong).to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn what_could_be_mistaken_is_refused() {
        for (arguments, expected) in [
            ("--read-only-profile prod", "is not one of the profiles that are served\nhint: to serve it as well, add"),
            ("--profile dev --profile prod --read-only-profile prd", "did you mean `prod`?"),
            ("--profile dev --profile prod --read-only-profile PROD", "is not one of the profiles"),
            ("--profile dev --profile prod --host acme.test", "`--host` is for one workspace, and there are 2"),
            ("--profile dev --profile prod --warehouse-id 1", "set `warehouse_id` in each profile"),
            ("--profile dev --profile Dev", "the same name except for its case"),
        ] {
            let error = served(arguments);
            assert!(error.as_ref().is_err_and(|text| text.contains(expected)), "{arguments}: {error:?}");
        }
    }
}
