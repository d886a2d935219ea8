//! Genie: one space that knows a few questions, each answered by SQL that really runs.
//!
//! Which question is asked is told by its words. Of others Genie says what it knows. Derived: no recording of these
//! bodies is public; they follow the SDK's types.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{statements, tasks};
use crate::clock::Lapse;
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Pending, Route, route, waiting};
use crate::sql::Table;
use crate::workspace::{USER_ID, Workspace, lock};

const SPACE: &str = "01f0aaaa00001111a2b2c3d4e5f60718";
const WAREHOUSE: &str = "a1b2c3d4e5f60718";
/// Each of the phases before an answer.
const PHASE: Lapse = Lapse::new(150, 4_000);
const PHASES: [&str; 3] = ["FETCHING_METADATA", "ASKING_AI", "EXECUTING_QUERY"];

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/genie/spaces", spaces),
    route("GET", "/api/2.0/genie/spaces/{space_id}", space),
    waiting("POST", "/api/2.0/genie/spaces/{space_id}/start-conversation", begin),
    waiting("POST", "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages", ask),
    route("GET", "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}", message),
    route(
        "GET",
        "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}/attachments/{attachment_id}/query-result",
        query_result,
    ),
];

/// The words of a question, what the answer is, and its SQL.
const QUESTIONS: [(&[&str], &str, &str); 3] = [
    (
        &["revenue", "channel"],
        "Revenue of all orders that were not cancelled, per channel.",
        "SELECT channel, sum(total) AS revenue FROM samples.retail.orders WHERE status <> 'cancelled' GROUP BY channel ORDER BY revenue DESC",
    ),
    (
        &["top", "customer"],
        "The customers with the highest revenue.",
        "SELECT name, country, orders, revenue FROM main.sales.top_customers ORDER BY revenue DESC LIMIT 5",
    ),
    (
        &["order", "month"],
        "The number of orders per month.",
        "SELECT date_trunc('MONTH', order_ts) AS month, count(*) AS orders FROM samples.retail.orders GROUP BY 1 ORDER BY 1",
    ),
];

#[derive(Debug)]
struct Message {
    conversation: String,
    content: String,
    created: i64,
    phase: i64,
    /// The place of its question, the attachment and the statement, where Genie knows an answer.
    answer: Option<(usize, String, String)>,
    attachment: String,
}

/// Messages by id.
#[derive(Debug, Default)]
pub(crate) struct Genie(BTreeMap<String, Message>);

fn space_json() -> Value {
    json!({"space_id": SPACE, "title": "Retail questions", "description": "Answers questions on orders, customers and revenue.", "warehouse_id": WAREHOUSE})
}

fn known_space(request: &Request) -> Result<(), ApiError> {
    match request.parameter("space_id") {
        SPACE => Ok(()),
        id => Err(ApiError::does_not_exist(format!("Genie space {id} does not exist."))),
    }
}

fn spaces(_: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(json!({"spaces": [space_json()]})))
}

fn space(_: &Workspace, request: &Request) -> Outcome {
    known_space(request)?;
    Ok(Reply::json(space_json()))
}

fn begin(workspace: Arc<Workspace>, request: Request) -> Pending {
    Box::pin(async move {
        known_space(&request)?;
        let content = request.fields()?.required_text("content")?.to_owned();
        let conversation = workspace.ids.statement().replace('-', "");
        let message = add(&workspace, &conversation, content.clone()).await?;
        let now = workspace.clock.now();
        let told = json!({"id": conversation, "conversation_id": conversation, "space_id": SPACE, "user_id": USER_ID, "title": content, "created_timestamp": now, "last_updated_timestamp": now});
        Ok(Reply::json(
            json!({"conversation_id": conversation, "message_id": message.at("id"), "conversation": told, "message": message}),
        ))
    })
}

