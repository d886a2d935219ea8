//! `doctor`: looks at a set-up step by step and says what is wrong with it and what to do.
//!
//! Each check says what it saw. One that cannot be made because an earlier one failed is skipped, so that the fault is
//! named once, where it is.

mod connectivity;
mod identity;
mod permissions;
mod records;
mod report;
mod warehouse;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use databricks::{Attribute, Client, Config, Limits};

use crate::config::Options;
use crate::connect;
use crate::context::Context;
use crate::error::Error;
use crate::registry::Registry;
use crate::server;
use crate::shape::Budget;
use crate::workspaces::Access;
use connectivity::Connectivity;
use report::{Check, Section};

pub(crate) use report::Report;

/// A person waits: what does not answer is told soon.
const RETRIES: Duration = Duration::from_secs(3);
const CONNECT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(30);

/// What the checks of one workspace look at.
struct Subject<'a> {
    name: &'a str,
    registry: &'a Arc<Registry>,
    config: Config,
    context: Context,
    /// Whether compute may be used, which costs.
    sql: bool,
}

/// Looks at every workspace of the options.
pub(crate) async fn examine(options: &Options, sql: bool) -> Result<Report, Error> {
    let registry = Arc::new(Registry::new(&options.selection()?)?);
    let mut sections = Vec::new();
    for access in &options.workspaces()? {
        sections.push(workspace(options, &registry, access, sql).await);
    }
    let policy = options.policy().map(policy);
    let records = options.audit_log().map(records::check);
    Ok(Report { sections, server: server(&registry), program: policy.into_iter().chain(records).collect() })
}

async fn workspace(options: &Options, registry: &Arc<Registry>, access: &Access, sql: bool) -> Section {
    let mut section = Section { workspace: access.name.clone(), host: String::new(), checks: Vec::new() };
    let opened = connect::config(options, access).await.and_then(|(mut config, sandbox)| {
        config.retry.budget = RETRIES;
        config.connect_timeout = CONNECT;
        config.idle_timeout = SILENCE;
        // The check of the configuration tells the remarks.
        let client = Client::new(Config { remarks: Vec::new(), ..config.clone() })?;
        Ok((client, config, sandbox))
    });
    let (client, config, _sandbox) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let hint = error.hint().unwrap_or("correct it, or name another profile with `--profile`").to_owned();
            section.checks.push(Check::failed("configuration", error.message(), hint));
            for name in
                ["host", "metadata", "authentication", "identity", "permissions", "warehouse", "clock", "proxy", "tls"]
            {
                section.checks.push(Check::skipped(name, "the configuration is not usable"));
            }
            return section;
        }
    };
    let configuration = configuration(options, &config);
    let budget = Budget::tokens(options.max_result_tokens as usize);
    let warehouse_id = config.settings.get(Attribute::WarehouseId).map(str::to_owned);
    let context = Context { policy: access.policy(), ..Context::new(client, budget, warehouse_id) };
    let subject = Subject { name: &access.name, registry, config, context, sql };
    let client = &subject.context.client;
    if client.host().is_empty() && subject.config.settings.get(Attribute::AzureResourceId).is_some() {
        // Azure tells the host on the way to a token.
        client.authentication().await;
    }
    let way = Connectivity::look(client).await;
    let (authentication, identity) = identity::check(&subject, &way).await;
    section.host = client.host().to_owned();
    section.checks = vec![configuration, way.host(client), way.metadata(identity.check.is_ok()), authentication];
    let may_ask = identity.may_ask;
    section.checks.push(identity.check);
    section.checks.push(permissions::check(&subject, may_ask).await);
    section.checks.push(warehouse::check(&subject, may_ask).await);
    section.checks.extend([way.clock(client), way.proxy(client), way.tls(client)]);
    section
}

/// Where the settings come from; never what they are.
fn configuration(options: &Options, config: &Config) -> Check {
    if options.sandbox {
        return Check::ok("configuration", "the embedded sandbox");
    }
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (attribute, source) in config.settings.sources().filter(|(attribute, _)| *attribute != Attribute::Profile) {
        match groups.iter_mut().find(|(known, _)| *known == source) {
            Some((_, keys)) => keys.push(attribute.key()),
            None => groups.push((source, vec![attribute.key()])),
        }
    }
    let mut told: Vec<_> = groups.iter().map(|(source, keys)| format!("{} {source}", keys.join(", "))).collect();
    let passed_over = options.passed_over();
    if !passed_over.is_empty() {
        told.push(format!(
            "not {}, because each of several profiles uses its own settings only",
            passed_over.join(", ")
        ));
    }
    if !config.remarks.is_empty() {
        let saw = if told.is_empty() { "nothing is set".to_owned() } else { told.join("; ") };
        return Check::warning("configuration", saw, "correct the file").with_notes(config.remarks.clone());
    }
    let saw = match told.as_slice() {
        [] => "no flag, variable or profile sets anything".to_owned(),
        told => told.join("; "),
    };
    Check::ok("configuration", saw).with_notes(vec![limits(config.limits)])
}

/// What makes calls wait before their requests are sent.
fn limits(limits: Limits) -> String {
    let at_once = format!("{} requests at once (`--max-requests`)", limits.concurrency);
    match limits.requests_per_second.filter(|rate| *rate > 0) {
        Some(rate) => format!("at most {rate} requests a second (DATABRICKS_RATE_LIMIT), and {at_once}"),
        None => format!("at most {at_once}"),
    }
}

/// Whether the policy file is understood.
fn policy(path: &Path) -> Check {
    match Registry::load_policy(path) {
        Ok(file) => Check::ok("policy", file.summary()),
        Err(error) => {
            let hint = error.hint().unwrap_or("name another file with `--policy`").to_owned();
            Check::failed("policy", error.message(), hint)
        }
    }
}

fn server(registry: &Registry) -> Check {
    let versions = server::versions().collect::<Vec<_>>().join(", ");
    let tools = registry.tools().count();
    Check::ok("server", format!("version {}, {tools} tools, MCP {versions}", env!("CARGO_PKG_VERSION")))
}
