//! Calls of tools: their turn, their progress, the consent that some need, and their answer as a result.

use std::time::Instant;

use databricks::Closing;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;

use crate::calls;
use crate::consent::Consent;
use crate::context::Context;
use crate::error::Error;
use crate::images::Media;
use crate::server::asking::Way;
use crate::server::{Server, changes, meta, reporting};
use crate::workspaces::Workspaces;

impl Server {
    /// Calls a tool, with the consent of a person where it needs one.
    pub(super) async fn called(
        &self,
        call: CallToolRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let started = Instant::now();
        let changes = self.registry.changes();
        let media = Media::default();
        let consent = self.workspaces.first().consent.clone();
        let (way, answer) = (Way::of(&request), self.answer(&call, &consent)?);
        let consent = consent.with(way.means(), answer);
        let handover = self.handover(&call, &request);
        let (span, workspaces) = self.traced_call(&call.name, self.workspaces(&request), &request);
        let workspaces = self.bounded(workspaces, &call.name, self.ceiling(&request));
        let workspaces = workspaces.with_media(&media);
        let workspaces = workspaces.each(|context| Context { handover: handover.clone(), ..context });
        let outcome = reporting(&request, workspaces, async |workspaces| {
            let outcome = self.attempt(&call, &workspaces, &consent, &request).await;
            let question = outcome.as_ref().err().and_then(Error::asks).filter(|_| way == Way::Request);
            let Some(question) = question else { return outcome };
            workspaces.first().progress.report("waiting for a person to confirm the call".to_owned());
            let answer = self.ask(question, &consent, &request).await?;
            self.attempt(&call, &workspaces, &consent.with(way.means(), answer), &request).await
        });
        let outcome = outcome.await;
        let milliseconds = started.elapsed().as_millis();
        if changes.has_changed().unwrap_or_default() {
            changes::tell(&request).await;
        }
        let result = match outcome {
            Ok(value) => {
                tracing::info!(tool = %call.name, milliseconds, "called");
                span.succeeded();
                if let Some(task) = self.new_task(&call, handover.left(), &value, started.elapsed(), &request) {
                    self.count(&call.name, "task", started.elapsed(), 0);
                    return Ok(task.into());
                }
                let mut result = CallToolResult::structured(value);
                let text = result.content.first().and_then(|block| block.as_text());
                self.count(&call.name, "ok", started.elapsed(), text.map_or(0, |block| block.text.len()));
                let images = media.take().into_iter();
                result.content.extend(images.map(|image| ContentBlock::image(image.base64, image.mime_type)));
                result
            }
            Err(error) => {
                tracing::info!(tool = %call.name, milliseconds, %error, "failed");
                if let Some(question) = error.asks() {
                    self.count(&call.name, "asked", started.elapsed(), 0);
                    span.failed("asked", error.kind());
                    return Ok(self.input_required(&call, question, &consent, &request)?.into());
                }
                let outcome = if error.rule().is_some() { "refused" } else { "error" };
                self.count(&call.name, outcome, started.elapsed(), 0);
                span.failed(if request.ct.is_cancelled() { "cancelled" } else { outcome }, error.kind());
                if error.is_protocol_error() {
                    return Err(ErrorData::invalid_params(error.to_string(), None));
                }
                CallToolResult::error(vec![ContentBlock::text(error.to_string())])
            }
        };
        Ok(result.with_meta(meta(&request)).into())
    }

    /// Makes a call with the consent that there is. Dropping it undoes what it started.
    async fn attempt(
        &self,
        call: &CallToolRequestParams,
        workspaces: &Workspaces,
        consent: &Consent,
        request: &RequestContext<RoleServer>,
    ) -> Result<Value, Error> {
        let closing = Closing::at(self.input_ended.clone());
        let workspaces = workspaces.each(|context| Context { consent: consent.clone(), ..context });
        let workspaces = self.closing(workspaces, &call.name, &closing);
        let _call = (workspaces.first().cleanup.call(), self.under_way.token());
        let arguments = call.arguments.clone().unwrap_or_default();
        tokio::select! {
            biased;
            () = request.ct.cancelled() => Err(Error::failed("the call was cancelled")),
            () = self.stop.cancelled() => Err(Error::failed("the server is stopping")),
            outcome = async {
                let _turn = closing.wait(self.turns.take()).await?;
                // On the heap, as the next two: rmcp keeps the futures of all requests on its stack.
                Box::pin(calls::call(&self.registry, &workspaces, &call.name, arguments)).await
            } => outcome,
        }
    }
}
