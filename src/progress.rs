//! What a waiting call reports to its caller.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Where a call reports to; silent where the caller did not ask for progress.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    sender: Option<UnboundedSender<Step>>,
}

/// One change of the work's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The state in words.
    pub(crate) state: String,
    /// How much of how much is done, where that is known.
    pub(crate) done: Option<(usize, usize)>,
}

impl Progress {
    /// A progress that somebody listens to.
    pub(crate) fn listened() -> (Self, UnboundedReceiver<Step>) {
        let (sender, receiver) = unbounded_channel();
        (Self { sender: Some(sender) }, receiver)
    }

    /// Tells the real state of the work, at each change.
    pub(crate) fn report(&self, state: impl Into<String>) {
        self.send(Step { state: state.into(), done: None });
    }

    /// Tells the state, and how much of how much is done.
    pub(crate) fn report_done(&self, state: impl Into<String>, done: usize, total: usize) {
        self.send(Step { state: state.into(), done: Some((done, total)) });
    }

    fn send(&self, step: Step) {
        if let Some(sender) = &self.sender {
            // A caller that has gone needs no report.
            let _ = sender.send(step);
        }
    }
}

/// The numbers of one call's progress. The protocol wants each larger than the one before, so a change of state
/// in which nothing was finished counts for a part of what is next.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    last: f64,
}

impl Meter {
    /// The number to send for a step, and the total where there is one.
    pub(crate) fn next(&mut self, step: &Step) -> (f64, Option<f64>) {
        let Some((done, total)) = step.done else {
            self.last += 1.0;
            return (self.last, None);
        };
        let (done, total) = (number(done), number(total));
        self.last = if done > self.last { done } else { self.last + (self.last.floor() + 1.0 - self.last) / 8.0 };
        (self.last, Some(total.max(self.last)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of tasks")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::{Meter, Step};

    #[test]
    fn numbers_grow_with_every_step_and_reach_the_total() {
        let mut meter = Meter::default();
        let steps = [0, 0, 1, 1, 1, 0, 3].map(|done| Step { state: String::new(), done: Some((done, 3)) });
        let sent = steps.map(|step| meter.next(&step));
        assert!(sent.is_sorted_by(|one, next| one.0 < next.0), "{sent:?}");
        assert!(sent.iter().all(|(sent, total)| *total == Some(3.0) && *sent <= 3.0), "{sent:?}");
        assert_eq!((sent[2].0, sent[6].0), (1.0, 3.0));
        let unknown = Step { state: String::new(), done: None };
        assert_eq!(meter.next(&unknown), (4.0, None));
    }
}
