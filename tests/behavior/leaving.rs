//! Every way in which a call ends before its work does: what was not sent is never sent, what was started is undone, and
//! what cannot be undone is named.

#[path = "leaving/host.rs"]
mod host;
#[path = "leaving/server.rs"]
mod server;
#[path = "leaving/work.rs"]
mod work;

use std::sync::Arc;

use databricks_mcp_server::registry::Registry;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::harness::Outcome;
use host::{Asked, Host, Manner, SLOW, runs};
use server::Server;
use work::{Route, WORKS, Work};

type Failure = Box<dyn std::error::Error>;

/// Connections that a server has at once.
const SLOTS: usize = 8;
/// So many servers at once are quick and leave room for other tests.
const SERVERS: usize = 4;
const CONTROL: Route = Route("POST /api/2.2/jobs/runs/submit", "/Users/control");
const PROBE: Route = Route("GET /api/2.1/clusters/list", "");

/// Operations that start work.
const STARTS: [&str; 11] = [
    "compute.clusters.restart",
    "compute.clusters.start",
    "compute.command_execution.execute",
    "dashboards.genie.create_message",
    "dashboards.genie.start_conversation",
    "jobs.jobs.repair_run",
    "jobs.jobs.run_now",
    "jobs.jobs.submit",
    "pipelines.pipelines.start_update",
    "sql.statement_execution.execute_statement",
    "sql.warehouses.start",
];
/// Composites whose own queries start as those of `execute_sql` do.
const QUERIES: [&str; 6] =
    ["explain_query", "get_job_costs", "get_table_lineage", "get_table_schema", "get_warehouse_costs", "search_tables"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Cancel,
    EndOfInput,
    ClosedStream,
    Signal(&'static str),
}

const WAYS: [Way; 6] =
    [Way::Cancel, Way::EndOfInput, Way::ClosedStream, Way::Signal("-INT"), Way::Signal("-TERM"), Way::Signal("-HUP")];

/// How far a call is when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Queued,
    Retrying,
    OnTheWire,
    Started,
}

const STAGES: [Stage; 4] = [Stage::Queued, Stage::Retrying, Stage::OnTheWire, Stage::Started];

