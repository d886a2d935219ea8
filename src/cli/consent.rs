//! Asking the person at the terminal to confirm a call.

use std::io::{self, BufRead as _, IsTerminal as _};

use serde_json::Value;

use crate::cli::terminal::note;
use crate::consent::{Answer, Consent, Means, WayOut};
use crate::error::Error;

/// What to do where there is no terminal.
const NO_TERMINAL: WayOut =
    WayOut { advice: "stdin and stderr are no terminal: add `--yes` to confirm the call yourself", is_served: false };

/// The outcome of a call, about which the person at the terminal is asked where that is needed. `yes` says that they are not.
pub(super) async fn asking(
    consent: Consent,
    yes: bool,
    call: impl AsyncFn(Consent) -> Result<Value, Error>,
) -> Result<Value, Error> {
    let is_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    let means = if is_terminal { Means::Ask } else { Means::Nobody(NO_TERMINAL) };
    let outcome = call(consent.with(means, if yes { Answer::Waived } else { Answer::None })).await;
    let Some(question) = outcome.as_ref().err().and_then(Error::asks) else { return outcome };
    note(&format!("{question}\nType `yes` to do it: "));
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer = match read.await {
        Ok(Ok(line)) => answer(&line),
        Ok(Err(_)) | Err(_) => Answer::Closed,
    };
    call(consent.with(means, answer)).await
}

fn answer(line: &str) -> Answer {
    match line.trim() {
        "" => Answer::Closed,
        word if ["y", "yes"].iter().any(|yes| word.eq_ignore_ascii_case(yes)) => Answer::Accepted,
        _ => Answer::Declined,
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, answer};

    #[test]
    fn nothing_but_yes_is_yes() {
        for (line, expected) in [
            ("yes\n", Answer::Accepted),
            (" Y \r\n", Answer::Accepted),
            ("\n", Answer::Closed),
            ("", Answer::Closed),
            ("no\n", Answer::Declined),
            ("yess\n", Answer::Declined),
        ] {
            assert_eq!(answer(line), expected, "{line:?}");
        }
    }
}
