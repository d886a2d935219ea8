//! How long the requests of one piece of work may take, how many there may be, and who learns what they are waiting
//! for.

mod attempts;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

pub(crate) use self::attempts::Attempts;
use crate::error::Error;

/// A request that takes longer than this is reported, and again each time after as long.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// No honest piece of work needs more requests. Without this bound a workspace could keep a loop running until the
/// deadline as fast as it answers.
const MOST_REQUESTS: u32 = 2_000;
/// Where the work has no deadline, a single request is repeated for no longer than this.
const LONGEST_RETRIES: Duration = Duration::from_secs(60);

/// Takes what a request waits for.
type Report = Arc<dyn Fn(&str) + Send + Sync>;

/// The deadline of one piece of work, such as a call of a tool, that makes any number of requests.
///
/// Every wait of a request counts: for a credential, for its turn under the rate limit, for the connection, for the
/// answer and each part of it, and the pauses between attempts.
///
/// ```
/// use std::time::Duration;
///
/// use databricks::{Client, Config, Deadline};
///
/// let client = Client::new(Config::new("acme.test", "dapi123")?)?;
/// let deadline = Deadline::after(Duration::from_secs(40)).reporting_to(|text| eprintln!("{text}"));
/// let client = client.with_deadline(deadline);
/// # Ok::<(), databricks::Error>(())
/// ```
#[derive(Clone)]
pub struct Deadline {
    started: Instant,
    at: Option<Instant>,
    requests: Arc<AtomicU32>,
    repairs: Arc<Mutex<Vec<String>>>,
    is_made_up: Arc<AtomicBool>,
    report: Option<Report>,
}

impl Deadline {
    /// The deadline `time` from now.
    pub fn after(time: Duration) -> Deadline {
        let started = Instant::now();
        Deadline { at: started.checked_add(time), ..Deadline::unlimited() }
    }

    /// No deadline, for work that takes as long as its data is large. A single request is still not repeated for ever.
    pub fn unlimited() -> Deadline {
        let (requests, repairs, is_made_up) = Default::default();
        Deadline { started: Instant::now(), at: None, requests, repairs, is_made_up, report: None }
    }

    /// Reports what a request waits for, every few seconds while it waits.
    pub fn reporting_to(self, report: impl Fn(&str) + Send + Sync + 'static) -> Deadline {
        Deadline { report: Some(Arc::new(report)), ..self }
    }

