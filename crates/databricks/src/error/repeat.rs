//! What an attempt that failed means for the next one: whether the service may have carried it out, and whether it may be
//! made again.

use super::{Error, Kind, class};

/// Whether an attempt that ended in an error may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The service refused to start: any call may be repeated.
    Always,
    /// Nothing was sent: any call may be repeated, but a wrong host does not get better.
    Briefly,
    /// The call may have happened: only a repeatable one is repeated.
    IfSafe,
    /// The same call would fail the same way.
    Never,
}

impl Error {
    /// Whether one attempt that ended like this leaves it open if the service carried the request out.
    pub(crate) fn leaves_open(&self) -> bool {
        match &self.0.kind {
            Kind::Interrupted(_) | Kind::TimedOut(_) | Kind::TooSlow(_) | Kind::Answer(_) => true,
            Kind::OutOfTime { may_have_happened, .. } => *may_have_happened,
            Kind::Api(_) if self.0.turned_away => false,
            Kind::Api(error) => class::leaves_open(error.class, error.status, &error.message),
            Kind::Configuration(_)
            | Kind::Credentials { .. }
            | Kind::Argument(_)
            | Kind::Unreachable(_)
            | Kind::Untrusted(_)
            | Kind::CalledOff(_)
            | Kind::HeldBack(_)
            | Kind::LoginPage { .. } => false,
        }
    }

    pub(crate) fn repeat(&self) -> Repeat {
        match &self.0.kind {
            Kind::Unreachable(_) => Repeat::Briefly,
            Kind::Interrupted(_) | Kind::TimedOut(_) | Kind::OutOfTime { .. } => Repeat::IfSafe,
            Kind::Api(_) if self.0.turned_away => Repeat::Always,
            Kind::Api(error) => class::repeat(error.class, error.status, &error.message),
            // What may go away has been repeated already, by itself.
            Kind::Configuration(_)
            | Kind::Credentials { .. }
            | Kind::Argument(_)
            | Kind::CalledOff(_)
            | Kind::HeldBack(_)
            | Kind::Untrusted(_)
            | Kind::LoginPage { .. }
            | Kind::TooSlow(_)
            | Kind::Answer(_) => Repeat::Never,
        }
    }
}
