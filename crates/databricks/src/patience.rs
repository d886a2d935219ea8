//! How long the requests of a client may take all together, how many there may be, and who is told that it waits.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::error::{Error, Repeat};

/// A request that takes longer than this is told of, and again each time as long.
const SILENCE: Duration = Duration::from_secs(5);
/// What no honest piece of work needs: a workspace that never comes to an end would be asked for ever.
const MOST_REQUESTS: u32 = 2_000;

/// The limits of one piece of work, such as a call of a tool, that makes any number of requests.
///
/// Every wait of a request counts: for a credential, for its turn under the rate limit, for the connection, for the
/// answer and each part of it, and the pauses before it is sent again.
///
/// ```
/// use std::time::Duration;
///
/// use databricks::{Client, Config, Patience};
///
/// let client = Client::new(Config::new("acme.test", "dapi123")?)?;
/// let patience = Patience::lasting(Duration::from_secs(40)).telling(|news| eprintln!("{news}"));
/// let hurried = client.with_patience(patience);
/// # Ok::<(), databricks::Error>(())
/// ```
#[derive(Clone)]
pub struct Patience {
    started: Instant,
    deadline: Instant,
    requests: Arc<AtomicU32>,
    repairs: Arc<Mutex<Vec<String>>>,
    tell: Option<Arc<dyn Fn(&str) + Send + Sync>>,
}

impl Patience {
    /// Ends after `time`, counted from now.
    pub fn lasting(time: Duration) -> Patience {
        let started = Instant::now();
        Patience { started, deadline: started + time, requests: Arc::default(), repairs: Arc::default(), tell: None }
    }

    /// Tells what a request waits for when that takes longer than a few seconds.
    pub fn telling(self, tell: impl Fn(&str) + Send + Sync + 'static) -> Patience {
        Patience { tell: Some(Arc::new(tell)), ..self }
    }

    /// How much time is left.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// What was replaced in answers so that they could be read: each entry says what, and in which field.
    pub fn repairs(&self) -> Vec<String> {
        self.repairs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what was replaced in an answer.
    pub(crate) fn note(&self, repair: String) {
        let mut repairs = self.repairs.lock().unwrap_or_else(PoisonError::into_inner);
        if !repairs.contains(&repair) {
            repairs.push(repair);
        }
    }

    /// Waits for what is no request itself, such as work of another task that makes requests. `of` names it.
    ///
    /// # Errors
    /// When the time is up before.
    pub async fn wait<T>(&self, of: &'static str, work: impl Future<Output = T>) -> Result<T, Error> {
        let journal = Journal::new(of);
        journal.sends();
        self.limit(&journal, async { Ok(work.await) }).await
    }

    /// Counts an attempt of a request.
    pub(crate) fn count(&self) -> Result<(), Error> {
        if self.requests.fetch_add(1, Ordering::Relaxed) < MOST_REQUESTS {
            return Ok(());
        }
        Err(Error::answer(format!("the work does not come to an end after {MOST_REQUESTS} requests"))
            .with_hint("ask for less at once: a narrower filter, a smaller page"))
    }

    /// Waits for `work` until the deadline. `journal` is where the work writes what it waits for.
    pub(crate) async fn limit<T>(
        &self,
        journal: &Journal,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let begun = Instant::now();
        let mut work = pin!(work);
        let mut news_at = begun + SILENCE;
        loop {
            tokio::select! {
                biased;
                outcome = &mut work => return outcome,
                () = sleep_until(self.deadline) => return Err(journal.out_of_time(self.started.elapsed())),
                () = sleep_until(news_at) => {
                    if let Some(tell) = &self.tell {
                        tell(&format!("{} for {} s", journal.now(), begun.elapsed().as_secs()));
                    }
                    news_at += SILENCE;
                }
            }
        }
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Patience").field("left", &self.left()).finish_non_exhaustive()
    }
}

/// What one request waits for, as news and errors tell it.
#[derive(Debug)]
pub(crate) struct Journal {
    of: &'static str,
    entry: Mutex<Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    stage: Stage,
    /// The attempts that have been sent.
    sent: u32,
    /// How the last attempt failed.
    failure: Option<Error>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    BeforeSending,
    Answer,
    Pause,
}

impl Journal {
    /// The journal of a request for `of`, usually an operation.
    pub(crate) fn new(of: &'static str) -> Journal {
        Journal { of, entry: Mutex::default() }
    }

