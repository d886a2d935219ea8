//! Every fault of the sandbox: what the caller sees, and that nothing is lost and nothing is done twice.

use std::time::Duration;

use databricks::requests::jobs::jobs::{GetRun, RunNow};
use databricks::{
    Arguments, Body, Client, Config, Error, Location, Method, Operation, Response, RetryPolicy, operations,
};
use databricks_sandbox::{Faults, Options, Sandbox};
use serde_json::{Map, Value, json};

type Checked = Result<(), Box<dyn std::error::Error>>;

struct Workspace {
    /// Ends when it is dropped.
    _sandbox: Sandbox,
    client: Client,
}

impl Workspace {
    /// A sandbox with one rule; it is met once unless the rule says otherwise.
    async fn new(route: &str, fault: Value) -> Result<Workspace, Box<dyn std::error::Error>> {
        let mut rule = Map::from_iter([("route".to_owned(), route.into()), ("times".to_owned(), 1.into())]);
        rule.extend(fault.as_object().cloned().unwrap_or_default());
        let faults = Faults::parse(&Value::Object(rule).to_string())?;
        let sandbox = Sandbox::start(Options::default().with_faults(faults)).await?;
        let pause = Duration::from_millis(1);
        let config = Config {
            retry: RetryPolicy { budget: Duration::from_secs(20), pause, longest_pause: pause },
            idle_timeout: Duration::from_millis(300),
            ..Config::new(sandbox.url(), sandbox.token())?
        };
        Ok(Workspace { client: Client::new(config)?, _sandbox: sandbox })
    }

    async fn call(&self, operation: &'static Operation, arguments: Arguments) -> Result<Value, Error> {
        Ok(self.client.execute(operation, arguments).await?.into_json().unwrap_or_default())
    }

    /// How often the route of the rule was asked for.
    async fn seen(&self) -> Result<u64, Box<dyn std::error::Error>> {
        static FAULTS: Operation = Operation {
            id: "sandbox.faults.list",
            method: Method::Get,
            path: "/__sandbox/faults",
            parameters: &[],
            body: Body::None,
            response: Response::Json,
            pagination: None,
            workspace_routing: false,
            deprecated: false,
        };
        let told = self.call(&FAULTS, Arguments::new()).await?;
        Ok(told.pointer("/faults/0/seen").and_then(Value::as_u64).unwrap_or_default())
    }

    async fn jobs(&self) -> Result<Vec<Value>, Error> {
        self.client.list(&operations::JOBS_JOBS_LIST, Arguments::new()).collect().await
    }

    /// How many jobs there are of the name that [`create`] gives.
    async fn created(&self) -> Result<usize, Error> {
        let is_one = |job: &&Value| job.pointer("/settings/name").is_some_and(|name| name == "once");
        Ok(self.jobs().await?.iter().filter(is_one).count())
    }

    async fn runs(&self) -> Result<usize, Error> {
        let arguments = Arguments::new().with(Location::Query, "job_id", JOB);
        Ok(self.client.list(&operations::JOBS_JOBS_LIST_RUNS, arguments).collect().await?.len())
    }
}

/// A job of the sandbox's seed.
const JOB: i64 = 620_114_300_000_102;
const LIST: &str = "jobs.jobs.list";
const CREATE: &str = "jobs.jobs.create";
const RUN: &str = "jobs.jobs.run_now";

fn create() -> Arguments {
    let task = json!({ "task_key": "a", "notebook_task": { "notebook_path": "/Shared/a" } });
    Arguments::new().with(Location::Body, "name", "once").with(Location::Body, "tasks", json!([task]))
}

fn run() -> Arguments {
    Arguments::new().with(Location::Body, "job_id", JOB)
}

/// What a caller can ask an error.
fn asked(error: &Error) -> (Option<u16>, &str, bool) {
    let class = [
        ("unauthenticated", error.is_unauthenticated()),
        ("rate limited", error.is_rate_limited()),
        ("timeout", error.is_timeout()),
        ("not found", error.is_not_found()),
    ];
    let class = class.iter().find(|(_, holds)| *holds).map_or("other", |(name, _)| name);
    (error.status(), class, error.is_retryable())
}

