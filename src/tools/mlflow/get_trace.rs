//! `get_trace`: one trace with its assessments and the tree of its spans.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::Composite;
use crate::domain::request;
use crate::domain::traces::source::Trace;
use crate::domain::traces::{info, span};
use crate::error::Error;
use crate::shape::{self, Budget};

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Trace id, from `search_traces`, e.g. `tr-0a1b2c3d`, or `trace:/main.traces/0a1b2c3d` in Unity Catalog.
    trace_id: String,
    /// Only this span and those below it, in more detail.
    span_id: Option<String>,
    /// `next_page_token` of the last answer, for the spans that follow.
    page_token: Option<String>,
    /// SQL warehouse for a trace in Unity Catalog, from `list_warehouses`; if unset, one that runs.
    warehouse_id: Option<String>,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let skip = match input.page_token.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Cursor::decode(text).ok_or_else(Error::bad_page_token)?.skip,
        None => 0,
    };
    let Trace { info, spans } = Trace::read(&context, input.trace_id.trim(), input.warehouse_id).await?;
    let mut answer = info::whole(&info);
    // What was asked for by id, and what follows a page, need not be told again.
    if input.span_id.is_some() || skip > 0 {
        answer = shape::keep(answer, &["trace_id", "state"]);
    }
    let spans = match spans {
        Ok(spans) => spans,
        Err(error) if input.span_id.is_some() => return Err(error),
        Err(error) => {
            for (name, field) in [("request_preview", "request"), ("response_preview", "response")] {
                if let Some(text) = request::text(&info, name) {
                    shape::put(&mut answer, field, text);
                }
            }
            shape::put(&mut answer, "spans_problem", error.message());
            let still_runs = request::text(&info, "state") == Some("IN_PROGRESS");
            let why = if still_runs { "the trace is not complete yet" } else { "they may never have been written" };
            shape::advise(&mut answer, &format!("the spans could not be read: {why}; ask again later"));
            return Ok(fitted(answer, context.budget));
        }
    };
    let origin = spans.iter().map(span::Span::start).min().unwrap_or_default();
    let mut tree = span::tree(&spans);
    if let Some(id) = &input.span_id {
        tree = span::branch(&tree, id).ok_or_else(|| {
            Error::failed(format!("trace `{}` has no span `{id}`", input.trace_id))
                .with_hint("call without `span_id` to see the spans that there are")
        })?;
    }
    let total = tree.len();
    let rest = tree.get(skip..).unwrap_or_default();
    // A third at most for what is not spans: tags and assessments may be long as well.
    let third = Budget { characters: context.budget.characters / 3 };
    let cuts = shape::fit(&mut answer, third);
    let used = answer.to_string().chars().count();
    let room = context.budget.for_items().characters.saturating_sub(used);
    let told = span::tell(rest, origin, input.span_id.is_some(), room);
    let returned = told.spans.len();
    shape::put(&mut answer, "total_spans", total);
    shape::put(&mut answer, "returned", returned);
    shape::put(&mut answer, "spans", told.spans);
    if told.cut > 0 {
        shape::put(&mut answer, "truncated", true);
        let advice = match input.span_id {
            Some(_) => "ask for a span below it",
            None => "see one span in more detail with `span_id`",
        };
        shape::advise(&mut answer, &format!("{} long values are cut; {advice}", told.cut));
    }
    if skip + returned < total {
        let next = Cursor { skip: skip + returned, ..Cursor::default() };
        shape::put(&mut answer, "truncated", true);
        shape::put(&mut answer, "next_page_token", next.encode());
        shape::advise(&mut answer, "more spans follow: pass `page_token`");
    }
    shape::exact(&mut answer);
    shape::notice(&mut answer, cuts, "they cannot be seen whole here");
    Ok(answer)
}

fn fitted(mut answer: Value, budget: Budget) -> Value {
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, budget);
    shape::notice(&mut answer, cuts, "they cannot be seen whole here");
    answer
}
