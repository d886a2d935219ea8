//! What a caller sees when Databricks misbehaves: an answer as if nothing had happened, or an error that says what did;
//! and nothing is lost or done twice.

use std::error::Error;
use std::time::Duration;

use databricks::{Arguments, Client, Location, RetryPolicy, operations};
use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_sandbox::{Faults, Options, Sandbox};
use rmcp::model::{CallToolRequest, CallToolRequestParams, ClientRequest};
use rmcp::service::PeerRequestOptions;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Harness, Outcome};
use crate::twist::Exchange;

const NIGHTLY: i64 = 620_114_300_000_101;
const SLOW: i64 = 620_114_300_000_104;
const PATIENCE: Duration = Duration::from_secs(30);
const LIST: &str = "jobs.jobs.list";

/// A server whose workspace has faults, and a way past them.
struct Broken {
    harness: Harness,
    direct: Client,
}

impl Broken {
    async fn with(rules: Value) -> Result<Self, Box<dyn Error>> {
        let faults = Faults::parse(&rules.to_string())?;
        let sandbox = Sandbox::start(Options::default().with_faults(faults)).await?;
        let mut config = databricks::Config::new(sandbox.url(), sandbox.token())?;
        // As patient as needed and no more: what lasts shall show.
        let (pause, budget) = (Duration::from_millis(10), Duration::from_millis(1_500));
        config.retry = RetryPolicy { budget, pause, longest_pause: Duration::from_millis(50) };
        let direct = Client::new(config.clone())?;
        config.limits.requests_per_second = None;
        let context = Context::new(Client::new(config)?, Budget::tokens(6_000), None);
        let server = Server::new(Registry::new(&Selection::default())?, context);
        Ok(Self { harness: Harness::of(server, sandbox).await?, direct })
    }

    /// With a fault of the list of jobs.
    async fn listing(mut rule: Value) -> Result<Self, Box<dyn Error>> {
        rule["route"] = json!(LIST);
        Self::with(json!([rule])).await
    }

    /// Runs of a job as the workspace knows them.
    async fn runs(&self, job: i64) -> Result<Vec<Value>, Box<dyn Error>> {
        let arguments = Arguments::new().with(Location::Query, "job_id", job).with(Location::Query, "limit", 25);
        match self.direct.execute(&operations::JOBS_JOBS_LIST_RUNS, arguments).await? {
            databricks::Payload::Json(answer) => Ok(answer["runs"].as_array().cloned().unwrap_or_default()),
            _ => Err("no JSON".into()),
        }
    }
}

/// The jobs of a workspace without faults.
async fn jobs() -> Result<Value, Box<dyn Error>> {
    Harness::default().await?.answer("list_jobs", json!({})).await
}

#[tokio::test]
async fn what_passes_is_waited_for_and_not_seen() -> Outcome {
    let expected = jobs().await?;
    for rule in [
        json!({"fault": "too_many_requests", "times": 3}),
        json!({"fault": "too_many_requests", "times": 1, "retry_after": 1}),
        json!({"fault": "unavailable", "times": 3}),
        json!({"fault": "html_error", "times": 2}),
        json!({"fault": "html_error", "status": 504, "times": 2}),
        json!({"fault": "connection_reset", "times": 2}),
        json!({"fault": "truncated_body", "times": 2}),
        json!({"fault": "slow_headers", "delay_ms": 300}),
        json!({"fault": "slow_body", "delay_ms": 300}),
    ] {
        let answer = Broken::listing(rule.clone()).await?.harness.answer("list_jobs", json!({})).await?;
        assert_eq!(answer, expected, "{rule}");
    }
    Ok(())
}

#[tokio::test]
async fn large_numbers_are_exact_whichever_way_they_come() -> Outcome {
    let expected = jobs().await?;
    let answer =
        Broken::listing(json!({"fault": "int64_strings"})).await?.harness.answer("list_jobs", json!({})).await?;
    let ids = |answer: &Value| -> Vec<String> {
        let ids = answer["items"].as_array().into_iter().flatten().map(|job| &job["job_id"]);
        ids.map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)).collect()
    };
    assert_eq!(ids(&answer), ids(&expected));
    assert!(ids(&answer).contains(&NIGHTLY.to_string()), "{answer}");
    Ok(())
}

