//! A REST client for Databricks workspaces.
//!
//! It behaves on the wire like the official SDKs, except where those are wrong: path parameters are escaped, and a
//! call that may already have happened is repeated only when that does no harm. Any operation of the API can be called
//! from its description, an [`Operation`].
//!
//! ```no_run
//! use databricks::{Arguments, Body, Client, Config, Location, Method, Operation, Parameter, Response};
//!
//! static GET_JOB: Operation = Operation {
//!     id: "jobs.jobs.get",
//!     method: Method::Get,
//!     path: "/api/2.2/jobs/get",
//!     parameters: &[Parameter {
//!         name: "job_id",
//!         location: Location::Query,
//!         required: true,
//!         multi_segment: false,
//!         flatten: false,
//!         auto_uuid: false,
//!         from_config: false,
//!         preset: None,
//!     }],
//!     body: Body::None,
//!     response: Response::Json,
//!     pagination: None,
//!     workspace_routing: true,
//!     deprecated: false,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), databricks::Error> {
//! let client = Client::new(Config::from_env(|name| std::env::var(name).ok())?)?;
//! let arguments = Arguments::new().with(Location::Query, "job_id", 123);
//! match client.execute(&GET_JOB, arguments).await {
//!     Ok(job) => println!("{job:?}"),
//!     Err(error) if error.is_not_found() => println!("there is no such job"),
//!     Err(error) => println!("{error}; hint: {}", error.hint().unwrap_or("none")),
//! }
//! # Ok(())
//! # }
//! ```

//!
//! # Authentication
//!
//! [`Config::resolve`] reads Databricks' unified configuration: explicit [`Settings`], environment variables and the
//! profiles of `~/.databrickscfg`. The way of authenticating is chosen at the first call, in the order of the official
//! Go SDK: personal access token, user and password, service principals of Databricks, Azure and Google, the Databricks
//! and Azure command lines, managed identities, and the OIDC tokens of CI systems; besides, a [`Login`] in the browser.
//! Tokens are replaced ahead of their end, and once when the workspace refuses one.

mod answer;
pub mod api;
mod arguments;
mod auth;
mod client;
mod config;
mod content;
mod encode;
mod error;
mod host;
mod lenient;
mod limit;
mod operation;
pub mod operations;
mod pages;
mod probe;
mod retry;
mod secret;
mod tls;
mod transport;
mod typed;
mod user_agent;

pub use arguments::{Arguments, Payload};
pub use auth::{Attribute, Environment, KeptLogin, LoggedIn, Login, ProgramOutput, Running, Settings, Storage};
pub use client::Client;
pub use config::Config;
pub use content::{Content, Part};
pub use error::Error;
pub use host::Host;
pub use limit::Limits;
pub use operation::{Body, Location, Method, Operation, PageStyle, Pagination, Parameter, Response};
pub use pages::{Cursor, Page};
pub use probe::{Authentication, DeclinedMethod, Greeting, Route};
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use transport::Transport;
pub use user_agent::UserAgent;
