//! Reports every request to a workspace, for counters.

use std::fmt;
use std::time::Duration;

/// Hears of the requests of a client, see [`Config::observer`](crate::Config::observer).
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use databricks::{Config, Observe};
///
/// #[derive(Debug)]
/// struct Printer;
///
/// impl Observe for Printer {
///     fn attempted(&self, number: u32, status: Option<u16>, took: Duration) {
///         println!("attempt {number}: {status:?} after {took:?}");
///     }
/// }
///
/// let config = Config { observer: Some(Arc::new(Printer)), ..Config::new("acme.test", "dapi123")? };
/// # Ok::<(), databricks::Error>(())
/// ```
pub trait Observe: fmt::Debug + Send + Sync {
    /// One attempt has ended: its number from 1 on, the HTTP status if there was an answer, and how long it took.
    fn attempted(&self, number: u32, status: Option<u16>, took: Duration);
}
