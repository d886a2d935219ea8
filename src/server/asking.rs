//! Asking a person through the client: by a request to it in revisions with a handshake, and by a result that asks for input in
//! those without.

use std::collections::BTreeMap;

use databricks::without_tokens;
use rmcp::model::{
    CallToolRequestParams, ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, ErrorData, InputRequest, InputRequiredResult, ServerRequest,
};
use rmcp::service::{PeerRequestOptions, RequestContext, RoleServer, ServiceError};
use serde_json::{Value, json};
use tokio::select;

use crate::consent::{Answer, Consent, Means, WayOut, Wrong};
use crate::error::Error;
use crate::server::{SESSION, Server, is_modern, meta};

/// The key of the question, and of the answer in its form.
const CONFIRM: &str = "confirm";
/// What to do where the client declares that it cannot ask.
const NO_CAPABILITY: &str =
    "this client does not declare that it can ask a person (`elicitation`): use one that does, do this step by hand";
/// What to do over HTTP without a session.
const NO_SESSION: &str = "over HTTP, a person can be asked in a session (without `--no-sessions`, and with the `Mcp-Session-Id` that `initialize` \
                          gave) or in revision 2026-07-28 of the protocol: connect so";

/// How a person can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By a result that asks for input; the client calls again.
    Result,
    /// By a request to the client.
    Request,
    /// Not at all, and what to do about it.
    None(&'static str),
}

impl Way {
    /// How the sender of a request can be asked.
    pub(super) fn of(request: &RequestContext<RoleServer>) -> Self {
        let is_modern = is_modern(request);
        // Without a session, nothing that the client sends later belongs to this request.
        let parts = request.extensions.get::<http::request::Parts>();
        if !is_modern && parts.is_some_and(|parts| !parts.headers.contains_key(SESSION)) {
            return Self::None(NO_SESSION);
        }
        let declared = request.client_capabilities().and_then(|capabilities| capabilities.elicitation);
        // Without a mode, it is the form.
        match declared {
            Some(modes) if modes.form.is_some() || modes.url.is_none() => {
                if is_modern {
                    Self::Result
                } else {
                    Self::Request
                }
            }
            Some(_) | None => Self::None(NO_CAPABILITY),
        }
    }

    pub(super) fn means(self) -> Means {
        match self {
            Self::Result | Self::Request => Means::Ask,
            Self::None(advice) => Means::Nobody(WayOut { advice, is_served: true }),
        }
    }
}

impl Server {
    /// The answer that comes with a call, to a question about it.
    pub(super) fn answer(&self, call: &CallToolRequestParams, consent: &Consent) -> Result<Answer, ErrorData> {
        let Some(state) = &call.request_state else { return Ok(Answer::None) };
        let given = call.input_responses.as_ref().and_then(|given| given.get(CONFIRM));
        let given = given.map(|given| serde_json::from_value::<ElicitResult>(given.clone())).transpose();
        let given = given.map_err(|error| {
            let message = format!("`inputResponses.{CONFIRM}` is no answer to an elicitation: {error}");
            ErrorData::invalid_params(without_tokens(&message).into_owned(), None)
        })?;
        let arguments = call.arguments.clone().unwrap_or_default();
        let open = consent.terms().open();
        let checked = self.questions.check(state, &self.named(&call.name), &arguments, given.is_some(), open);
        match (checked, given) {
            (Ok(()), Some(given)) => Ok(answered(&given)),
            // Who has not answered yet is asked again.
            (Ok(()), None) => Ok(Answer::None),
            (Err(Wrong::Late), _) => Ok(Answer::Late),
            (Err(Wrong::Used), _) => Ok(Answer::Used),
            (Err(Wrong::Foreign), _) => Err(refused(
                "`requestState` was changed, or is none that this server gave to this caller; nothing was sent. Call again \
                 without it to have the person asked",
            )),
            (Err(Wrong::OtherCall), _) => Err(refused(
                "`requestState` belongs to another call: a person confirmed one tool with its exact arguments; nothing was \
                 sent. Call again without it to have the person asked",
            )),
        }
    }

