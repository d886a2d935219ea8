//! Tasks, for clients that declare them in the revision without a handshake: a call whose work takes long ends with the task,
//! and whoever holds its id asks how it stands.
//!
//! Nothing is stored. The id is the sealed handle of the work in the workspace, so that any server with the same keys answers
//! for it, and nobody but its caller can use it. A tool whose work can be handed over has `work` in its file.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use databricks::without_tokens;
use jiff::Timestamp;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ContentBlock, CreateTaskResult, DetailedTask, ErrorData, GetTaskResult,
    TASKS_EXTENSION_ID, Task, TaskPayload, TaskStatus,
};
use rmcp::service::{RequestContext, RoleServer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Server, is_modern, meta, no_method, protocol_error};
use crate::calls;
use crate::context::Context;
use crate::controls;
use crate::domain::wait::may_pass;
use crate::error::Error;
use crate::handover::{Handover, Left, Stage};
use crate::registry::Registry;
use crate::seal::{Broken, Seal};
use crate::server::spans::ended;
use crate::workspaces::ARGUMENT;

/// What the seals are for.
const PURPOSE: &str = "task";
/// How long a task can be asked about, as clients are told.
const LIFE: Duration = Duration::from_secs(24 * 3_600);
/// How long a call waits itself, before it becomes a task: most are done by then.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often clients are to ask: the more seldom, the older the task is.
const SHORTEST_POLL: Duration = Duration::from_secs(2);
const LONGEST_POLL: Duration = Duration::from_secs(30);
/// Characters of what a task says of its state.
const LONGEST_STATUS: usize = 300;

/// What the tasks of one caller share.
#[derive(Debug, Clone)]
pub(super) struct Tasks {
    seal: Option<Seal>,
    patience: Duration,
}

/// What stands in the id of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Handle {
    /// The tool that began it.
    #[serde(rename = "t")]
    tool: String,
    /// What the tool finds its work by, and the workspace.
    #[serde(rename = "h")]
    work: Map<String, Value>,
    /// When it began, in milliseconds since 1970.
    #[serde(rename = "b")]
    began: u64,
    /// For how long its caller has said to wait, in milliseconds.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
}

impl Tasks {
    pub(super) fn new(seal: Option<Seal>) -> Self {
        Self { seal, patience: PATIENCE }
    }

    /// The same for another caller.
    pub(super) fn of(&self, seal: Option<Seal>) -> Self {
        Self { seal, ..self.clone() }
    }

    /// The same, whose calls wait for so long themselves.
    pub(super) fn after(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn seal(&self, handle: &Handle) -> Option<String> {
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(handle).ok()?);
        Some(self.seal.as_ref()?.seal_for(PURPOSE, &text, LIFE))
    }

    fn open(&self, id: &str) -> Result<Handle, ErrorData> {
        let unknown = || invalid("`taskId` was changed, or is none that this server gave to this caller");
        let opened = self.seal.as_ref().ok_or_else(unknown)?.open_for(PURPOSE, id);
        let text = opened.map_err(|broken| match broken {
            Broken::Foreign => unknown(),
            Broken::Late => invalid("the task is more than a day old, and can be asked about no more"),
        })?;
        let handle = URL_SAFE_NO_PAD.decode(text).ok().and_then(|text| serde_json::from_slice(&text).ok());
        handle.ok_or_else(unknown)
    }
}

impl Handle {
    fn age(&self) -> Duration {
        Duration::from_millis(now().saturating_sub(self.began))
    }

    /// Whether its caller wants to wait no longer.
    fn is_due(&self) -> bool {
        self.limit.is_some_and(|limit| self.age() >= Duration::from_millis(limit))
    }

    /// The task as clients see it.
    fn task(&self, id: &str, status: Option<String>) -> Task {
        let poll = (self.age() / 10).clamp(SHORTEST_POLL, LONGEST_POLL);
        let mut task = Task::new(id, TaskStatus::Working, time(self.began), time(now()));
        task.status_message = status;
        task.with_ttl_ms(milliseconds(LIFE)).with_poll_interval_ms(milliseconds(poll))
    }
}

/// How a task stands.
enum Stand {
    /// The work goes on.
    Working(Option<String>),
    /// It is over, and this is what the call would have answered.
    Completed(CallToolResult),
}

impl Server {
    /// The same, whose calls wait for so long themselves before they become tasks.
    #[must_use]
    pub fn with_tasks_after(self, patience: Duration) -> Self {
        let tasks = self.tasks.clone().after(patience);
        Self { tasks, ..self }
    }

    /// Where a call leaves its work: nowhere, unless its client takes tasks and its tool can hand over.
    pub(super) fn handover(&self, call: &CallToolRequestParams, request: &RequestContext<RoleServer>) -> Handover {
        let registry = self.registry();
        let has_work = || registry.tool(&call.name).is_ok_and(|tool| tool.definition.work().is_some());
        if takes_tasks(request) && self.tasks.seal.is_some() && has_work() {
            Handover::after(self.tasks.patience)
        } else {
            Handover::default()
        }
    }

