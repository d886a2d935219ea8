//! How much of a client's messages is in hand at once: so many requests, and so much memory for all of them. What is
//! more waits beside the reader, which goes on reading: a ping or a cancellation may come next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// So many requests are worked on at once.
pub(super) const MOST_REQUESTS: usize = 512;
/// What they may take together, in KiB: as much as the largest message may take alone.
const MOST_KIB: u32 = 128 << 10;
/// A message lighter than this, in KiB, is not counted among them.
const LIGHT_KIB: u32 = 64;
/// What waits for its turn may take so many KiB together.
const MOST_WAITING_KIB: u32 = 64 << 10;
/// Each that waits counts as at least so many KiB, which bounds their number.
const LEAST_WAITING_KIB: u32 = 16;
/// How long a message waits for a place among those that wait. Nothing else is read meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a heavy message waits for its room.
const ROOM_PATIENCE: Duration = Duration::from_secs(10);

/// What is in hand of one connection.
#[derive(Debug)]
pub(super) struct Intake {
    slots: Arc<Semaphore>,
    room: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// Whether nothing has left the places for waiting since a message found none.
    is_stuck: AtomicBool,
}

/// A part of what is limited; given back when the last clone is dropped.
pub(super) type Share = Arc<OwnedSemaphorePermit>;

/// What a message takes, and its share of the room, which a light one does not need.
#[derive(Debug, Clone, Default)]
pub(super) struct Load {
    kib: u32,
    _room: Option<Share>,
}

impl Default for Intake {
    fn default() -> Self {
        let semaphore = |permits: u32| Arc::new(Semaphore::new(permits as usize));
        Self {
            slots: Arc::new(Semaphore::new(MOST_REQUESTS)),
            room: semaphore(MOST_KIB),
            waiting: semaphore(MOST_WAITING_KIB),
            is_stuck: AtomicBool::new(false),
        }
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes >> 10).unwrap_or(u32::MAX).min(MOST_KIB)
}

impl Intake {
    /// Takes in a message of this weight, where there is room for it now.
    pub(super) fn load(&self, bytes: usize) -> Option<Load> {
        let kib = kib(bytes);
        if kib < LIGHT_KIB {
            return Some(Load { kib, _room: None });
        }
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib).ok()?;
        Some(Load { kib, _room: Some(Arc::new(room)) })
    }

    /// The same, as soon as there is room; `None` where there is none in time.
    pub(super) async fn load_later(&self, bytes: usize) -> Option<Load> {
        let kib = kib(bytes);
        let room = timeout(ROOM_PATIENCE, Arc::clone(&self.room).acquire_many_owned(kib)).await.ok()?.ok()?;
        Some(Load { kib, _room: Some(Arc::new(room)) })
    }

    /// A slot for a request, where one is free.
    pub(super) fn slot(&self) -> Option<Share> {
        Arc::clone(&self.slots).try_acquire_owned().ok().map(Arc::new)
    }

    /// The same, as soon as one is free. Those that wait take turns.
    pub(super) async fn slot_later(&self) -> Option<Share> {
        Arc::clone(&self.slots).acquire_owned().await.ok().map(Arc::new)
    }

    /// A place to wait for a message that takes so many bytes; `None` where there is none in time.
    pub(super) async fn place(&self, bytes: usize) -> Option<Share> {
        let kib = kib(bytes).clamp(LEAST_WAITING_KIB, MOST_WAITING_KIB);
        let places = Arc::clone(&self.waiting);
        let place = match self.is_stuck.load(Ordering::Relaxed) {
            true => places.try_acquire_many_owned(kib).ok(),
            false => timeout(PATIENCE, places.acquire_many_owned(kib)).await.ok().and_then(Result::ok),
        };
        self.is_stuck.store(place.is_none(), Ordering::Relaxed);
        place.map(Arc::new)
    }
}

impl Load {
    /// What the message takes.
    pub(super) fn bytes(&self) -> usize {
        (self.kib as usize) << 10
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{Intake, MOST_REQUESTS, MOST_WAITING_KIB, PATIENCE, ROOM_PATIENCE};

    const MIB: usize = 1 << 20;

    #[tokio::test(start_paused = true)]
    async fn heavy_messages_wait_for_each_other_and_light_ones_do_not() {
        let intake = Intake::default();
        let first = intake.load(100 * MIB).expect("room");
        assert!(intake.load(30 * MIB).is_none() && intake.load(1_000).is_some() && intake.load(20 * MIB).is_some());
        let start = Instant::now();
        assert!(intake.load_later(30 * MIB).await.is_none());
        assert_eq!(start.elapsed(), ROOM_PATIENCE);
        let (second, ()) = tokio::join!(intake.load_later(30 * MIB), async { drop(first) });
        assert!(second.is_some());
        // The largest has room alone, whatever it takes.
        drop(second);
        assert!(intake.load(1_000 * MIB).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_bounded_and_those_that_follow_do_not_hold_up_the_reader() {
        let intake = Intake::default();
        let slots: Vec<_> = (0..MOST_REQUESTS).map_while(|_| intake.slot()).collect();
        assert!(slots.len() == MOST_REQUESTS && intake.slot().is_none());
        let mut places = Vec::new();
        let start = Instant::now();
        while let Some(place) = intake.place(100).await {
            places.push(place);
        }
        assert_eq!((places.len(), start.elapsed()), (MOST_WAITING_KIB as usize / 16, PATIENCE));
        assert!(intake.place(100).await.is_none());
        assert_eq!(start.elapsed(), PATIENCE);
        places.pop();
        assert!(intake.place(100).await.is_some());
    }
}
