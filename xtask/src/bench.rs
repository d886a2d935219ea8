//! How fast the server is over stdio: beside the same requests without it, and beside another build of it.
//!
//! Everything runs in turns within one round, so that what else the machine does falls on all alike, and what is told is
//! the median of the rounds with the least and the most. Nothing is asserted: machines differ.

mod client;
mod growth;
mod measures;
mod plot;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::{print, release, root};
use measures::{MEASURES, Measure};

const PAGE: &str = "docs/performance.md";
const PICTURE: &str = "docs/performance.svg";
const START: &str = "<!-- figures: written by `cargo xtask bench --write` -->";
const END: &str = "<!-- end of figures -->";

/// Measure the server over stdio beside the same requests without it
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The server; without it, the release binary is built first
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Another server to measure in turns with it, e.g. that of the last release
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,
    /// How often everything is measured
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: usize,
    /// Measure only what has this in its name
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Measure also how a call grows with its answer, with the calls under way and with the tools
    #[arg(long)]
    growth: bool,
    /// Write the figures into `docs/performance.md`, with a picture of how they grow
    #[arg(long)]
    write: bool,
}

/// Measure the server for a long time, and see that it holds no more at the end than at the beginning
#[derive(Debug, Args)]
pub(crate) struct SoakArguments {
    /// The server; without it, the release binary is built first
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// How many calls
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    calls: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let ours = binary(arguments.binary.as_deref())?;
    let others: Vec<&Path> = arguments.against.iter().map(PathBuf::as_path).collect();
    let wanted = |measure: &&Measure| arguments.only.as_ref().is_none_or(|only| measure.name.contains(only.as_str()));
    let binaries: Vec<&Path> = std::iter::once(ours.as_path()).chain(others).collect();
    let mut rows = Vec::new();
    for measure in MEASURES.iter().filter(wanted) {
        let row = Row::measured(measure, &binaries, arguments.rounds)?;
        print(&row.line())?;
        rows.push(row);
    }
    let growth = if arguments.growth || arguments.write { Some(growth::measured(&ours)?) } else { None };
    if let Some(growth) = &growth {
        print(&growth.tables())?;
    }
    if arguments.write {
        let mut told = format!("{}\n\n{}", circumstances(arguments), table(&rows, binaries.len() > 1));
        if let Some(growth) = &growth {
            told = format!("{told}\n{}", growth.tables());
            let path = root().join(PICTURE);
            std::fs::write(&path, growth.picture()).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        write(&told)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends with 1 if the server held more and more.
pub(crate) fn soak(arguments: &SoakArguments) -> Result<ExitCode> {
    let ours = binary(arguments.binary.as_deref())?;
    growth::soak(&ours, arguments.calls)
}

fn binary(given: Option<&Path>) -> Result<PathBuf> {
    match given {
        Some(path) => path.canonicalize().with_context(|| format!("cannot find `{}`", path.display())),
        None => release::built(),
    }
}

/// What was measured of each binary, round by round.
#[derive(Debug)]
struct Row {
    measure: &'static Measure,
    of: Vec<Vec<f64>>,
    direct: Vec<f64>,
}

impl Row {
    fn measured(measure: &'static Measure, binaries: &[&Path], rounds: usize) -> Result<Self> {
        let mut row = Self { measure, of: vec![Vec::new(); binaries.len()], direct: Vec::new() };
        for round in 0..rounds.max(1) {
            if let Some(direct) = measure.direct {
                row.direct.push(direct()?);
            }
            // Each is the first one in turn.
            for place in 0..binaries.len() {
                let index = (place + round) % binaries.len();
                if let (Some(binary), Some(seen)) = (binaries.get(index), row.of.get_mut(index)) {
                    seen.push((measure.of)(binary)?);
                }
            }
        }
        Ok(row)
    }

    /// What one binary needs of what the requests need without it, round by round.
    fn ratios(&self, of: &[f64]) -> Vec<f64> {
        of.iter().zip(&self.direct).map(|(one, direct)| one / direct).collect()
    }

    fn line(&self) -> String {
        let Measure { name, unit, goal, .. } = self.measure;
        let seen: Vec<_> = self.of.iter().map(|of| spread(of)).collect();
        let ratios = self.of.iter().map(|of| self.ratios(of)).filter(|ratios| !ratios.is_empty());
        let ratios: Vec<_> = ratios.map(|ratios| format!("{}× direct", spread(&ratios))).collect();
        format!("{name}: {} {unit}, {} (goal {goal})\n", seen.join(" against "), ratios.join(" against "))
    }
}

fn table(rows: &[Row], has_other: bool) -> String {
    let (head, rule) = if has_other { (" before |", "---:|") } else { ("", "") };
    let mut table = format!("| | now |{head} without a server | times | goal |\n|---|---:|{rule}---:|---:|---:|\n");
    for row in rows {
        let Measure { name, unit, goal, .. } = row.measure;
        let mut cells = vec![format!("{name}, {unit}")];
        cells.extend(row.of.iter().map(|of| spread(of)));
        cells.push(if row.direct.is_empty() { "–".to_owned() } else { spread(&row.direct) });
        let ratios = row.of.first().map(|of| row.ratios(of)).filter(|ratios| !ratios.is_empty());
        cells.push(ratios.map_or("–".to_owned(), |ratios| format!("{}×", spread(&ratios))));
        cells.push((*goal).to_owned());
        table.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    table
}

/// The median, and the least and the most.
fn spread(values: &[f64]) -> String {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else { return "–".to_owned() };
    format!("{} ({}–{})", short(median(&values)), short(*least), short(*most))
}

/// The median of sorted values.
fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// A number with three digits or all before the point.
fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn circumstances(arguments: &Arguments) -> String {
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<_> = load.split(' ').take(3).collect();
    let (rounds, load) = (arguments.rounds, load.join(", "));
    format!(
        "On {day}, with {cores} processors that server, workspace and client share; load {load}. The median of {rounds} \
         rounds, and in parentheses the least and the most."
    )
}

fn write(told: &str) -> Result<()> {
    let path = root().join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (before, rest) = page.split_once(START).with_context(|| format!("`{PAGE}` has no line `{START}`"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("`{PAGE}` has no line `{END}`"))?;
    std::fs::write(&path, format!("{before}{START}\n{told}{END}{after}"))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{short, spread};

    #[test]
    fn a_spread_is_the_median_between_the_least_and_the_most() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]), "2.00 (1.00–3.00)");
        assert_eq!(spread(&[]), "–");
        assert_eq!([short(12.34), short(0.126), short(5_012.6)], ["12.3", "0.13", "5013"]);
    }
}
