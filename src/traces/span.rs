//! The spans: of a request of a client, and of the requests to workspaces that it makes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use databricks::{Beginning, Trace};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, Span};

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";
/// A longer `tracestate` is not passed on, as the standard allows.
const MOST_STATE: usize = 512;
/// Characters of a kind of error.
const LONGEST_KIND: usize = 64;
const ERROR: &str = "error.type";
const OUTCOME: &str = "databricks_mcp.outcome";
const CANCELLED: &str = "cancelled";

/// What a message or the head of a request says of the span above.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Carried<'a> {
    pub(crate) parent: Option<&'a str>,
    pub(crate) state: Option<&'a str>,
}

impl Carried<'_> {
    /// The span above, if there is one that can be read.
    fn read(self) -> Option<SpanContext> {
        let state = self.state.filter(|state| state.len() <= MOST_STATE);
        let fields = [(PARENT, self.parent), (STATE, state)];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let fields: HashMap<String, String> = fields.collect();
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &fields);
        let found = context.span().span_context().clone();
        found.is_valid().then_some(found)
    }
}

/// Who calls, and by which way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// As the audit log names them.
    pub(crate) principal: Option<&'a str>,
    pub(crate) session: Option<&'a str>,
    /// The revision of the protocol.
    pub(crate) revision: Option<&'a str>,
    /// The name of the risk of the tool.
    pub(crate) risk: Option<&'static str>,
    /// Whether it comes over HTTP.
    pub(crate) is_http: bool,
}

/// The span of a request of a client; clones are the same span. Where nothing is traced, it does nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallSpan(Option<Arc<Call>>);

#[derive(Debug)]
struct Call {
    tracer: SdkTracer,
    context: SpanContext,
    open: Mutex<Option<Span>>,
}

impl CallSpan {
    pub(super) fn begin(
        tracer: &SdkTracer,
        method: &'static str,
        target: Option<&'static str>,
        caller: Caller<'_>,
        carried: &[Carried<'_>],
    ) -> Self {
        let above = carried.iter().find_map(|carried| carried.read());
        let above = above.map_or_else(Context::new, |above| Context::new().with_remote_span_context(above));
        let name = target.map_or_else(|| method.to_owned(), |target| format!("{method} {target}"));
        let is_tool = method == "tools/call";
        let transport = if caller.is_http { "tcp" } else { "pipe" };
        let attributes = [
            ("mcp.method.name", Some(method)),
            ("mcp.protocol.version", caller.revision),
            ("network.transport", Some(transport)),
            ("gen_ai.operation.name", Some("execute_tool").filter(|_| is_tool)),
            ("gen_ai.tool.name", target.filter(|_| is_tool)),
            ("gen_ai.prompt.name", target.filter(|_| !is_tool)),
            ("enduser.id", caller.principal),
            ("session.id", caller.session),
            ("databricks_mcp.risk", caller.risk),
        ];
        let attributes =
            attributes.into_iter().filter_map(|(name, value)| Some(KeyValue::new(name, value?.to_owned())));
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Server).with_attributes(attributes);
        let span = tracer.build_with_context(builder, &above);
        let context = span.span_context().clone();
        Self(Some(Arc::new(Call { tracer: tracer.clone(), context, open: Mutex::new(Some(span)) })))
    }

    /// What traces the requests of this call.
    pub(crate) fn below(&self) -> Option<Arc<dyn Trace>> {
        self.0.clone().map(|call| call as Arc<dyn Trace>)
    }

    /// The request was answered as it was meant to be.
    pub(crate) fn succeeded(&self) {
        self.end("ok", None);
    }

    /// It ended otherwise: with this outcome, and an error of this kind.
    pub(crate) fn failed(&self, outcome: &'static str, kind: &str) {
        self.end(outcome, Some(kind));
    }

    fn end(&self, outcome: &'static str, error: Option<&str>) {
        if let Some(call) = &self.0 {
            call.end(outcome, error);
        }
    }
}

