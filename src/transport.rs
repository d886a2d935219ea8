//! How clients reach the server: what arrives is turned into messages, within bounds, and what cannot be one is
//! answered here.

mod envelope;
pub mod http;
mod message;
pub mod stdio;
mod watched;
