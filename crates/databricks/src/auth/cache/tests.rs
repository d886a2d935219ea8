//! The life of a token, by an injected clock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;

use super::*;

const START: u64 = 1_800_000_000;
const HOUR: u64 = 3_600;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A source of tokens that live for given times, with a clock, and a gate that lets fetches through.
struct Source {
    cache: Arc<TokenCache>,
    time: Arc<AtomicU64>,
    gate: Arc<Semaphore>,
    fetched: Arc<AtomicU64>,
}

impl Source {
    /// The lifetimes of the tokens to come, seen from now; `None` is a failure. The last one repeats.
    fn new(lifetimes: &[Option<u64>]) -> Source {
        let time = Arc::new(AtomicU64::new(START));
        let (gate, fetched) = (Arc::new(Semaphore::new(1_000)), Arc::new(AtomicU64::new(0)));
        let clock = Arc::clone(&time);
        let environment = Environment::default().with_clock(move || at(clock.load(Ordering::SeqCst)));
        let lifetimes = Arc::new(Mutex::new(VecDeque::from(lifetimes.to_vec())));
        let (clock, door, count) = (Arc::clone(&time), Arc::clone(&gate), Arc::clone(&fetched));
        let cache = TokenCache::new(environment, move |_| {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let (clock, door, lifetimes) = (Arc::clone(&clock), Arc::clone(&door), Arc::clone(&lifetimes));
            async move {
                door.acquire().await.unwrap().forget();
                let mut lifetimes = lifetimes.lock().unwrap();
                let lifetime = if lifetimes.len() > 1 { lifetimes.pop_front().unwrap() } else { lifetimes[0] };
                let lifetime = lifetime.ok_or_else(|| Error::credentials("no luck"))?;
                let expiry = Some(at(clock.load(Ordering::SeqCst) + lifetime));
                Ok(Token { access: format!("token-{number}").into(), expiry, refresh: None })
            }
        });
        Source { cache: Arc::new(cache), time, gate, fetched }
    }

    fn wait(&self, seconds: u64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    async fn token(&self) -> Result<String, String> {
        self.cache.token().await.map(|held| held.token.expose().to_owned()).map_err(|error| error.to_string())
    }

    /// Lets the background finish.
    async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_token_is_replaced_ahead_of_its_end() {
    for (lifetime, stale) in [(HOUR, HOUR - 20 * 60), (600, 300), (2 * HOUR, 2 * HOUR - 20 * 60)] {
        let source = Source::new(&[Some(lifetime)]);
        assert_eq!(source.token().await.unwrap(), "token-1");
        source.wait(stale);
        assert_eq!(source.token().await.unwrap(), "token-1");
        source.settle().await;
        assert_eq!(source.fetched(), 1, "{lifetime}");
        source.wait(1);
        // Nobody waits for the replacement.
        assert_eq!(source.token().await.unwrap(), "token-1");
        source.settle().await;
        assert_eq!((source.token().await.unwrap().as_str(), source.fetched()), ("token-2", 2));
    }
}

#[tokio::test]
async fn an_ended_token_is_waited_for() {
    let source = Source::new(&[Some(HOUR)]);
    source.token().await.unwrap();
    source.wait(HOUR - 39);
    assert_eq!(source.token().await.unwrap(), "token-2");
}

#[tokio::test]
async fn a_storm_makes_one_fetch() {
    let source = Source::new(&[None, Some(HOUR)]);
    source.gate.forget_permits(1_000);
    for expected in [Err("no luck"), Ok("token-2")] {
        let waiting: Vec<_> = (0..100)
            .map(|_| {
                let cache = Arc::clone(&source.cache);
                tokio::spawn(async move { cache.token().await })
            })
            .collect();
        source.settle().await;
        source.gate.add_permits(1);
        for caller in waiting {
            let result = caller.await.unwrap();
            assert_eq!(
                result.as_ref().map(|held| held.token.expose()).map_err(ToString::to_string),
                expected.map_err(str::to_owned)
            );
        }
    }
    assert_eq!(source.fetched(), 2);
}

#[tokio::test]
async fn who_gives_up_does_not_stop_the_others() {
    let source = Source::new(&[Some(HOUR)]);
    source.gate.forget_permits(1_000);
    let callers = [(); 2].map(|()| {
        let cache = Arc::clone(&source.cache);
        tokio::spawn(async move { cache.token().await })
    });
    source.settle().await;
    let [first, second] = callers;
    first.abort();
    source.settle().await;
    source.gate.add_permits(1);
    assert_eq!(second.await.unwrap().unwrap().token.expose(), "token-1");
    assert_eq!(source.fetched(), 1);
}

#[tokio::test]
async fn a_failure_in_the_background_leaves_a_good_token() {
    let source = Source::new(&[Some(HOUR), None, None, Some(HOUR)]);
    source.token().await.unwrap();
    source.wait(HOUR - 20 * 60 + 1);
    for (pause, fetched) in [(0, 2), (59, 2), (1, 3), (60, 4)] {
        source.wait(pause);
        assert_eq!(source.token().await.unwrap(), "token-1");
        source.settle().await;
        assert_eq!(source.fetched(), fetched, "{pause}");
    }
    assert_eq!(source.token().await.unwrap(), "token-4");
}

#[tokio::test]
async fn a_failure_is_told_when_the_token_has_ended() {
    let source = Source::new(&[Some(HOUR), None]);
    source.token().await.unwrap();
    source.wait(HOUR);
    assert_eq!(source.token().await.unwrap_err(), "no luck");
    assert_eq!(source.token().await.unwrap_err(), "no luck");
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let source = Source::new(&[Some(HOUR)]);
    let held = source.cache.token().await.unwrap();
    let renewed = source.cache.renew(held.generation).await.unwrap();
    assert_eq!((renewed.token.expose(), renewed.generation), ("token-2", held.generation + 1));
    // Whoever was refused with the first one as well gets the second.
    assert_eq!(source.cache.renew(held.generation).await.unwrap().token.expose(), "token-2");
    assert_eq!(source.fetched(), 2);
}

#[tokio::test]
async fn a_clock_that_goes_wrong_does_not_stop_anything() {
    // This machine's clock is ahead: tokens come expired. Each is used, and none is kept.
    let source = Source::new(&[Some(0)]);
    assert_eq!(source.token().await.unwrap(), "token-1");
    source.wait(1);
    assert_eq!(source.token().await.unwrap(), "token-2");
    // It is set back by a day: what is there is used on.
    let source = Source::new(&[Some(HOUR)]);
    source.token().await.unwrap();
    source.time.fetch_sub(24 * HOUR, Ordering::SeqCst);
    assert_eq!((source.token().await.unwrap().as_str(), source.fetched()), ("token-1", 1));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_hangs_is_given_up() {
    let source = Source::new(&[Some(HOUR)]);
    source.gate.forget_permits(1_000);
    assert_eq!(source.token().await.unwrap_err(), "no token came in time");
}

#[test]
fn the_end_of_a_runtime_does_not_block_the_next() {
    let source = Source::new(&[Some(HOUR)]);
    source.gate.forget_permits(1_000);
    let run = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    run().block_on(async {
        let cache = Arc::clone(&source.cache);
        tokio::spawn(async move { cache.token().await });
        source.settle().await;
    });
    source.gate.add_permits(1);
    assert_eq!(run().block_on(source.token()).unwrap(), "token-2");
}
