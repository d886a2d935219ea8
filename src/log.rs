//! Logs on stderr, as stdout belongs to the protocol. A thread of its own writes them: a client that does not read
//! stderr never makes the server wait, and learns later how many lines it missed.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

use databricks::without_tokens;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::controls;

/// So many lines wait to be written. Further ones are dropped.
const MOST_WAITING: usize = 512;
/// What is longer is cut.
const MOST_BYTES: usize = 8 << 10;
/// How often the end of the process looks whether there is room for its last line.
const PAUSE: Duration = Duration::from_millis(10);

/// The lines of stderr; cheap to clone.
#[derive(Debug, Clone)]
pub struct Log {
    queue: SyncSender<Entry>,
    dropped: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Entry {
    Text(String),
    /// Everything before it is written.
    Flush(mpsc::Sender<()>),
}

impl Log {
    /// Begins to log what is at least as severe as the level.
    pub fn start(level: LevelFilter) -> Self {
        let log = Self::to(io::stderr());
        let filter = Targets::new().with_default(level).with_target("rmcp", of_protocol(level));
        let writer = log.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        tracing_subscriber::registry().with(lines).with(filter).init();
        log
    }

    /// The lines of stderr alone, for records that are not logs.
    pub(crate) fn stderr() -> Self {
        Self::to(io::stderr())
    }

    /// Queues a line that is not cut, or tells that there is no room for it.
    pub(crate) fn record(&self, line: &str) -> bool {
        self.queue.try_send(Entry::Text(format!("{line}\n"))).is_ok()
    }

    fn to(writer: impl Write + Send + 'static) -> Self {
        let (queue, entries) = mpsc::sync_channel(MOST_WAITING);
        // Without the thread all lines are dropped, and the server does its work.
        let _ = thread::Builder::new().name("log".to_owned()).spawn(move || write(writer, &entries));
        Self { queue, dropped: Arc::default() }
    }

    /// Queues a line, or counts it as dropped.
    pub fn line(&self, text: &str) {
        let text = controls::for_terminal(text.trim_end());
        let text = without_tokens(&text);
        let cut = text.char_indices().map(|(index, _)| index).find(|index| *index >= MOST_BYTES);
        let line = match cut.and_then(|cut| text.get(..cut)) {
            Some(beginning) => format!("{beginning}…\n"),
            None => format!("{text}\n"),
        };
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if self.queue.try_send(Entry::Text(notice(dropped) + &line)).is_err() {
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
        }
    }

    /// Waits until everything is written, for as long as somebody reads.
    pub fn finish(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let (written, is_written) = mpsc::channel();
        let last = notice(self.dropped.swap(0, Ordering::Relaxed));
        if self.queue_by(deadline, Entry::Text(last)) && self.queue_by(deadline, Entry::Flush(written)) {
            // Nobody reads where it does not come.
            let _ = is_written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }

    /// Queues an entry once there is room; `false` where nobody made any in time.
    fn queue_by(&self, deadline: Instant, mut entry: Entry) -> bool {
        loop {
            entry = match self.queue.try_send(entry) {
                Ok(()) => return true,
                Err(TrySendError::Full(entry)) if Instant::now() < deadline => entry,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return false,
            };
            thread::sleep(PAUSE);
        }
    }
}

/// What of rmcp is logged. It tells of each request four times that it has begun and ended, which is for those who look for a
/// fault. In detail it logs whole messages, and the arguments of a call may hold a secret.
fn of_protocol(level: LevelFilter) -> LevelFilter {
    match level {
        LevelFilter::TRACE | LevelFilter::DEBUG => LevelFilter::INFO,
        LevelFilter::INFO => LevelFilter::WARN,
        other => other,
    }
}

/// The line that stands for lines that were dropped.
fn notice(dropped: usize) -> String {
    match dropped {
        0 => String::new(),
        lines => format!("{lines} lines of the log were dropped, as nobody read stderr\n"),
    }
}

/// `tracing` writes each line at once.
impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(mut writer: impl Write, entries: &Receiver<Entry>) {
    for entry in entries {
        match entry {
            Entry::Text(text) => {
                if writer.write_all(text.as_bytes()).and_then(|()| writer.flush()).is_err() {
                    return;
                }
            }
            // The process may have given up waiting.
            Entry::Flush(written) => drop(written.send(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::time::Duration;

    use super::{Log, MOST_BYTES, MOST_WAITING};

    /// A stderr that takes a line only when it is read.
    struct Pipe {
        lines: Sender<String>,
        permits: Receiver<()>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(io::Error::other)?;
            self.lines.send(String::from_utf8_lossy(bytes).into_owned()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_nobody_reads_are_dropped_and_counted() {
        let ((lines, written), (reads, permits)) = (mpsc::channel(), mpsc::channel());
        let log = Log::to(Pipe { lines, permits });
        let total = MOST_WAITING + 100;
        for number in 0..total {
            log.line(&format!("line {number}\u{1b}[31m"));
        }
        let read = || {
            reads.send(()).expect("the thread lives");
            written.recv().expect("the thread lives")
        };
        assert_eq!(read(), "line 0[31m\n");
        assert_eq!(read(), "line 1[31m\n");
        log.line("late");
        let mut text = String::new();
        while !text.ends_with("late\n") {
            text = read();
        }
        let notice = text.strip_suffix(" lines of the log were dropped, as nobody read stderr\nlate\n");
        let dropped: usize = notice.and_then(|number| number.parse().ok()).expect("a count");
        // The thread may have taken one line before the queue was full.
        assert!((99..=100).contains(&dropped), "{dropped}");
        // The end does not wait for a reader that does not read.
        log.line("last");
        log.finish(Duration::from_millis(1));
    }

    #[test]
    fn a_long_line_is_cut() {
        let ((lines, written), (reads, permits)) = (mpsc::channel(), mpsc::channel());
        let log = Log::to(Pipe { lines, permits });
        log.line(&"é".repeat(MOST_BYTES));
        reads.send(()).expect("the thread lives");
        let line = written.recv().expect("the thread lives");
        assert!(line.len() <= MOST_BYTES + 4 && line.ends_with("é…\n"), "{}", line.len());
        log.finish(Duration::from_secs(30));
    }
}
