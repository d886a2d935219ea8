//! What task runs produced, cleaned and cut to size.

use databricks::requests::jobs::jobs::GetRunOutput;
use databricks::types::{RunOutput, SqlDashboardWidgetOutput};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::context::Context;
use crate::domain::text::{Excerpt, Keep, excerpt, without_markup};
use crate::error::Error;
use crate::shape::{self, Budget};

/// How many outputs are read at the same time.
const PARALLEL: usize = 4;

/// The output of one task run. A run with tasks has none of its own.
pub(crate) async fn fetch(context: &Context, task_run_id: i64) -> Result<RunOutput, Error> {
    context.send(GetRunOutput::new(task_run_id)).await
}

/// The outputs of several task runs, in their order.
pub(crate) async fn fetch_all(context: &Context, task_run_ids: &[i64]) -> Vec<Result<RunOutput, Error>> {
    let mut outputs = Vec::with_capacity(task_run_ids.len());
    for few in task_run_ids.chunks(PARALLEL) {
        let mut reads = JoinSet::new();
        for (index, id) in few.iter().copied().enumerate() {
            let context = context.clone();
            reads.spawn(async move { (index, fetch(&context, id).await) });
        }
        let mut read = Vec::with_capacity(few.len());
        while let Some(joined) = reads.join_next().await {
            read.extend(joined.ok());
        }
        read.sort_by_key(|(index, _)| *index);
        outputs.extend(read.into_iter().map(|(_, output)| output));
    }
    outputs
}

/// Adds an output to an answer, its texts in no more than `room` characters; what was cut is told in `cut`.
pub(crate) fn put(answer: &mut Value, output: RunOutput, room: usize) {
    let others = others(&output);
    let notebook = output.notebook_output.or(output.clean_rooms_notebook_output.and_then(|room| room.notebook_output));
    let notebook = notebook.unwrap_or_default();
    let sql = output.sql_output.unwrap_or_default();
    let sql =
        sql.query_output.and_then(|query| query.query_text).or(sql.alert_output.and_then(|alert| alert.query_text));
    let texts = [
        ("error", output.error, Keep::Ends),
        ("error_trace", output.error_trace, Keep::Ends),
        ("result", notebook.result, Keep::Head),
        ("logs", output.logs, Keep::Tail),
        ("query_text", sql, Keep::Head),
        ("info", output.info, Keep::Head),
    ];
    let texts: Vec<_> = texts
        .into_iter()
        .filter_map(|(name, text, keep)| {
            let text = text?;
            // A notebook's result is the caller's own text, which may well be markup.
            let text = if name == "result" { text } else { without_markup(&text) };
            Some((name, text, keep)).filter(|(_, text, _)| !text.is_empty())
        })
        .collect();
    let lengths: Vec<_> = texts.iter().map(|(_, text, _)| text.chars().count()).collect();
    let mut cuts = Vec::new();
    for ((name, text, keep), most) in texts.into_iter().zip(shares(&lengths, room)) {
        let Excerpt { text, notice } = excerpt(&text, most, keep);
        cuts.extend(notice.map(|notice| format!("{name}: {notice}")));
        shape::put(answer, name, text);
    }
    for (name, mut other) in others {
        let cut = shape::fit(&mut other, Budget { characters: room / 2 });
        cuts.extend(cut.into_iter().take(3).map(|notice| format!("{name}: {notice}")));
        shape::put(answer, name, other);
    }
    if notebook.truncated == Some(true) {
        cuts.push("result: the workspace keeps the first 5 MB".to_owned());
    }
    if output.logs_truncated == Some(true) {
        cuts.push("logs: the workspace keeps the last 5 MB".to_owned());
    }
    if !cuts.is_empty() {
        shape::put(answer, "cut", cuts);
    }
    if let Some(child) = output.run_job_output.and_then(|child| child.run_id) {
        shape::put(answer, "child_run_id", child);
    }
    if output.dbt_output.is_some() {
        // Its link is a credential of its own.
        shape::put(answer, "dbt", "its artifacts are on the page of the run");
    }
}

/// What tasks of rarer kinds give besides texts: the state of an alert, widgets that failed, steps of dbt.
fn others(output: &RunOutput) -> Vec<(&'static str, Value)> {
    let sql = output.sql_output.as_ref();
    let query = sql.and_then(|sql| sql.query_output.as_ref()?.output_link.clone());
    let alert = sql.and_then(|sql| sql.alert_output.as_ref());
    let link = query.or_else(|| alert?.output_link.clone());
    let widgets = sql.and_then(|sql| sql.dashboard_output.as_ref()).map(|dashboard| {
        let one = |widget: &SqlDashboardWidgetOutput| {
            let error = widget.error.as_ref().and_then(|error| error.message.as_deref()).map(without_markup);
            json!({ "widget": widget.widget_title, "status": widget.status, "error": error })
        };
        dashboard.widgets.iter().map(one).collect::<Vec<_>>()
    });
    let new_alert = output.alert_output.as_ref().map(|alert| json!(alert.alert_state));
    [
        ("output_link", link.map(Value::from)),
        ("alert_state", alert.map(|alert| json!(alert.alert_state)).or(new_alert)),
        ("widgets", widgets.map(Value::from)),
        ("dashboard", output.dashboard_output.as_ref().map(|dashboard| json!(dashboard.page_snapshots))),
        ("dbt_cloud", output.dbt_cloud_output.as_ref().map(|dbt| json!(dbt))),
        ("dbt_platform", output.dbt_platform_output.as_ref().map(|dbt| json!(dbt))),
        ("ai_function", output.ai_function_task_output.as_ref().map(|ai| json!(ai))),
        ("ai_runtime", output.ai_runtime_task_output.as_ref().map(|ai| json!(ai))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_null())?)))
    .collect()
}