    /// How much time is left; `None` where there is no deadline.
    pub fn left(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// What was replaced in the answers so that they could be read: each entry says what, and in which field.
    pub fn repairs(&self) -> Vec<String> {
        self.repairs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether an answer was one that the project's sandbox makes up where it has no state: true of its form, and of nothing
    /// that exists.
    pub fn is_made_up(&self) -> bool {
        self.is_made_up.load(Ordering::Relaxed)
    }

    /// Waits for the answer to `start`, which another task sends.
    ///
    /// # Errors
    /// When the deadline comes first. What was to be started may have been.
    pub async fn wait<T>(&self, start: &str, answered: impl Future<Output = T>) -> Result<T, Error> {
        tokio::select! {
            biased;
            answer = answered => Ok(answer),
            () = self.expiry() => {
                let seconds = self.started.elapsed().as_secs();
                let message = format!("the call ran out of time after {seconds} s waiting for the start of `{start}`");
                Err(Error::out_of_time(message, true))
            }
        }
    }

    async fn expiry(&self) {
        match self.at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// How long a request may be repeated that would be for `budget`.
    pub(crate) fn retry_budget(&self, budget: Duration) -> Duration {
        budget.min(self.left().unwrap_or(LONGEST_RETRIES))
    }

    /// Keeps what was replaced in an answer.
    pub(crate) fn note(&self, repair: String) {
        let mut repairs = self.repairs.lock().unwrap_or_else(PoisonError::into_inner);
        if !repairs.contains(&repair) {
            repairs.push(repair);
        }
    }

    /// Keeps that an answer was made up.
    pub(crate) fn note_made_up(&self) {
        self.is_made_up.store(true, Ordering::Relaxed);
    }

    /// Counts a request.
    pub(crate) fn count(&self) -> Result<(), Error> {
        if self.requests.fetch_add(1, Ordering::Relaxed) < MOST_REQUESTS || self.at.is_none() {
            return Ok(());
        }
        let message = format!(
            "the work did not finish within {MOST_REQUESTS} requests, the most that one call may \
                               make"
        );
        Err(Error::out_of_time(message, false).with_hint("ask for less at once, for example with a narrower filter"))
    }

    /// Waits for `work` until the deadline and reports meanwhile.
    pub(crate) async fn limit<T>(
        &self,
        attempts: &Attempts,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            outcome = self.report_on(attempts, work) => outcome,
            () = self.expiry() => Err(attempts.out_of_time(self.started.elapsed())),
        }
    }

    /// Waits for `work` to its end and reports meanwhile. `attempts` is where the work writes what it waits for.
    pub(crate) async fn report_on<T>(&self, attempts: &Attempts, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let mut work = pin!(work);
        let mut next = begun + REPORT_INTERVAL;
        loop {
            tokio::select! {
                biased;
                outcome = &mut work => return outcome,
                () = sleep_until(next) => {
                    if let Some(report) = &self.report {
                        report(&format!("{}, for {} s so far", attempts.now(), begun.elapsed().as_secs()));
                    }
                    next += REPORT_INTERVAL;
                }
            }
        }
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Deadline").field("left", &self.left()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_reported_and_ends_at_the_deadline() {
        let (sender, reports) = mpsc::channel();
        let deadline =
            Deadline::after(Duration::from_secs(12)).reporting_to(move |text| sender.send(text.to_owned()).unwrap());
        let attempts = Attempts::new("jobs.jobs.list");
        attempts.sends();
        let start = Instant::now();
        let error = deadline.limit(&attempts, pending::<Result<(), Error>>()).await.unwrap_err();
        assert_eq!(start.elapsed(), Duration::from_secs(12));
        let waiting = "waiting for the workspace to answer `jobs.jobs.list`";
        let reports: Vec<_> = reports.try_iter().collect();
        assert_eq!(reports, [5, 10].map(|seconds| format!("{waiting}, for {seconds} s so far")));
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.to_string(), format!("the call ran out of time after 12 s {waiting}"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_tells_whether_the_request_was_sent_and_how_often() {
        let deadline = Deadline::after(Duration::from_secs(1));
        let attempts = Attempts::new("jobs.jobs.run_now");
        let expire = || async { deadline.limit(&attempts, pending::<Result<(), Error>>()).await.unwrap_err() };
        attempts.queues();
        assert!(!expire().await.may_have_happened());
        attempts.sends();
        assert!(expire().await.may_have_happened());
        attempts.failed(&Error::configuration("refused"));
        attempts.queues();
        assert!(!expire().await.may_have_happened());
        attempts.sends();
        attempts.failed(&Error::timed_out(Duration::from_secs(3)));
        attempts.authenticates();
        let error = expire().await;
        assert!(error.may_have_happened(), "{error}");
        let text = error.to_string();
        assert!(text.contains("(attempt 3)") && text.contains("no answer within 3 s"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn work_without_a_deadline_is_reported_and_comes_to_its_end() {
        let (sender, reports) = mpsc::channel();
        let deadline = Deadline::unlimited().reporting_to(move |text| sender.send(text.to_owned()).unwrap());
        let work = async {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            Ok(7)
        };
        assert_eq!(deadline.limit(&Attempts::new("files.files.upload"), work).await.unwrap(), 7);
        assert!(reports.try_iter().count() > 700);
        assert_eq!(deadline.retry_budget(Duration::from_secs(300)), LONGEST_RETRIES);
        assert!((0..=MOST_REQUESTS).all(|_| deadline.count().is_ok()));
    }

    #[test]
    fn requests_are_counted() {
        let deadline = Deadline::after(Duration::from_secs(1));
        let clone = deadline.clone();
        assert!((0..MOST_REQUESTS).all(|_| clone.count().is_ok()));
        let error = deadline.count().unwrap_err();
        assert!(error.to_string().contains("2000 requests") && !error.may_have_happened(), "{error}");
    }
}
