//! A cluster's states over time, its events, and its JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::json::Members;
use crate::workspace::USER;

/// So many workers are told one by one.
/// Events that a cluster remembers.
const KEPT_EVENTS: usize = 500;
const MOST_EXECUTORS: i64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Running,
    Restarting,
    Resizing,
    Terminating,
    Terminated,
    Error,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Restarting => "RESTARTING",
            Self::Resizing => "RESIZING",
            Self::Terminating => "TERMINATING",
            Self::Terminated => "TERMINATED",
            Self::Error => "ERROR",
        }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Pending => "Finding instances for new nodes, acquiring more instances if necessary",
            Self::Error => "The cluster failed to start because its instances could not be launched.",
            _ => "",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) settings: Map<String, Value>,
    pub(crate) state: State,
    /// The state to come, and when.
    next: Option<(i64, State)>,
    pub(super) started: i64,
    terminated: Option<i64>,
    pub(super) reason: Option<Value>,
    pub(super) pinned: bool,
    pub(super) events: Vec<Value>,
    /// The run that made it, and for what.
    pub(super) of_run: Option<(i64, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct Clusters(pub(crate) BTreeMap<String, Cluster>);

impl Cluster {
    pub(crate) fn new(settings: Map<String, Value>, state: State, now: i64) -> Self {
        let mut cluster = Self {
            settings,
            state,
            next: None,
            started: now,
            terminated: None,
            reason: None,
            pinned: false,
            events: Vec::new(),
            of_run: None,
        };
        cluster.event(now, "CREATING", json!({"user": USER}));
        match state {
            State::Running => cluster.event(
                now + 60_000,
                "RUNNING",
                json!({"current_num_workers": cluster.workers(), "target_num_workers": cluster.workers()}),
            ),
            State::Terminated => {
                cluster.terminated = Some(now + 3_600_000);
                cluster.reason = Some(
                    json!({"code": "INACTIVITY", "type": "SUCCESS", "parameters": {"inactivity_duration_min": "60"}}),
                );
                cluster.event(now + 3_600_000, "TERMINATING", json!({"reason": {"code": "INACTIVITY", "type": "SUCCESS", "parameters": {"inactivity_duration_min": "60"}}}));
            }
            State::Error => {
                cluster.not_launched(now + 30_000);
            }
            _ => {}
        }
        cluster
    }

    pub(super) fn workers(&self) -> i64 {
        let fixed = self.settings.get("num_workers").and_then(Value::as_i64);
        let scaled = self.settings.get("autoscale").and_then(|scale| scale.get("min_workers")).and_then(Value::as_i64);
        fixed.or(scaled).unwrap_or(0)
    }

    pub(super) fn event(&mut self, at: i64, kind: &str, details: Value) {
        if self.events.len() >= KEPT_EVENTS {
            self.events.drain(..KEPT_EVENTS / 10);
        }
        self.events.push(json!({"timestamp": at, "type": kind, "details": details}));
    }

    pub(super) fn settle(&mut self, now: i64) {
        let Some((at, state)) = self.next.filter(|(at, _)| *at <= now) else { return };
        self.next = None;
        let was = std::mem::replace(&mut self.state, state);
        let workers = self.workers();
        match state {
            State::Running if was == State::Resizing => {
                self.event(
                    at,
                    "UPSIZE_COMPLETED",
                    json!({"current_num_workers": workers, "target_num_workers": workers}),
                );
            }
            State::Running => {
                self.started = at;
                self.event(at, "RUNNING", json!({"current_num_workers": workers, "target_num_workers": workers}));
            }
            State::Terminated => self.terminated = Some(at),
            State::Error => self.not_launched(at),
            _ => {}
        }
    }

    pub(super) fn not_launched(&mut self, at: i64) {
        let reason = json!({"code": "CLOUD_PROVIDER_LAUNCH_FAILURE", "type": "CLOUD_FAILURE", "parameters": {"databricks_error_message": super::work::NO_NODES}});
        self.event(at, "ADD_NODES_FAILED", json!({"reason": reason}));
        self.event(at, "TERMINATING", json!({"reason": reason}));
        self.reason = Some(reason);
        self.terminated = Some(at);
    }

    /// When its next state begins, if one is to come.
    pub(super) fn due(&self) -> Option<i64> {
        self.next.map(|(at, _)| at)
    }

    /// Starts it, so that it runs from `ready`, or does not where its nodes are not to be had.
    pub(super) fn launch(&mut self, at: i64, ready: i64) {
        if self.of_run.is_none() {
            self.event(at, "STARTING", json!({"user": USER}));
        }
        self.reason = None;
        self.terminated = None;
        let to = if super::work::is_doomed(&self.settings) { State::Error } else { State::Running };
        self.go(State::Pending, to, ready);
    }

    /// Ends it at once.
    pub(super) fn end(&mut self, at: i64, reason: Value) {
        self.event(at, "TERMINATING", json!({"reason": reason}));
        self.reason = Some(reason);
        self.state = State::Terminated;
        self.next = None;
        self.terminated = Some(at);
    }

    pub(super) fn go(&mut self, through: State, to: State, at: i64) {
        self.state = through;
        self.next = Some((at, to));
        if to == State::Running {
            self.reason = None;
            self.terminated = None;
        }
    }

    /// Of one that runs: its cores and memory, and who does the work.
    fn tell_size(&self, json: &mut Value) {
        let workers = self.workers();
        let find = |name: &str| {
            let id = json.text_at(name);
            crate::areas::compute::NODE_TYPES.iter().find(|(known, ..)| *known == id)
        };
        if let (Some((_, memory, cores, ..)), Some((_, driver_memory, driver_cores, ..))) =
            (find("node_type_id"), find("driver_node_type_id"))
        {
            let count = u32::try_from(workers).map_or(0.0, f64::from);
            let (cores, memory) = (cores.mul_add(count, *driver_cores), memory * workers + driver_memory);
            json.set("cluster_cores", json!(cores));
            json.set("cluster_memory_mb", json!(memory));
        }
        let executors: Vec<_> = (0..workers.min(MOST_EXECUTORS))
            .map(|at| json!({"node_id": format!("worker-{at}-{}", json.text_at("cluster_id")), "private_ip": format!("10.0.{}.{}", 1 + at / 250, 1 + at % 250), "start_timestamp": self.started}))
            .collect();
        if !executors.is_empty() {
            json.set("executors", json!(executors));
        }
    }

    /// What is said of its state; of one that has ended, why.
    fn message(&self) -> &'static str {
        let reason = self.reason.as_ref().map(|reason| reason.text_at("code")).unwrap_or_default();
        match (self.state, reason) {
            (State::Terminated, "INACTIVITY") => "Inactive cluster terminated (inactive for 60 minutes).",
            (State::Terminated | State::Terminating, "USER_REQUEST") => "Terminated by user request.",
            (State::Terminated, "JOB_FINISHED") => "Terminated because its job has finished.",
            (state, _) => state.message(),
        }
    }

    pub(super) fn json(&self, id: &str) -> Value {
        let mut json = json!({
            "cluster_id": id, "creator_user_name": USER, "spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge",
            "driver_node_type_id": self.settings.get("node_type_id").cloned().unwrap_or_else(|| json!("i3.xlarge")),
            "autotermination_minutes": 60, "enable_elastic_disk": true, "cluster_source": "UI",
            "data_security_mode": "USER_ISOLATION", "spark_conf": {}, "custom_tags": {},
        });
        if let Some(object) = json.as_object_mut() {
            object.extend(self.settings.clone());
        }
        json.set("state", json!(self.state.name()));
        json.set("state_message", json!(self.message()));
        json.set("start_time", json!(self.started));
        json.set("last_state_loss_time", json!(0));
        json.set("pinned_by_user_name", if self.pinned { json!(USER) } else { Value::Null });
        json.set(
            "default_tags",
            json!({"Vendor": "Databricks", "Creator": json.at("creator_user_name"), "ClusterName": json.at("cluster_name"), "ClusterId": id}),
        );
        if matches!(self.state, State::Running | State::Resizing) {
            self.tell_size(&mut json);
            json.set(
                "driver",
                json!({"node_id": format!("driver-{id}"), "private_ip": "10.0.0.1", "start_timestamp": self.started}),
            );
            json.set("spark_context_id", json!(crate::ids::mix(self.started.unsigned_abs()) >> 11));
        }
        if let Some(terminated) = self.terminated {
            json.set("terminated_time", json!(terminated));
        }
        if let Some(reason) = &self.reason {
            json.set("termination_reason", reason.clone());
        }
        if let Some(object) = json.as_object_mut() {
            object.retain(|_, value| !value.is_null());
        }
        json
    }
}
