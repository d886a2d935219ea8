//! A REST client for Databricks workspaces.
//!
//! It behaves on the wire like the official SDKs, except where those are wrong: path parameters are escaped, and a
//! call that may already have happened is repeated only when that does no harm. Any operation of the API can be called
//! from its description, an [`Operation`].
//!
//! ```
//! use databricks::{Arguments, Body, Client, Config, Location, Method, Operation, Parameter, Payload, Response};
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
//! # fn workspace() -> std::io::Result<String> {
//! #     use std::io::{BufRead, BufReader, Write};
//! #     let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! #     let host = format!("http://{}", listener.local_addr()?);
//! #     std::thread::spawn(move || -> std::io::Result<()> {
//! #         let (mut stream, _) = listener.accept()?;
//! #         let answers = [
//! #             ("200 OK", r#"{"job_id":123,"settings":{"name":"nightly"}}"#),
//! #             ("404 Not Found", r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Job 7 does not exist."}"#),
//! #         ];
//! #         for (status, body) in answers {
//! #             let mut lines = BufReader::new(stream.try_clone()?).lines();
//! #             while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
//! #             let head = "Content-Type: application/json\r\nContent-Length";
//! #             write!(stream, "HTTP/1.1 {status}\r\n{head}: {}\r\n\r\n{body}", body.len())?;
//! #         }
//! #         Ok(())
//! #     });
//! #     Ok(host)
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A workspace of your own is read from the environment: `Config::resolve(Settings::default(), Environment::system())?`.
//! let host = workspace()?; // a small one on this machine
//! let client = Client::new(Config::new(&host, "dapi123")?)?;
//! let job = client.execute(&GET_JOB, Arguments::new().with(Location::Query, "job_id", 123)).await?;
//! let Payload::Json(job) = job else { return Err("a job is JSON".into()) };
//! assert_eq!(job["settings"]["name"], "nightly");
//!
//! match client.execute(&GET_JOB, Arguments::new().with(Location::Query, "job_id", 7)).await {
//!     Ok(job) => println!("{job:?}"),
//!     Err(error) if error.is_not_found() => assert!(error.message().contains("does not exist")),
//!     Err(error) => println!("{error}; hint: {}", error.hint().unwrap_or("none")),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Lists
//!
//! [`Client::list`] goes through all pages of a list, whatever its style, and [`Client::whole`] puts a job or a run
//! together whose tasks come in pages. Where a caller wants no more, a [`Bookmark`] tells where to go on, also in
//! another process.
//!
//! # What is sent twice
//!
//! A call that was turned away (429, 503) is made again; one that may have happened only if it reads, is declared
//! harmless with [`Arguments::idempotent`], or carries a key by which the service knows it again. Such a key is made
//! where the caller gives none, once for all attempts; runs of jobs always have one.
//!
//! # Authentication
//!
//! [`Config::resolve`] reads Databricks' unified configuration: explicit [`Settings`], environment variables and the
//! profiles of `~/.databrickscfg`. The way of authenticating is chosen at the first call, in the order of the official
//! Go SDK: personal access token, user and password, service principals of Databricks, Azure and Google, the Databricks
//! and Azure command lines, managed identities, and the OIDC tokens of CI systems. Last comes a [`Login`] in the
//! browser that is kept for the host, in the keyring of the system or in a file; it is the only one with
//! `auth_type = external-browser`. Tokens are replaced ahead of their end, and once when the workspace refuses one.
//! When no way works, the error tells what each of them lacks.
//!
//! Credentials go out over TLS, or to this very machine, and appear in no log and no error.

mod answer;
mod arguments;
mod auth;
mod client;
mod clock;
mod config;
mod content;
mod deadline;
mod delivery;
mod departure;
mod document;
mod elsewhere;
mod encode;
mod error;
mod host;
mod lenient;
mod limit;
mod mask;
mod observe;
mod operation;
pub mod operations;
mod pages;
mod probe;
mod projection;
mod queue;
mod repair;
mod request;
pub mod requests;
mod retry;
mod rows;
mod scope;
mod secret;
mod tls;
mod trace;
mod transport;
pub mod types;
mod user_agent;
mod watch;
mod weight;

pub use arguments::{Arguments, Payload};
pub use auth::{
    Attribute, CallerToken, Environment, KeptLogin, LoggedIn, Login, OnBehalf, ProgramOutput, Running, Settings,
    Storage, profiles,
};
pub use client::Client;
pub use config::Config;
pub use content::{Content, Part};
pub use deadline::Deadline;
pub use delivery::Deliveries;
pub use document::Documents;
pub use error::Error;
pub use host::Host;
pub use limit::Limits;
pub use mask::{Mask, without_tokens};
pub use observe::Observe;
pub use operation::{Body, Location, Method, Operation, PageStyle, Pagination, Parameter, Response};
pub use pages::{Bookmark, Cursor, Listing, Page};
pub use probe::{Authentication, DeclinedMethod, Greeting, Route};
pub use projection::Projection;
pub use queue::Closing;
pub use request::Request;
pub use retry::RetryPolicy;
pub use rows::{Row, Rows};
pub use scope::Scope;
pub use secret::Secret;
pub use tls::client_config as tls_client_config;
pub use trace::{Beginning, Span, Trace};
pub use user_agent::UserAgent;
pub use watch::{Outgoing, Verdict, Watch};
pub use weight::weight;
