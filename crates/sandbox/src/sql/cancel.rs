//! What stops a statement: who asks for it, its time, and the memory that it takes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::error::SqlError;
use crate::workspace::lock;

/// Asks a running statement to stop, or stops it after a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel {
    asked: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Cancel {
    /// Stops a statement that runs longer.
    pub(crate) fn within(limit: Duration) -> Self {
        Self { deadline: Instant::now().checked_add(limit), ..Self::default() }
    }

    pub(crate) fn cancel(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// The same request, which also stops the statement after this time.
    pub(crate) fn or_within(&self, limit: Duration) -> Self {
        let deadline = [self.deadline, Instant::now().checked_add(limit)].into_iter().flatten().min();
        Self { asked: Arc::clone(&self.asked), deadline }
    }

    pub(crate) fn is_canceled(&self) -> bool {
        self.asked.load(Ordering::Acquire) || self.deadline.is_some_and(|deadline| Instant::now() > deadline)
    }
}

/// Bytes of values that a statement keeps in aggregates and in its result, at most. SQLite's own limit does not count them.
const MOST_KEPT: usize = 192 * 1024 * 1024;

/// What stops the statement that runs now. SQLite asks it between its steps, and functions ask it within long work.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running {
    cancel: Arc<Mutex<Cancel>>,
    /// Bytes of values that its aggregates and its result keep.
    kept: Arc<AtomicUsize>,
}

impl Running {
    pub(super) fn set(&self, cancel: Cancel) {
        *lock(&self.cancel) = cancel;
        self.kept.store(0, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        lock(&self.cancel).is_canceled()
    }

    /// Fails where the statement has to stop.
    pub(crate) fn check(&self) -> Result<(), SqlError> {
        if self.is_over() { Err(interrupted()) } else { Ok(()) }
    }

    /// Counts bytes that are kept, and fails where it is too many.
    pub(crate) fn keep(&self, bytes: usize) -> Result<(), SqlError> {
        match self.kept.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) {
            kept if kept > MOST_KEPT => Err(SqlError::unsupported("statements that take this much memory")),
            _ => Ok(()),
        }
    }

    /// Counts no longer what an aggregate has dropped.
    pub(crate) fn drop_kept(&self, bytes: usize) {
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
    }
}

pub(super) fn interrupted() -> SqlError {
    SqlError::unsupported("statements that run this long here")
}
