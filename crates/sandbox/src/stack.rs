//! A stack for what recurses as deep as the text of a client does: SQL and Python.

/// Only the part that is used takes memory.
const STACK: usize = 64 * 1024 * 1024;

/// Runs `body` on a large stack; nothing where there is no thread for it or it panics.
pub(crate) fn on_large_stack<T: Send>(body: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, body);
        thread.ok()?.join().ok()
    })
}
