//! Files that are read again when they change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::error::Error;

/// How often it is looked whether a file has changed.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// What some files say. Where they change and cannot be read, what they said before holds on.
pub(crate) struct Reloading<T> {
    paths: Vec<PathBuf>,
    read: fn(&[PathBuf]) -> Result<T, Error>,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Arc<T>,
    stamps: Vec<Stamp>,
    looked: Instant,
}

/// What tells a changed file from the one before.
type Stamp = Option<(SystemTime, u64)>;

impl<T> Reloading<T> {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Of `read`.
    pub(crate) fn open(paths: &[&Path], read: fn(&[PathBuf]) -> Result<T, Error>) -> Result<Self, Error> {
        let paths: Vec<_> = paths.iter().map(|path| path.to_path_buf()).collect();
        let stamps = stamps(&paths);
        let value = Arc::new(read(&paths)?);
        Ok(Self { paths, read, state: Mutex::new(State { value, stamps, looked: Instant::now() }) })
    }

    /// What the files say now.
    pub(crate) fn current(&self) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK {
            state.looked = Instant::now();
            let now = stamps(&self.paths);
            if now != state.stamps {
                match (self.read)(&self.paths) {
                    Ok(value) => {
                        tracing::info!(files = ?self.paths, "read again, as they have changed");
                        state.value = Arc::new(value);
                    }
                    Err(error) => tracing::error!(%error, "the files have changed, and what they said before holds on"),
                }
                state.stamps = now;
            }
        }
        Arc::clone(&state.value)
    }
}

impl<T> fmt::Debug for Reloading<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reloading").field("paths", &self.paths).finish_non_exhaustive()
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| std::fs::metadata(path).and_then(|file| Ok((file.modified()?, file.len()))).ok();
    paths.iter().map(stamp).collect()
}
