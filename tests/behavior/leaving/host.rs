//! A workspace for the works of this room: it keeps what it is asked for, and answers when the test says so.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::work::{Route, WORKS, Work};

type Failure = Box<dyn std::error::Error>;

/// How long anything may take before a test gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The request of `list_jobs`, which holds a connection until the test lets go.
pub(super) const SLOW: Route = Route("GET /api/2.2/jobs/list", "");
const SUBMIT: &str = "POST /api/2.2/jobs/runs/submit";
const CANCEL: &str = "POST /api/2.2/jobs/runs/cancel";

/// How requests that start something are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    AtOnce,
    /// With 429, and the seconds to wait.
    Refusing(u64),
    /// When the test lets go.
    Late,
    /// When the test lets go, with an error that leaves open what was done.
    Failing,
}

/// A request: `METHOD /path`, and its query and body.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) route: String,
    pub(super) rest: String,
}

#[derive(Debug, Clone)]
pub(super) struct Host {
    shared: Arc<Shared>,
    pub(super) url: String,
}

#[derive(Debug)]
struct Shared {
    manner: Manner,
    /// Whether the last request before a start is held back, too.
    holds_before: bool,
    /// Whether undoing is refused.
    refuses_undo: bool,
    asked: watch::Sender<Vec<Asked>>,
    started: Mutex<HashSet<&'static str>>,
    submitted: AtomicUsize,
    /// Lets go of the requests before a start.
    before: CancellationToken,
    /// Lets go of everything else that is held back.
    rest: CancellationToken,
}

impl Host {
    pub(super) async fn open(manner: Manner, holds_before: bool, refuses_undo: bool) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            manner,
            holds_before,
            refuses_undo,
            asked: watch::Sender::new(Vec::new()),
            started: Mutex::default(),
            submitted: AtomicUsize::new(0),
            before: CancellationToken::new(),
            rest: CancellationToken::new(),
        });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { shared, url })
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.borrow().clone()
    }

    pub(super) fn count(&self, route: Route) -> usize {
        route.count(&self.asked())
    }

    /// Waits until the requests are as wanted.
    pub(super) async fn until(&self, what: &str, is_it: impl Fn(&[Asked]) -> bool) -> Result<(), Failure> {
        let mut seen = self.shared.asked.subscribe();
        let waited = timeout(PATIENCE, seen.wait_for(|asked| is_it(asked))).await;
        waited.map(drop).map_err(|_| format!("{what}: {:?}", self.asked()).into())
    }

    /// Lets go of the requests before a start.
    pub(super) fn go_on(&self) {
        self.shared.before.cancel();
    }

    /// Lets go of everything.
    pub(super) fn let_go(&self) {
        self.go_on();
        self.shared.rest.cancel();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let rest = format!("{} {}", parts.uri.query().unwrap_or_default(), String::from_utf8_lossy(&body));
    let asked = Asked { route: format!("{} {}", parts.method, parts.uri.path()), rest };
    shared.asked.send_modify(|all| all.push(asked.clone()));
    shared.answer(&asked).await
}

impl Shared {
    async fn answer(&self, asked: &Asked) -> Response {
        if SLOW.matches(asked) {
            self.rest.cancelled().await;
            return ok(json!({}));
        }
        if let Some(work) = WORKS.iter().find(|work| work.start.matches(asked)) {
            return self.start(work, (work.answer)()).await;
        }
        // Runs that no work is about are numbered.
        if asked.route == SUBMIT {
            let number = self.submitted.fetch_add(1, Ordering::Relaxed);
            return self.start(&WORKS[0], json!({ "run_id": 1_000 + number })).await;
        }
        let is_undo = WORKS.iter().flat_map(|work| work.undo).any(|route| route.matches(asked));
        if is_undo && self.refuses_undo {
            let refusal = json!({ "error_code": "PERMISSION_DENIED", "message": "not yours" });
            return (StatusCode::FORBIDDEN, axum::Json(refusal)).into_response();
        }
        if self.holds_before && WORKS.iter().any(|work| work.before.is_some_and(|before| before.matches(asked))) {
            self.before.cancelled().await;
        }
        ok(self.told(asked))
    }

