//! Prompts as clients see them.

use rmcp::model::{
    CacheScope, ErrorData, GetPromptRequestParams, GetPromptResponse, GetPromptResult, ListPromptsResult,
    PaginatedRequestParams, Prompt, PromptArgument, PromptMessage, Role,
};
use rmcp::service::{RequestContext, RoleServer};

use super::{DEFINITIONS_TTL_MS, RESOURCE_TIME, Server, meta, no_method, protocol_error, refuse_cursor};
use crate::definition::PromptDefinition;
use crate::prompts::{self, Message};
use crate::registry::Registry;
use crate::server::reports::reporting;
use crate::server::spans::ended;
use crate::workspaces::ARGUMENT;

impl Server {
    /// `prompts/list`.
    pub(super) fn listed_prompts(
        &self,
        page: Option<PaginatedRequestParams>,
        request: &RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let registry = self.registry.current();
        if registry.prompts().next().is_none() {
            // rmcp would answer with an empty list, though no prompts are offered.
            return Err(no_method("prompts/list"));
        }
        refuse_cursor(page)?;
        let listed = registry.prompts().map(|prompt| describe(&registry, prompt)).collect();
        let mut result = ListPromptsResult::with_all_items(listed)
            .with_ttl_ms(DEFINITIONS_TTL_MS)
            .with_cache_scope(CacheScope::Public);
        result.meta = meta(request);
        Ok(result)
    }

    /// `prompts/get`.
    pub(super) async fn composed_prompt(
        &self,
        asked: GetPromptRequestParams,
        request: &RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let registry = self.registry.current();
        if registry.prompts().next().is_none() {
            return Err(no_method("prompts/get"));
        }
        let prompt = registry.prompt(&asked.name).map_err(protocol_error)?;
        let (span, workspaces) = self.traced("prompts/get", Some(prompt.name), request);
        let composed = reporting(request, workspaces, async |workspaces| {
            let workspaces = workspaces.each(|context| context.within(RESOURCE_TIME));
            let _turn = self.turns.take().await?;
            Box::pin(prompts::compose(&registry, &workspaces, prompt, asked.arguments.unwrap_or_default())).await
        });
        let composed = tokio::select! {
            composed = composed => ended(&span, composed).map_err(protocol_error)?,
            () = request.ct.cancelled() => return Err(ErrorData::internal_error("the request was cancelled", None)),
        };
        let mut result = GetPromptResult::new(messages(composed)).with_description(prompt.description);
        result.meta = meta(request);
        Ok(result.into())
    }
}

/// A prompt as `prompts/list` shows it.
pub fn describe(registry: &Registry, prompt: &PromptDefinition) -> Prompt {
    let mut arguments: Vec<_> = prompt
        .arguments
        .iter()
        .map(|argument| {
            PromptArgument::new(argument.name)
                .with_title(argument.title)
                .with_description(format!("{} E.g. `{}`.", argument.description, argument.example))
                .with_required(argument.required)
        })
        .collect();
    if let Some(first) = registry.workspaces().first() {
        let argument = PromptArgument::new(ARGUMENT).with_title("Workspace").with_required(false);
        arguments.push(argument.with_description(format!("Which workspace it is about; default: {}.", first.name)));
    }
    let arguments = (!arguments.is_empty()).then_some(arguments);
    Prompt::new(prompt.name, Some(prompt.description), arguments).with_title(prompt.title)
}

/// Messages as `prompts/get` gives them. All are of the person who asks.
pub fn messages(composed: Vec<Message>) -> Vec<PromptMessage> {
    let message = |message| match message {
        Message::Text(text) => PromptMessage::new_text(Role::User, text),
        Message::Resource { uri, contents } => {
            let (mime_type, text) = (Some(contents.mime_type), Some(contents.text));
            PromptMessage::new_resource(Role::User, uri, mime_type, text, None, None, None)
        }
    };
    composed.into_iter().map(message).collect()
}
