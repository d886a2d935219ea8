//! What the code of a notebook or command may still take: its steps, what it looks at and makes, and its time.

use std::cell::Cell;

use super::value::Unclear;
use crate::sql::Cancel;

/// What one source may take. A step, a value that is looked at, and a letter or item that is made cost one each.
const UNITS: usize = 2_000_000;

/// Everything that walks a value takes from it, since a value can be far larger than the memory that it takes: a list
/// that holds another one a thousand times, in twenty levels, is small and endless to walk.
#[derive(Debug)]
pub(super) struct Budget {
    left: Cell<usize>,
    cancel: Cancel,
}

impl Budget {
    pub(super) fn new(cancel: Cancel) -> Self {
        Self { left: Cell::new(UNITS), cancel }
    }

    /// Takes what a step costs; fails where nothing is left or the code has to stop.
    pub(super) fn spend(&self, cost: usize) -> Result<(), Unclear> {
        let rest = self.left.get().checked_sub(cost).filter(|_| !self.cancel.is_canceled());
        self.left.set(rest.ok_or(Unclear("code that runs this long"))?);
        Ok(())
    }

    /// What stops the code, for statements that it runs.
    pub(super) fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}