    async fn start(&self, work: &Work, answer: Value) -> Response {
        match self.manner {
            Manner::AtOnce => {}
            Manner::Refusing(seconds) => {
                let refusal = json!({ "error_code": "REQUEST_LIMIT_EXCEEDED", "message": "too many" });
                let after = [("retry-after", seconds.to_string())];
                return (StatusCode::TOO_MANY_REQUESTS, after, axum::Json(refusal)).into_response();
            }
            Manner::Late => self.rest.cancelled().await,
            Manner::Failing => {
                self.rest.cancelled().await;
                let failure = json!({ "error_code": "INTERNAL_ERROR", "message": "something broke" });
                return (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(failure)).into_response();
            }
        }
        self.started.lock().unwrap_or_else(PoisonError::into_inner).insert(work.tool);
        ok(answer)
    }

    /// How things stand: what was started goes on.
    fn told(&self, asked: &Asked) -> Value {
        let is_started = |tool| self.started.lock().unwrap_or_else(PoisonError::into_inner).contains(tool);
        let running = json!({ "life_cycle_state": "RUNNING" });
        let failed = json!({ "life_cycle_state": "TERMINATED", "result_state": "FAILED" });
        match asked.route.as_str() {
            "GET /api/2.2/jobs/runs/get" if asked.rest.contains("run_id=13") && !is_started("repair_run") => {
                json!({ "run_id": 13, "state": failed })
            }
            "GET /api/2.2/jobs/runs/get" => json!({ "state": running, "repair_history": [{ "id": 21 }] }),
            "GET /api/2.1/clusters/get" if asked.rest.contains("cluster-stopped") => {
                json!({ "state": if is_started("start_cluster") { "PENDING" } else { "TERMINATED" } })
            }
            "GET /api/2.1/clusters/get" if asked.rest.contains("cluster-running") => {
                json!({ "state": if is_started("restart_cluster") { "RESTARTING" } else { "RUNNING" } })
            }
            "GET /api/2.1/clusters/get" => json!({ "state": "RUNNING" }),
            "GET /api/2.0/sql/warehouses/w1" => {
                json!({ "id": "w1", "state": if is_started("start_warehouse") { "STARTING" } else { "STOPPED" } })
            }
            "GET /api/2.0/sql/statements/s1" => json!({ "statement_id": "s1", "status": { "state": "RUNNING" } }),
            "GET /api/2.0/pipelines/p1" => json!({ "pipeline_id": "p1", "state": "IDLE" }),
            "GET /api/2.0/pipelines/p1/updates/u1" => json!({ "update": { "state": "RUNNING" } }),
            "GET /api/2.0/preview/scim/v2/Me" => json!({ "userName": "me@workspace.test" }),
            "POST /api/1.2/contexts/create" => json!({ "id": "context1" }),
            "GET /api/1.2/contexts/status" => json!({ "id": "context1", "status": "Running" }),
            "GET /api/1.2/commands/status" => json!({ "id": "command1", "status": "Running" }),
            route if route.ends_with("/messages/m1") => json!({ "id": "m1", "status": "ASKING_AI" }),
            _ => json!({}),
        }
    }
}

fn ok(answer: Value) -> Response {
    axum::Json(answer).into_response()
}

/// The ids of the runs that were submitted, and of those that were cancelled.
pub(super) fn runs(asked: &[Asked]) -> (usize, HashSet<String>) {
    let submitted = asked.iter().filter(|asked| asked.route == SUBMIT).count();
    let cancelled = asked.iter().filter(|asked| asked.route == CANCEL).map(|asked| asked.rest.clone()).collect();
    (submitted, cancelled)
}
