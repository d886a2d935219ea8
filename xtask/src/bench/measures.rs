//! What is measured.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::client::Client;
use super::workspace::{Answers, Workspace};

/// One line of the table.
#[derive(Debug)]
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) goal: &'static str,
    pub(super) of: fn(&Path) -> Result<f64>,
    /// The same without a server.
    pub(super) direct: Option<fn() -> Result<f64>>,
}

/// So many calls come first, which open connections and fill what is filled once.
const WARM_UP: usize = 50;
const ROWS: usize = 10_000;

pub(super) const MEASURES: &[Measure] = &[
    Measure { name: "start to the list of tools", unit: "ms", goal: "≤ 8", of: start, direct: None },
    Measure {
        name: "`list_clusters` of 38 kB, one after the other",
        unit: "ms",
        goal: "≤ 1.5×",
        of: one_by_one,
        direct: Some(one_by_one_direct),
    },
    Measure { name: "processor time of such a call", unit: "ms", goal: "≤ 0.15", of: processor, direct: None },
    Measure { name: "calls a second, 16 at once", unit: "1/s", goal: "≥ 5,000", of: per_second, direct: None },
    Measure {
        name: "32 calls at once, 100 ms each in the workspace",
        unit: "ms",
        goal: "≤ 110",
        of: at_once,
        direct: None,
    },
    Measure { name: "memory after 200 calls", unit: "MiB", goal: "≤ 12", of: memory, direct: None },
    Measure { name: "memory at its peak, 10,000 rows of SQL", unit: "MiB", goal: "≤ 16", of: peak, direct: None },
    Measure { name: "10,000 rows of SQL", unit: "ms", goal: "≤ 1.5×", of: sql, direct: Some(sql_direct) },
    Measure { name: "size of the binary", unit: "MB", goal: "≤ 20", of: size, direct: None },
];

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The median in milliseconds.
pub(super) fn median(took: &[Duration]) -> f64 {
    let mut took = took.to_vec();
    took.sort_unstable();
    milliseconds(took.get(took.len() / 2).copied().unwrap_or_default())
}

fn clusters() -> Result<Workspace> {
    Workspace::start(&Answers::default())
}

fn rows() -> Result<Workspace> {
    Workspace::start(&Answers { rows: ROWS, ..Answers::default() })
}

/// A server that is warm.
pub(super) fn warm(binary: &Path, workspace: &Workspace) -> Result<Client> {
    let (mut client, _) = Client::start(binary, workspace, &[])?;
    client.calls("list_clusters", &json!({}), WARM_UP, 4)?;
    Ok(client)
}

fn start(binary: &Path) -> Result<f64> {
    let workspace = clusters()?;
    let took = (0..10).map(|_| Client::start(binary, &workspace, &[]).map(|(_, took)| took));
    Ok(median(&took.collect::<Result<Vec<_>>>()?))
}

fn one_by_one(binary: &Path) -> Result<f64> {
    let workspace = clusters()?;
    Ok(median(&warm(binary, &workspace)?.calls("list_clusters", &json!({}), 500, 1)?))
}

fn one_by_one_direct() -> Result<f64> {
    let mut direct = clusters()?.connect()?;
    let one = |_| {
        let began = Instant::now();
        direct.list_clusters()?;
        Ok(began.elapsed())
    };
    Ok(median(&(0..500).map(one).collect::<Result<Vec<_>>>()?))
}

fn processor(binary: &Path) -> Result<f64> {
    const CALLS: u32 = 2_000;
    let workspace = clusters()?;
    let mut client = warm(binary, &workspace)?;
    let before = client.processor_time()?;
    client.calls("list_clusters", &json!({}), CALLS as usize, 16)?;
    Ok(milliseconds(client.processor_time()?.saturating_sub(before) / CALLS))
}

fn per_second(binary: &Path) -> Result<f64> {
    const CALLS: u32 = 3_000;
    let workspace = clusters()?;
    let mut client = warm(binary, &workspace)?;
    let began = Instant::now();
    client.calls("list_clusters", &json!({}), CALLS as usize, 16)?;
    Ok(f64::from(CALLS) / began.elapsed().as_secs_f64())
}

fn at_once(binary: &Path) -> Result<f64> {
    let workspace = Workspace::start(&Answers { delay: Duration::from_millis(100), ..Answers::default() })?;
    let (mut client, _) = Client::start(binary, &workspace, &[])?;
    client.calls("list_clusters", &json!({}), 32, 32)?;
    let began = Instant::now();
    client.calls("list_clusters", &json!({}), 32, 32)?;
    Ok(milliseconds(began.elapsed()))
}

fn memory(binary: &Path) -> Result<f64> {
    let workspace = clusters()?;
    let (mut client, _) = Client::start(binary, &workspace, &[])?;
    client.calls("list_clusters", &json!({}), 200, 1)?;
    client.memory("VmRSS")
}

fn statement() -> Value {
    json!({ "statement": "SELECT * FROM main.sales.orders", "warehouse_id": "0123456789abcdef", "row_limit": ROWS })
}

fn peak(binary: &Path) -> Result<f64> {
    let workspace = rows()?;
    let (mut client, _) = Client::start(binary, &workspace, &[])?;
    client.calls("execute_sql", &statement(), 3, 1)?;
    client.memory("VmHWM")
}

fn sql(binary: &Path) -> Result<f64> {
    let workspace = rows()?;
    let (mut client, _) = Client::start(binary, &workspace, &[])?;
    client.calls("execute_sql", &statement(), 3, 1)?;
    Ok(median(&client.calls("execute_sql", &statement(), 15, 1)?))
}

fn sql_direct() -> Result<f64> {
    let mut direct = rows()?.connect()?;
    let one = |_| {
        let began = Instant::now();
        direct.execute(&statement())?;
        Ok(began.elapsed())
    };
    Ok(median(&(0..15).map(one).collect::<Result<Vec<_>>>()?))
}

#[expect(clippy::cast_precision_loss, reason = "megabytes of a file")]
fn size(binary: &Path) -> Result<f64> {
    let metadata = binary.metadata().with_context(|| format!("cannot read `{}`", binary.display()))?;
    Ok(metadata.len() as f64 / 1e6)
}
