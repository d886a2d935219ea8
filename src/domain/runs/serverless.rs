//! Code without a cluster: a Python file of its own, a one-time run of it on serverless compute, its output.

use databricks::requests::iam::current_user;
use databricks::requests::jobs::jobs::Submit;
use databricks::requests::workspace::workspace;
use databricks::{Client, Request};
use serde_json::{Value, json};

use crate::cleanup::{Guard, begun};
use crate::context::Context;
use crate::domain::runs::{output, run, submit, summary};
use crate::error::Error;
use crate::shape;

/// How much of an error and its trace goes into the text of an error.
const ROOM_OF_ERROR: usize = 1_200;
/// The serverless environment, which decides on the version of Python and its libraries.
const ENVIRONMENT_VERSION: &str = "4";

/// Runs Python and waits for it. The file is removed when the run has ended; where the time is up before, it stays,
/// as the run still needs it.
pub(crate) async fn run(context: &Context, code: &str, wait: bool, seconds: u64) -> Result<Value, Error> {
    let (path, file) = upload(context, code).await?;
    let task = json!({
        "task_key": "code",
        "spark_python_task": { "python_file": format!("/Workspace{path}"), "source": "WORKSPACE" },
        "environment_key": "default",
    });
    let environment = json!({ "environment_key": "default", "spec": { "environment_version": ENVIRONMENT_VERSION } });
    let name = "run_code".to_owned();
    let request = Submit::new().run_name(name).tasks(json!([task])).environments(json!([environment]));
    let (run_id, guard) = submit::submit(context, request).await?;
    let run = run::wait(context, run_id, if wait { seconds } else { 0 }).await;
    guard.keep();
    let run = match run {
        Ok(run) if run::is_over(&run) => run,
        unfinished => {
            file.keep();
            let after = || format!("{}; its file is `{path}`", summary::unseen(run_id));
            let run = unfinished.map_err(|error| error.after(after()))?;
            let mut answer = summary::still_running(run_id, &run);
            shape::put(&mut answer, "temporary_file", path);
            let hint = "it is still running; wait with `wait_for_run`, then see its output with `get_run_output`; \
                        delete the file afterwards with `delete_workspace_item`";
            shape::put(&mut answer, "hint", hint);
            return Ok(answer);
        }
    };
    // Dropping it removes the file.
    drop(file);
    finished(context, run_id, &run).await
}

async fn finished(context: &Context, run_id: i64, run: &databricks::types::Run) -> Result<Value, Error> {
    let task_run_id = run::latest(&run.tasks).first().and_then(|task| task.run_id);
    let output = output::fetch(context, task_run_id.unwrap_or(run_id)).await;
    if !run::succeeded(run) {
        let words = match &output {
            Ok(output) => output::words(output.error.as_deref(), output.error_trace.as_deref(), ROOM_OF_ERROR),
            Err(_) => String::new(),
        };
        return Err(summary::failure(run_id, run, &words));
    }
    let mut answer = summary::summary(run_id, run);
    shape::put(&mut answer, "result_type", "text");
    let mut output = match output {
        Ok(output) => output,
        // What the run did is known; that its output cannot be read must not hide it.
        Err(error) => {
            output::put_error(&mut answer, &error);
            return Ok(answer);
        }
    };
    // What a script prints are its logs; here they are the output.
    let printed = output.logs.take();
    output::put(&mut answer, output, context.budget.characters / 4);
    let room = context.budget.characters * 2 / 3;
    let cut = crate::domain::text::excerpt(
        &crate::domain::text::plain(&printed.unwrap_or_default()),
        room,
        crate::domain::text::Keep::Ends,
    );
    shape::put(&mut answer, "output", cut.text);
    if let Some(notice) = cut.notice {
        shape::put(&mut answer, "truncated", true);
        shape::put(&mut answer, "hint", format!("output: {notice}; print less, or write it to a file"));
    }
    shape::exact(&mut answer);
    Ok(answer)
}

/// Puts the code into a file in the folder of the user; it is removed when the guard is dropped.
async fn upload(context: &Context, code: &str) -> Result<(String, Guard), Error> {
    let folder = format!("/Users/{}/.databricks-mcp-server", user(&context.client).await?);
    context.send(workspace::Mkdirs::new(&folder).idempotent(true)).await?;
    let path = format!("{folder}/run_code-{}.py", uuid::Uuid::new_v4());
    // Never a notebook, whatever the code begins with.
    let request = workspace::Import::new(&path).format("RAW").overwrite(true).content(base64(code)).idempotent(true);
    let start = async move |starting: Context| {
        match starting.send(request).await {
            // Nobody else has a file of this name, so that one which may be there can go.
            Err(error) if error.may_have_happened() => {
                remove(&starting.ahead(), &path).await?;
                Err(error)
            }
            Err(error) => Err(error),
            Ok(()) => Ok(begun("file", path.clone(), path)),
        }
    };
    let undo = async |undoing: Context, path: String| remove(&undoing, &path).await;
    context.start("file of a run", start, undo).await
}

async fn remove(context: &Context, path: &str) -> Result<(), Error> {
    context.send(workspace::Delete::new(path).idempotent(true)).await
}

fn base64(code: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(code)
}

/// Name of the identity that this server works with.
async fn user(client: &Client) -> Result<String, Error> {
    let me = client.send(current_user::Me::new()).await?;
    let name = me.get("userName").and_then(Value::as_str);
    let name = name.ok_or_else(|| Error::failed("the workspace does not say whose folder to use"))?;
    Ok(name.to_owned())
}
