//! Says on stderr what a command is waiting for: a person who sees nothing does not know whether to keep waiting.

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use crate::progress::Step;

/// Shorter waits are not worth a line.
const SILENCE: Duration = Duration::from_secs(2);

/// The outcome of `work`, with a line on stderr for each step of it that comes once it has lasted a while.
pub(super) async fn reporting<T>(work: impl Future<Output = T>, steps: UnboundedReceiver<Step>) -> T {
    reporting_to(work, steps, crate::cli::terminal::note).await
}

async fn reporting_to<T>(
    work: impl Future<Output = T>,
    mut steps: UnboundedReceiver<Step>,
    mut tell: impl FnMut(&str),
) -> T {
    let loud = Instant::now() + SILENCE;
    let mut held: Option<Step> = None;
    tokio::pin!(work);
    loop {
        tokio::select! {
            outcome = &mut work => return outcome,
            Some(step) = steps.recv() => held = Some(step),
            () = sleep_until(loud), if held.is_some() => {}
        }
        if Instant::now() >= loud
            && let Some(step) = held.take()
        {
            tell(&step.state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::sleep;

    use super::*;
    use crate::progress::Progress;

    async fn lines(pauses: &[u64]) -> Vec<String> {
        let (progress, steps) = Progress::listened();
        let lines = Mutex::new(Vec::new());
        let work = async {
            for seconds in pauses {
                progress.report(format!("after {seconds}"));
                sleep(Duration::from_secs(*seconds)).await;
            }
        };
        reporting_to(work, steps, |line| lines.lock().expect("a lock").push(line.to_owned())).await;
        lines.into_inner().expect("a lock")
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_told_and_a_short_one_is_not() {
        assert_eq!(lines(&[1]).await, [""; 0]);
        assert_eq!(lines(&[1, 10, 3]).await, ["after 10", "after 3"]);
        assert_eq!(lines(&[30]).await, ["after 30"]);
    }
}
