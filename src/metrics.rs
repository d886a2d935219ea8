//! What the server counts, in the text form that Prometheus reads. Labels have few values: tools are those that exist, and
//! callers are not named.

use std::time::Duration;

use databricks::Observe;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The label of a tool that this binary does not have.
const UNKNOWN: &str = "unknown";

/// The counters of one process; clones count together.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    calls: Family<Call, Counter>,
    call_seconds: Seconds,
    result_tokens: Tokens,
    requests: Family<Status, Counter>,
    request_seconds: Seconds,
    retries: Counter,
    refusals: Family<Status, Counter>,
    /// Calls under way.
    pub(crate) under_way: Gauge,
    /// Streams that stay open.
    pub(crate) streams: Gauge,
    /// Spans that the collector has not got.
    pub(crate) spans_dropped: Counter,
}

/// How a call of a tool ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    tool: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: u16,
}

/// How long something took: from 10 ms to some minutes.
#[derive(Debug, Clone)]
struct Seconds(Histogram);

impl Default for Seconds {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(0.01, 2.5, 12)))
    }
}

#[derive(Debug, Clone)]
struct Tokens(Histogram);

impl Default for Tokens {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(64.0, 2.0, 10)))
    }
}

impl Metrics {
    /// A call of a tool has ended; `tokens` is the estimated size of its result.
    pub(crate) fn called(&self, tool: Option<&'static str>, outcome: &'static str, took: Duration, tokens: usize) {
        self.calls.get_or_create(&Call { tool: tool.unwrap_or(UNKNOWN), outcome }).inc();
        self.call_seconds.0.observe(took.as_secs_f64());
        // Precise for every size that an answer can have.
        self.result_tokens.0.observe(f64::from(u32::try_from(tokens).unwrap_or(u32::MAX)));
    }

    /// A request of a client was refused with this status before it was a call.
    pub(crate) fn refused(&self, status: u16) {
        self.refusals.get_or_create(&Status { status }).inc();
    }

    /// All counters as text.
    pub(crate) fn text(&self, callers: usize) -> String {
        let mut all = Registry::with_prefix("databricks_mcp");
        let callers_known: Gauge = Gauge::default();
        callers_known.set(i64::try_from(callers).unwrap_or(i64::MAX));
        all.register("calls", "Calls of tools, by how they ended", self.calls.clone());
        all.register_with_unit("call_duration", "How long calls took", Unit::Seconds, self.call_seconds.0.clone());
        all.register("result_tokens", "Estimated tokens of results", self.result_tokens.0.clone());
        all.register("calls_under_way", "Calls that have not ended", self.under_way.clone());
        all.register("open_streams", "Streams that stay open", self.streams.clone());
        all.register("callers", "Callers that are known", callers_known);
        all.register("refused_requests", "Requests that were no call, by status", self.refusals.clone());
        all.register("workspace_requests", "Requests to workspaces, by status; 0 is no answer", self.requests.clone());
        let seconds = self.request_seconds.0.clone();
        all.register_with_unit(
            "workspace_request_duration",
            "How long requests to workspaces took",
            Unit::Seconds,
            seconds,
        );
        all.register("workspace_retries", "Requests to workspaces that were repeated", self.retries.clone());
        all.register("spans_dropped", "Spans that the collector of traces has not got", self.spans_dropped.clone());
        let mut written = String::new();
        match text::encode(&mut written, &all) {
            Ok(()) => written,
            // Writing to a string does not fail.
            Err(_) => String::new(),
        }
    }
}

impl Observe for Metrics {
    fn attempted(&self, number: u32, status: Option<u16>, took: Duration) {
        self.requests.get_or_create(&Status { status: status.unwrap_or(0) }).inc();
        self.request_seconds.0.observe(took.as_secs_f64());
        if number > 1 {
            self.retries.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use databricks::Observe as _;

    use super::Metrics;

    #[test]
    fn what_happens_is_counted() {
        let metrics = Metrics::default();
        metrics.called(Some("list_jobs"), "ok", Duration::from_millis(20), 100);
        metrics.called(None, "refused", Duration::ZERO, 0);
        metrics.attempted(1, Some(503), Duration::from_millis(5));
        metrics.attempted(2, None, Duration::from_millis(5));
        metrics.refused(401);
        let text = metrics.text(3);
        for line in [
            "databricks_mcp_calls_total{tool=\"list_jobs\",outcome=\"ok\"} 1",
            "databricks_mcp_calls_total{tool=\"unknown\",outcome=\"refused\"} 1",
            "databricks_mcp_call_duration_seconds_count 2",
            "databricks_mcp_workspace_requests_total{status=\"503\"} 1",
            "databricks_mcp_workspace_requests_total{status=\"0\"} 1",
            "databricks_mcp_workspace_retries_total 1",
            "databricks_mcp_refused_requests_total{status=\"401\"} 1",
            "databricks_mcp_callers 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
