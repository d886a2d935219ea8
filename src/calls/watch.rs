//! The watch over the requests of one call: it lets through what the policy allows, holds back what a dry run must not
//! send, and records the ids of requests.

pub(crate) mod asks;
mod facts;
mod question;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use databricks::{Client, Error, Location, Mask, Method, Operation, Outgoing, Verdict, Watch};
use serde_json::{Value, json};

use self::asks::Asking;
use super::names::Names;
use crate::audit::Record;
use crate::domain::sql::read_only::{self, Circumstances};
use crate::policy::listed::listed;
use crate::policy::objects::{self, Mention, Source};
use crate::policy::pattern::{Kind, Object};
use crate::policy::rules::{Act, Decision, Effect, Named};
use crate::policy::{self, Policy, PolicyFile};
use crate::progress::Progress;
use crate::registry;
use crate::risk::Risk;

/// The operation that runs a statement, which decides by its text what it does.
const STATEMENT: &str = "sql.statement_execution.execute_statement";
/// The operation that ends a statement: what a query began is undone in a dry run, too.
const CANCEL_STATEMENT: &str = "sql.statement_execution.cancel_execution";

/// A shorter wait for the limit of requests is not told.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// What is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) record: Record,
    /// Who hears what a call waits for.
    pub(crate) progress: Progress,
    pub(crate) policy: Policy,
    pub(crate) file: Option<Arc<PolicyFile>>,
    /// The tool, or the resource.
    pub(crate) tool: &'static str,
    pub(crate) toolset: &'static str,
    /// The operation, where there is one only.
    pub(crate) operation: Option<&'static str>,
    /// What the call can do.
    pub(crate) risk: Risk,
    /// The risk at which the policy let it begin: for a tool that also only reads, reading.
    pub(crate) decided: Risk,
    /// The secrets among its arguments.
    pub(crate) mask: Mask,
    /// Who has consented to it; `None` for what only reads.
    pub(crate) asking: Option<Asking>,
}

/// Sees every request of one call.
#[derive(Debug)]
pub(crate) struct CallWatch {
    of: Watched,
    /// Looks names up; nobody watches it.
    client: Client,
    names: Names,
    host: String,
    /// What a dry run has not sent.
    held: Mutex<Vec<Value>>,
    /// The rule that refused a request.
    refused_by: Mutex<Option<String>>,
    /// Whether the call has run a statement that the policy allowed.
    has_run: AtomicBool,
    /// Whether the call has changed something that nobody had to confirm.
    has_changed: AtomicBool,
    /// What ends the call, as nobody has confirmed it.
    unconfirmed: Mutex<Option<crate::error::Error>>,
}

impl CallWatch {
    /// Watches a call that is made with this client.
    pub(crate) fn new(of: Watched, client: &Client) -> Self {
        let host = client.host().rsplit('/').next().unwrap_or_default().to_owned();
        let (held, refused_by, has_run, has_changed, unconfirmed) = Default::default();
        let (client, names) = (client.clone(), Names::default());
        Self { of, client, names, host, held, refused_by, has_run, has_changed, unconfirmed }
    }

    /// Asks the policy whether the call may begin; `calls_others` says that others are asked about by themselves.
    pub(crate) fn begin(&self, calls_others: bool) -> Result<(), crate::error::Error> {
        if let Some(file) = &self.of.file {
            let act = self.act(self.of.operation, self.of.decided);
            self.of.record.tell("rule", file.check_call(act, calls_others)?);
        }
        Ok(())
    }

    /// What the call is for the policy.
    fn act<'a>(&'a self, operation: Option<&'a str>, risk: Risk) -> Act<'a> {
        Act { tool: self.of.tool, toolset: self.of.toolset, operation, risk, workspace: &self.host }
    }