    /// The task of a call that has left its work and whose caller would wait longer.
    pub(super) fn new_task(
        &self,
        call: &CallToolRequestParams,
        left: Left,
        answer: &Value,
        took: Duration,
        request: &RequestContext<RoleServer>,
    ) -> Option<CreateTaskResult> {
        let Left { handle: Some(mut work), limit } = left else { return None };
        if limit.is_some_and(|limit| took >= limit) {
            return None;
        }
        if let Some(workspace) = answer.get(ARGUMENT).filter(|_| !self.registry().workspaces().is_empty()) {
            work.insert(ARGUMENT.to_owned(), workspace.clone());
        }
        let tool = self.registry().tool(&call.name).ok()?.definition.name.to_owned();
        let began = now().saturating_sub(milliseconds(took));
        let handle = Handle { tool, work, began, limit: limit.map(milliseconds) };
        let id = self.tasks.seal(&handle)?;
        let result = CreateTaskResult::new(handle.task(&id, status(answer)));
        Some(match meta(request) {
            Some(meta) => result.with_meta(meta),
            None => result,
        })
    }

    /// `tasks/get`.
    pub(super) async fn task(
        &self,
        id: &str,
        request: &RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let handle = self.opened("tasks/get", id, request)?;
        let task = match self.stand(&handle, request).await? {
            Stand::Working(status) => DetailedTask::new(handle.task(id, status), TaskPayload::Working),
            Stand::Completed(result) => {
                let failed = |error: serde_json::Error| ErrorData::internal_error(error.to_string(), None);
                let Value::Object(result) = serde_json::to_value(result).map_err(failed)? else {
                    return Err(ErrorData::internal_error("the result is no object", None));
                };
                DetailedTask::new(handle.task(id, None), TaskPayload::Completed { result })
            }
        };
        let mut result = GetTaskResult::new(task);
        result.meta = meta(request);
        Ok(result)
    }

    /// `tasks/cancel`: ends the work where it is the caller's to end. How it then stands, the task tells.
    pub(super) async fn cancelled_task(&self, id: &str, request: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
        let handle = self.opened("tasks/cancel", id, request)?;
        let registry = self.registry();
        let work = registry.tool(&handle.tool).ok().and_then(|tool| tool.definition.work());
        if work.is_some_and(|work| work.cancel.is_some()) {
            self.go_on("tasks/cancel", &Handover::of(Stage::Cancel), &handle, request)
                .await?
                .map_err(protocol_error)?;
        }
        Ok(())
    }

    /// `tasks/update`: a person is asked before a task is made, so that no task asks for anything.
    pub(super) fn updated_task(&self, id: &str, request: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.opened("tasks/update", id, request).map(|_| ())
    }

    /// The handle of a task that this caller may ask about.
    fn opened(&self, method: &str, id: &str, request: &RequestContext<RoleServer>) -> Result<Handle, ErrorData> {
        if !is_modern(request) {
            return Err(no_method(method));
        }
        let handle = self.tasks.open(id)?;
        match self.registry().tool(&handle.tool) {
            Ok(_) => Ok(handle),
            Err(error) => Err(protocol_error(error)),
        }
    }

    async fn stand(&self, handle: &Handle, request: &RequestContext<RoleServer>) -> Result<Stand, ErrorData> {
        let handover = Handover::of(Stage::Look);
        let outcome = self.go_on("tasks/get", &handover, handle, request).await?;
        Ok(match outcome {
            Ok(answer) if handover.left().handle.is_some() && !handle.is_due() => Stand::Working(status(&answer)),
            Ok(answer) => Stand::Completed(CallToolResult::structured(answer)),
            Err(error) if may_pass(&error, true) => {
                let why: String = error.message().chars().take(LONGEST_STATUS).collect();
                Stand::Working(Some(controls::on_one_line(&format!("its state could not be read: {why}"))))
            }
            Err(error) if error.is_protocol_error() => return Err(protocol_error(error)),
            Err(error) => Stand::Completed(CallToolResult::error(vec![ContentBlock::text(error.to_string())])),
        })
    }

