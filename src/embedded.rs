//! The embedded workspace of `--sandbox`. A build without the feature `sandbox` is smaller and refuses to start one.

#[cfg(not(feature = "sandbox"))]
mod absent;
#[cfg(feature = "sandbox")]
mod present;

#[cfg(not(feature = "sandbox"))]
pub(crate) use absent::Embedded;
#[cfg(feature = "sandbox")]
pub(crate) use present::Embedded;