    /// The requests that a dry run has not sent, in their order.
    pub(crate) fn held(&self) -> Vec<Value> {
        std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The rule that refused a request.
    pub(crate) fn refused_by(&self) -> Option<String> {
        self.refused_by.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The request as it would be sent, without the secrets of the call.
    fn shown(&self, request: &Outgoing<'_>) -> Value {
        let mut shown = json!({
            "operation": request.operation.id, "method": request.operation.method.as_str(), "path": request.path,
        });
        if let Some(fields) = shown.as_object_mut() {
            if !request.query.is_empty() {
                let query = request.query.iter().map(|(name, value)| json!([name, value]));
                fields.insert("query".to_owned(), query.collect());
            }
            if let Some(body) = request.body() {
                fields.insert("body".to_owned(), body);
            }
            if let Some(bytes) = request.content_bytes {
                fields.insert("content_bytes".to_owned(), bytes.into());
            }
        }
        self.of.mask.json(&mut shown);
        shown
    }

    /// What a request can do. What a tool that only reads may send was decided in the allowlist.
    async fn risk_of(&self, request: &Outgoing<'_>) -> Risk {
        let operation = request.operation;
        if self.of.risk == Risk::Read {
            return Risk::Read;
        }
        if operation.id == STATEMENT {
            return if is_query(request).await { Risk::Read } else { self.of.risk };
        }
        match registry::risk_of(operation.id) {
            Some(risk) => risk,
            None if matches!(operation.method, Method::Get | Method::Head) => Risk::Read,
            None => self.of.risk,
        }
    }
}

impl CallWatch {
    /// Whether a dry run sends a request of this risk.
    fn passes_dry(&self, request: &Outgoing<'_>, risk: Risk) -> bool {
        risk == Risk::Read || (request.operation.id == CANCEL_STATEMENT && request.is_undoing)
    }

    /// Asks the policy about a request: about its operation, the compute that it asks for, and each object that it names.
    async fn check(&self, request: &Outgoing<'_>, risk: Risk) -> Result<(), Error> {
        let Some(file) = &self.of.file else { return Ok(()) };
        let (rules, operation) = (file.rules(), request.operation.id);
        let body = request.body().unwrap_or_default();
        if let Some(why) = file.compute_refusal(operation, risk, &body) {
            return Err(self.refuse("limits", policy::refusal(&why, "limits")));
        }
        let act = self.act(Some(operation), risk);
        let mut names_any = false;
        for kind in Kind::ALL.into_iter().filter(|kind| rules.asks_about(*kind)) {
            for (risk, named) in self.named(request, kind, risk).await {
                names_any = true;
                rules.of_named(Act { risk, ..act }, kind, &named).map_err(|(decision, what)| {
                    let message = policy::refusal(&format!("`{operation}` on {what}"), &decision.rule);
                    self.refuse(&decision.rule, message)
                })?;
            }
        }
        let decision = rules.of_bare_request(act, self.of.operation.is_none());
        if !names_any && decision.effect == Effect::Deny {
            let Decision { rule, .. } = decision;
            return Err(self.refuse(&rule, policy::refusal(&format!("`{operation}` ({})", risk.name()), &rule)));
        }
        if operation == STATEMENT {
            self.has_run.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn refuse(&self, rule: &str, message: String) -> Error {
        let mut refused_by = self.refused_by.lock().unwrap_or_else(PoisonError::into_inner);
        refused_by.get_or_insert_with(|| format!("policy: {rule}"));
        Error::held_back(format!("{message}, and it was not sent"))
    }

    /// What a request names of a kind, each with the risk for it.
    async fn named(&self, request: &Outgoing<'_>, kind: Kind, risk: Risk) -> Vec<(Risk, Named)> {
        let sources = match objects::mention(request.operation.id, kind) {
            Mention::Nothing => return Vec::new(),
            Mention::Any => return vec![(risk, Named::Any)],
            Mention::Sources(sources) => sources,
        };
        let (mut found, mut is_missing) = (Vec::new(), true);
        for source in sources {
            match source {
                Source::Statement => return tables(request, risk).await,
                // What the call ran itself was allowed.
                Source::Result if self.has_run.load(Ordering::Relaxed) => return Vec::new(),
                Source::Result => return vec![(risk, Named::Any)],
                Source::Values(how, values) => match self.names.of(&self.client, kind, *how, values, request).await {
                    Ok(Some(objects)) => {
                        is_missing = false;
                        found.extend(objects);
                    }
                    Ok(None) => {}
                    Err(why) => return vec![(risk, Named::Unclear(why))],
                },
            }
        }
        match (is_missing, found.is_empty()) {
            (true, _) => vec![(risk, Named::Any)],
            (false, true) => Vec::new(),
            (false, false) => vec![(risk, Named::Objects(found))],
        }
    }
}

/// The text of a statement, and what decides about it besides.
fn statement(request: &Outgoing<'_>) -> Option<(String, Circumstances)> {
    let body = request.arguments.values(Location::Body);
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let parameters = body.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let parameters = parameters.filter_map(|parameter| Some((text(parameter, "name")?, text(parameter, "value"))));
    let circumstances = Circumstances {
        parameters: parameters.collect(),
        catalog: body.get("catalog").and_then(Value::as_str).map(str::to_owned),
        // What they do is decided elsewhere, so nobody can say here that they only read.
        no_user_functions: true,
    };
    Some((body.get("statement")?.as_str()?.to_owned(), circumstances))
}

/// Whether the statement of a request surely only reads.
async fn is_query(request: &Outgoing<'_>) -> bool {
    let Some((sql, circumstances)) = statement(request) else { return false };
    read_only::check(&sql, circumstances).await.is_ok()
}

/// The tables of the statement of a request.
async fn tables(request: &Outgoing<'_>, risk: Risk) -> Vec<(Risk, Named)> {
    let unclear = |why: String| vec![(risk, Named::Unclear(why))];
    let Some((sql, circumstances)) = statement(request) else { return unclear("there is no statement".to_owned()) };
    let schema = objects::value(request.arguments, "schema");
    let tables = match read_only::tables(&sql, circumstances, schema).await {
        Ok(Ok(tables)) => tables,
        Ok(Err(why)) => return unclear(why),
        Err(error) => return unclear(error.to_string()),
    };
    let uses = tables.into_iter().map(|table| {
        let risk = if table.writes { risk } else { Risk::Read };
        (risk, self::table(table.parts))
    });
    uses.collect()
}

/// What a table of a statement means for the policy. Views on metadata tell of all objects that they are about: those of a
/// catalog, or any.
fn table(parts: Vec<String>) -> Named {
    let is = |part: Option<&String>, name: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(name));
    let (catalog, schema) = (parts.first(), parts.get(1));
    let is_of_metadata = is(schema, "information_schema");
    let tells_of_others = is(schema, "query") || is(schema, "access");
    match catalog {
        Some(catalog) if is(Some(catalog), "system") && (is_of_metadata || tells_of_others) => Named::Any,
        Some(catalog) if is_of_metadata => Named::Objects(vec![Object::of_parts(vec![catalog.clone()])]),
        _ => Named::Objects(vec![Object::of_parts(parts)]),
    }
}

impl Watch for CallWatch {
    fn waits(&self, wait: Duration) {
        if wait >= WORTH_TELLING {
            let seconds = wait.as_secs();
            self.of
                .progress
                .report(format!("waiting {seconds} s for the limit of requests per second to the workspace"));
        }
    }

    fn sees(&self, operation: &'static Operation) -> bool {
        let (Some(file), Some(listed)) = (&self.of.file, listed(operation.id)) else { return false };
        file.rules().asks_about(listed.kind)
    }

    fn answered(&self, operation: &'static Operation, answer: &mut Value) {
        let (Some(file), Some(listed)) = (&self.of.file, listed(operation.id)) else { return };
        let rules = file.rules();
        if rules.asks_about(listed.kind) {
            let act = self.act(Some(operation.id), Risk::Read);
            let is_allowed = |object: Object| rules.of_object(act, &object).effect == Effect::Allow;
            listed.hide(answer, |object| !object.is_some_and(is_allowed));
        }
    }

    fn before<'a>(&'a self, request: &'a Outgoing<'a>) -> Verdict<'a> {
        Box::pin(async move {
            let is_read = matches!(request.operation.method, Method::Get | Method::Head);
            if request.is_undoing && !is_read {
                self.of.record.undo(request.operation.id);
            }
            if self.of.file.is_none() && !self.of.policy.dry_run && !self.may_ask() {
                return Ok(());
            }
            let risk = self.risk_of(request).await;
            // What undoes something was allowed with what it undoes.
            if !request.is_undoing {
                self.check(request, risk).await?;
            }
            if self.of.policy.dry_run && !self.passes_dry(request, risk) {
                self.held.lock().unwrap_or_else(PoisonError::into_inner).push(self.shown(request));
                return Err(Error::held_back("this is a dry run: nothing was sent"));
            }
            if request.is_undoing { Ok(()) } else { self.confirm(request, risk).await }
        })
    }

    fn after(&self, request_id: Option<&str>) {
        if let Some(id) = request_id {
            self.of.record.hear(id);
        }
    }
}

/// The answer of a call of a dry run, with what it would have sent.
pub(super) fn would_send(held: Vec<Value>, is_composite: bool) -> Value {
    let note = match is_composite {
        false => "dry run: nothing was sent; this is the request that would have been sent",
        true => {
            "dry run: nothing that changes anything was sent; this is the first request that would have been sent, \
             and others may follow it"
        }
    };
    json!({ "dry_run": true, "note": note, "would_send": held })
}