#[tokio::test]
async fn what_was_turned_away_is_repeated_whatever_it_is() -> Checked {
    for fault in [
        json!({"fault": "too_many_requests"}),
        json!({"fault": "too_many_requests", "retry_after": 0}),
        json!({"fault": "too_many_requests", "times": 3}),
    ] {
        let attempts = fault["times"].as_u64().unwrap_or(1) + 1;
        let workspace = Workspace::new(LIST, fault.clone()).await?;
        assert!(!workspace.jobs().await?.is_empty(), "{fault}");
        assert_eq!(workspace.seen().await?, attempts, "{fault}");

        let workspace = Workspace::new(CREATE, fault.clone()).await?;
        workspace.call(&operations::JOBS_JOBS_CREATE, create()).await?;
        assert_eq!((workspace.seen().await?, workspace.created().await?), (attempts, 1), "{fault}");

        let workspace = Workspace::new(RUN, fault.clone()).await?;
        let before = workspace.runs().await?;
        workspace.call(&operations::JOBS_JOBS_RUN_NOW, run()).await?;
        assert_eq!((workspace.seen().await?, workspace.runs().await?), (attempts, before + 1), "{fault}");
    }
    Ok(())
}

#[tokio::test]
async fn what_may_have_happened_is_repeated_only_where_that_is_harmless() -> Checked {
    for (fault, expected, happened) in [
        (json!({"fault": "html_error"}), (Some(502), "other", true), 0),
        (json!({"fault": "unavailable"}), (Some(503), "other", true), 0),
        (json!({"fault": "html_error", "status": 503}), (Some(503), "other", true), 0),
        (json!({"fault": "unavailable", "handled": true}), (Some(503), "other", true), 1),
        (json!({"fault": "html_error", "status": 504}), (Some(504), "timeout", true), 0),
        (json!({"fault": "connection_reset"}), (None, "other", true), 0),
        // Here the workspace did it, and the answer got lost.
        (json!({"fault": "truncated_body"}), (None, "other", true), 1),
        (json!({"fault": "slow_body", "delay_ms": 2_000}), (None, "timeout", true), 1),
    ] {
        let workspace = Workspace::new(LIST, fault.clone()).await?;
        assert!(!workspace.jobs().await?.is_empty(), "{fault}");
        assert_eq!(workspace.seen().await?, 2, "{fault}");

        let workspace = Workspace::new(CREATE, fault.clone()).await?;
        let error = workspace.call(&operations::JOBS_JOBS_CREATE, create()).await.unwrap_err();
        assert_eq!(asked(&error), expected, "{fault}: {error}");
        assert_eq!((workspace.seen().await?, workspace.created().await?), (1, happened), "{fault}");

        // A run has a key, so that it is started once, however often it is asked for.
        let workspace = Workspace::new(RUN, fault.clone()).await?;
        let before = workspace.runs().await?;
        let run = workspace.call(&operations::JOBS_JOBS_RUN_NOW, run()).await?;
        assert!(run["run_id"].is_i64(), "{fault}: {run}");
        assert_eq!((workspace.seen().await?, workspace.runs().await?), (2, before + 1), "{fault}");
    }
    Ok(())
}

#[tokio::test]
async fn typed_runs_are_started_once_too() -> Checked {
    let workspace = Workspace::new(RUN, json!({"fault": "truncated_body"})).await?;
    let before = workspace.runs().await?;
    let run = workspace.client.send(RunNow::new(JOB)).await?;
    assert!(run.run_id.is_some());
    assert_eq!((workspace.seen().await?, workspace.runs().await?), (2, before + 1));
    Ok(())
}

