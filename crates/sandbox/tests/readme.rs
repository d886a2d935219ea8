//! The examples of the README, run as they stand there.

use std::collections::VecDeque;
use std::error::Error;
use std::process::Stdio;

use databricks_sandbox::{Options, Sandbox};
use serde_json::{Deserializer, Value};

const README: &str = include_str!("../README.md");

/// Commands, and the answers documented for them.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    commands: String,
    answers: Vec<Value>,
}

/// The `sh` blocks, each with the `json` block after it. Blocks may be indented, as in lists.
fn examples() -> Result<Vec<Example>, Box<dyn Error>> {
    let mut examples: Vec<Example> = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in README.lines() {
        match (open.take(), line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => open = Some((language, String::new())),
            (None, None) => {}
            (Some(("sh", commands)), Some(_)) => examples.push(Example { commands, answers: Vec::new() }),
            (Some(("json", text)), Some(_)) => {
                let answers = Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>();
                examples.last_mut().ok_or("an answer before any command")?.answers = answers?;
            }
            (Some(_), Some(_)) => {}
            (Some((language, text)), None) => open = Some((language, text + line.trim_start() + "\n")),
        }
    }
    Ok(examples)
}

/// Whether an answer is as documented: `…` stands for any value, and for further members.
fn fits(documented: &Value, actual: &Value) -> bool {
    match (documented, actual) {
        (Value::String(text), _) if text == "…" => true,
        (Value::Object(documented), Value::Object(actual)) => {
            let is_open = documented.contains_key("…");
            documented
                .iter()
                .filter(|(name, _)| *name != "…")
                .all(|(name, value)| actual.get(name).is_some_and(|actual| fits(value, actual)))
                && (is_open || actual.keys().all(|name| documented.contains_key(name)))
        }
        (Value::Array(documented), Value::Array(actual)) => {
            documented.len() == actual.len() && documented.iter().zip(actual).all(|(one, other)| fits(one, other))
        }
        _ => documented == actual,
    }
}

fn has(program: &str) -> bool {
    let ran = std::process::Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    ran.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_readme_work() -> Result<(), Box<dyn Error>> {
    let examples = examples()?;
    assert!(examples.len() >= 7 && examples.iter().all(|example| !example.answers.is_empty()), "{examples:#?}");
    if std::env::var_os("CI").is_none() && !(has("curl") && has("sh")) {
        println!("skipped: there is no curl");
        return Ok(());
    }
    let sandbox = Sandbox::start(Options::default()).await?;
    for Example { commands, answers } in examples {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-eu", "-c", &commands]);
        shell
            .env("DATABRICKS_HOST", sandbox.url())
            .env("DATABRICKS_TOKEN", sandbox.token())
            .env("no_proxy", "127.0.0.1");
        let ran = tokio::task::spawn_blocking(move || shell.output()).await??;
        let told = String::from_utf8(ran.stdout)?;
        assert!(ran.status.success(), "{commands}\n{told}\n{}", String::from_utf8_lossy(&ran.stderr));
        let mut actual: VecDeque<Value> = Deserializer::from_str(&told).into_iter().collect::<Result<_, _>>()?;
        assert_eq!(actual.len(), answers.len(), "{commands}\n{told}");
        for documented in answers {
            let actual = actual.pop_front().unwrap_or_default();
            assert!(fits(&documented, &actual), "{commands}\ndocumented: {documented}\nactual: {actual}");
        }
    }
    Ok(())
}