impl Call {
    fn end(&self, outcome: &'static str, error: Option<&str>) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut span) = open {
            span.set_attribute(KeyValue::new(OUTCOME, outcome));
            if let Some(kind) = error {
                fail(&mut span, kind);
            }
            span.end();
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Nobody has waited for its end.
        self.end(CANCELLED, Some(CANCELLED));
    }
}

/// An error is told by its kind. Its text may hold anything.
fn fail(span: &mut Span, kind: &str) {
    span.set_attribute(KeyValue::new(ERROR, kind.chars().take(LONGEST_KIND).collect::<String>()));
    span.set_status(Status::error(""));
}

impl Trace for Call {
    fn begin(&self, request: &Beginning<'_>) -> Box<dyn databricks::Span> {
        let server = request.host.split_once("://").map_or(request.host, |(_, authority)| authority);
        let attributes = [
            ("http.request.method", request.method),
            ("url.template", request.template),
            ("server.address", server),
            ("databricks.operation", request.operation),
        ];
        let name = format!("{} {}", request.method, request.template);
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Client);
        let builder = builder.with_attributes(attributes.map(|(name, value)| KeyValue::new(name, value.to_owned())));
        let above = Context::new().with_remote_span_context(self.context.clone());
        let span = self.tracer.build_with_context(builder, &above);
        let context = span.span_context().clone();
        Box::new(Request { context, open: Mutex::new(Open { span: Some(span), attempts: 0 }) })
    }
}

/// The span of a request to a workspace.
#[derive(Debug)]
struct Request {
    context: SpanContext,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    span: Option<Span>,
    attempts: i64,
}

impl Request {
    fn end(&self, status: Option<u16>, error: Option<&str>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let attempts = open.attempts;
        if let Some(mut span) = open.span.take() {
            if attempts > 1 {
                span.set_attribute(KeyValue::new("http.request.resend_count", attempts - 1));
            }
            if let Some(status) = status {
                span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
            }
            if let Some(kind) = error {
                fail(&mut span, kind);
            }
            span.end();
        }
    }
}

impl databricks::Span for Request {
    fn headers(&self) -> Vec<(&'static str, String)> {
        let context = &self.context;
        let flags = u8::from(context.is_sampled());
        let parent = format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id());
        let state = Some(context.trace_state().header()).filter(|state| !state.is_empty());
        [(PARENT, Some(parent)), (STATE, state)].into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn attempted(&self, _number: u32, status: Option<u16>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.attempts += 1;
        let is_success = status.is_some_and(|status| (200..300).contains(&status));
        let number = open.attempts;
        if let Some(span) = open.span.as_mut().filter(|_| !is_success) {
            let mut attributes = vec![KeyValue::new("attempt", number)];
            attributes.extend(status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))));
            span.add_event("attempt failed", attributes);
        }
    }

    fn ended(&self, outcome: Result<u16, &databricks::Error>) {
        match outcome {
            Ok(status) => self.end(Some(status), None),
            Err(error) => {
                let status = error.status().map(|status| status.to_string());
                let kind = error.error_code().or(status.as_deref());
                let other = if error.is_timeout() { "timeout" } else { "other" };
                self.end(error.status(), Some(kind.unwrap_or(other)));
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.end(None, Some(CANCELLED));
    }
}

#[cfg(test)]
mod tests {
    use super::Carried;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_carried_is_read_or_passed_over() {
        let read = |parent, state| Carried { parent: Some(parent), state }.read();
        let found = read(PARENT, Some("vendor=1")).expect("a span");
        assert_eq!(found.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!((found.is_sampled(), found.trace_state().header().as_str()), (true, "vendor=1"));
        let long = format!("vendor={}", "x".repeat(600));
        assert_eq!(read(PARENT, Some(&long)).expect("a span").trace_state().header(), "");
        for wrong in ["", "00", "00-0-0-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "é-é-é-é"] {
            assert!(read(wrong, None).is_none(), "{wrong}");
        }
        assert!(Carried::default().read().is_none());
    }
}