    /// What it is the journal of.
    pub(crate) fn operation(&self) -> &'static str {
        self.of
    }

    /// An attempt waits for a credential or for its turn.
    pub(crate) fn prepares(&self) {
        self.write(|entry| entry.stage = Stage::BeforeSending);
    }

    /// An attempt is sent.
    pub(crate) fn sends(&self) {
        self.write(|entry| {
            entry.stage = Stage::Answer;
            entry.sent += 1;
        });
    }

    /// An attempt has failed. If there is another, it comes after a pause.
    pub(crate) fn failed(&self, error: &Error) {
        self.write(|entry| {
            entry.stage = Stage::Pause;
            entry.failure = Some(error.clone());
        });
    }

    fn write(&self, write: impl FnOnce(&mut Entry)) {
        write(&mut self.entry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What is waited for now.
    fn now(&self) -> String {
        let entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = entry.sent + u32::from(entry.stage != Stage::Answer);
        let attempt = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
        match entry.stage {
            Stage::BeforeSending => format!("`{}` waits for its turn to be sent{attempt}", self.of),
            Stage::Answer => format!("`{}` waits for the answer of the workspace{attempt}", self.of),
            Stage::Pause => format!("`{}` waits to be sent again{attempt}", self.of),
        }
    }

    fn out_of_time(&self, after: Duration) -> Error {
        let now = self.now();
        let entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = entry.failure.as_ref().map(|error| format!("; the attempt before failed: {}", error.message()));
        // An attempt that was answered by a refusal has done nothing.
        let is_open = match entry.stage {
            Stage::Answer => true,
            Stage::BeforeSending | Stage::Pause => {
                entry.failure.as_ref().is_some_and(|error| error.repeat() == Repeat::IfSafe)
            }
        };
        let message = format!("the time is up after {} s: {now}{}", after.as_secs(), failure.unwrap_or_default());
        Error::out_of_time(message, is_open)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_takes_long_is_told_and_ends_at_the_deadline() {
        let (told, news) = mpsc::channel();
        let patience =
            Patience::lasting(Duration::from_secs(12)).telling(move |text| told.send(text.to_owned()).unwrap());
        let journal = Journal::new("jobs.jobs.list");
        journal.sends();
        let start = Instant::now();
        let error = patience.limit(&journal, pending::<Result<(), Error>>()).await.unwrap_err();
        assert_eq!(start.elapsed(), Duration::from_secs(12));
        let news: Vec<_> = news.try_iter().collect();
        assert_eq!(
            news,
            [5, 10].map(|seconds| format!("`jobs.jobs.list` waits for the answer of the workspace for {seconds} s"))
        );
        assert!(error.is_timeout(), "{error}");
        assert_eq!(
            error.to_string(),
            "the time is up after 12 s: `jobs.jobs.list` waits for the answer of the workspace"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_tells_whether_the_request_was_sent_and_how_often() {
        let patience = Patience::lasting(Duration::from_secs(1));
        let journal = Journal::new("jobs.jobs.run_now");
        journal.prepares();
        let error = patience.limit(&journal, pending::<Result<(), Error>>()).await.unwrap_err();
        assert!(!error.is_retryable(), "{error}");
        journal.sends();
        journal.failed(&Error::timed_out(Duration::from_secs(3)));
        journal.sends();
        let error = patience.limit(&journal, pending::<Result<(), Error>>()).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        let text = error.to_string();
        assert!(text.contains("(attempt 2)") && text.contains("no answer within 3 s"), "{text}");
    }

    #[test]
    fn requests_are_counted() {
        let patience = Patience::lasting(Duration::from_secs(1));
        let clone = patience.clone();
        assert!((0..MOST_REQUESTS).all(|_| clone.count().is_ok()));
        assert!(patience.count().unwrap_err().to_string().contains("2000 requests"));
    }
}
