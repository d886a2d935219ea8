//! Every composite that starts something: how it is called, what starts it, and what undoes it.

use serde_json::{Value, json};

use super::host::Asked;

/// A request by its method and path, and by a part of its query or body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route(pub(super) &'static str, pub(super) &'static str);

impl Route {
    pub(super) fn matches(self, asked: &Asked) -> bool {
        asked.route == self.0 && asked.rest.contains(self.1)
    }

    /// How often it was asked for.
    pub(super) fn count(self, asked: &[Asked]) -> usize {
        asked.iter().filter(|asked| self.matches(asked)).count()
    }
}

/// One call that starts something.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) tool: &'static str,
    pub(super) arguments: fn() -> Value,
    /// The last request before the start.
    pub(super) before: Option<Route>,
    pub(super) start: Route,
    pub(super) answer: fn() -> Value,
    /// The request that shows that the start was answered: it has then come so many times.
    pub(super) after: (Route, usize),
    pub(super) undo: &'static [Route],
    /// What is undone though the start was never sent: its preparations.
    pub(super) cleared: &'static [Route],
    /// What the log calls it.
    pub(super) name: &'static str,
    /// What the log calls it before it is known by an id.
    pub(super) kind: &'static str,
}

const RUN: &str = "GET /api/2.2/jobs/runs/get";
const CANCEL_RUN: &str = "POST /api/2.2/jobs/runs/cancel";
const CLUSTER: &str = "GET /api/2.1/clusters/get";
const WAREHOUSE: &str = "GET /api/2.0/sql/warehouses/w1";
const REMOVE_FILE: Route = Route("POST /api/2.0/workspace/delete", "run_code-");
const DESTROY: Route = Route("POST /api/1.2/contexts/destroy", "context1");

pub(super) static WORKS: [Work; 11] = [
    Work {
        tool: "run_notebook",
        arguments: || json!({ "notebook_path": "/Users/one" }),
        before: None,
        start: Route("POST /api/2.2/jobs/runs/submit", "/Users/one"),
        answer: || json!({ "run_id": 11 }),
        after: (Route(RUN, "run_id=11"), 1),
        undo: &[Route(CANCEL_RUN, ":11}")],
        cleared: &[],
        name: "run 11",
        kind: "run",
    },
    Work {
        tool: "execute_sql",
        arguments: || json!({ "statement": "DELETE FROM t", "warehouse_id": "w2" }),
        before: None,
        start: Route("POST /api/2.0/sql/statements", "DELETE"),
        answer: || json!({ "statement_id": "s1", "status": { "state": "RUNNING" } }),
        after: (Route("GET /api/2.0/sql/statements/s1", ""), 1),
        undo: &[Route("POST /api/2.0/sql/statements/s1/cancel", "")],
        cleared: &[],
        name: "statement s1",
        kind: "statement",
    },
    Work {
        tool: "run_job_now",
        arguments: || json!({ "job_id": 5, "wait": true }),
        before: None,
        start: Route("POST /api/2.2/jobs/run-now", ""),
        answer: || json!({ "run_id": 12 }),
        after: (Route(RUN, "run_id=12"), 1),
        undo: &[Route(CANCEL_RUN, ":12}")],
        cleared: &[],
        name: "run 12",
        kind: "run",
    },
    Work {
        tool: "repair_run",
        arguments: || json!({ "run_id": 13, "wait": true }),
        before: Some(Route(RUN, "run_id=13")),
        start: Route("POST /api/2.2/jobs/runs/repair", ""),
        answer: || json!({ "repair_id": 21 }),
        after: (Route(RUN, "run_id=13"), 2),
        undo: &[Route(CANCEL_RUN, ":13}")],
        cleared: &[],
        name: "repair 21 of run 13",
        kind: "repair of a run",
    },
    Work {
        tool: "run_pipeline",
        arguments: || json!({ "pipeline_id": "p1" }),
        before: Some(Route("GET /api/2.0/pipelines/p1", "")),
        start: Route("POST /api/2.0/pipelines/p1/updates", ""),
        answer: || json!({ "update_id": "u1" }),
        after: (Route("GET /api/2.0/pipelines/p1/updates/u1", ""), 1),
        undo: &[Route("POST /api/2.0/pipelines/p1/stop", "")],
        cleared: &[],
        name: "update u1 of pipeline p1",
        kind: "update of a pipeline",
    },
    Work {
        tool: "ask_genie",
        arguments: || json!({ "space_id": "g1", "question": "How many?" }),
        before: None,
        start: Route("POST /api/2.0/genie/spaces/g1/start-conversation", ""),
        answer: || json!({ "conversation_id": "v1", "message_id": "m1" }),
        after: (Route("GET /api/2.0/genie/spaces/g1/conversations/v1/messages/m1", ""), 1),
        undo: &[],
        cleared: &[],
        name: "message m1 of Genie conversation v1",
        kind: "dashboards.genie.start_conversation",
    },
    Work {
        tool: "start_cluster",
        arguments: || json!({ "cluster_id": "cluster-stopped" }),
        before: Some(Route(CLUSTER, "cluster-stopped")),
        start: Route("POST /api/2.1/clusters/start", ""),
        answer: || json!({}),
        after: (Route(CLUSTER, "cluster-stopped"), 2),
        undo: &[Route("POST /api/2.1/clusters/delete", "cluster-stopped")],
        cleared: &[],
        name: "cluster cluster-stopped",
        kind: "cluster",
    },
    Work {
        tool: "start_warehouse",
        arguments: || json!({ "warehouse_id": "w1" }),
        before: Some(Route(WAREHOUSE, "")),
        start: Route("POST /api/2.0/sql/warehouses/w1/start", ""),
        answer: || json!({}),
        after: (Route(WAREHOUSE, ""), 2),
        undo: &[Route("POST /api/2.0/sql/warehouses/w1/stop", "")],
        cleared: &[],
        name: "warehouse w1",
        kind: "warehouse",
    },
    Work {
        tool: "restart_cluster",
        arguments: || json!({ "cluster_id": "cluster-running" }),
        before: Some(Route(CLUSTER, "cluster-running")),
        start: Route("POST /api/2.1/clusters/restart", ""),
        answer: || json!({}),
        after: (Route(CLUSTER, "cluster-running"), 2),
        undo: &[],
        cleared: &[],
        name: "restart of cluster cluster-running",
        kind: "compute.clusters.restart",
    },
    Work {
        tool: "run_code",
        arguments: || json!({ "code": "print(1)", "cluster_id": "cluster-of-code" }),
        before: Some(Route("GET /api/1.2/contexts/status", "")),
        start: Route("POST /api/1.2/commands/execute", ""),
        answer: || json!({ "id": "command1" }),
        after: (Route("GET /api/1.2/commands/status", ""), 1),
        undo: &[Route("POST /api/1.2/commands/cancel", "command1"), DESTROY],
        cleared: &[DESTROY],
        name: "command command1 in context context1 on cluster cluster-of-code",
        kind: "command",
    },
    Work {
        // On serverless compute.
        tool: "run_code",
        arguments: || json!({ "code": "print(2)" }),
        before: Some(Route("POST /api/2.0/workspace/import", "")),
        start: Route("POST /api/2.2/jobs/runs/submit", "run_code"),
        answer: || json!({ "run_id": 14 }),
        after: (Route(RUN, "run_id=14"), 1),
        undo: &[Route(CANCEL_RUN, ":14}"), REMOVE_FILE],
        cleared: &[REMOVE_FILE],
        name: "run 14",
        kind: "run",
    },
];
