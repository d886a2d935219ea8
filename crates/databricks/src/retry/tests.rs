use std::cell::Cell;

use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::*;
use crate::departure::Terms;
use crate::error::Refusal;

const POLICY: RetryPolicy = RetryPolicy {
    budget: Duration::from_secs(60),
    pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(10),
};

fn status(status: u16, retry_after: Option<&'static str>) -> Error {
    let mut headers = HeaderMap::new();
    headers.extend(retry_after.map(|after| (http::header::RETRY_AFTER, HeaderValue::from_static(after))));
    let status = StatusCode::from_u16(status).unwrap();
    Error::refused(Refusal::read(&Method::POST, "/", status, &headers, "", &crate::mask::Mask::default()))
}

/// Attempts that fail with the same error until the given one; returns their number and how it ended.
async fn attempts(policy: RetryPolicy, repeatable: bool, succeed_at: u32, error: Error) -> (u32, bool) {
    let made = Cell::new(0);
    let result = policy
        .run(repeatable, Queue::of(&Terms::Usual), |number| {
            made.set(number);
            let error = error.clone();
            async move { if number == succeed_at { Ok(()) } else { Err(error) } }
        })
        .await;
    (made.get(), result.is_ok())
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_happened_is_repeated_only_when_safe() {
    for (error, repeatable, expected) in [
        (status(429, None), false, (3, true)),
        (status(503, None), false, (1, false)),
        (status(503, None), true, (3, true)),
        (status(502, None), false, (1, false)),
        (status(502, None), true, (3, true)),
        (status(504, None), false, (1, false)),
        (status(500, None), true, (1, false)),
        (Error::timed_out(Duration::ZERO), false, (1, false)),
        (Error::timed_out(Duration::ZERO), true, (3, true)),
        (Error::configuration("x"), true, (1, false)),
    ] {
        assert_eq!(attempts(POLICY, repeatable, 3, error.clone()).await, expected, "{error:?} {repeatable}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_may_have_happened_is_not_forgotten() {
    let run = |errors: Vec<Error>| async move {
        let errors = std::cell::RefCell::new(errors.into_iter());
        let attempt = |_| {
            let error = errors.borrow_mut().next().unwrap();
            async { Err::<(), _>(error) }
        };
        POLICY.run(true, Queue::of(&Terms::Usual), attempt).await.unwrap_err().may_have_happened()
    };
    // The second attempt may fail for what the first one did.
    assert!(run(vec![status(502, None), status(404, None)]).await);
    assert!(run(vec![status(503, None), Error::configuration("x")]).await);
    assert!(run(vec![Error::timed_out(Duration::ZERO), status(409, None)]).await);
    assert!(run(vec![status(429, None), status(500, None)]).await);
    assert!(!run(vec![status(429, None), status(404, None)]).await);
    assert!(!run(vec![Error::configuration("x")]).await);
}

#[tokio::test(start_paused = true)]
async fn the_service_says_how_long_to_wait() {
    let start = Instant::now();
    assert_eq!(attempts(POLICY, false, 2, status(429, Some("20"))).await, (2, true));
    let waited = start.elapsed().as_secs_f64();
    assert!((20.0..20.6).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_up_to_the_longest() {
    for (made, longest) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (40, 10)] {
        let pause = POLICY.pause_after(made, None).as_secs_f64();
        let longest = f64::from(longest);
        assert!((longest / 2.0..=longest).contains(&pause), "{made}: {pause}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_budget_ends_it_with_the_last_error() {
    let start = Instant::now();
    let (made, ok) = attempts(POLICY, true, 1_000, status(503, None)).await;
    assert!(!ok && made > 5, "{made}");
    assert!(start.elapsed() <= POLICY.budget);
    // A longer wait than the budget is not begun.
    let start = Instant::now();
    assert_eq!(attempts(POLICY, false, 2, status(429, Some("61"))).await, (1, false));
    assert_eq!(start.elapsed(), Duration::ZERO);
    // No budget, no second attempt.
    let none = RetryPolicy { budget: Duration::ZERO, ..POLICY };
    assert_eq!(attempts(none, false, 2, status(429, None)).await, (1, false));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_call_stops_it() {
    let made = Cell::new(0);
    let call = POLICY.run(true, Queue::of(&Terms::Usual), |number| {
        made.set(number);
        async { Err::<(), _>(status(503, Some("30"))) }
    });
    assert!(tokio::time::timeout(Duration::from_secs(5), call).await.is_err());
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(made.get(), 1);
}