#[tokio::test]
async fn what_would_fail_again_is_told_at_once() -> Checked {
    for (fault, expected) in [
        (json!({"fault": "internal_error"}), (Some(500), "other", false)),
        (json!({"fault": "login_page"}), (Some(200), "unauthenticated", false)),
        (json!({"fault": "expired_token"}), (Some(403), "unauthenticated", false)),
        (json!({"fault": "expired_token", "status": 401}), (Some(401), "unauthenticated", false)),
    ] {
        for (route, operation, arguments) in
            [(LIST, &operations::JOBS_JOBS_LIST, Arguments::new()), (CREATE, &operations::JOBS_JOBS_CREATE, create())]
        {
            let workspace = Workspace::new(route, fault.clone()).await?;
            let error = workspace.call(operation, arguments).await.unwrap_err();
            assert_eq!(asked(&error), expected, "{fault} {route}: {error}");
            assert!(error.hint().is_some() || expected.0 == Some(500), "{fault} {route}: {error}");
            assert_eq!((workspace.seen().await?, workspace.created().await?), (1, 0), "{fault} {route}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn slowness_is_borne_up_to_the_limit() -> Checked {
    let workspace = Workspace::new(LIST, json!({"fault": "slow_headers", "delay_ms": 50})).await?;
    assert!(!workspace.jobs().await?.is_empty());
    assert_eq!(workspace.seen().await?, 1);
    let workspace = Workspace::new(CREATE, json!({"fault": "slow_headers", "delay_ms": 5_000})).await?;
    let error = workspace.call(&operations::JOBS_JOBS_CREATE, create()).await.unwrap_err();
    assert_eq!(asked(&error), (None, "timeout", true), "{error}");
    assert_eq!((workspace.seen().await?, workspace.created().await?), (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_budget_is_not_exceeded_by_what_never_ends() -> Checked {
    let workspace = Workspace::new(LIST, json!({"fault": "too_many_requests", "times": 1_000_000})).await?;
    let arguments = Arguments::new().with_retry_budget(Duration::from_millis(50));
    let error = workspace.call(&operations::JOBS_JOBS_LIST, arguments).await.unwrap_err();
    assert_eq!(asked(&error), (Some(429), "rate limited", true), "{error}");
    let workspace = Workspace::new(LIST, json!({"fault": "too_many_requests", "retry_after": 3_600})).await?;
    let error = workspace.call(&operations::JOBS_JOBS_LIST, Arguments::new()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3_600)));
    assert_eq!(workspace.seen().await?, 1, "a wait beyond the budget is not begun");
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_yet_is_not_found_and_then_found() -> Checked {
    let workspace = Workspace::new("jobs.jobs.*", json!({"fault": "eventual_consistency", "reads": 2})).await?;
    let job = workspace.call(&operations::JOBS_JOBS_CREATE, create()).await?;
    let get = || Arguments::new().with(Location::Query, "job_id", job["job_id"].clone());
    for _ in 0..2 {
        let error = workspace.call(&operations::JOBS_JOBS_GET, get()).await.unwrap_err();
        assert!(error.is_not_found() && !error.is_retryable(), "{error}");
    }
    assert_eq!(workspace.call(&operations::JOBS_JOBS_GET, get()).await?["settings"]["name"], "once");
    Ok(())
}

#[tokio::test]
async fn answers_beyond_their_schema_are_understood() -> Checked {
    for fault in ["unknown_enums", "int64_strings", "null_lists", "extra_fields"] {
        let workspace = Workspace::new("jobs.jobs.get_run", json!({"fault": fault, "times": 2})).await?;
        let started = workspace.call(&operations::JOBS_JOBS_RUN_NOW, run()).await?;
        let run_id = started["run_id"].as_i64().ok_or("no run")?;
        let run = workspace.client.send(GetRun::new(run_id)).await?;
        assert_eq!(run.run_id, Some(run_id), "{fault}");
        let state = run.state.as_ref().and_then(|state| state.life_cycle_state.as_ref());
        let state = state.ok_or("no state")?.to_string();
        assert_eq!(state == "SANDBOX_UNKNOWN_VALUE", fault == "unknown_enums", "{fault}: {state}");
        assert_eq!(run.tasks.is_empty(), fault == "null_lists", "{fault}");
        let arguments = Arguments::new().with(Location::Query, "run_id", run_id);
        let raw = workspace.call(&operations::JOBS_JOBS_GET_RUN, arguments).await?;
        assert_eq!(raw["run_id"].is_string(), fault == "int64_strings", "the table passes on what came: {raw}");
        assert_eq!(raw.get("sandbox_extra_field").is_some(), fault == "extra_fields", "{fault}");
    }
    Ok(())
}

#[tokio::test]
async fn a_null_list_has_no_items() -> Checked {
    let workspace = Workspace::new(LIST, json!({"fault": "null_lists"})).await?;
    assert!(workspace.jobs().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn empty_pages_lose_nothing() -> Checked {
    let whole = Workspace::new(LIST, json!({"fault": "extra_fields", "after": 1_000})).await?.jobs().await?;
    let workspace = Workspace::new(LIST, json!({"fault": "empty_page", "after": 1})).await?;
    let arguments = Arguments::new().with(Location::Query, "limit", 1);
    let paged = workspace.client.list(&operations::JOBS_JOBS_LIST, arguments).collect().await?;
    assert!(whole.len() > 2);
    assert_eq!(ids(&paged), ids(&whole));
    assert_eq!(workspace.seen().await?, whole.len() as u64 + 1, "a page for each job, and the empty one");
    Ok(())
}

fn ids(jobs: &[Value]) -> Vec<&Value> {
    jobs.iter().map(|job| &job["job_id"]).collect()
}