    /// Calls the tool again, for the work that it has left. The outer error is of this server, and says nothing of the work.
    async fn go_on(
        &self,
        method: &'static str,
        handover: &Handover,
        handle: &Handle,
        request: &RequestContext<RoleServer>,
    ) -> Result<Result<Value, Error>, ErrorData> {
        let registry = self.registry();
        let target = registry.tool(&handle.tool).ok().map(|tool| tool.definition.name);
        let (span, workspaces) = self.traced(method, target, request);
        let workspaces = workspaces.each(|context| Context { handover: handover.clone(), ..context });
        let _call = (workspaces.first().cleanup.call(), self.under_way.token());
        let busy = |why: &str| ErrorData::internal_error(why.to_owned(), None);
        tokio::select! {
            biased;
            () = request.ct.cancelled() => Err(busy("the request was cancelled")),
            () = self.stop.cancelled() => Err(busy("the server is stopping")),
            outcome = async {
                let _turn = self.turns.take().await.map_err(|error| busy(&error.to_string()))?;
                Ok(Box::pin(calls::call(&self.registry, &workspaces, &handle.tool, handle.work.clone())).await)
            } => {
                let outcome = outcome?;
                tracing::debug!(tool = handle.tool, method, is_ok = outcome.is_ok(), "a task was asked about");
                Ok(ended(&span, outcome))
            }
        }
    }
}

/// Whether any tool can hand its work over.
pub(super) fn are_offered(registry: &Registry) -> bool {
    registry.tools().any(|tool| tool.definition.work().is_some())
}

/// Whether the sender of a request takes a task for an answer. Before the revision without a handshake, there are none.
fn takes_tasks(request: &RequestContext<RoleServer>) -> bool {
    let declared = || request.client_capabilities().and_then(|capabilities| capabilities.extensions);
    is_modern(request) && declared().is_some_and(|extensions| extensions.contains_key(TASKS_EXTENSION_ID))
}

/// How work stands, in the words of its tool's answer.
fn status(answer: &Value) -> Option<String> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let state = ["life_cycle_state", "state", "status"].into_iter().find_map(text)?;
    let more =
        ["tasks_done", "queued", "warehouse_state", "warehouse_problem", "problem"].into_iter().filter_map(|name| {
            let value = text(name)?;
            Some(if name == "tasks_done" {
                format!(", {value} tasks done")
            } else {
                format!(", {}: {value}", name.replace('_', " "))
            })
        });
    let words: String = std::iter::once(state.to_owned()).chain(more).collect();
    Some(controls::on_one_line(&words).chars().take(LONGEST_STATUS).collect())
}

fn invalid(message: &str) -> ErrorData {
    ErrorData::invalid_params(without_tokens(message).into_owned(), None)
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, milliseconds)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A time as the protocol writes it.
fn time(milliseconds: u64) -> String {
    let time = i64::try_from(milliseconds).ok().and_then(|time| Timestamp::from_millisecond(time).ok());
    time.unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::seal::SigningKeys;

    #[test]
    fn an_id_is_of_its_caller_and_opens_wherever_the_keys_are() {
        let keys = SigningKeys::random().expect("keys");
        let (anna, ben) = (Tasks::new(Some(keys.of("anna"))), Tasks::new(Some(keys.of("ben"))));
        let work = json!({ "run_id": 9_007_199_254_740_993_i64, "workspace": "prod" });
        let work = work.as_object().cloned().unwrap_or_default();
        let handle = Handle { tool: "run_job_now".to_owned(), work, began: now(), limit: Some(60_000) };
        let id = anna.seal(&handle).expect("an id");
        // It goes into a header of HTTP.
        assert!(id.bytes().all(|byte| byte.is_ascii_graphic()), "{id}");
        assert_eq!(anna.of(Some(keys.of("anna"))).open(&id), Ok(handle));
        for foreign in [id.as_str(), "", "x~1~y"] {
            let error = ben.open(foreign).expect_err("not Ben's");
            assert!(error.message.contains("none that this server gave to this caller"), "{error:?}");
        }
        assert!(anna.open(&id.replacen('e', "f", 1)).is_err() && Tasks::new(None).open(&id).is_err());
        let other = keys.of("anna").seal_for("consent", "e30", LIFE);
        assert!(anna.open(&other).is_err(), "sealed for something else");
        let late = keys.of("anna").seal_for(PURPOSE, "e30", Duration::ZERO);
        assert!(anna.open(&late).is_err_and(|error| error.message.contains("a day old")));
    }

    #[test]
    fn clients_ask_the_more_seldom_the_older_a_task_is() {
        let poll = |age: u64, limit| {
            let handle = Handle { tool: String::new(), work: Map::new(), began: now() - age * 1_000, limit };
            (handle.task("id", None).poll_interval_ms.map(|poll| poll / 1_000), handle.is_due())
        };
        assert_eq!(poll(1, None), (Some(2), false));
        assert_eq!(poll(100, Some(60_000)), (Some(10), true));
        assert_eq!(poll(10_000, None), (Some(30), false));
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_status_says_how_far_it_is() {
        let words = |answer: Value| status(&answer);
        let run = json!({ "life_cycle_state": "RUNNING", "tasks_done": "1 of 3" });
        assert_eq!(words(run).as_deref(), Some("RUNNING, 1 of 3 tasks done"));
        let statement = json!({ "state": "PENDING", "warehouse_state": "STARTING" });
        assert_eq!(words(statement).as_deref(), Some("PENDING, warehouse state: STARTING"));
        assert_eq!(words(json!({})), None);
    }
}
