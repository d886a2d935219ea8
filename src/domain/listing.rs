//! Lists of any length: pages of the service are joined until there are enough items, the budget is full, the list
//! ends, or it has taken long enough.

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::cursor::Cursor;
use crate::error::Error;
use crate::shape::{self, Budget};

/// After so long a call returns what it has; common clients wait for a minute.
const LONGEST: Duration = Duration::from_secs(25);
/// A call reads no more pages of the service than this.
const MOST_PAGES: usize = 200;

/// Items that were gathered.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The items, as they are shown.
    pub(crate) items: Vec<Value>,
    /// What was cut inside an item that is too large by itself.
    pub(crate) cuts: Vec<String>,
    /// Where the list goes on; `None` at its end.
    pub(crate) next: Option<Cursor>,
    /// Why it stopped before there were enough.
    pub(crate) stopped: Option<String>,
}

impl Gathered {
    /// The answer of a list. `unknown` tells of fields that no item has, `more` how to see the rest, and `alone` how to see
    /// an item that was cut.
    pub(crate) fn answer(self, unknown: Option<String>, more: &str, alone: &str) -> Value {
        let returned = self.items.len();
        let is_cut = self.next.is_some() || self.stopped.is_some();
        let mut answer =
            shape::object([("items", self.items.into()), ("returned", returned.into()), ("truncated", is_cut.into())]);
        for advice in unknown.into_iter().chain(self.stopped) {
            shape::advise(&mut answer, &advice);
        }
        if let Some(next) = self.next {
            shape::put(&mut answer, "next_page_token", next.encode());
            shape::advise(&mut answer, &format!("there is more: pass `page_token`, or {more}"));
        }
        shape::notice(&mut answer, self.cuts, alone);
        answer
    }
}

/// Gathers items from a cursor on: `limit` of them, or without one as many as one page has. `read` gives a page of the
/// service and its cursor of the next; `show` gives an item as it is shown, or nothing where it is not wanted.
pub(crate) async fn gather<F>(
    budget: Budget,
    mut cursor: Cursor,
    limit: Option<usize>,
    mut read: impl FnMut(Option<String>) -> F,
    mut show: impl FnMut(Value) -> Option<Value>,
) -> Result<Gathered, Error>
where
    F: Future<Output = Result<(Vec<Value>, Option<String>), Error>>,
{
    let started = Instant::now();
    let mut gathered = Gathered::default();
    let (mut used, mut seen) = (0, 0);
    let mut tokens: HashSet<String> = cursor.page.clone().into_iter().collect();
    for pages in 1.. {
        let (page, next) = match read(cursor.page.clone()).await {
            Ok(page) => page,
            Err(error) if gathered.items.is_empty() => return Err(error),
            // What is there is worth having, and the cursor tries the same page again.
            Err(error) => {
                gathered.stopped = Some(format!("the next page could not be read: {error}"));
                gathered.next = Some(cursor);
                return Ok(gathered);
            }
        };
        let length = page.len();
        for (index, item) in page.into_iter().enumerate().skip(cursor.skip) {
            let here = |skip| Some(Cursor { skip, ..cursor.clone() });
            if limit.is_some_and(|limit| gathered.items.len() >= limit) {
                gathered.next = here(index);
                return Ok(gathered);
            }
            seen += 1;
            let Some(mut item) = show(item) else { continue };
            let room = budget.characters.saturating_sub(used);
            // Each item is followed by a comma or the end of the list.
            let Some(size) = room.checked_sub(1).and_then(|room| shape::size(&item, room)) else {
                let is_first = gathered.items.is_empty();
                if is_first {
                    gathered.cuts = shape::fit(&mut item, budget);
                    gathered.items.push(item);
                }
                let taken = index + usize::from(is_first);
                gathered.next = if taken < length { here(taken) } else { following(&cursor, length, next) };
                return Ok(gathered);
            };
            used += size + 1;
            gathered.items.push(item);
        }
        gathered.next = following(&cursor, length, next);
        if let Some(page) = gathered.next.as_ref().and_then(|next| next.page.clone())
            && !tokens.insert(page)
        {
            gathered.next = None;
            gathered.stopped =
                Some("the list may lack items: the workspace named a page for the second time".to_owned());
            return Ok(gathered);
        }
        let is_enough = limit.map_or(!gathered.items.is_empty(), |limit| gathered.items.len() >= limit);
        match &gathered.next {
            Some(next) if !is_enough => cursor = next.clone(),
            _ => return Ok(gathered),
        }
        if pages >= MOST_PAGES || started.elapsed() >= LONGEST {
            gathered.stopped = Some(format!("looked at {seen} items on {pages} pages so far"));
            return Ok(gathered);
        }
    }
    Ok(gathered)
}

