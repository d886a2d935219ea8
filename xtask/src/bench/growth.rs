//! How a call grows: with the items of its answer, with the calls under way, with the tools that there are, with time.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use serde_json::json;

use super::client::Client;
use super::measures::{median, milliseconds, warm};
use super::plot::{Curve, Plot};
use super::workspace::{Answers, Workspace};
use crate::print;

const ITEMS: [usize; 5] = [1, 10, 100, 1_000, 10_000];
const AT_ONCE: [usize; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
/// A few tools, those of every server, and all that may be chosen.
const TOOLSETS: [(&str, &[&str]); 3] =
    [("compute", &["--toolsets", "compute"]), ("the usual ones", &[]), ("all", &["--toolsets", "all"])];

/// What one value on the axis came to.
#[derive(Debug)]
struct Point {
    at: usize,
    value: f64,
    /// What else is told of it.
    more: f64,
}

/// All curves.
#[derive(Debug)]
pub(super) struct Growth {
    items: Vec<Point>,
    at_once: Vec<Point>,
    tools: Vec<(&'static str, f64, f64)>,
}

pub(super) fn measured(binary: &Path) -> Result<Growth> {
    Ok(Growth {
        items: ITEMS.into_iter().map(|items| by_items(binary, items)).collect::<Result<_>>()?,
        at_once: AT_ONCE.into_iter().map(|at_once| by_calls(binary, at_once)).collect::<Result<_>>()?,
        tools: TOOLSETS.into_iter().map(|(name, options)| by_tools(binary, name, options)).collect::<Result<_>>()?,
    })
}

/// A call whose answer has so many clusters: milliseconds in all, and microseconds for each item.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn by_items(binary: &Path, items: usize) -> Result<Point> {
    let workspace = Workspace::start(&Answers { clusters: items, ..Answers::default() })?;
    let mut client = warm(binary, &workspace)?;
    let value = median(&client.calls("list_clusters", &json!({}), (20_000 / items).clamp(10, 300), 1)?);
    Ok(Point { at: items, value, more: value * 1_000.0 / items as f64 })
}

/// So many calls under way: calls a second, and the median of a call in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn by_calls(binary: &Path, at_once: usize) -> Result<Point> {
    const CALLS: usize = 3_000;
    let workspace = Workspace::start(&Answers::default())?;
    let mut client = warm(binary, &workspace)?;
    let began = Instant::now();
    let took = client.calls("list_clusters", &json!({}), CALLS, at_once)?;
    Ok(Point { at: at_once, value: CALLS as f64 / began.elapsed().as_secs_f64(), more: median(&took) })
}

/// Other tools beside the one that is called: milliseconds of the start, and of a call.
fn by_tools(binary: &Path, name: &'static str, options: &[&str]) -> Result<(&'static str, f64, f64)> {
    let workspace = Workspace::start(&Answers::default())?;
    let starts = (0..5).map(|_| Client::start(binary, &workspace, options).map(|(_, took)| took));
    let start = median(&starts.collect::<Result<Vec<_>>>()?);
    let (mut client, _) = Client::start(binary, &workspace, options)?;
    Ok((name, start, median(&client.calls("list_clusters", &json!({}), 300, 1)?)))
}

impl Growth {
    pub(super) fn tables(&self) -> String {
        let mut text =
            "\n| clusters in the answer | a call, ms | for each cluster, µs |\n|---:|---:|---:|\n".to_owned();
        // Writing to a text does not fail.
        for Point { at, value, more } in &self.items {
            _ = writeln!(text, "| {at} | {value:.2} | {more:.1} |");
        }
        text.push_str("\n| calls under way | calls a second | median of a call, ms |\n|---:|---:|---:|\n");
        for Point { at, value, more } in &self.at_once {
            _ = writeln!(text, "| {at} | {value:.0} | {more:.2} |");
        }
        text.push_str("\n| tools | start, ms | a call, ms |\n|---|---:|---:|\n");
        for (name, start, call) in &self.tools {
            _ = writeln!(text, "| {name} | {start:.1} | {call:.2} |");
        }
        text
    }

    pub(super) fn picture(&self) -> String {
        let curve = |points: &[Point]| points.iter().map(|point| (point.at, point.value)).collect();
        Plot {
            curves: [
                Curve { title: "milliseconds of a call", axis: "clusters in its answer", points: curve(&self.items) },
                Curve { title: "calls a second", axis: "calls under way", points: curve(&self.at_once) },
            ],
        }
        .svg()
    }
}

/// Calls for a long time, and ends with 1 if memory, files or threads grew from the first tenth to the end.
pub(super) fn soak(binary: &Path, calls: usize) -> Result<ExitCode> {
    /// What an allocator may keep for itself.
    const SLACK_MIB: f64 = 4.0;
    /// Threads for work that blocks, which come and go.
    const SLACK_THREADS: usize = 16;
    const SLACK_FILES: usize = 8;
    let workspace = Workspace::start(&Answers::default())?;
    let mut client = warm(binary, &workspace)?;
    let part = (calls / 10).max(1);
    let mut first = None;
    let mut last = (0.0, (0, 0));
    for tenth in 1..=10 {
        let began = Instant::now();
        client.calls("list_clusters", &json!({}), part, 16)?;
        last = (client.memory("VmRSS")?, client.held()?);
        let (memory, (files, threads)) = last;
        let (requests, connections) = workspace.counted();
        let took = milliseconds(began.elapsed());
        print(&format!(
            "{} calls: {memory:.1} MiB, {files} files, {threads} threads, {requests} requests over {connections} \
             connections, {took:.0} ms\n",
            part * tenth
        ))?;
        first.get_or_insert(last);
    }
    let (memory, (files, threads)) = first.unwrap_or(last);
    let has_grown = last.0 > memory + SLACK_MIB || last.1.0 > files + SLACK_FILES || last.1.1 > threads + SLACK_THREADS;
    if has_grown {
        print("it holds more at the end than after the first tenth\n")?;
    }
    Ok(ExitCode::from(u8::from(has_grown)))
}
