//! A cache of lists that change slowly, for some seconds: for completions, which ask at every keystroke, and for tools
//! whose entry in the allowlist says so.
//!
//! A list belongs to the caller who asked for it. A change through this server invalidates the lists of the same part
//! of the API, including those still being fetched.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use moka::Expiry;
use moka::future::Cache as Moka;
use serde_json::Value;

use crate::error::Error;

/// Bytes of JSON that are kept for one workspace.
const MOST_BYTES: u64 = 16 << 20;
/// Operations that run what somebody wrote: it may change anything.
const RUNS_ANYTHING: [&str; 6] = ["execute_statement", "execute", "run_now", "submit", "repair_run", "start_update"];

/// What is kept of one workspace; cheap to clone.
#[derive(Clone)]
pub struct Cache {
    /// Made when the first page comes: an empty one takes more memory than the rest of a caller who asks for no such lists.
    pages: Arc<OnceLock<Moka<String, Arc<Kept>>>>,
    /// How long anything is kept at most; zero keeps nothing.
    most: Duration,
    /// How often something of a part of the API was changed, by its package; of all of it, by no name.
    changes: Arc<Mutex<HashMap<String, u64>>>,
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) items: Vec<Value>,
    /// The API's cursor of the next page.
    pub(crate) next: Option<String>,
    /// When it was read.
    pub(crate) at: SystemTime,
    bytes: u32,
    time_to_live: Duration,
}

/// How long each page lives.
struct OwnTime;

impl Expiry<String, Arc<Kept>> for OwnTime {
    fn expire_after_create(&self, _key: &String, kept: &Arc<Kept>, _now: Instant) -> Option<Duration> {
        Some(kept.time_to_live)
    }
}

impl fmt::Debug for Cache {
    /// Without what is kept: that is of callers, and for no log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cache").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Default for Cache {
    /// Keeps nothing.
    fn default() -> Self {
        Self::new(Duration::ZERO)
    }
}

impl Cache {
    /// Keeps anything for this time at most.
    pub fn new(most: Duration) -> Self {
        Self { pages: Arc::default(), most, changes: Arc::default() }
    }

    fn pages(&self) -> &Moka<String, Arc<Kept>> {
        self.pages.get_or_init(|| {
            let weight = |key: &String, kept: &Arc<Kept>| {
                kept.bytes.saturating_add(u32::try_from(key.len()).unwrap_or(u32::MAX))
            };
            Moka::builder().max_capacity(MOST_BYTES).weigher(weight).expire_after(OwnTime).build()
        })
    }

    /// Another one that keeps for as long, for another caller.
    pub(crate) fn apart(&self) -> Self {
        Self::new(self.most)
    }

    /// The page of this key, read at most once at a time, and whether it was read just now. `operation` says which changes make it unknown.
    ///
    /// # Errors
    /// Those of `read`, which are not kept.
    pub(crate) async fn page(
        &self,
        operation: &str,
        key: &str,
        time_to_live: Duration,
        read: impl Future<Output = Result<(Vec<Value>, Option<String>), Error>>,
    ) -> Result<(Arc<Kept>, bool), Error> {
        let time_to_live = time_to_live.min(self.most);
        let read = async {
            let (items, next) = read.await?;
            let bytes = items.iter().map(|item| item.to_string().len()).sum::<usize>();
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            Ok(Arc::new(Kept { items, next, at: SystemTime::now(), bytes, time_to_live }))
        };
        if time_to_live.is_zero() {
            return Ok((read.await?, true));
        }
        let key = format!("{} {key}", self.state_of(operation));
        let entry = self.pages().entry(key).or_try_insert_with(read).await;
        // Who waited for the same page gets what is left of its error.
        let unshared =
            |error: Arc<Error>| Arc::try_unwrap(error).unwrap_or_else(|error| Error::failed(error.to_string()));
        let entry = entry.map_err(unshared)?;
        let is_fresh = entry.is_fresh();
        Ok((entry.into_value(), is_fresh))
    }

    /// Makes unknown what calls of these operations may have changed.
    pub(crate) fn forget<'a>(&self, operations: impl IntoIterator<Item = &'a str>) {
        if self.most.is_zero() {
            return;
        }
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for operation in operations {
            let method = operation.rsplit('.').next().unwrap_or_default();
            let part = if RUNS_ANYTHING.contains(&method) { "" } else { package(operation) };
            *changes.entry(part.to_owned()).or_default() += 1;
        }
    }

    /// How often what an operation reads was changed.
    fn state_of(&self, operation: &str) -> u64 {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |part: &str| changes.get(part).copied().unwrap_or_default();
        // Neither ever falls.
        of("") + of(package(operation))
    }
}

/// The part of the API that an operation belongs to.
fn package(operation: &str) -> &str {
    operation.split('.').next().unwrap_or_default()
}

/// Makes unknown what a call may have changed when it is over, however it ends.
pub(crate) struct Forgetting<'a> {
    pub(crate) cache: &'a Cache,
    pub(crate) operations: Vec<&'static str>,
}

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        self.cache.forget(self.operations.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use serde_json::json;

    use super::Cache;
    use crate::error::Error;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_page_is_read_once_until_it_is_changed() {
        let cache = Cache::new(MINUTE);
        let reads = AtomicUsize::new(0);
        let ask = async |operation: &str| {
            let read = async {
                reads.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok((vec![json!(1)], None))
            };
            cache.page(operation, "all", MINUTE, read).await.map(|(_, is_fresh)| is_fresh).expect("a page")
        };
        let list = "jobs.jobs.list";
        let both = tokio::join!(ask(list), ask(list));
        assert!(both.0 != both.1 && !ask(list).await, "one read for all");
        cache.forget(["sql.warehouses.stop"]);
        assert!(!ask(list).await, "another part of the API");
        cache.forget(["jobs.jobs.delete"]);
        assert!(ask(list).await && !ask(list).await);
        cache.forget(["sql.statement_execution.execute_statement"]);
        assert!(ask(list).await, "a statement may change anything");
        assert_eq!(reads.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn errors_are_not_kept_and_nothing_is_where_it_is_off() {
        let cache = Cache::new(MINUTE);
        let fails = async { Err(Error::failed("busy")) };
        assert!(cache.page("a.b.c", "all", MINUTE, fails).await.is_err());
        let read = || async { Ok((Vec::new(), None)) };
        assert!(cache.page("a.b.c", "all", MINUTE, read()).await.is_ok_and(|(_, is_fresh)| is_fresh));
        assert!(cache.page("a.b.c", "all", MINUTE, read()).await.is_ok_and(|(_, is_fresh)| !is_fresh));
        for (most, own) in [(Duration::ZERO, MINUTE), (MINUTE, Duration::ZERO)] {
            let cache = Cache::new(most);
            for _ in 0..2 {
                assert!(cache.page("a.b.c", "all", own, read()).await.is_ok_and(|(_, is_fresh)| is_fresh));
            }
        }
    }
}
