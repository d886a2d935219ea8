//! A thread with a deep stack, for work that recurses as deep as its input is long.
//!
//! A chain of operators (`1 + 1 + …`) becomes a tree as deep as the chain is long. The parser and its visitor grow their
//! stack as they need it, but dropping the tree recurses on the stack that is there. So the whole life of a tree is on
//! a thread whose stack fits the longest statement that is taken. A thread also keeps the work, which may take a tenth
//! of a second, from the threads that serve calls, and turns a panic of the parser into an error.

use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::error::Error;

/// The tokens of a statement that is taken. Lists of some ten thousand values are in use.
pub(super) const MOST_TOKENS: usize = 100_000;

/// What a token may take of the stack; a debug build needs less than a third of it.
const STACK_OF_A_TOKEN: usize = 640;

/// What is needed besides.
const LEAST_STACK: usize = 2 * 1024 * 1024;

/// Statements that are looked at at the same time. It bounds the memory that they take.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// How long a statement waits for its turn.
const LONGEST_QUEUE: Duration = Duration::from_secs(20);

/// Runs work on a thread of its own.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let permit = match timeout(LONGEST_QUEUE, AT_ONCE.acquire()).await {
        Ok(permit) => permit.map_err(|error| Error::failed(error.to_string()))?,
        Err(_) => {
            return Err(Error::failed("the statement was not checked: too many others are waiting")
                .with_hint("nothing was sent; try again, with fewer statements at once"));
        }
    };
    let (sender, receiver) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("read-only-sql".to_owned())
        .stack_size(LEAST_STACK + MOST_TOKENS * STACK_OF_A_TOKEN);
    let work = move || {
        // Nobody may wait any more, but the thread still takes its memory.
        let _permit = permit;
        let _ = sender.send(work());
    };
    thread.spawn(work).map_err(|error| Error::failed(format!("cannot check the statement: no thread: {error}")))?;
    receiver.await.map_err(|_| Error::failed("cannot check the statement: the SQL parser failed"))
}
