//! The one writer of what a person sees: nothing that a workspace names can move the cursor or hide text.

use std::io::{self, Write};

use crate::controls;
use crate::error::Error;

/// Prints a result on stdout.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    match writeln!(io::stdout().lock(), "{}", controls::for_terminal(text)) {
        // The reader of a pipe may stop reading.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| Error::failed(format!("cannot write to stdout: {error}"))),
    }
}

/// Tells something besides the result, on stderr.
pub(crate) fn note(text: &str) {
    // Nothing can be done where nobody can be told.
    let _ = writeln!(io::stderr().lock(), "{}", controls::for_terminal(text));
}
