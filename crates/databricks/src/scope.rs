//! What a handle of the client may call.

use crate::error::Error;
use crate::operation::Operation;

/// The operations that one holder of the client declared. A call of any other is refused before anything is sent.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Who declared them, for messages.
    pub holder: &'static str,
    /// The operations.
    pub operations: &'static [&'static Operation],
}

impl Scope {
    pub(crate) fn check(&self, operation: &'static str) -> Result<(), Error> {
        let is_declared = self.operations.iter().any(|declared| declared.id == operation);
        if is_declared {
            tracing::trace!(target: "databricks::scope", holder = self.holder, operation);
            return Ok(());
        }
        // Tools that go on without what they cannot read would hide it.
        tracing::error!(target: "databricks::scope", holder = self.holder, operation, "the operation is not declared");
        let message = format!("`{}` does not declare that it uses `{operation}`", self.holder);
        Err(Error::argument(message).with_hint("this is a bug in the server, and nothing was sent: report it"))
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;
    use crate::operation::Operation;
    use crate::operations::{JOBS_JOBS_GET, JOBS_JOBS_LIST};

    static DECLARED: [&Operation; 1] = [&JOBS_JOBS_GET];

    #[test]
    fn only_what_was_declared_may_be_called() {
        let scope = Scope { holder: "get_job", operations: &DECLARED };
        assert!(scope.check(JOBS_JOBS_GET.id).is_ok());
        let error = scope.check(JOBS_JOBS_LIST.id).expect_err("it is not declared");
        assert_eq!(error.to_string(), "`get_job` does not declare that it uses `jobs.jobs.list`");
    }
}
