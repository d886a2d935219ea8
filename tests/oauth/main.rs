//! `http --auth oauth`: who is let in, by which tokens, and what they may do.

#![expect(clippy::indexing_slicing, reason = "helpers of tests are not \"in tests\" for clippy")]

mod attacks;
mod exchange;
mod grants;
mod house;
mod issuer;
mod rotation;
mod scopes;

type Outcome = Result<(), Box<dyn std::error::Error>>;
