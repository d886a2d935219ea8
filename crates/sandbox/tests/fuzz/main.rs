//! Nonsense of all kinds, at random: nothing may panic, hang, or answer in a form that Databricks does not have.
//!
//! It runs for a few seconds; `SANDBOX_FUZZ_SECONDS=300` makes it five minutes for each part, and a failure tells its
//! `SANDBOX_FUZZ_SEED`. A panic is a failure wherever it happens, also where the sandbox survives it.
#![expect(clippy::indexing_slicing, reason = "helpers of tests are not \"in tests\" for clippy")]

mod documents;
mod long;
mod random;
mod requests;
mod statements;
mod wire;

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use codegen::Api;
use databricks_sandbox::{Options, Sandbox, Seed, Speed};

use random::Random;
use requests::Maker;
use wire::{Sent, Wire};

/// A fresh workspace after so many requests, so that it stays as small as most are.
const REQUESTS_EACH: usize = 3_000;
const MOST_FAILURES: usize = 20;
/// So many are sent however slow the machine is.
const LEAST_REQUESTS: usize = 500;

static PANICS: AtomicUsize = AtomicUsize::new(0);
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Counts every panic of the process.
fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
            usual(info);
        }));
    });
}

fn number(name: &str) -> Option<u64> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}

struct Plan {
    seed: u64,
    until: Instant,
}

fn plan() -> Plan {
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
    let seed = number("SANDBOX_FUZZ_SEED").unwrap_or_else(|| u64::try_from(clock()).unwrap_or(1));
    Plan { seed, until: Instant::now() + Duration::from_secs(number("SANDBOX_FUZZ_SECONDS").unwrap_or(3)) }
}

