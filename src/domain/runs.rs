//! Runs of jobs: submitting one, waiting for it, what it returned, why it failed.

pub(crate) mod changes;
pub(crate) mod output;
pub(crate) mod root_cause;
pub(crate) mod run;
pub(crate) mod serverless;
pub(crate) mod submit;
pub(crate) mod summary;
pub(crate) mod work;