/// The cursor after a page of this length. What was given already can reach into it, where that page was shorter than
/// the one that a caller with another limit saw.
fn following(cursor: &Cursor, length: usize, next: Option<String>) -> Option<Cursor> {
    next.map(|page| Cursor { page: Some(page), skip: cursor.skip.saturating_sub(length), ..Cursor::default() })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Gathered, LONGEST, MOST_PAGES, gather};
    use crate::cursor::Cursor;
    use crate::error::Error;
    use crate::shape::Budget;

    /// A list of ten numbers in pages of three, with an empty one between.
    fn page(token: Option<String>) -> Result<(Vec<Value>, Option<String>), Error> {
        let (numbers, next) = match token.as_deref() {
            None => (0..3, Some("b")),
            Some("b") => (0..0, Some("c")),
            Some("c") => (3..6, Some("d")),
            _ => (6..10, None),
        };
        Ok((numbers.map(|number| json!(number)).collect(), next.map(str::to_owned)))
    }

    async fn some(cursor: Cursor, limit: Option<usize>, characters: usize) -> Gathered {
        gather(Budget { characters }, cursor, limit, |token| async { page(token) }, Some).await.expect("items")
    }

    async fn all(limit: Option<usize>, characters: usize) -> (Vec<Value>, usize) {
        let (mut items, mut calls, mut cursor) = (Vec::new(), 0, Cursor::default());
        loop {
            let gathered = some(cursor, limit, characters).await;
            items.extend(gathered.items);
            calls += 1;
            match gathered.next {
                Some(next) => cursor = next,
                None => return (items, calls),
            }
        }
    }

    #[tokio::test]
    async fn pages_are_joined_up_to_the_limit_and_the_budget() {
        let numbers: Vec<_> = (0..10).map(|number| json!(number)).collect();
        for (limit, characters, calls) in
            [(Some(100), 1_000, 1), (Some(4), 1_000, 3), (Some(1), 1_000, 10), (None, 1_000, 3), (Some(100), 4, 5)]
        {
            assert_eq!(all(limit, characters).await, (numbers.clone(), calls), "{limit:?} {characters}");
        }
    }

    #[tokio::test]
    async fn a_page_that_fails_hides_nothing_that_came_before() {
        let read = |token: Option<String>| async move {
            if token.is_none() { page(token) } else { Err(Error::failed("broken")) }
        };
        let gathered =
            gather(Budget { characters: 1_000 }, Cursor::default(), Some(100), read, Some).await.expect("some");
        assert_eq!((gathered.items.len(), gathered.next.and_then(|next| next.page)), (3, Some("b".to_owned())));
        assert!(gathered.stopped.is_some_and(|why| why.contains("broken")));
        let cursor = Cursor { page: Some("b".to_owned()), ..Cursor::default() };
        gather(Budget { characters: 1_000 }, cursor, None, read, Some).await.expect_err("nothing came");
    }

    #[tokio::test]
    async fn a_token_that_comes_again_ends_the_list() {
        // A circle of three pages, also for a call that begins within it.
        for (first, pages) in [(None, 4), (Some("b"), 3)] {
            let read = |token: Option<String>| async move {
                let next = match token.as_deref() {
                    Some("b") => "c",
                    Some("c") => "a",
                    _ => "b",
                };
                Ok((vec![json!(1)], Some(next.to_owned())))
            };
            let cursor = Cursor { page: first.map(str::to_owned), ..Cursor::default() };
            let gathered = gather(Budget { characters: 1_000 }, cursor, Some(100), read, Some).await.expect("an end");
            assert_eq!((gathered.items.len(), gathered.next), (pages, None));
            assert!(gathered.stopped.is_some_and(|why| why.contains("for the second time")));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_without_end_ends_the_call() {
        let endless = |pause: bool| {
            let read = move |token: Option<String>| async move {
                if pause {
                    tokio::time::sleep(LONGEST / 3).await;
                }
                Ok((vec![json!(1)], Some(format!("{}x", token.unwrap_or_default()))))
            };
            gather(Budget { characters: 1_000 }, Cursor::default(), None, read, |_| None)
        };
        for (pause, pages) in [(false, MOST_PAGES), (true, 3)] {
            let gathered = endless(pause).await.expect("an answer");
            let token = gathered.next.and_then(|next| next.page).unwrap_or_default();
            assert_eq!((gathered.items.len(), token.len()), (0, pages));
            assert!(gathered.stopped.is_some_and(|why| why.contains(&format!("{pages} items"))));
        }
    }
}
