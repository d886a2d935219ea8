use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use databricks::operations::{JOBS_JOBS_CREATE, JOBS_JOBS_LIST};
use databricks::{Arguments, Client, Config};
use tokio::time::Instant;

use crate::cleanup::{Guard, begun};
use crate::context::Context;
use crate::error::Error;
use crate::shape::Budget;

fn context() -> Context {
    let config = Config::new("https://workspace.test", "token").expect("a config");
    Context::new(Client::new(config).expect("a client"), Budget::tokens(6_000), None)
}

/// Work with the id 7, which takes so many seconds to start and to undo.
async fn started(context: Context, undone: Arc<AtomicU32>, starting: u64, undoing: u64) -> Result<Guard, Error> {
    let begin = async move |_: Context| {
        tokio::time::sleep(Duration::from_secs(starting)).await;
        Ok(begun("work", 7, ()))
    };
    let undo = async move |_: Context, id: u32| {
        tokio::time::sleep(Duration::from_secs(undoing)).await;
        undone.fetch_add(id, Ordering::Relaxed);
        Ok(())
    };
    context.start("work", begin, undo).await.map(|((), guard)| guard)
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_is_undone_and_what_is_kept_is_not() {
    let (context, undone) = (context(), Arc::new(AtomicU32::new(0)));
    started(context.clone(), undone.clone(), 0, 0).await.expect("started").keep();
    drop(started(context.clone(), undone.clone(), 0, 0).await.expect("started"));
    context.cleanup.finish(Duration::from_secs(1)).await;
    assert_eq!(undone.load(Ordering::Relaxed), 7);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_nobody_waits_for_is_undone_once_it_is_known() {
    let (context, undone) = (context(), Arc::new(AtomicU32::new(0)));
    let call = started(context.clone(), undone.clone(), 10, 0);
    tokio::time::timeout(Duration::from_secs(1), call).await.expect_err("still starting");
    assert_eq!(undone.load(Ordering::Relaxed), 0);
    context.cleanup.finish(Duration::from_secs(60)).await;
    assert_eq!(undone.load(Ordering::Relaxed), 7);
}

#[tokio::test(start_paused = true)]
async fn undoing_ends_when_the_time_is_up_or_is_cut_short() {
    for cut_short in [false, true] {
        let (context, undone, begin) = (context(), Arc::new(AtomicU32::new(0)), Instant::now());
        drop(started(context.clone(), undone.clone(), 0, 60).await.expect("started"));
        let cleanup = &context.cleanup;
        tokio::join!(cleanup.finish(Duration::from_secs(10)), async {
            if cut_short {
                tokio::time::sleep(Duration::from_secs(3)).await;
                cleanup.finish(Duration::ZERO).await;
            }
        });
        assert_eq!(begin.elapsed().as_secs(), if cut_short { 3 } else { 10 });
        assert_eq!(undone.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_comes_after_the_deadline_is_undone() {
    let (context, undone) = (context().within(Duration::from_secs(5)), Arc::new(AtomicU32::new(0)));
    let begin = Instant::now();
    let error = started(context.clone(), undone.clone(), 10, 0).await.expect_err("it takes longer");
    assert_eq!(begin.elapsed().as_secs(), 5);
    assert!(error.may_have_happened(), "{error}");
    let text = error.to_string();
    assert!(text.contains("ran out of time after 5 s") && text.contains("this server undoes it"), "{text}");
    context.cleanup.finish(Duration::from_secs(60)).await;
    assert_eq!(undone.load(Ordering::Relaxed), 7);
}

#[tokio::test]
async fn a_start_that_has_not_left_at_the_deadline_is_called_off() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let limits = databricks::Limits { concurrency: 1, requests_per_second: None };
    let config = Config { limits, ..Config::new(&url, "token").expect("a config") };
    let context = Context::new(Client::new(config).expect("a client"), Budget::tokens(6_000), None);
    let list = |context: Context| async move { context.client.execute(&JOBS_JOBS_LIST, Arguments::new()).await };
    // It takes the only slot, and is never answered.
    let first = tokio::spawn(list(context.clone()));
    let _connection = listener.accept().await.expect("a connection");
    let begin = async move |starting: Context| {
        starting.client.execute(&JOBS_JOBS_CREATE, Arguments::new()).await?;
        Ok(begun("work", 7, ()))
    };
    let undo = async move |_: Context, _: u32| Ok(());
    let hurried = context.within(Duration::from_millis(500));
    let error = hurried.start("work", begin, undo).await.expect_err("it waits for the slot");
    assert!(!error.may_have_happened(), "{error}");
    let text = error.to_string();
    assert!(text.contains("ran out of time") && text.contains("before its request was sent"), "{text}");
    first.abort();
}
