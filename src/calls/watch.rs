//! The watch over the requests of one call: it holds back what a dry run must not send, and hears the ids of requests.

use std::sync::{Mutex, PoisonError};

use databricks::{Error, Location, Mask, Method, Outgoing, Verdict, Watch};
use serde_json::{Value, json};

use crate::audit::Record;
use crate::domain::sql::read_only::{self, Circumstances};
use crate::policy::Policy;
use crate::registry;
use crate::risk::Risk;

/// The operation that runs a statement, which decides by its text what it does.
const STATEMENT: &str = "sql.statement_execution.execute_statement";
/// The operation that ends a statement: what a query began is undone in a dry run, too.
const CANCEL_STATEMENT: &str = "sql.statement_execution.cancel_execution";

/// Sees every request of one call.
#[derive(Debug)]
pub(crate) struct CallWatch {
    record: Record,
    policy: Policy,
    /// What the call can do.
    risk: Risk,
    /// The secrets among its arguments.
    mask: Mask,
    /// What a dry run has not sent.
    held: Mutex<Vec<Value>>,
}

impl CallWatch {
    pub(crate) fn new(record: Record, policy: Policy, risk: Risk, mask: Mask) -> Self {
        Self { record, policy, risk, mask, held: Mutex::default() }
    }

    /// The requests that a dry run has not sent, in their order.
    pub(crate) fn held(&self) -> Vec<Value> {
        std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner))
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
        self.mask.json(&mut shown);
        shown
    }

    /// Whether a request of the call only reads. What a tool that only reads may send was decided in the allowlist.
    async fn only_reads(&self, request: &Outgoing<'_>) -> bool {
        let operation = request.operation;
        self.risk == Risk::Read
            || registry::risk_of(operation.id)
                .map_or(matches!(operation.method, Method::Get | Method::Head), |risk| risk == Risk::Read)
            || (operation.id == STATEMENT && is_query(request).await)
            || (operation.id == CANCEL_STATEMENT && request.is_undoing)
    }
}

/// Whether the statement of a request surely only reads.
async fn is_query(request: &Outgoing<'_>) -> bool {
    let body = request.arguments.values(Location::Body);
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let Some(sql) = body.get("statement").and_then(Value::as_str) else { return false };
    let parameters = body.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let parameters = parameters.filter_map(|parameter| Some((text(parameter, "name")?, text(parameter, "value"))));
    let circumstances = Circumstances {
        parameters: parameters.collect(),
        catalog: body.get("catalog").and_then(Value::as_str).map(str::to_owned),
        // What they do is decided elsewhere, so nobody can say here that they only read.
        no_user_functions: true,
    };
    read_only::check(sql, circumstances).await.is_ok()
}

impl Watch for CallWatch {
    fn before<'a>(&'a self, request: &'a Outgoing<'a>) -> Verdict<'a> {
        Box::pin(async move {
            if self.policy.dry_run && !self.only_reads(request).await {
                self.held.lock().unwrap_or_else(PoisonError::into_inner).push(self.shown(request));
                return Err(Error::held_back("this is a dry run, and nothing was sent"));
            }
            let is_read = matches!(request.operation.method, Method::Get | Method::Head);
            if request.is_undoing && !is_read {
                self.record.undo(request.operation.id);
            }
            Ok(())
        })
    }

    fn after(&self, request_id: Option<&str>) {
        if let Some(id) = request_id {
            self.record.hear(id);
        }
    }
}

/// The answer of a call of a dry run, with what it would have sent.
pub(super) fn would_send(held: Vec<Value>, is_composite: bool) -> Value {
    let note = match is_composite {
        false => "dry run: nothing was sent; this request would have been",
        true => {
            "dry run: nothing that changes anything was sent; this is the first request that would have been, and others \
             may follow it"
        }
    };
    json!({ "dry_run": true, "note": note, "would_send": held })
}
