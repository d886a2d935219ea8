//! What stands in the place of the sandbox where this program was built without it.

use crate::config::Options;
use crate::error::Error;

/// A sandbox, of which there is none.
pub(crate) enum Embedded {}

impl Embedded {
    /// Refuses to start one.
    #[expect(clippy::unused_async, reason = "the same as where there is one")]
    pub(crate) async fn start(_options: &Options, _port: u16) -> Result<Self, Error> {
        Err(Error::failed("this build has no embedded workspace, for `--sandbox` and `sandbox`")
            .with_hint("use a build with the feature `sandbox`, which the released binaries have"))
    }

    pub(crate) fn url(&self) -> &str {
        match *self {}
    }

    pub(crate) fn token(&self) -> &str {
        match *self {}
    }
}