/// A sandbox whose time flies, so that nothing is waited for and everything happens.
async fn workspace(with_samples: bool) -> Result<(Arc<Sandbox>, tokio::task::JoinHandle<()>), Box<dyn Error>> {
    let mut options = Options::default().with_speed(Speed::Manual);
    if !with_samples {
        options = options.with_seed(Seed::parse("{}")?);
    }
    let sandbox = Arc::new(Sandbox::start(options).await?);
    let moved = Arc::clone(&sandbox);
    let clock = tokio::spawn(async move {
        loop {
            moved.advance(Duration::from_millis(500));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    Ok((sandbox, clock))
}

struct Tally {
    seed: u64,
    asked: usize,
    fine: usize,
    failures: Vec<String>,
}

impl Tally {
    async fn ask(&mut self, wire: &mut Wire, sent: &Sent) -> Option<wire::Answer> {
        let before = PANICS.load(Ordering::SeqCst);
        let answer = wire.ask(sent).await;
        self.asked += 1;
        let panicked = PANICS.load(Ordering::SeqCst) > before;
        let problem = match &answer {
            _ if panicked => Some(LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            Err(problem) => Some(problem.clone()),
            Ok(answer) => {
                self.fine += usize::from(answer.status < 300);
                None
            }
        };
        if let Some(problem) = problem {
            let body: String = String::from_utf8_lossy(&sent.body).chars().take(3_000).collect();
            self.failures.push(format!("{} {} {:?}\n{body}\n=> {problem}", sent.method, sent.path, sent.headers));
        }
        answer.ok()
    }

    /// Asks for something that an engine works on, which has to come to an end of its own.
    async fn ask_engine(&mut self, wire: &mut Wire, sent: &Sent) -> Option<wire::Answer> {
        let answer = self.ask(wire, sent).await?;
        if String::from_utf8_lossy(&answer.body).contains("gave up") {
            let body: String = String::from_utf8_lossy(&sent.body).chars().take(3_000).collect();
            self.failures.push(format!("the engine gave up on:\n{body}"));
        }
        Some(answer)
    }

    /// Runs a source of Python as a notebook.
    async fn ask_notebook(&mut self, wire: &mut Wire, source: &str) {
        let [import, submit] = long::imported(source);
        self.ask(wire, &import).await;
        let Some(answer) = self.ask(wire, &submit).await else { return };
        let run = serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap_or_default()["run_id"].clone();
        let path = format!("/api/2.2/jobs/runs/get?run_id={run}");
        let get = Sent { method: "GET".to_owned(), path, ..Sent::default() };
        loop {
            let Some(answer) = self.ask_engine(wire, &get).await else { return };
            if String::from_utf8_lossy(&answer.body).contains("\"TERMINATED\"") || answer.status != 200 {
                return;
            }
        }
    }

    #[expect(clippy::print_stdout, reason = "helpers of tests are not \"in tests\" for clippy")]
    fn report(self, least_fine: f64) -> Result<(), Box<dyn Error>> {
        let Self { seed, asked, fine, failures } = self;
        println!("SANDBOX_FUZZ_SEED={seed}: {asked} requests, {fine} of them with success");
        assert!(failures.is_empty(), "SANDBOX_FUZZ_SEED={seed}\n{}", failures.join("\n\n"));
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        let share = fine as f64 / asked.max(1) as f64;
        assert!(share >= least_fine, "only {share} of the requests make sense: the fuzzer tests too little");
        Ok(())
    }
}

#[tokio::test]
async fn requests_of_all_kinds_are_answered() -> Result<(), Box<dyn Error>> {
    watch();
    let Plan { seed, until } = plan();
    let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs");
    let api = Api::load(&specs).map_err(|error| format!("{error:#}"))?;
    let mut random = Random(seed);
    let mut with_samples = true;
    let mut tally = Tally { seed, asked: 0, fine: 0, failures: Vec::new() };
    while (Instant::now() < until || tally.asked < LEAST_REQUESTS) && tally.failures.len() < MOST_FAILURES {
        let (sandbox, clock) = workspace(with_samples).await?;
        // Every second workspace is bare.
        with_samples = !with_samples;
        let mut wire = Wire::new(sandbox.url(), sandbox.token());
        // Operations with state are met as often as all others together.
        let stateful = [
            "catalog.",
            "compute.",
            "jobs.",
            "workspace.",
            "files.",
            "sql.",
            "pipelines.",
            "serving.",
            "ml.",
            "iam.",
            "dashboards.",
        ];
        let mut operations: Vec<_> = api.operations.values().collect();
        let often =
            api.operations.values().filter(|operation| stateful.iter().any(|name| operation.id.starts_with(name)));
        operations.extend(often);
        let mut maker = Maker { api: &api, operations, seen: Vec::new() };
        for _ in 0..REQUESTS_EACH {
            if Instant::now() >= until && tally.asked >= LEAST_REQUESTS || tally.failures.len() >= MOST_FAILURES {
                break;
            }
            let sent = maker.request(&mut random);
            if let Some(answer) = tally.ask(&mut wire, &sent).await {
                maker.learn(&mut random, &answer.body);
            }
        }
        clock.abort();
    }
    tally.report(0.2)
}

#[tokio::test]
async fn statements_of_all_kinds_are_answered() -> Result<(), Box<dyn Error>> {
    watch();
    let Plan { seed, until } = plan();
    let mut random = Random(seed);
    let mut tally = Tally { seed, asked: 0, fine: 0, failures: Vec::new() };
    while (Instant::now() < until || tally.asked < LEAST_REQUESTS) && tally.failures.len() < MOST_FAILURES {
        let (sandbox, clock) = workspace(true).await?;
        let mut wire = Wire::new(sandbox.url(), sandbox.token());
        for _ in 0..REQUESTS_EACH {
            if Instant::now() >= until && tally.asked >= LEAST_REQUESTS || tally.failures.len() >= MOST_FAILURES {
                break;
            }
            let sent = statements::request(&mut random);
            tally.ask_engine(&mut wire, &sent).await;
        }
        clock.abort();
    }
    tally.report(0.5)
}

/// What is long or deep, once each; chance mixes shorter ones among the rest.
#[tokio::test]
async fn long_and_deep_seeds_are_answered() -> Result<(), Box<dyn Error>> {
    watch();
    let Plan { seed, .. } = plan();
    let mut random = Random(seed);
    let mut tally = Tally { seed, asked: 0, fine: 0, failures: Vec::new() };
    let (sandbox, clock) = workspace(true).await?;
    let mut wire = Wire::new(sandbox.url(), sandbox.token());
    for sql in long::statements() {
        let sent = statements::sent(&mut random, &sql);
        tally.ask_engine(&mut wire, &sent).await;
    }
    for source in long::notebooks() {
        tally.ask_notebook(&mut wire, &source).await;
    }
    for sent in long::documents() {
        tally.ask(&mut wire, &sent).await;
    }
    clock.abort();
    tally.report(0.2)
}

#[tokio::test]
async fn notebooks_of_all_kinds_are_answered() -> Result<(), Box<dyn Error>> {
    watch();
    let Plan { seed, until } = plan();
    let mut random = Random(seed);
    let mut tally = Tally { seed, asked: 0, fine: 0, failures: Vec::new() };
    let (sandbox, clock) = workspace(true).await?;
    let mut wire = Wire::new(sandbox.url(), sandbox.token());
    while Instant::now() < until && tally.failures.len() < MOST_FAILURES {
        let source = long::notebook(&mut random);
        tally.ask_notebook(&mut wire, &source).await;
    }
    clock.abort();
    tally.report(0.5)
}

#[tokio::test]
async fn documents_of_all_kinds_are_answered() -> Result<(), Box<dyn Error>> {
    watch();
    let Plan { seed, until } = plan();
    let mut random = Random(seed);
    let mut tally = Tally { seed, asked: 0, fine: 0, failures: Vec::new() };
    while (Instant::now() < until || tally.asked < LEAST_REQUESTS) && tally.failures.len() < MOST_FAILURES {
        let (sandbox, clock) = workspace(true).await?;
        let mut wire = Wire::new(sandbox.url(), sandbox.token());
        let documents = documents::exported(&mut wire).await?;
        for _ in 0..REQUESTS_EACH {
            if Instant::now() >= until && tally.asked >= LEAST_REQUESTS || tally.failures.len() >= MOST_FAILURES {
                break;
            }
            tally.ask(&mut wire, &documents::import(&mut random, &documents)).await;
            tally.ask(&mut wire, &documents::export_any(&mut random)).await;
        }
        clock.abort();
    }
    tally.report(0.2)
}

#[tokio::test]
async fn bytes_that_are_no_request_do_no_harm() -> Result<(), Box<dyn Error>> {
    watch();
    let Plan { seed, until } = plan();
    let mut random = Random(seed);
    let (sandbox, clock) = workspace(true).await?;
    let fine = Sent { method: "GET".to_owned(), path: "/api/2.2/jobs/list".to_owned(), ..Sent::default() };
    let mut wire = Wire::new(sandbox.url(), sandbox.token());
    let mut sent = 0;
    while Instant::now() < until {
        let bytes = wire::garbage(&mut random, sandbox.token());
        wire::throw(sandbox.url(), &bytes).await.map_err(|problem| {
            format!("SANDBOX_FUZZ_SEED={seed}: {problem} after {}", String::from_utf8_lossy(&bytes))
        })?;
        sent += 1;
        if sent % 20 == 0 {
            let answer = wire.ask(&fine).await.map_err(|problem| format!("SANDBOX_FUZZ_SEED={seed}: {problem}"))?;
            assert_eq!(answer.status, 200);
        }
    }
    clock.abort();
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "SANDBOX_FUZZ_SEED={seed}: {:?}", LAST_PANIC.lock());
    Ok(())
}
