//! How much memory answers take: JSON can grow a hundredfold when it is parsed.
//!
//! An answer is weighed while it arrives, before anything is parsed, so that one bound holds for whatever parses it. A
//! second bound, over all answers of the process, makes answers wait for those before them.

use memchr::memchr2;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Error;

/// What one answer may take, in KiB: more than the largest result that the API gives inline.
const ANSWER_KIB: u32 = 512 * 1024;
/// An answer lighter than this is not counted among all.
const LIGHT_KIB: u32 = 64;
/// What an answer may take in one of the modest places, in KiB.
const MODEST_KIB: u32 = 8 * 1024;
/// Answers under way that are modest, and those that are not: together they take 1.25 GiB at the most.
static PLACES: Places = Places::new(32, 2);

/// Every value, whatever it is: the size of `serde_json::Value`.
const VALUE: usize = size_of::<serde_json::Value>();
/// A field on top of its value: its name, its place in the map and its place in the index.
const FIELD: usize = 64;
/// An object on top of its fields, at the least: its list of fields and its index.
const OBJECT: usize = 256;
/// An integer of fewer characters fits into 64 bits.
const LONG_INTEGER: u8 = 20;

/// The estimate of what an answer takes once it is read, fed part by part.
#[derive(Debug)]
pub(crate) struct Scale {
    form: Form,
    bytes: usize,
    is_in_text: bool,
    is_escaped: bool,
    /// Digits that came one after the other.
    digits: u8,
    is_odd: bool,
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
        Scale { form, bytes: 0, is_in_text: false, is_escaped: false, digits: 0, is_odd: false }
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
                    let is_part = first.is_ascii_digit() || *first == b'-';
                    self.digits = if is_part { self.digits.saturating_add(1) } else { 0 };
                    self.is_odd |= self.digits >= LONG_INTEGER;
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

    /// Whether there may be an integer that does not fit into 64 bits, and would be read as another number.
    pub(crate) fn is_odd(&self) -> bool {
        self.is_odd
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

/// The room that an answer has taken; given back when it is dropped. An answer waits for one thing at a time, and never while it
/// holds what those before it wait for: first for one of many modest places, then, where that is not enough, for one of the few
/// in which the largest answer fits.
#[derive(Debug)]
pub(crate) struct Room {
    places: &'static Places,
    modest: Option<SemaphorePermit<'static>>,
    large: Option<SemaphorePermit<'static>>,
}

/// The places for the answers of a process.
#[derive(Debug)]
struct Places {
    modest: Semaphore,
    large: Semaphore,
}

impl Places {
    const fn new(modest: usize, large: usize) -> Places {
        Places { modest: Semaphore::const_new(modest), large: Semaphore::const_new(large) }
    }
}

impl Default for Room {
    fn default() -> Room {
        Room { places: &PLACES, modest: None, large: None }
    }
}

impl Room {
    /// Takes the room for what has been weighed. Waits where other answers have taken it.
    pub(crate) async fn grow(&mut self, scale: &Scale) -> Result<(), Error> {
        let kib = scale.kib();
        // Nobody closes these semaphores.
        if kib > LIGHT_KIB && self.modest.is_none() {
            self.modest = self.places.modest.acquire().await.ok();
        }
        if kib > MODEST_KIB && self.large.is_none() {
            self.large = self.places.large.acquire().await.ok();
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

    #[test]
    fn a_long_integer_is_odd_wherever_its_parts_are_cut() {
        let text = r#"{"a": 18446744073709551616, "b": "123456789012345678901234"}"#;
        for cut in 0..text.len() {
            let (before, after) = text.split_at(cut);
            let mut scale = Scale::new(Form::Json);
            [before, after].iter().for_each(|part| scale.add(part.as_bytes()));
            assert!(scale.is_odd(), "{cut}");
        }
        let mut scale = Scale::new(Form::Json);
        scale.add(br#"{"a": 9223372036854775807, "b": "123456789012345678901234", "c": [12345678901, 12345678901]}"#);
        assert!(!scale.is_odd());
    }

    #[tokio::test]
    async fn answers_wait_for_the_room_of_others_and_light_ones_do_not() {
        static FEW: Places = Places::new(2, 1);
        let room = || Room { places: &FEW, ..Room::default() };
        let of = |kib: usize| {
            let mut scale = Scale::new(Form::Bytes);
            scale.add(&vec![0; kib * 1024]);
            scale
        };
        let (mut first, mut second, mut third) = (room(), room(), room());
        first.grow(&of(9 * 1024)).await.unwrap();
        // A light one always has room, and a modest one does not wait for a large one.
        room().grow(&of(64)).await.unwrap();
        second.grow(&of(65)).await.unwrap();
        second.grow(&of(8 * 1024)).await.unwrap();
        let (light, modest) = (of(64), of(65));
        third.grow(&light).await.unwrap();
        let mut waiting = Box::pin(third.grow(&modest));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        // The large one goes on growing, whoever waits.
        first.grow(&of(100 * 1024)).await.unwrap();
        let large = of(9 * 1024);
        let mut growing = Box::pin(second.grow(&large));
        assert!(futures_util::poll!(&mut growing).is_pending());
        drop(first);
        growing.await.unwrap();
        waiting.await.unwrap();
        drop((second, third));
        assert_eq!((FEW.modest.available_permits(), FEW.large.available_permits()), (2, 1));
    }
}
