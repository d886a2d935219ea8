//! Opens the workspaces of the command line: clients that contact nobody yet, or sandboxes.

use std::sync::Arc;
use std::time::Duration;

use databricks::{Attribute, Client, Config, Observe};

use crate::audit::AuditLog;
use crate::cache::Cache;
use crate::config::Options;
use crate::consent::Consent;
use crate::context::Context;
use crate::embedded::Embedded;
use crate::error::Error;
use crate::local::LocalRoots;
use crate::policy::Policy;
use crate::registry::Registry;
use crate::shape::Budget;
use crate::workspaces::{Access, Workspaces};

/// The workspaces that calls go to, with the sandboxes that some are.
pub(crate) struct Opened {
    pub(crate) workspaces: Workspaces,
    /// They stop when they are dropped.
    _sandboxes: Vec<Embedded>,
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
pub(crate) async fn config(options: &Options, access: &Access) -> Result<(Config, Option<Embedded>), Error> {
    if !options.sandbox {
        return Ok((options.client_config(access)?, None));
    }
    let sandbox = Embedded::start(options, 0).await?;
    let mut config = Config::new(sandbox.url(), sandbox.token())?;
    config.limits.requests_per_second = None;
    Ok((config, Some(sandbox)))
}
