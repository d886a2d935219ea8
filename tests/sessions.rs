//! The sessions in the README are what the commands really print, each in a fresh sandbox.
//!
//! `UPDATE_SESSIONS=1 cargo test --test sessions` writes them anew.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_databricks-mcp-server");
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const FENCE: &str = "```console\n";

/// A sandbox in a process of its own, ended with it.
struct Sandbox {
    process: Child,
    environment: Vec<(String, String)>,
}

impl Sandbox {
    fn start() -> Result<Self, Box<dyn Error>> {
        let mut process =
            Command::new(BINARY).args(["sandbox", "--sandbox-clock", "fast"]).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(process.stdout.take().ok_or("no stdout")?).lines().take(2);
        let environment = lines.map(|line| {
            let line = line?;
            let (name, value) = line.split_once('=').ok_or_else(|| format!("no variable: {line}"))?;
            Ok((name.to_owned(), value.to_owned()))
        });
        let environment = environment.collect::<Result<_, Box<dyn Error>>>()?;
        Ok(Self { process, environment })
    }

    /// What a command prints, errors included.
    fn run(&self, command: &str) -> Result<String, Box<dyn Error>> {
        let directory = Path::new(BINARY).parent().ok_or("no directory")?;
        let path = std::env::join_paths(
            [directory.to_owned()]
                .into_iter()
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
        )?;
        let output = Command::new("sh")
            .args(["-c", command])
            .env("PATH", path)
            .env_remove("DATABRICKS_CONFIG_PROFILE")
            .envs(self.environment.clone())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()?;
        Ok(String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A session as it is written, made anew by running its commands.
fn replay(session: &str) -> Result<String, Box<dyn Error>> {
    let sandbox = Sandbox::start()?;
    let mut replayed = String::new();
    let mut lines = session.lines();
    while let Some(line) = lines.next() {
        let Some(start) = line.strip_prefix("$ ") else { continue };
        let mut command = start.to_owned();
        // A command goes on until its quotes are closed.
        while command.matches('\'').count() % 2 == 1 {
            command.push('\n');
            command.push_str(lines.next().ok_or("a quote is not closed")?);
        }
        if !replayed.is_empty() {
            replayed.push('\n');
        }
        write!(replayed, "$ {command}\n{}", sandbox.run(&command)?)?;
    }
    Ok(replayed)
}

/// The text without what differs from run to run, ports, times and durations, and without ids, which every change of
/// what the sandbox starts with gives anew.
fn steady(text: &str) -> Result<String, Box<dyn Error>> {
    let mut steady = text.to_owned();
    for (pattern, instead) in [
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r#"_ms": \d+"#, "_ms\": DURATION"),
        (r"01f0[0-9a-f]{4}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
        (r#"_id": \d+"#, "_id\": ID"),
        (r"#job/\d+/run/\d+", "#job/ID/run/ID"),
    ] {
        steady = regex::Regex::new(pattern)?.replace_all(&steady, instead).into_owned();
    }
    Ok(steady)
}

#[test]
fn sessions_print_what_the_readme_says() -> Result<(), Box<dyn Error>> {
    let readme = std::fs::read_to_string(README)?;
    let mut written = String::new();
    let mut rest = readme.as_str();
    let mut sessions = 0;
    while let Some((before, after)) = rest.split_once(FENCE) {
        let (session, after) = after.split_once("```").ok_or("a fence is not closed")?;
        let replayed = replay(session)?;
        sessions += 1;
        if std::env::var_os("UPDATE_SESSIONS").is_none() {
            assert_eq!(
                steady(&replayed)?,
                steady(session)?,
                "the README is not what is printed; accept with `UPDATE_SESSIONS=1 cargo test --test sessions`"
            );
        }
        written.push_str(&format!("{before}{FENCE}{replayed}```"));
        rest = after;
    }
    written.push_str(rest);
    if std::env::var_os("UPDATE_SESSIONS").is_some() {
        std::fs::write(README, written)?;
    }
    assert!(sessions >= 3, "{sessions} sessions");
    Ok(())
}
