//! The `id` of a message that is too long or malformed to be parsed, so that the error can name the request.
//!
//! Only the top level of the object is looked at, byte by byte and without recursion: a message of any length and any
//! depth needs the same few bytes of memory.

use serde_json::Value;

/// An `id` or a key that is longer than this is not kept.
const MOST_TOKEN_BYTES: usize = 1_024;

/// What the top level of a message says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// The text or number of `id`.
    pub(crate) id: Option<Value>,
    /// Whether it has a `method`, as requests and notifications have.
    has_method: bool,
    /// Whether it has a `result` or an `error`, as answers have.
    pub(crate) is_answer: bool,
    has_id: bool,
    /// Whether the object comes to its end.
    is_complete: bool,
}

impl Envelope {
    /// Whether nobody waits for an answer.
    pub(crate) fn is_notification(&self) -> bool {
        self.has_method && !self.has_id && self.is_complete
    }

    /// The envelope of a whole message.
    pub(crate) fn of(message: &[u8]) -> Self {
        let mut scanner = Scanner::default();
        scanner.feed(message);
        scanner.envelope
    }
}

/// Reads an envelope from the pieces of a message.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    envelope: Envelope,
    /// How many objects and lists are open.
    depth: usize,
    string: Option<InString>,
    /// The scalar at the top level that is being read.
    token: Vec<u8>,
    /// Whether `token` lacks something: it was too long, or an object or a list.
    is_partial: bool,
    /// The key whose value is being read.
    key: Option<Key>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InString {
    Plain,
    Escaped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    Other,
}

impl Scanner {
    /// Takes the next bytes of the message.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.take(*byte);
        }
    }

    /// What was found.
    pub(crate) fn finish(self) -> Envelope {
        self.envelope
    }

    fn take(&mut self, byte: u8) {
        if let Some(state) = self.string {
            self.keep(byte);
            self.string = match (state, byte) {
                (InString::Plain, b'"') => None,
                (InString::Plain, b'\\') => Some(InString::Escaped),
                (InString::Plain | InString::Escaped, _) => Some(InString::Plain),
            };
            return;
        }
        match byte {
            b'"' => {
                self.keep(byte);
                self.string = Some(InString::Plain);
            }
            b'{' | b'[' => {
                self.depth += 1;
                self.is_partial |= self.depth > 1;
            }
            b'}' | b']' => {
                if self.depth == 1 {
                    self.end_value();
                }
                self.depth = self.depth.saturating_sub(1);
                self.envelope.is_complete |= self.depth == 0;
            }
            b':' if self.depth == 1 && self.key.is_none() => self.end_key(),
            b',' if self.depth == 1 => self.end_value(),
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth != 1 || self.is_partial {
            return;
        }
        if self.token.len() < MOST_TOKEN_BYTES {
            self.token.push(byte);
        } else {
            self.is_partial = true;
        }
    }

    fn end_key(&mut self) {
        let name = self.end_token();
        let envelope = &mut self.envelope;
        self.key = Some(match name.as_ref().and_then(Value::as_str) {
            Some("id") => {
                envelope.has_id = true;
                Key::Id
            }
            Some("method") => {
                envelope.has_method = true;
                Key::Other
            }
            Some("result" | "error") => {
                envelope.is_answer = true;
                Key::Other
            }
            _ => Key::Other,
        });
    }

    fn end_value(&mut self) {
        let value = self.end_token();
        if self.key.take() == Some(Key::Id) {
            self.envelope.id = value.filter(|value| value.is_string() || value.is_number());
        }
    }

    fn end_token(&mut self) -> Option<Value> {
        let token = std::mem::take(&mut self.token);
        let is_partial = std::mem::take(&mut self.is_partial);
        if is_partial { None } else { serde_json::from_slice(&token).ok() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Envelope, Scanner};

    #[test]
    fn the_id_is_read_wherever_it_stands_and_whatever_the_rest_is() {
        for (message, id) in [
            (r#"{"jsonrpc":"2.0","id":7,"method":"m","params":{"id":1}}"#.to_owned(), json!(7)),
            (r#"{"method":"m","params":{"a":["}",{"id":"b\\\""}]}, "id" : "s\"}" }"#.to_owned(), json!("s\"}")),
            (r#"{"method":"m","params":"\ud83d","id":8}"#.to_owned(), json!(8)),
            (r#"{"method":"m","params":{"n":1e400},"id":9}"#.to_owned(), json!(9)),
            (r#"{"id":-1,"method":"m","params":"#.to_owned(), json!(-1)),
            (format!(r#"{{"method":"m","params":{}1{},"id":10}}"#, "[".repeat(5), "]".repeat(5)), json!(10)),
            (format!(r#"{{"params":{}"#, "[".repeat(1_000_000)), Value::Null),
            (r#"{"id":{"id":1},"method":"m"}"#.to_owned(), Value::Null),
            (r#"{"id":null,"method":"m"}"#.to_owned(), Value::Null),
            (format!(r#"{{"id":"{}","method":"m"}}"#, "x".repeat(2_000)), Value::Null),
            (r#"{"params":{"id":1}}"#.to_owned(), Value::Null),
        ] {
            let envelope = Envelope::of(message.as_bytes());
            assert_eq!(envelope.id.unwrap_or_default(), id, "{message:.100}");
        }
    }

    #[test]
    fn notifications_answers_and_anything_else_are_told_apart() {
        let told = |text: &str| {
            let envelope = Envelope::of(text.as_bytes());
            (envelope.is_notification(), envelope.is_answer)
        };
        assert_eq!(told(r#" {"method":"m","params":{"result":1}}"#), (true, false));
        assert_eq!(told(r#"{"method":"m","params":{"result":1}"#), (false, false));
        assert_eq!(told(r#"{"method":"m","id":{}}"#), (false, false));
        assert_eq!(told(r#"{"id":1,"result":{"method":"m"}}"#), (false, true));
        assert_eq!(told(r#"{"id":1,"error":{}}"#), (false, true));
        assert_eq!(told(r#"[{"id":1,"method":"m"}]"#), (false, false));
        assert_eq!(told("no json"), (false, false));
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let message =
            r#"{"method":"tools/call","params":{"a":"\\\"","b":[{"id":3}]},"id":"é\u00e9","x":{}}"#.as_bytes();
        for size in 1..message.len() {
            let mut scanner = Scanner::default();
            message.chunks(size).for_each(|piece| scanner.feed(piece));
            assert_eq!(scanner.finish(), Envelope::of(message), "{size}");
        }
        assert_eq!(Envelope::of(message).id, Some(json!("éé")));
    }
}
