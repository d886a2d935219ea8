//! A workspace that answers with the same bytes each time, so that all that is measured is the server before it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

const CLUSTERS: &str = "/api/2.1/clusters/list";
const STATEMENTS: &str = "/api/2.0/sql/statements";
/// What a statement answers whose rows come at once.
const STATEMENT_ID: &str = "01f0-bench";

/// What it answers with.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    /// How many clusters there are.
    pub(super) clusters: usize,
    /// How many rows a statement has.
    pub(super) rows: usize,
    /// How long each answer takes.
    pub(super) delay: Duration,
}

impl Default for Answers {
    /// Twenty clusters, which are 38 kB.
    fn default() -> Self {
        Self { clusters: 20, rows: 0, delay: Duration::ZERO }
    }
}

/// A workspace on loopback. It ends with the program.
#[derive(Debug, Clone)]
pub(super) struct Workspace {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
}

/// Whole answers, heads included.
struct Prepared {
    clusters: Vec<u8>,
    statement: Vec<u8>,
    unknown: Vec<u8>,
    delay: Duration,
}

impl Workspace {
    pub(super) fn start(answers: &Answers) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on loopback")?;
        let clusters: Vec<_> = (0..answers.clusters).map(cluster).collect();
        let prepared = Arc::new(Prepared {
            clusters: whole("200 OK", &json!({ "clusters": clusters })),
            statement: whole("200 OK", &statement(answers.rows)),
            unknown: whole("404 Not Found", &json!({ "error_code": "NOT_FOUND", "message": "no such path" })),
            delay: answers.delay,
        });
        let address = listener.local_addr().context("a listener without an address")?;
        let workspace = Self { address, requests: Arc::default(), connections: Arc::default() };
        let (requests, connections) = (Arc::clone(&workspace.requests), Arc::clone(&workspace.connections));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::Relaxed);
                let (prepared, requests) = (Arc::clone(&prepared), Arc::clone(&requests));
                // A connection that breaks is the end of it.
                thread::spawn(move || serve(stream, &prepared, &requests).ok());
            }
        });
        Ok(workspace)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests and connections there were so far.
    pub(super) fn counted(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.connections.load(Ordering::Relaxed))
    }

    /// A connection to it without a server between.
    pub(super) fn connect(&self) -> Result<Direct> {
        let stream = TcpStream::connect(self.address).context("cannot reach the workspace")?;
        stream.set_nodelay(true)?;
        Ok(Direct { reader: BufReader::new(stream.try_clone()?), stream, body: Vec::new() })
    }
}

/// Asks the workspace without a server between.
#[derive(Debug)]
pub(super) struct Direct {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Direct {
    /// Lists the clusters, and gives the bytes of the answer.
    pub(super) fn list_clusters(&mut self) -> Result<&[u8]> {
        let head =
            format!("GET {CLUSTERS}?page_size=100 HTTP/1.1\r\nHost: workspace.test\r\nAuthorization: Bearer x\r\n\r\n");
        self.ask(head.as_bytes())
    }

    /// Runs a statement, and gives the bytes of the answer.
    pub(super) fn execute(&mut self, body: &Value) -> Result<&[u8]> {
        let body = body.to_string();
        let head =
            format!("POST {STATEMENTS}/ HTTP/1.1\r\nHost: workspace.test\r\nContent-Length: {}\r\n\r\n", body.len());
        self.ask((head + &body).as_bytes())
    }

    fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request)?;
        let (_, length) = head(&mut self.reader)?.context("the workspace closed the connection")?;
        self.body.resize(length, 0);
        self.reader.read_exact(&mut self.body)?;
        Ok(&self.body)
    }
}

fn serve(mut stream: TcpStream, prepared: &Prepared, requests: &AtomicU64) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some((first, length)) = head(&mut reader)? {
        std::io::copy(&mut (&mut reader).take(length as u64), &mut std::io::sink())?;
        requests.fetch_add(1, Ordering::Relaxed);
        if !prepared.delay.is_zero() {
            thread::sleep(prepared.delay);
        }
        let path = first.split(' ').nth(1).unwrap_or_default();
        stream.write_all(match path {
            path if path.starts_with(CLUSTERS) => &prepared.clusters,
            path if path.starts_with(STATEMENTS) => &prepared.statement,
            _ => &prepared.unknown,
        })?;
    }
    Ok(())
}