/// No more works at once than a server has connections.
fn batches() -> impl Iterator<Item = &'static [Work]> {
    WORKS.chunks(WORKS.len().div_ceil(2))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_sent_is_never_sent_and_what_was_started_is_undone() -> Outcome {
    let (mut cases, servers) = (JoinSet::new(), Arc::new(Semaphore::new(SERVERS)));
    for way in WAYS {
        for (stage, works) in STAGES.into_iter().flat_map(|stage| batches().map(move |works| (stage, works))) {
            let servers = Arc::clone(&servers);
            cases.spawn(async move {
                let _turn = servers.acquire().await.map_err(|error| error.to_string())?;
                let failed = |error: Failure| format!("{way:?} while {stage:?}: {error}");
                leave(way, stage, works).await.map_err(failed)
            });
        }
    }
    let outcomes = cases.join_all().await;
    let failures: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Calls the works, ends the calls when they have come so far, and looks at what the workspace was asked for.
async fn leave(way: Way, stage: Stage, works: &'static [Work]) -> Outcome {
    let manner = match (stage, way) {
        (Stage::Queued | Stage::Started, _) => Manner::AtOnce,
        (Stage::Retrying, Way::Cancel) => Manner::Refusing(1),
        // Another attempt would come before the server ends.
        (Stage::Retrying, Way::EndOfInput) => Manner::Refusing(3),
        // Longer than a server goes on without its client.
        (Stage::Retrying, _) => Manner::Refusing(60),
        (Stage::OnTheWire, _) => Manner::Late,
    };
    let host = Host::open(manner, stage == Stage::Queued, false).await?;
    let mut server = Server::start(&host).await?;
    let calls = reach(stage, works, &host, &mut server).await?;
    let stderr = match way {
        Way::Cancel => {
            server.cancel(&calls).await?;
            // Whoever is answered now is so after the calls have ended.
            server.ping().await?;
            host.let_go();
            until_over(stage, works, &host, &mut server).await?;
            server.end().await?
        }
        Way::EndOfInput => {
            server.close_stdin();
            if stage == Stage::Queued {
                // What waits is told at once, and would be sent within the time that the server still has.
                server.until_told().await;
            }
            if matches!(stage, Stage::Queued | Stage::OnTheWire) {
                host.let_go();
            }
            server.end().await?
        }
        Way::ClosedStream => {
            server.close_stdin();
            server.close_stdout();
            if stage == Stage::OnTheWire {
                host.let_go();
            }
            server.end().await?
        }
        Way::Signal(signal) => {
            server.signal(signal).await?;
            server.until_told().await;
            if stage == Stage::OnTheWire {
                host.let_go();
            }
            server.end().await?
        }
    };
    for work in works {
        check(stage, work, &host, &stderr)?;
    }
    Ok(())
}

/// Calls the works, waits until all have come so far, and gives the ids of the calls.
async fn reach(stage: Stage, works: &'static [Work], host: &Host, server: &mut Server) -> Result<Vec<u64>, Failure> {
    let mut calls = Vec::new();
    let (prepared, unprepared): (Vec<&Work>, Vec<_>) = works.iter().partition(|work| work.before.is_some());
    for work in prepared {
        calls.push(server.call(work.tool, (work.arguments)()).await?);
    }
    if stage == Stage::Queued {
        let is_prepared = |work: &Work, asked: &[Asked]| work.before.is_none_or(|before| before.count(asked) > 0);
        host.until("not all are prepared", |asked| works.iter().all(|work| is_prepared(work, asked))).await?;
        // These wait in front of the starts, and take every connection that gets free.
        for _ in 0..SLOTS + works.len() {
            server.call("list_jobs", json!({})).await?;
        }
        server.ping().await?;
        host.go_on();
        host.until("connections are free", |asked| SLOW.count(asked) == SLOTS).await?;
    }
    for work in unprepared {
        calls.push(server.call(work.tool, (work.arguments)()).await?);
    }
    let all = |asked: &[Asked], is_it: fn(&Work, &[Asked]) -> bool| works.iter().all(|work| is_it(work, asked));
    let is_sent = |work: &Work, asked: &[Asked]| work.start.count(asked) > 0;
    let is_started = |work: &Work, asked: &[Asked]| work.after.0.count(asked) >= work.after.1;
    match stage {
        Stage::Queued => server.ping().await?,
        Stage::Retrying => {
            calls.push(server.call("run_notebook", json!({ "path": CONTROL.1 })).await?);
            let is_refused = |asked: &[Asked]| CONTROL.count(asked) > 0 && all(asked, is_sent);
            host.until("not all were refused", is_refused).await?;
        }
        Stage::OnTheWire => host.until("not all were sent", |asked| all(asked, is_sent)).await?,
        Stage::Started => host.until("not all were started", |asked| all(asked, is_started)).await?,
    }
    Ok(calls)
}

/// Waits until a server whose calls were cancelled has done all that it ever will.
async fn until_over(stage: Stage, works: &'static [Work], host: &Host, server: &mut Server) -> Outcome {
    let all = |asked: &[Asked], routes: fn(&Work) -> &'static [Route]| {
        works.iter().flat_map(routes).all(|route| route.count(asked) > 0)
    };
    let is_cleared = |asked: &[Asked]| all(asked, |work| work.cleared);
    match stage {
        Stage::Queued => {
            // This one stands behind whatever still waits.
            server.call("list_clusters", json!({})).await?;
            host.until("the probe was not sent", |asked| PROBE.count(asked) > 0).await?;
            host.until("not all was cleared", is_cleared).await
        }
        Stage::Retrying => {
            // It waits for longer than the others had to.
            let control = server.call("run_notebook", json!({ "path": CONTROL.1 })).await?;
            let sent = host.count(CONTROL);
            host.until("the control was not sent again", |asked| CONTROL.count(asked) >= sent + 3).await?;
            server.cancel(&[control]).await?;
            host.until("not all was cleared", is_cleared).await
        }
        Stage::OnTheWire | Stage::Started => {
            host.until("not all was undone", |asked| all(asked, |work| work.undo)).await
        }
    }
}

/// What the workspace was asked for, and what the log says.
fn check(stage: Stage, work: &Work, host: &Host, stderr: &str) -> Outcome {
    let (wanted_starts, undone): (_, &[Route]) = match stage {
        Stage::Queued => (0, work.cleared),
        Stage::Retrying => (1, work.cleared),
        Stage::OnTheWire | Stage::Started => (1, work.undo),
    };
    let starts = host.count(work.start);
    if starts != wanted_starts {
        return Err(format!("`{}` was started {starts} times, not {wanted_starts}", work.tool).into());
    }
    for route in work.undo {
        let is_wanted = undone.iter().any(|wanted| (wanted.0, wanted.1) == (route.0, route.1));
        if (host.count(*route) > 0) != is_wanted {
            let told = if is_wanted { "was not undone" } else { "was undone though it was not started" };
            return Err(format!("`{}` {told} by `{}`: {:?}\n{stderr}", work.tool, route.0, host.asked()).into());
        }
    }
    if work.undo.is_empty() && wanted_starts == 1 && stage != Stage::Retrying {
        return named(&[work.name, work.kind], stderr);
    }
    Ok(())
}

