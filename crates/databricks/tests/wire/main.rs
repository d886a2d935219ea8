//! What goes over the wire: the client against a real HTTP server on loopback that plays a workspace.

mod answers;
mod bounds;
mod connections;
mod content;
mod lists;
mod repetition;
mod requests;
mod typed;
mod workspace;
