//! Specs and allowlist in, Rust code and MCP tool definitions out.
//!
//! The build scripts of the server and of the REST client call this crate, and so does `xtask`. It reads
//! files and returns tokens: no network, no environment, no MCP runtime.
//!
//! - [`Api`] is what the OpenAPI documents in `specs/` say.
//! - [`Allowlist`] is what the YAML files in `allowlist/` decide, checked against the API.
//! - [`emit`] turns both into code: the operation table, the request types, the types of answers, the tool and resource definitions.
//! - [`lint`] refuses a tool definition that would break a client.
//! - [`audit`] says what nobody has decided on, and what changed since somebody did.

pub mod allowlist;
pub mod api;
pub mod audit;
pub mod completes;
mod confirm;
pub mod emit;
mod examples;
pub mod lint;
mod nearest;
mod risk;
pub mod schema;
pub mod yaml;

pub use allowlist::Allowlist;
pub use api::Api;
