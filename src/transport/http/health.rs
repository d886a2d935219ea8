//! Whether the server is alive, and whether it can do its work.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::transport::http::App;

/// How long an answer about the workspaces holds: probes come every few seconds, from many sides.
const HOLDS: Duration = Duration::from_secs(10);
/// How long the workspace may take to answer.
const TIME: Duration = Duration::from_secs(5);

/// `/healthz`: the process runs and answers.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// `/readyz`: it takes calls, and its workspaces answer.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    let not = |why: String| (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response();
    if app.is_draining() {
        return not("the server is about to end".to_owned());
    }
    match app.readiness().of(&app).await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => not(why),
    }
}

/// `/metrics` on a port of its own, for those who can reach it.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let metrics = |State(app): State<Arc<App>>| async move { counters(&app) };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(Arc::clone(app))
}

/// `/metrics` beside `/mcp`, for callers.
pub(crate) async fn metrics(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match app.reader_of_metrics(&parts).await {
        Ok(_) => counters(&app),
        Err(problem) => problem.into_response(),
    }
}

fn counters(app: &App) -> Response {
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], app.metrics()).into_response()
}

/// What was found last.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Readiness {
    /// Whether all workspaces answer; one request asks for all that come meanwhile.
    async fn of(&self, app: &App) -> Result<(), String> {
        let mut last = self.last.lock().await;
        if let Some((when, found)) = &*last
            && when.elapsed() < HOLDS
        {
            return found.clone();
        }
        let found = ask(app).await;
        *last = Some((Instant::now(), found.clone()));
        found
    }
}

async fn ask(app: &App) -> Result<(), String> {
    for (name, context) in app.workspaces().iter() {
        let which = if name.is_empty() { String::new() } else { format!(" `{name}`") };
        if context.client.host().is_empty() {
            return Err(format!("no host is set for the workspace{which}"));
        }
        // The reason may name what only the operator should know.
        match timeout(TIME, context.client.greet()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the workspace{which} does not answer");
                return Err(format!("the workspace{which} does not answer"));
            }
            Err(_) => return Err(format!("the workspace{which} does not answer within {} s", TIME.as_secs())),
        }
    }
    Ok(())
}