fn ask(workspace: Arc<Workspace>, request: Request) -> Pending {
    Box::pin(async move {
        known_space(&request)?;
        let conversation = request.parameter("conversation_id").to_owned();
        if !lock(&workspace.genie).0.values().any(|message| message.conversation == conversation) {
            return Err(ApiError::does_not_exist(format!("Conversation {conversation} does not exist.")));
        }
        let content = request.fields()?.required_text("content")?.to_owned();
        add(&workspace, &conversation, content).await.map(Reply::json)
    })
}

async fn add(workspace: &Arc<Workspace>, conversation: &str, content: String) -> Result<Value, ApiError> {
    let asked = content.to_lowercase();
    let question = QUESTIONS.iter().position(|(words, ..)| words.iter().all(|word| asked.contains(word)));
    let answer = match question.and_then(|question| Some((question, QUESTIONS.get(question)?))) {
        None => None,
        Some((question, (_, _, sql))) => {
            let worker = Arc::clone(workspace);
            let run = tokio::task::spawn_blocking(move || tasks::run_statements(&worker, sql));
            let failed = |_| ApiError::new(500, "INTERNAL_ERROR", "The query could not be run");
            let outcome = run.await.map_err(failed)?.map(|table: Option<Table>| table.unwrap_or_default());
            let statement = statements::enter(workspace, sql, WAREHOUSE, outcome);
            Some((question, workspace.ids.uuid().replace('-', ""), statement))
        }
    };
    let id = workspace.ids.statement().replace('-', "");
    let message = Message {
        conversation: conversation.to_owned(),
        content,
        created: workspace.clock.now(),
        phase: workspace.clock.lapse(PHASE),
        answer,
        attachment: workspace.ids.uuid().replace('-', ""),
    };
    let told = message.json(&id, workspace.clock.now());
    lock(&workspace.genie).0.insert(id, message);
    Ok(told)
}

impl Message {
    fn status(&self, now: i64) -> &'static str {
        let phase = usize::try_from((now - self.created) / self.phase.max(1)).unwrap_or(0);
        PHASES.get(phase).copied().unwrap_or("COMPLETED")
    }

    fn json(&self, id: &str, now: i64) -> Value {
        let status = self.status(now);
        let mut json = json!({"id": id, "message_id": id, "space_id": SPACE, "conversation_id": self.conversation, "user_id": USER_ID,
            "content": self.content, "created_timestamp": self.created, "last_updated_timestamp": now, "status": status});
        if status != "COMPLETED" {
            return json;
        }
        let attachment = match self
            .answer
            .as_ref()
            .and_then(|(question, id, statement)| Some((QUESTIONS.get(*question)?, id, statement)))
        {
            Some(((_, description, sql), id, statement)) => {
                json!({"attachment_id": id, "query": {"query": sql, "description": description, "statement_id": statement, "title": description}})
            }
            None => {
                json!({"attachment_id": self.attachment, "text": {"content": "I can tell the revenue per channel, the top customers, and the orders per month."}})
            }
        };
        json.set("attachments", json!([attachment]));
        json
    }
}

fn with<T>(
    workspace: &Workspace,
    request: &Request,
    body: impl FnOnce(&Message, &str) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    known_space(request)?;
    let id = request.parameter("message_id");
    let genie = lock(&workspace.genie);
    let message = genie.0.get(id).filter(|message| message.conversation == request.parameter("conversation_id"));
    body(message.ok_or_else(|| ApiError::does_not_exist(format!("Message {id} does not exist.")))?, id)
}

fn message(workspace: &Workspace, request: &Request) -> Outcome {
    let now = workspace.clock.now();
    with(workspace, request, |message, id| Ok(Reply::json(message.json(id, now))))
}

fn query_result(workspace: &Workspace, request: &Request) -> Outcome {
    let wanted = request.parameter("attachment_id");
    let statement = with(workspace, request, |message, _| {
        let answer = message.answer.as_ref().filter(|(_, id, _)| id == wanted);
        let (_, _, statement) =
            answer.ok_or_else(|| ApiError::does_not_exist(format!("Attachment {wanted} has no query.")))?;
        Ok(statement.clone())
    })?;
    Ok(Reply::json(json!({"statement_response": statements::told(workspace, &statement)?})))
}
