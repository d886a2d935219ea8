//! How much memory answers take: JSON can grow a hundredfold when it is parsed.
//!
//! An answer is weighed while it arrives, before anything is parsed, so that one bound holds for whatever parses it. A
//! second bound, over all answers of the process, makes answers wait for each other.

use memchr::memchr2;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Error;

/// What one answer may take, in KiB: more than the largest result that the API gives inline.
const ANSWER_KIB: u32 = 512 * 1024;
/// What all answers under way may take together, in KiB.
const PROCESS_KIB: usize = 1024 * 1024;
/// An answer lighter than this is not counted among all.
const LIGHT_KIB: u32 = 64;

/// Every value, whatever it is: the size of `serde_json::Value`.
const VALUE: usize = size_of::<serde_json::Value>();
/// A field on top of its value: its name, its place in the map and its place in the index.
const FIELD: usize = 64;
/// An object on top of its fields, at the least.
const OBJECT: usize = 128;

static ALL_ANSWERS: Semaphore = Semaphore::const_new(PROCESS_KIB);

/// The estimate of what an answer takes once it is read, fed part by part.
#[derive(Debug)]
pub(crate) struct Scale {
    form: Form,
    bytes: usize,
    is_in_text: bool,
    is_escaped: bool,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// It is parsed.
    Json,
    /// It is kept as it came.
    Bytes,
}

impl Scale {
    pub(crate) fn new(form: Form) -> Scale {
        Scale { form, bytes: 0, is_in_text: false, is_escaped: false }
    }

    /// Weighs the next part.
    pub(crate) fn add(&mut self, part: &[u8]) {
        self.bytes = self.bytes.saturating_add(part.len());
        if self.form == Form::Bytes {
            return;
        }
        let mut rest = part;
        while let Some((first, after)) = rest.split_first() {
            rest = match (self.is_in_text, self.is_escaped) {
                (true, true) => {
                    self.is_escaped = false;
                    after
                }
                // Most of what comes is text, of which only its end matters.
                (true, false) => match memchr2(b'"', b'\\', rest) {
                    Some(at) => {
                        self.is_escaped = rest.get(at) == Some(&b'\\');
                        self.is_in_text = self.is_escaped;
                        rest.get(at + 1..).unwrap_or_default()
                    }
                    None => return,
                },
                (false, _) => {
                    let grown = match first {
                        b'"' => {
                            self.is_in_text = true;
                            0
                        }
                        // One more value: after each of these.
                        b',' | b'[' => VALUE,
                        b':' => FIELD,
                        b'{' => VALUE + OBJECT,
                        _ => 0,
                    };
                    self.bytes = self.bytes.saturating_add(grown);
                    after
                }
            };
        }
    }

    fn kib(&self) -> u32 {
        u32::try_from(self.bytes / 1024).unwrap_or(u32::MAX)
    }
}

/// What a JSON text takes in bytes once it is read into a `serde_json::Value`, about: a text of tiny values grows a hundredfold.
pub fn weight(json: &[u8]) -> usize {
    let mut scale = Scale::new(Form::Json);
    scale.add(json);
    scale.bytes
}

/// The room that an answer has taken; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    all: &'static Semaphore,
    held: Option<SemaphorePermit<'static>>,
    kib: u32,
}

impl Default for Room {
    fn default() -> Room {
        Room { all: &ALL_ANSWERS, held: None, kib: 0 }
    }
}

impl Room {
    /// Takes the room for what has been weighed. Waits where other answers have taken it.
    pub(crate) async fn grow(&mut self, scale: &Scale) -> Result<(), Error> {
        let kib = scale.kib();
        if kib <= LIGHT_KIB.max(self.kib) {
            return Ok(());
        }
        let more = self.all.acquire_many(kib - self.kib).await.ok();
        self.kib = kib;
        match (&mut self.held, more) {
            (Some(held), Some(more)) => held.merge(more),
            (held, more) => *held = more,
        }
        Ok(())
    }

    /// Fails for an answer that is too heavy.
    pub(crate) fn check(scale: &Scale) -> Result<(), Error> {
        if scale.kib() <= ANSWER_KIB {
            return Ok(());
        }
        Err(Error::answer(format!("the answer would take more than {} MB of memory", ANSWER_KIB / 1024))
            .with_hint("ask for less at once: a smaller page, fewer fields or a narrower filter"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weigh(parts: &[&str]) -> usize {
        let mut scale = Scale::new(Form::Json);
        parts.iter().for_each(|part| scale.add(part.as_bytes()));
        scale.bytes
    }

    #[test]
    fn structure_weighs_and_text_does_not() {
        let text = r#"{"name":"a,[{:\",[{"}"#;
        assert_eq!(weigh(&[text]), text.len() + VALUE + OBJECT + FIELD);
        assert_eq!(weigh(&["[0,0,0]"]), 7 + 3 * VALUE);
        // Wherever the parts are cut.
        for cut in 0..text.len() {
            let (before, after) = text.split_at(cut);
            assert_eq!(weigh(&[before, after]), weigh(&[text]), "{cut}");
        }
    }

    #[test]
    fn the_estimate_is_no_less_than_what_values_take() {
        assert!(weigh(&[&"{\"a\":0},".repeat(1_000)]) > 1_000 * 250);
        let mut scale = Scale::new(Form::Json);
        let part = "0,".repeat(1 << 20);
        while Room::check(&scale).is_ok() {
            scale.add(part.as_bytes());
        }
        assert!(Room::check(&scale).unwrap_err().to_string().contains("512 MB"));
    }

    #[tokio::test]
    async fn answers_wait_for_the_room_of_others() {
        static FEW: Semaphore = Semaphore::const_new(1_000);
        let taken = |kib: usize| {
            let mut scale = Scale::new(Form::Bytes);
            scale.add(&vec![0; kib * 1024]);
            let mut room = Room { all: &FEW, ..Room::default() };
            async move { room.grow(&scale).await.map(|()| room) }
        };
        let first = taken(700).await.unwrap();
        // A light one always has room.
        let light = taken(64).await.unwrap();
        let mut second = Box::pin(taken(400));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop((first, light));
        let second = second.await.unwrap();
        assert_eq!(FEW.available_permits(), 600);
        drop(second);
        assert_eq!(FEW.available_permits(), 1_000);
    }
}
