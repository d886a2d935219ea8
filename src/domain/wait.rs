//! Waits for work in the workspace, in one way for all tools: polls with backoff and jitter until a deadline, and
//! reports each change to the caller.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use databricks::Deadline;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use crate::context::Context;
use crate::error::Error;

/// The argument `timeout_seconds`: how long a call waits, 0 to 600.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Timeout(u64);

impl Timeout {
    /// In seconds.
    pub(crate) fn seconds(self) -> u64 {
        self.0
    }
}

impl Default for Timeout {
    /// Less than common clients wait for an answer.
    fn default() -> Self {
        Self(45)
    }
}

impl JsonSchema for Timeout {
    fn schema_name() -> Cow<'static, str> {
        "Timeout".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": 600 })
    }
}

/// How much longer than the wait one poll may take, so that an ailing workspace cannot hold up the answer.
const GRACE: Duration = Duration::from_secs(6);
/// So many polls in a row may fail for a reason that may pass.
const FAILED_POLLS: u32 = 5;

/// A wait with a deadline.
#[derive(Debug)]
pub(crate) struct Wait {
    started: Instant,
    deadline: Instant,
    pause: Duration,
    longest: Duration,
}

impl Wait {
    /// A wait of so many seconds. The first pause is half a second; each is longer, up to `longest`.
    pub(crate) fn new(seconds: u64, longest: Duration) -> Self {
        let started = Instant::now();
        let deadline = started + Duration::from_secs(seconds);
        Self { started, deadline, pause: Duration::from_millis(500), longest }
    }

    /// How long it has lasted.
    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The same in milliseconds, as answers tell it.
    pub(crate) fn milliseconds(&self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What is left of it.
    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Makes it end so early that a last poll still comes before the deadline of the call, and when the work is handed over.
    fn fit(&mut self, context: &Context) {
        if let Some(until) = context.handover.until() {
            self.deadline = self.deadline.min(until);
        }
        if let Some(left) = context.client.deadline().and_then(Deadline::left) {
            self.deadline = self.deadline.min(Instant::now() + left.saturating_sub(GRACE));
        }
    }

    /// Pauses before the next poll; `false` when the deadline has come. Pauses differ by up to a quarter, so that
    /// many waits do not poll at the same moment.
    async fn pause(&mut self) -> bool {
        let left = self.left();
        if left.is_zero() {
            return false;
        }
        let pause = self.pause.mul_f64(0.75 + 0.25 * fastrand::f64());
        tokio::time::sleep(pause.min(left)).await;
        self.pause = (self.pause * 3 / 2).min(self.longest);
        true
    }
}

/// How work stands, as a poll shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PollState {
    /// Its state, in the words of the API.
    pub(crate) state: String,
    /// How many of its parts are done, where it has parts.
    pub(crate) done: Option<(usize, usize)>,
    /// Whether there is nothing more to wait for.
    pub(crate) is_over: bool,
}

/// Polls until the work is over or the time is up, and gives what the last poll showed. `name` is what the caller
/// knows the work by.
pub(crate) async fn watch<T, F>(
    context: &Context,
    name: &str,
    wait: &mut Wait,
    mut poll: impl FnMut() -> F,
    mut look: impl FnMut(&T) -> PollState,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let (mut reported, mut last, mut failures) = (None, None, 0);
    wait.fit(context);
    loop {
        let seen = match (timeout(wait.left() + GRACE, poll()).await, last.take()) {
            (Ok(Ok(seen)), _) => seen,
            (Ok(Err(error)), before) if failures < FAILED_POLLS && may_pass(&error, before.is_some()) => {
                failures += 1;
                let why: String = error.message().chars().take(200).collect();
                context.progress.report(format!("{name}: its state could not be read: {why}"));
                if !wait.pause().await {
                    return before.filter(|_| !is_refusal(&error)).ok_or(error);
                }
                last = before;
                continue;
            }
            (Ok(Err(error)), _) => return Err(error),
            (Err(_), Some(last)) => return Ok(last),
            (Err(_), None) => {
                return Err(Error::failed(format!("the workspace did not report the state of {name} in time"))
                    .with_hint("it may be busy; try again"));
            }
        };
        failures = 0;
        let stand = look(&seen);
        if reported.as_ref() != Some(&(stand.state.clone(), stand.done)) {
            let seconds = wait.elapsed().as_secs();
            // The number for all of it is kept for the end: after it there is none left to tell of another change.
            let counted =
                |done: usize, total: usize| if stand.is_over { done } else { done.min(total.saturating_sub(1)) };
            match stand.done {
                Some((done, total)) if total > 1 => {
                    let text = format!("{name}: {}, {done} of {total} tasks done, after {seconds} s", stand.state);
                    context.progress.report_done(text, counted(done, total), total);
                }
                Some((done, total)) => {
                    let text = format!("{name}: {} after {seconds} s", stand.state);
                    context.progress.report_done(text, counted(done, total), total);
                }
                None => context.progress.report(format!("{name}: {} after {seconds} s", stand.state)),
            }
            reported = Some((stand.state, stand.done));
        }
        if stand.is_over || !wait.pause().await {
            return Ok(seen);
        }
        last = Some(seen);
    }
}

