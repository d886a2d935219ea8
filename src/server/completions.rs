//! `completion/complete`: the values offered while somebody types.

use rmcp::model::{ArgumentInfo, CompleteRequestParams, CompleteResult, CompletionInfo, ErrorData, Reference};
use rmcp::service::{RequestContext, RoleServer};

use super::{Server, meta, no_method, protocol_error};
use crate::completions::{Completion, Place, Question};
use crate::error::Error;
use crate::registry::Registry;
use crate::server::spans::ended;

/// Whether there is anything whose values could be offered.
pub(super) fn are_offered(registry: &Registry) -> bool {
    !registry.resources().is_empty() || registry.prompts().next().is_some()
}

impl Server {
    /// Answers a keystroke.
    pub(super) async fn completed(
        &self,
        asked: CompleteRequestParams,
        request: &RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let registry = self.registry.current();
        if !are_offered(&registry) {
            return Err(no_method("completion/complete"));
        }
        let (place, name) = match &asked.r#ref {
            Reference::Prompt(prompt) => (Place::Prompt(&prompt.name), &prompt.name),
            Reference::Resource(template) => (Place::Template(&template.uri), &template.uri),
            _ => return Err(ErrorData::invalid_params("`ref` is a prompt or a resource", None)),
        };
        let chosen = asked.context.and_then(|context| context.arguments).unwrap_or_default();
        let ArgumentInfo { name: argument, value: typed, .. } = &asked.argument;
        let question = Question::new(&registry, place, argument, typed, &chosen).map_err(protocol_error)?;
        let (span, workspaces) = self.traced("completion/complete", None, request);
        let caller = &workspaces.first().caller;
        let field = format!("{:?} {:?} {:?} {name} {argument}", caller.principal, caller.client, caller.session);
        let superseded = self.typing.begin(field, question.list());
        let answer = async {
            let _turn = self.turns.take().await?;
            Ok::<_, Error>(Box::pin(question.answer(&registry, &workspaces)).await)
        };
        let found = tokio::select! {
            found = answer => ended(&span, found).map_err(protocol_error)?,
            // Nobody waits for it any more.
            () = superseded.cancelled() => Completion::default(),
            () = request.ct.cancelled() => return Err(ErrorData::internal_error("the request was cancelled", None)),
        };
        let total = found.total.and_then(|total| u32::try_from(total).ok());
        let values = CompletionInfo::with_pagination(found.values, total, found.has_more);
        let mut result = CompleteResult::new(values.map_err(|error| ErrorData::internal_error(error, None))?);
        result.meta = meta(request);
        Ok(result)
    }
}
