//! Waiting for work that goes on in the workspace: polling with backoff until a deadline.

use std::time::Duration;

use tokio::time::Instant;

/// How long a call waits unless it says otherwise: less than common clients wait for an answer.
pub(crate) fn default_seconds() -> u64 {
    45
}

/// A wait with a deadline.
#[derive(Debug)]
pub(crate) struct Wait {
    started: Instant,
    deadline: Instant,
    pause: Duration,
    longest: Duration,
}

impl Wait {
    /// A wait of so many seconds. The first pause is half a second; each is longer, up to `longest`.
    pub(crate) fn new(seconds: u64, longest: Duration) -> Self {
        let started = Instant::now();
        let deadline = started + Duration::from_secs(seconds);
        Self { started, deadline, pause: Duration::from_millis(500), longest }
    }

    /// How long it has lasted.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What is left of it.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Pauses before the next poll; `false` when the deadline has come.
    pub(crate) async fn pause(&mut self) -> bool {
        let left = self.left();
        if left.is_zero() {
            return false;
        }
        tokio::time::sleep(self.pause.min(left)).await;
        self.pause = (self.pause * 3 / 2).min(self.longest);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Wait;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end_at_the_deadline() {
        let started = Instant::now();
        let mut wait = Wait::new(10, Duration::from_secs(2));
        let mut polls = 0;
        while wait.pause().await {
            polls += 1;
        }
        assert_eq!(started.elapsed(), Duration::from_secs(10));
        assert_eq!(polls, 7);
    }
}
