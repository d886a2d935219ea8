//! What goes over the wire: the client against a real HTTP server on loopback that plays a workspace.

#[path = "wire/answers.rs"]
mod answers;
#[path = "wire/bounds.rs"]
mod bounds;
#[path = "wire/connections.rs"]
mod connections;
#[path = "wire/content.rs"]
mod content;
#[path = "wire/lists.rs"]
mod lists;
#[path = "wire/repetition.rs"]
mod repetition;
#[path = "wire/requests.rs"]
mod requests;
#[path = "wire/typed.rs"]
mod typed;
#[path = "wire/workspace.rs"]
mod workspace;
