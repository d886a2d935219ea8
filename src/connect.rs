//! Opens the workspaces of the command line: clients that contact nobody yet, or sandboxes.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use databricks::{Attribute, Client, Config, Observe};
use databricks_sandbox::{Faults, Sandbox, Seed};
use tokio::runtime::{Builder, Runtime};

use crate::audit::AuditLog;
use crate::cache::Cache;
use crate::config::Options;
use crate::consent::Consent;
use crate::context::Context;
use crate::error::Error;
use crate::local::LocalRoots;
use crate::policy::Policy;
use crate::registry::Registry;
use crate::shape::Budget;
use crate::workspaces::{Access, Workspaces};

/// The stack of each thread of a sandbox. Memory that is not touched costs nothing.
const STACK_BYTES: usize = 4 << 20;

/// The workspaces that calls go to, with the sandboxes that some are.
pub(crate) struct Opened {
    pub(crate) workspaces: Workspaces,
    /// They stop when they are dropped.
    _sandboxes: Vec<OwnSandbox>,
}

/// A sandbox with a runtime of its own: whatever it works at, the server goes on, and ends at once when it is told to.
pub(crate) struct OwnSandbox {
    sandbox: Sandbox,
    _runtime: OwnRuntime,
}

impl OwnSandbox {
    async fn start(options: databricks_sandbox::Options) -> Result<Self, Error> {
        let failed = |error: &dyn Display| Error::failed(format!("cannot start the sandbox: {error}"));
        let mut runtime = Builder::new_multi_thread();
        runtime.enable_all().thread_name("sandbox").thread_stack_size(STACK_BYTES);
        let runtime = runtime.build().map_err(|error| failed(&error))?;
        let handle = runtime.handle().clone();
        let runtime = OwnRuntime(Some(runtime));
        let started = handle.spawn(Sandbox::start(options)).await.map_err(|error| failed(&error))?;
        let sandbox = started.map_err(|error| Error::failed(error.to_string()))?;
        Ok(Self { sandbox, _runtime: runtime })
    }

    /// The base address.
    pub(crate) fn url(&self) -> &str {
        self.sandbox.url()
    }

    /// The token that it accepts.
    pub(crate) fn token(&self) -> &str {
        self.sandbox.token()
    }
}

/// Ends without waiting for what runs on it, as a runtime otherwise does.
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Opened {
    /// Opens every workspace of the options; the first error ends it.
    pub(crate) async fn open(options: &Options) -> Result<Self, Error> {
        Self::observed(options, None).await
    }

    /// The same; somebody hears of each request to a workspace.
    pub(crate) async fn observed(options: &Options, observer: Option<Arc<dyn Observe>>) -> Result<Self, Error> {
        let local = LocalRoots::open(&options.local_roots())?;
        let policy_file = options.policy().map(Registry::load_policy).transpose()?.map(Arc::new);
        if let Some(file) = &policy_file {
            tracing::info!("the policy is {}", file.summary());
        }
        let audit = options.audit_log().map(AuditLog::open).transpose()?;
        if let Some(log) = &audit
            && let Err(error) = log.opened_by("server", policy_file.as_ref().map(|file| file.summary()).into())
        {
            // The server starts, as reads go on without; the log has told it already.
            tracing::warn!(%error, "the audit log is not written");
        }
        let consent = Consent::under(options.terms()?);
        let (mut workspaces, mut sandboxes): (Option<Workspaces>, _) = (None, Vec::new());
        for access in options.workspaces()? {
            let (mut config, sandbox) = config(options, &access).await?;
            if let Some(most) = policy_file.as_ref().and_then(|file| file.answer_bytes()) {
                config.max_response_bytes = config.max_response_bytes.min(most);
            }
            config.observer = observer.clone();
            sandboxes.extend(sandbox);
            let warehouse_id = config.settings.get(Attribute::WarehouseId).map(str::to_owned);
            let budget = Budget::tokens(options.max_result_tokens as usize);
            let context = Context::new(Client::new(config)?, budget, warehouse_id);
            let context = Context {
                policy: Policy {
                    read_only: access.read_only,
                    no_user_functions: options.no_user_functions,
                    dry_run: options.dry_run,
                },
                policy_file: policy_file.clone(),
                local: local.clone(),
                audit: audit.clone(),
                consent: consent.clone(),
                cache: Cache::new(Duration::from_secs(u64::from(options.cache_ttl))),
                ..context
            };
            workspaces = Some(match workspaces {
                None => Workspaces::new(access.name, context),
                Some(workspaces) => workspaces.and(access.name, context),
            });
        }
        let workspaces = workspaces.ok_or_else(|| Error::failed("there is no workspace to serve"))?;
        Ok(Self { workspaces, _sandboxes: sandboxes })
    }
}

/// How to reach a workspace. With `--sandbox`, each has its own, which is started.
pub(crate) async fn config(options: &Options, access: &Access) -> Result<(Config, Option<OwnSandbox>), Error> {
    if !options.sandbox {
        return Ok((options.client_config(access)?, None));
    }
    let sandbox = start_sandbox(options, 0).await?;
    let mut config = Config::new(sandbox.url(), sandbox.token())?;
    config.limits.requests_per_second = None;
    Ok((config, Some(sandbox)))
}

/// Starts a sandbox. Each has a token of its own, so that no call reaches the wrong one.
pub(crate) async fn start_sandbox(options: &Options, port: u16) -> Result<OwnSandbox, Error> {
    let mut sandbox = databricks_sandbox::Options::default().with_port(port).with_speed(options.sandbox_clock);
    if let Some(path) = &options.sandbox_faults {
        sandbox = sandbox.with_faults(read_file("faults", path, Faults::parse)?);
    }
    if let Some(path) = &options.sandbox_seed {
        sandbox = sandbox.with_seed(read_file("a seed", path, Seed::parse)?);
    }
    OwnSandbox::start(sandbox).await
}

/// What a file of the sandbox says; an error names the file.
fn read_file<T>(
    what: &str,
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, databricks_sandbox::Error>,
) -> Result<T, Error> {
    let in_file = |error: &dyn Display| Error::failed(format!("{what} in `{}`: {error}", path.display()));
    let text = crate::text_file::read(path).map_err(|error| in_file(&error))?;
    parse(&text).map_err(|error| in_file(&error))
}
