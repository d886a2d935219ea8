//! The requests of the operations that composites use, in modules that follow the id of the operation:
//! `sql.warehouses.get` is [`sql::warehouses::Get`].
//!
//! The constructor takes what is required; everything else has a method of its name.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
//! # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
//! use databricks::requests::{jobs, sql};
//!
//! let runs = jobs::jobs::ListRuns::new().active_only(true).limit(5);
//! assert!(client.send(runs).await?.get("runs").is_none());
//! let warehouse = sql::warehouses::Get::new("no-such-id");
//! assert!(client.send(warehouse).await.is_err_and(|error| error.is_not_found()));
//! # Ok(())
//! # }
//! ```

#![allow(clippy::module_inception, reason = "a package often has a service of its name")]

use serde_json::Value;

use crate::arguments::{Arguments, Payload};
use crate::error::Error;
use crate::operation::{Location, Operation};
use crate::operations;
use crate::request::{Request, json, nothing, typed, value, whole};

include!(concat!(env!("OUT_DIR"), "/requests.rs"));