fn named(names: &[&str], stderr: &str) -> Outcome {
    match names.iter().any(|name| stderr.contains(name)) {
        true => Ok(()),
        false => Err(format!("the log names none of {names:?}: {stderr}").into()),
    }
}

#[tokio::test]
async fn what_cannot_be_undone_is_named() -> Outcome {
    for works in batches() {
        let host = Host::open(Manner::AtOnce, false, true).await?;
        let mut server = Server::start(&host).await?;
        reach(Stage::Started, works, &host, &mut server).await?;
        server.signal("-TERM").await?;
        let stderr = server.end().await?;
        for work in works {
            named(&[work.name], &stderr)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_may_have_been_started_is_named() -> Outcome {
    for works in batches() {
        let host = Host::open(Manner::Failing, false, false).await?;
        let mut server = Server::start(&host).await?;
        let calls = reach(Stage::OnTheWire, works, &host, &mut server).await?;
        server.cancel(&calls).await?;
        server.ping().await?;
        host.let_go();
        let stderr = server.end().await?;
        for work in works {
            named(&[&format!("\"{}\"", work.kind)], &stderr)?;
            assert_eq!(host.count(work.start), 1, "{}", work.tool);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_stops_leaves_no_run_of_hundreds() -> Outcome {
    let host = Host::open(Manner::AtOnce, false, false).await?;
    let mut server = Server::start(&host).await?;
    for number in 0..200 {
        server.call("run_notebook", json!({ "path": format!("/Users/number{number}") })).await?;
    }
    host.until("hardly a run was submitted", |asked| runs(asked).0 >= 30).await?;
    server.signal("-TERM").await?;
    let stderr = server.end().await?;
    let (submitted, cancelled) = runs(&host.asked());
    assert!((30..200).contains(&submitted), "{submitted} were submitted");
    assert_eq!(cancelled.len(), submitted, "{stderr}");
    Ok(())
}

#[tokio::test]
async fn nothing_starts_after_the_end_of_input_that_has_to_wait() -> Outcome {
    let host = Host::open(Manner::Late, false, false).await?;
    let mut server = Server::start(&host).await?;
    for number in 0..100 {
        server.call("run_notebook", json!({ "path": format!("/Users/number{number}") })).await?;
    }
    let changes = [
        ("create_cluster", json!({ "cluster_name": "late", "spark_version": "16.4.x-scala2.12", "num_workers": 1 })),
        ("stop_warehouse", json!({ "warehouse_id": "w1" })),
    ];
    host.until("not all connections are used", |asked| runs(asked).0 == SLOTS).await?;
    for (tool, arguments) in changes {
        server.call(tool, arguments).await?;
    }
    server.ping().await?;
    server.close_stdin();
    server.until_told().await;
    host.let_go();
    server.end().await?;
    assert_eq!(runs(&host.asked()).0, SLOTS);
    for late in ["POST /api/2.1/clusters/create", "POST /api/2.0/sql/warehouses/w1/stop"] {
        assert_eq!(host.count(Route(late, "")), 0, "{late}");
    }
    Ok(())
}

#[tokio::test]
async fn calls_that_are_cancelled_at_once_submit_no_more() -> Outcome {
    let host = Host::open(Manner::Late, false, false).await?;
    let (mut server, mut calls) = (Server::start(&host).await?, Vec::new());
    for number in 0..100 {
        let call = json!({ "path": format!("/Users/number{number}") });
        calls.push(server.call("run_notebook", call).await?);
    }
    host.until("not all connections are used", |asked| runs(asked).0 == SLOTS).await?;
    server.cancel(&calls).await?;
    server.ping().await?;
    host.let_go();
    host.until("not all were cancelled", |asked| runs(asked).1.len() == SLOTS).await?;
    server.call("list_clusters", json!({})).await?;
    host.until("the probe was not sent", |asked| PROBE.count(asked) > 0).await?;
    assert_eq!(runs(&host.asked()).0, SLOTS);
    server.end().await?;
    Ok(())
}

#[test]
fn every_composite_that_starts_something_is_tried() {
    for operation in STARTS {
        let tools = Registry::all().into_iter().map(|tool| tool.definition);
        let starting: Vec<_> = tools.filter(|tool| tool.uses.iter().any(|used| used.id == operation)).collect();
        assert!(!starting.is_empty(), "nothing uses `{operation}`");
        for tool in starting {
            let is_tried = WORKS.iter().any(|work| work.tool == tool.name) || QUERIES.contains(&tool.name);
            assert!(is_tried, "`{}` starts something by `{operation}`, and leaving it is not tried", tool.name);
        }
    }
}