    /// The name of a tool, whatever it was called by.
    fn named(&self, tool: &str) -> String {
        self.registry().tool(tool).map_or_else(|_| tool.to_owned(), |tool| tool.definition.name.to_owned())
    }

    /// The result that has the client ask a person.
    pub(super) fn input_required(
        &self,
        call: &CallToolRequestParams,
        question: String,
        consent: &Consent,
        request: &RequestContext<RoleServer>,
    ) -> Result<InputRequiredResult, ErrorData> {
        let arguments = call.arguments.clone().unwrap_or_default();
        let state = self.questions.open(&self.named(&call.name), &arguments, consent.terms().open());
        let state = state.ok_or_else(|| ErrorData::internal_error("this system gives no random numbers", None))?;
        let asked = InputRequest::Elicitation(ElicitRequest::new(form(question)?));
        let mut result = InputRequiredResult::new(Some(BTreeMap::from([(CONFIRM.to_owned(), asked)])), Some(state));
        result.meta = meta(request);
        Ok(result)
    }

    /// Asks a person by a request to the client, and waits for the answer.
    pub(super) async fn ask(
        &self,
        question: String,
        consent: &Consent,
        request: &RequestContext<RoleServer>,
    ) -> Result<Answer, Error> {
        let form = form(question).map_err(|error| Error::failed(error.message.into_owned()))?;
        let asked = ServerRequest::ElicitRequest(ElicitRequest::new(form));
        let options = PeerRequestOptions::with_timeout(consent.terms().open());
        let answer = async { request.peer.send_request_with_option(asked, options).await?.await_response().await };
        let answer = select! {
            biased;
            () = request.ct.cancelled() => return Err(Error::failed("the call was cancelled")),
            () = self.stop.cancelled() => return Err(Error::failed("the server is stopping")),
            () = self.input_ended.cancelled() => return Ok(Answer::Closed),
            answer = answer => answer,
        };
        Ok(match answer {
            Ok(ClientResult::ElicitResult(given)) => answered(&given),
            Err(ServiceError::Timeout { .. }) => Answer::Unanswered,
            Ok(_) => Answer::Failed,
            Err(error) => {
                tracing::warn!(%error, "the client did not ask the person");
                Answer::Failed
            }
        })
    }
}

/// What a person has answered. Who closes a form with its box left empty has not said yes.
fn answered(given: &ElicitResult) -> Answer {
    let is_ticked = given.content.as_ref().and_then(|content| content.get(CONFIRM)) == Some(&Value::Bool(true));
    match given.action {
        ElicitationAction::Accept if is_ticked => Answer::Accepted,
        ElicitationAction::Cancel => Answer::Closed,
        _ => Answer::Declined,
    }
}

fn refused(message: &str) -> ErrorData {
    ErrorData::invalid_params(message.to_owned(), None)
}

/// The form: one box to tick.
fn form(message: String) -> Result<ElicitRequestParams, ErrorData> {
    let schema = json!({
        "type": "object",
        "properties": {
            CONFIRM: {
                "type": "boolean", "title": "Confirm", "description": "Tick to have this done", "default": false,
            },
        },
        "required": [CONFIRM],
    });
    let failed = |error: serde_json::Error| ErrorData::internal_error(error.to_string(), None);
    let requested_schema: ElicitationSchema = serde_json::from_value(schema).map_err(failed)?;
    Ok(ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_ticked_box_that_is_sent_says_yes() {
        let given = |value: Value| answered(&serde_json::from_value(value).expect("an answer"));
        assert_eq!(given(json!({ "action": "accept", "content": { "confirm": true } })), Answer::Accepted);
        for content in [json!({ "confirm": false }), json!({ "confirm": "true" }), json!({}), json!(null)] {
            assert_eq!(given(json!({ "action": "accept", "content": content })), Answer::Declined);
        }
        assert_eq!(given(json!({ "action": "accept" })), Answer::Declined);
        assert_eq!(given(json!({ "action": "decline", "content": { "confirm": true } })), Answer::Declined);
        assert_eq!(given(json!({ "action": "cancel" })), Answer::Closed);
        assert!(form("x".to_owned()).is_ok());
    }
}