/// Whether a poll that failed like this may succeed later. A refusal of the credential may pass only if the credential was
/// good for a poll before.
pub(crate) fn may_pass(error: &Error, has_passed: bool) -> bool {
    // Some failures come with the status of a success.
    let is_failure = |error: &databricks::Error| {
        error.status().is_some_and(|status| status >= 500) || error.error_code() == Some("INTERNAL_ERROR")
    };
    error
        .api()
        .is_some_and(|error| is_failure(error) || error.is_retryable() || error.is_timeout() || error.is_unreadable())
        || (is_refusal(error) && has_passed)
}

/// Whether the credential was refused, by the service or by what stands before it.
fn is_refusal(error: &Error) -> bool {
    error.api().is_some_and(|error| error.is_login_page() || matches!(error.status(), Some(401 | 403)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::time::Duration;

    use databricks::{Client, Config};
    use tokio::time::Instant;

    use super::{GRACE, PollState, Wait, watch};
    use crate::context::Context;
    use crate::error::Error;
    use crate::progress::Progress;
    use crate::shape::Budget;

    fn context() -> Context {
        let config = Config::new("https://workspace.test", "token").expect("a config");
        Context::new(Client::new(config).expect("a client"), Budget::tokens(6_000), None)
    }

    fn look(at: &usize) -> PollState {
        let state = if *at < 3 { "PENDING" } else { "RUNNING" };
        PollState { state: state.to_owned(), done: Some((*at / 3, 2)), is_over: *at == 6 }
    }

    #[tokio::test(start_paused = true)]
    async fn each_change_is_told_once_until_the_work_is_over() {
        let (progress, mut told) = Progress::listened();
        let context = Context { progress, ..context() };
        let polls = AtomicUsize::new(0);
        let poll = || async { Ok(polls.fetch_add(1, Relaxed) + 1) };
        let mut wait = Wait::new(60, Duration::from_secs(2));
        let last = watch(&context, "work", &mut wait, poll, look).await.expect("an end");
        drop(context);
        let mut steps = Vec::new();
        while let Some(step) = told.recv().await {
            steps.push((step.state.split(" after").next().unwrap_or_default().to_owned(), step.done));
        }
        let step = |state: &str, done| (format!("work: {state}, {done} of 2 tasks done,"), Some((done, 2)));
        assert_eq!((last, polls.load(Relaxed)), (6, 6));
        assert_eq!(steps, [step("PENDING", 0), step("RUNNING", 1), step("RUNNING", 2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_for_all_is_told_at_the_end() {
        let (progress, mut told) = Progress::listened();
        let context = Context { progress, ..context() };
        let polls = AtomicUsize::new(0);
        let poll = || async { Ok(polls.fetch_add(1, Relaxed)) };
        let look = |at: &usize| {
            let state = if *at == 1 { "TERMINATED" } else { "RUNNING" };
            PollState { state: state.to_owned(), done: Some((2, 2)), is_over: *at == 1 }
        };
        let mut wait = Wait::new(60, Duration::from_secs(2));
        watch(&context, "work", &mut wait, poll, look).await.expect("an end");
        drop(context);
        let mut numbers = Vec::new();
        while let Some(step) = told.recv().await {
            assert!(step.state.contains("2 of 2 tasks done"), "{}", step.state);
            numbers.push(step.done);
        }
        assert_eq!(numbers, [Some((1, 2)), Some((2, 2))]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_poll_holds_up_the_answer() {
        let context = context();
        let polls = AtomicUsize::new(0);
        // The second poll never comes back.
        let poll = || async {
            match polls.fetch_add(1, Relaxed) {
                0 => Ok(1),
                _ => std::future::pending().await,
            }
        };
        let (started, mut wait) = (Instant::now(), Wait::new(20, Duration::from_secs(2)));
        let last = watch(&context, "work", &mut wait, poll, look).await.expect("what the first poll showed");
        assert_eq!((last, started.elapsed()), (1, Duration::from_secs(20) + GRACE));

        let (started, mut wait) = (Instant::now(), Wait::new(0, Duration::from_secs(2)));
        let silent = std::future::pending::<Result<usize, Error>>;
        let error = watch(&context, "work", &mut wait, silent, look).await.expect_err("nothing to show");
        assert_eq!(started.elapsed(), GRACE);
        assert!(error.to_string().contains("the state of work in time"), "{error}");
    }

    /// A success whose end is missing.
    const CUT: u16 = 0;

    async fn refused(status: u16) -> Error {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await.expect("a request");
            let (status, body) = if status == CUT { (200, "{\"jobs\": [") } else { (status, "") };
            let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close", body.len());
            let answer = format!("{head}\r\n\r\n{body}");
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await.expect("an answer");
            tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut Vec::new()).await.ok();
        });
        let client = Client::new(Config::new(&url, "token").expect("a config")).expect("a client");
        let request = databricks::Arguments::new();
        client.execute(&databricks::operations::JOBS_JOBS_LIST, request).await.expect_err("a refusal").into()
    }

    #[tokio::test]
    async fn a_few_failed_polls_end_no_wait() {
        for (statuses, outcome) in [
            (vec![200, 500, 403, 401, 200], Ok(5)),
            (vec![500, 200], Ok(2)),
            (vec![CUT, 200, CUT, CUT, 200], Ok(5)),
            (vec![CUT; 6], Err(6)),
            (vec![403], Err(1)),
            (vec![200, 404], Err(2)),
            (vec![200, 500, 500, 500, 500, 500, 500], Err(7)),
        ] {
            let (progress, mut told) = Progress::listened();
            let context = Context { progress, ..context() };
            let (polls, statuses) = (AtomicUsize::new(0), &statuses);
            let poll = || async {
                let poll = polls.fetch_add(1, Relaxed);
                match statuses[poll] {
                    200 => Ok(poll + 1),
                    status => Err(refused(status).await),
                }
            };
            let look =
                |poll: &usize| PollState { state: "RUNNING".to_owned(), done: None, is_over: *poll == statuses.len() };
            let mut wait = Wait::new(60, Duration::from_millis(1));
            wait.pause = Duration::from_millis(1);
            let seen = watch(&context, "work", &mut wait, poll, look).await;
            assert_eq!(seen.map_err(|_| polls.load(Relaxed)), outcome, "{statuses:?}");
            drop(context);
            let mut failures = 0;
            while let Some(step) = told.recv().await {
                failures += usize::from(step.state.contains("its state could not be read"));
            }
            let failed = statuses.iter().filter(|status| **status != 200).count();
            assert_eq!(failures, failed - usize::from(outcome.is_err()), "{statuses:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end_at_the_deadline() {
        let started = Instant::now();
        let mut wait = Wait::new(10, Duration::from_secs(2));
        let mut pauses = Vec::new();
        loop {
            let before = Instant::now();
            if !wait.pause().await {
                break;
            }
            pauses.push(before.elapsed());
        }
        assert_eq!(started.elapsed(), Duration::from_secs(10));
        assert!((7..=9).contains(&pauses.len()), "{pauses:?}");
        assert!(pauses[0] >= Duration::from_millis(375) && pauses[0] <= Duration::from_millis(500), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(2)), "{pauses:?}");
        assert!(pauses[0] < pauses[4], "{pauses:?}");
    }
}