/// How much of the room each text gets: short ones what they need, long ones equal parts of the rest.
fn shares(lengths: &[usize], room: usize) -> Vec<usize> {
    let mut order: Vec<_> = lengths.iter().copied().enumerate().collect();
    order.sort_by_key(|(_, length)| *length);
    let mut shares = vec![0; lengths.len()];
    let (mut left, mut waiting) = (room, order.len());
    for (index, length) in order {
        let share = length.min(left / waiting.max(1));
        left -= share;
        waiting -= 1;
        if let Some(slot) = shares.get_mut(index) {
            *slot = share;
        }
    }
    shares
}

/// An error and the end of its trace in a few lines, for the text of an error.
pub(crate) fn words(error: Option<&str>, trace: Option<&str>, room: usize) -> String {
    let error = error.map(without_markup).unwrap_or_default();
    let trace = trace.map(without_markup).unwrap_or_default();
    let error = excerpt(error.trim(), room / 3, Keep::Head).text;
    let trace = excerpt(trace.trim(), room.saturating_sub(error.chars().count()), Keep::Ends).text;
    match (error.is_empty(), trace.is_empty()) {
        (_, true) => error,
        (true, false) => trace,
        // The trace of Python ends with the error itself.
        (false, false) if trace.ends_with(&error) => trace,
        (false, false) => format!("{error}\n{trace}"),
    }
}

/// Tells in an answer that an output cannot be read: what the run did is known all the same.
pub(crate) fn put_error(answer: &mut Value, error: &Error) {
    shape::put(answer, "output_error", json!(error.to_string()));
}

#[cfg(test)]
mod tests {
    use databricks::types::RunOutput;
    use serde_json::json;

    use super::{put, shares, words};

    #[test]
    fn room_goes_to_those_who_need_it() {
        assert_eq!(shares(&[5, 100, 1_000], 200), [5, 97, 98]);
        assert_eq!(shares(&[5, 10], 200), [5, 10]);
        assert_eq!(shares(&[], 200), Vec::<usize>::new());
    }

    #[test]
    fn outputs_are_clean_and_their_cuts_are_told() {
        let logs = "x".repeat(5_000);
        let output: RunOutput = serde_json::from_value(json!({
            "error": "\u{1b}[31mValueError\u{1b}[0m: bad", "logs": logs, "logs_truncated": true,
            "notebook_output": { "result": "<b>mine</b>" },
        }))
        .expect("an output");
        let mut answer = json!({});
        put(&mut answer, output, 1_000);
        assert_eq!((&answer["error"], &answer["result"]), (&json!("ValueError: bad"), &json!("<b>mine</b>")));
        let cut = answer["cut"].to_string();
        assert!(cut.contains("logs: last 974 of 5000 characters") && cut.contains("last 5 MB"), "{cut}");
    }

    #[test]
    fn every_kind_of_task_shows_what_it_gave() {
        let shown = |output: serde_json::Value| {
            let output: RunOutput = serde_json::from_value(output).expect("an output");
            let mut answer = json!({});
            put(&mut answer, output, 2_000);
            answer
        };
        let alert =
            json!({ "alert_state": "TRIGGERED", "query_text": "SELECT 1", "output_link": "https://acme.test/sql/1" });
        assert_eq!(shown(json!({ "sql_output": { "alert_output": alert } })), alert);
        let widgets =
            json!([{ "widget_title": "Sales", "status": "FAILED", "error": { "message": "<b>no table</b>" } }]);
        let answer = shown(json!({ "sql_output": { "dashboard_output": { "widgets": widgets } } }));
        assert_eq!(answer["widgets"], json!([{ "widget": "Sales", "status": "FAILED", "error": "no table" }]));
        assert_eq!(shown(json!({ "alert_output": { "alert_state": "OK" } })), json!({ "alert_state": "OK" }));
        let room = json!({ "clean_rooms_notebook_output": { "notebook_output": { "result": "shared" } } });
        assert_eq!(shown(room)["result"], "shared");
        let dbt = json!({ "dbt_cloud_job_run_id": 7, "dbt_cloud_job_run_url": "https://dbt.test/7" });
        assert_eq!(shown(json!({ "dbt_cloud_output": dbt }))["dbt_cloud"], dbt);
        // Its link opens the artifacts to whoever has it.
        let dbt = json!({ "dbt_output": { "artifacts_link": "https://store.test/?sig=s3cret", "artifacts_headers": { "a": "s3cret" } } });
        assert!(!shown(dbt).to_string().contains("s3cret"));
        let child = json!({ "run_job_output": { "run_id": 9 } });
        assert_eq!(shown(child), json!({ "child_run_id": 9 }));
    }

    #[test]
    fn an_error_is_not_said_twice() {
        let words = |trace| words(Some("ValueError: bad"), Some(trace), 500);
        assert_eq!(words("Traceback\n\nValueError: bad"), "Traceback\n\nValueError: bad");
        assert_eq!(words("Traceback"), "ValueError: bad\nTraceback");
    }
}
