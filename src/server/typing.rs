//! What somebody is typing: each keystroke makes the previous request pointless, unless both wait for the same list.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Fields that are remembered; nobody types in more at a time.
const MOST: usize = 1_000;

/// The newest question about each field, with the list that it waits for; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Typing(Arc<Mutex<HashMap<String, Newest>>>);

#[derive(Debug)]
struct Newest {
    list: String,
    superseded: CancellationToken,
}

impl Typing {
    /// Begins a question about a field, and gives what is cancelled when a newer one makes it pointless. Of two that wait for the
    /// same list the older goes on: what it has asked for serves both.
    pub(super) fn begin(&self, field: String, list: String) -> CancellationToken {
        let superseded = CancellationToken::new();
        let mut fields = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if fields.len() >= MOST {
            fields.clear();
        }
        let before = fields.insert(field, Newest { list: list.clone(), superseded: superseded.clone() });
        if let Some(before) = before.filter(|before| before.list != list) {
            before.superseded.cancel();
        }
        superseded
    }
}

#[cfg(test)]
mod tests {
    use super::Typing;

    #[test]
    fn a_newer_question_ends_an_older_one_about_another_list() {
        let typing = Typing::default();
        let begin = |field: &str, list: &str| typing.begin(field.to_owned(), list.to_owned());
        let (first, elsewhere) = (begin("table", "catalogs"), begin("job", "jobs"));
        let second = begin("table", "catalogs");
        assert!(!first.is_cancelled());
        let third = begin("table", "schemas of main");
        assert!(second.is_cancelled() && !third.is_cancelled() && !elsewhere.is_cancelled());
    }
}