#[tokio::test]
async fn what_lasts_is_told_in_words() -> Outcome {
    for (rule, words) in [
        (json!({"fault": "too_many_requests"}), &["rate limit", "hint: the workspace limits the rate of requests"][..]),
        (json!({"fault": "too_many_requests", "retry_after": 9}), &["rate limit", "try again in 9 s"]),
        (json!({"fault": "unavailable"}), &["503", "under maintenance"]),
        (json!({"fault": "internal_error"}), &["500", "An internal error occurred"]),
        (json!({"fault": "html_error"}), &["502"]),
        (json!({"fault": "login_page"}), &["login page"]),
        (json!({"fault": "connection_reset"}), &["jobs.jobs.list"]),
        (json!({"fault": "truncated_body"}), &["jobs.jobs.list"]),
        (json!({"fault": "expired_token"}), &["Invalid access token", "hint:"]),
        (json!({"fault": "expired_token", "status": 401}), &["401", "hint:"]),
    ] {
        let broken = Broken::listing(rule.clone()).await?;
        let refusal = timeout(PATIENCE, broken.harness.refusal("list_jobs", json!({}))).await??;
        for words in words {
            assert!(refusal.contains(words), "{rule}: `{words}` is not in: {refusal}");
        }
        assert!(!refusal.contains('<') && !refusal.contains("dapi"), "{rule}: {refusal}");
        assert!(refusal.len() < 800, "{rule}: {refusal}");
        // The fault was of one route; the server goes on.
        broken.harness.answer("list_clusters", json!({})).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_run_is_started_once_whatever_happens_to_the_answer() -> Outcome {
    for rule in [
        json!({"fault": "connection_reset", "times": 1}),
        json!({"fault": "connection_reset", "handled": true, "times": 2}),
        json!({"fault": "html_error", "handled": true, "times": 1}),
        json!({"fault": "unavailable", "handled": true, "times": 1}),
        json!({"fault": "truncated_body", "times": 1}),
        json!({"fault": "too_many_requests", "times": 2}),
    ] {
        let mut rule = rule;
        rule["route"] = json!("jobs.jobs.run_now");
        let broken = Broken::with(json!([rule])).await?;
        let before = broken.runs(SLOW).await?.len();
        let answer = broken.harness.call("run_job_now", json!({"job_id": SLOW})).await?;
        let after = broken.runs(SLOW).await?;
        // A run was started, and once; the answer names it, or an error tells that it is not known.
        let text = crate::harness::text(&answer);
        assert_eq!(after.len(), before + 1, "{rule}: {text}");
        assert_eq!(answer.is_error, Some(false), "{rule}: {text}");
        let id = after.iter().filter_map(|run| run["run_id"].as_i64()).find(|id| text.contains(&id.to_string()));
        assert!(id.is_some(), "{rule}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_write_that_may_have_happened_is_not_repeated_blindly() -> Outcome {
    let create = json!({"name": "once", "tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/Shared/etl/load_orders"}}]});
    for (rule, made) in [
        (json!({"fault": "connection_reset", "handled": true, "times": 1}), 1),
        (json!({"fault": "truncated_body", "times": 1}), 1),
        (json!({"fault": "html_error", "handled": true, "times": 1}), 1),
        (json!({"fault": "internal_error", "times": 1}), 0),
    ] {
        let mut rule = rule;
        rule["route"] = json!("jobs.jobs.create");
        let broken = Broken::with(json!([rule])).await?;
        let refusal = broken.harness.refusal("create_job", create.clone()).await?;
        assert!(refusal.contains("jobs.jobs.create"), "{rule}: {refusal}");
        let (jobs, _) = broken.harness.all("list_jobs", json!({"name": "once"})).await?;
        assert_eq!(jobs.len(), made, "{rule}");
    }
    Ok(())
}

#[tokio::test]
async fn waiting_goes_on_through_faults() -> Outcome {
    for rule in [
        json!({"fault": "connection_reset", "times": 2}),
        json!({"fault": "too_many_requests", "after": 1, "times": 3}),
        json!({"fault": "unavailable", "times": 2}),
        json!({"fault": "html_error", "times": 2}),
        json!({"fault": "truncated_body", "times": 2}),
        json!({"fault": "null_lists", "times": 1}),
        json!({"fault": "extra_fields"}),
        json!({"fault": "int64_strings"}),
        json!({"fault": "unknown_enums", "times": 1}),
    ] {
        let mut rule = rule;
        rule["route"] = json!("jobs.jobs.get_run");
        let broken = Broken::with(json!([rule])).await?;
        let before = broken.runs(NIGHTLY).await?.len();
        let answer = broken.harness.answer("run_job_now", json!({"job_id": NIGHTLY, "wait": true})).await?;
        assert_eq!(answer["result_state"], "SUCCESS", "{rule}: {answer}");
        assert_eq!(broken.runs(NIGHTLY).await?.len(), before + 1, "{rule}");
    }
    Ok(())
}

#[tokio::test]
async fn values_that_nobody_knows_are_passed_on() -> Outcome {
    let broken = Broken::listing(json!({"fault": "unknown_enums"})).await?;
    let answer = broken.harness.answer("list_jobs", json!({"fields": ["*"]})).await?;
    assert_eq!(answer["items"][0]["settings"]["format"], "SANDBOX_UNKNOWN_VALUE", "{answer}");
    // A state that nobody knows is not an end: the run is still there, and so is the way to go on.
    let broken = Broken::with(json!([{"route": "jobs.jobs.get_run", "fault": "unknown_enums"}])).await?;
    let arguments = json!({"job_id": NIGHTLY, "wait": true, "timeout_seconds": 2});
    let answer = broken.harness.answer("run_job_now", arguments).await?;
    assert_eq!(
        (&answer["still_running"], &answer["life_cycle_state"]),
        (&json!(true), &json!("SANDBOX_UNKNOWN_VALUE"))
    );
    assert!(answer["run_id"].is_string() || answer["run_id"].is_number(), "{answer}");
    Ok(())
}

#[tokio::test]
async fn fields_that_nobody_knows_do_no_harm() -> Outcome {
    let (expected, broken) = (jobs().await?, Broken::listing(json!({"fault": "extra_fields"})).await?);
    let answer = broken.harness.answer("list_jobs", json!({})).await?;
    let ids = |answer: &Value| -> Vec<Value> {
        answer["items"].as_array().into_iter().flatten().map(|job| job["job_id"].clone()).collect()
    };
    assert_eq!(ids(&answer), ids(&expected));
    let broken = Broken::listing(json!({"fault": "null_lists"})).await?;
    let answer = broken.harness.answer("list_jobs", json!({})).await?;
    assert_eq!(answer["items"], json!([]), "{answer}");
    Ok(())
}

#[tokio::test]
async fn an_empty_page_is_not_the_end() -> Outcome {
    let (expected, _) = Harness::default().await?.all("list_jobs", json!({"limit": 3})).await?;
    for rule in [json!({"fault": "empty_page", "times": 1}), json!({"fault": "empty_page", "after": 1, "times": 2})] {
        let broken = Broken::listing(rule.clone()).await?;
        let (jobs, _) = timeout(PATIENCE, broken.harness.all("list_jobs", json!({"limit": 3}))).await??;
        assert_eq!(jobs, expected, "{rule}");
    }
    Ok(())
}

#[tokio::test]
async fn what_was_just_made_is_not_given_up() -> Outcome {
    // The run is there, although it is not found at first: the error names it, so that nothing is lost.
    let rules = json!([{"route": "/api/2.2/jobs/**", "fault": "eventual_consistency", "reads": 1}]);
    let broken = Broken::with(rules).await?;
    let before = broken.runs(NIGHTLY).await?.len();
    let answer = broken.harness.call("run_job_now", json!({"job_id": NIGHTLY, "wait": true})).await?;
    let text = crate::harness::text(&answer);
    let runs = broken.runs(NIGHTLY).await?;
    assert_eq!(runs.len(), before + 1);
    assert!(runs.iter().any(|run| text.contains(&run["run_id"].to_string())), "no run is named: {text}");
    // A plain read is refused once, with the tool that finds what there is.
    let made = broken.harness.answer("create_job", json!({"name": "new", "tasks": []})).await?;
    let refusal = broken.harness.refusal("get_job", json!({"job_id": made["job_id"]})).await?;
    assert!(refusal.contains("`list_jobs`"), "{refusal}");
    broken.harness.answer("get_job", json!({"job_id": made["job_id"]})).await?;
    Ok(())
}

#[tokio::test]
async fn a_call_that_hangs_can_be_cancelled() -> Outcome {
    let rules = json!([
        {"route": LIST, "fault": "slow_headers", "delay_ms": 60_000},
        {"route": "jobs.jobs.run_now", "fault": "slow_headers", "delay_ms": 500},
    ]);
    let broken = Broken::with(rules).await?;
    for (tool, arguments) in [("list_jobs", json!({})), ("run_job_now", json!({"job_id": SLOW, "wait": true}))] {
        let Value::Object(arguments) = arguments else { return Err("the arguments are no object".into()) };
        let request = CallToolRequest::new(CallToolRequestParams::new(tool).with_arguments(arguments));
        let request = ClientRequest::CallToolRequest(request);
        let client = &broken.harness.client;
        let call = client.send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
        call.cancel(Some("the person pressed stop".into())).await?;
        // The server answers others meanwhile.
        timeout(PATIENCE, broken.harness.answer("list_clusters", json!({}))).await??;
    }
    // The run whose start was under way is cancelled as soon as it is there, or was never started.
    let past = 4;
    let wait = async {
        loop {
            let runs = broken.runs(SLOW).await?;
            let open = runs.iter().filter(|run| run["state"]["result_state"].is_null()).count();
            if open == 0 && runs.len() >= past {
                return Ok::<_, Box<dyn Error>>(runs);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let runs = timeout(PATIENCE, wait).await??;
    assert!(runs.len() <= past + 1, "{} runs", runs.len());
    Ok(())
}

#[tokio::test]
async fn a_resource_of_nothing_is_an_error() -> Outcome {
    let harness = Harness::twisted(|exchange: &mut Exchange| {
        if exchange.is("GET /api/2.2/jobs/get") {
            (exchange.status, exchange.answer) = (200, json!({}));
        }
    })
    .await?;
    let error = harness.read("databricks://jobs/1").await.expect_err("nothing is no job").to_string();
    assert!(error.contains("the workspace returned nothing for `databricks://jobs/1`"), "{error}");
    Ok(())
}