/// The first line of a head, and the length of the body that follows; `None` at the end of the connection.
fn head(reader: &mut BufReader<TcpStream>) -> Result<Option<(String, usize)>> {
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            return Ok(Some((first, length)));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
}

fn whole(status: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// A cluster with the fields of a real one.
fn cluster(number: usize) -> Value {
    let id = format!("1130-0{number:05}-bench");
    let node = |place: usize| {
        json!({
            "private_ip": format!("10.0.{}.{place}", number % 250), "public_dns": format!("ec2-{number}-{place}.compute.test"),
            "node_id": format!("{number:016x}{place:016x}"), "instance_id": format!("i-{number:017x}"),
            "start_timestamp": 1_772_258_400_000_u64 + number as u64, "host_private_ip": format!("10.1.{}.{place}", number % 250),
            "node_aws_attributes": { "is_spot": place > 0 },
        })
    };
    json!({
        "cluster_id": id, "cluster_name": format!("nightly load {number}"), "state": "RUNNING", "state_message": "",
        "creator_user_name": format!("engineer{number}@example.test"), "spark_version": "17.3.x-scala2.13",
        "node_type_id": "i3.xlarge", "driver_node_type_id": "i3.xlarge", "autotermination_minutes": 60,
        "enable_elastic_disk": true, "disk_spec": {}, "cluster_source": "UI", "enable_local_disk_encryption": false,
        "instance_source": { "node_type_id": "i3.xlarge" }, "driver_instance_source": { "node_type_id": "i3.xlarge" },
        "data_security_mode": "SINGLE_USER", "single_user_name": format!("engineer{number}@example.test"),
        "runtime_engine": "PHOTON", "effective_spark_version": "17.3.x-photon-scala2.13",
        "aws_attributes": { "zone_id": "auto", "first_on_demand": 1, "availability": "SPOT_WITH_FALLBACK", "spot_bid_price_percent": 100, "ebs_volume_count": 0 },
        "spark_conf": { "spark.databricks.delta.preview.enabled": "true", "spark.sql.shuffle.partitions": "auto" },
        "spark_env_vars": { "PYSPARK_PYTHON": "/databricks/python3/bin/python3" },
        "custom_tags": { "team": "data platform", "cost_center": format!("{}", 4_000 + number) },
        "default_tags": { "Vendor": "Databricks", "Creator": format!("engineer{number}@example.test"), "ClusterName": format!("nightly load {number}"), "ClusterId": id },
        "driver": node(0), "executors": [node(1)],
        "jdbc_port": 10_000, "cluster_memory_mb": 62_464, "cluster_cores": 8.0, "spark_context_id": 4_204_204_204_204_204_u64 + number as u64,
        "start_time": 1_772_258_400_000_u64, "last_state_loss_time": 0, "last_activity_time": 1_772_258_460_000_u64, "last_restarted_time": 1_772_258_520_000_u64,
        "num_workers": 1, "spec": { "cluster_name": format!("nightly load {number}"), "spark_version": "17.3.x-scala2.13", "node_type_id": "i3.xlarge", "autotermination_minutes": 60, "num_workers": 1 },
    })
}

/// The answer to a statement with so many rows of four columns.
fn statement(rows: usize) -> Value {
    let columns = [("id", "BIGINT"), ("name", "STRING"), ("amount", "DECIMAL(10,2)"), ("at", "TIMESTAMP")];
    let columns = columns.iter().enumerate().map(|(position, (name, kind))| {
        json!({ "name": name, "type_text": kind, "type_name": kind.split('(').next(), "position": position })
    });
    let data: Vec<_> = (0..rows)
        .map(|row| json!([row.to_string(), format!("customer {row}"), format!("{row}.50"), "2026-11-30T06:00:00.000Z"]))
        .collect();
    json!({
        "statement_id": STATEMENT_ID, "status": { "state": "SUCCEEDED" },
        "manifest": {
            "format": "JSON_ARRAY", "schema": { "column_count": 4, "columns": columns.collect::<Vec<_>>() },
            "total_chunk_count": 1, "total_row_count": rows, "truncated": false,
            "chunks": [{ "chunk_index": 0, "row_offset": 0, "row_count": rows }],
        },
        "result": { "chunk_index": 0, "row_offset": 0, "row_count": rows, "data_array": data },
    })
}
