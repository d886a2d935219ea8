//! Going through a list from page to page, whatever the style of its cursor.

use std::collections::HashSet;

use futures_util::stream::{Stream, try_unfold};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cursor, Page, inner_lists};
use crate::arguments::Arguments;
use crate::client::Client;
use crate::error::Error;
use crate::operation::{Operation, PageStyle};
use crate::projection::Projection;

/// So many pages without an item may follow each other. A filter that meets little gives some; a service that gives
/// nothing else would keep its caller for ever.
const EMPTY_PAGES: u32 = 1_000;

/// Where a [`Listing`] goes on. As JSON (`{"page":{"token":"…"},"skip":3}`) it survives a restart of the program.
///
/// Together with the same operation and arguments it always means the same place; it holds nothing secret.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
/// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
/// use databricks::{Arguments, Bookmark, operations};
///
/// let mut jobs = client.list(&operations::JOBS_JOBS_LIST, Arguments::new()).at_most(1);
/// let first = jobs.next_page().await?.unwrap_or_default();
/// let kept = serde_json::to_string(&jobs.bookmark())?;
///
/// // Later, perhaps in another process:
/// if let Some(bookmark) = serde_json::from_str::<Option<Bookmark>>(&kept)? {
///     let rest = client.list(&operations::JOBS_JOBS_LIST, Arguments::new()).starting_at(bookmark).collect().await?;
///     assert!(!rest.contains(&first[0]));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bookmark {
    /// The page; `None` for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<Cursor>,
    /// How many items of that page have been given already.
    pub skip: usize,
}

/// A list on its way, made by [`Client::list`]: all pages one after the other, over every style of paging.
///
/// ```no_run
/// # async fn example(client: databricks::Client) -> Result<(), databricks::Error> {
/// use databricks::{Arguments, operations};
///
/// let mut jobs = client.list(&operations::JOBS_JOBS_LIST, Arguments::new()).at_most(500);
/// while let Some(page) = jobs.next_page().await? {
///     println!("{} jobs", page.len());
/// }
/// if let Some(bookmark) = jobs.bookmark() {
///     println!("there is more from {bookmark:?}");
/// }
/// # Ok(())
/// # }
/// ```
///
/// - Pages without items are passed over; the end is where the service names no further page.
/// - Where the official SDKs leave out what they have seen (SCIM, numbered pages: such lists shift while they are
///   read), this does too, by the items' `id`. What was given before a [`Bookmark`] is not known any more.
/// - A service that names a page for the second time would never come to an end: that is an error, after the items.
/// - With `expand_tasks`, jobs and runs with more tasks than fit into a list are completed by further calls.
/// - After an error, the next call tries the same page again; nothing is lost and nothing comes twice.
#[derive(Debug)]
pub struct Listing {
    client: Client,
    operation: &'static Operation,
    arguments: Arguments,
    next: Next,
    /// How many more items are wanted; `None` for all.
    left: Option<usize>,
    empty: u32,
    named: HashSet<String>,
    ids: HashSet<String>,
}

#[derive(Debug)]
enum Next {
    At(Bookmark),
    /// The service named a page that has been read.
    Circle,
    End,
}

impl Listing {
    pub(crate) fn new(client: Client, operation: &'static Operation, arguments: Arguments) -> Listing {
        let page = Cursor::given(operation, &arguments);
        Listing {
            client,
            operation,
            arguments,
            next: Next::At(Bookmark { page, skip: 0 }),
            left: None,
            empty: 0,
            named: HashSet::new(),
            ids: HashSet::new(),
        }
    }

    /// Begins at a bookmark instead of the start.
    pub fn starting_at(mut self, bookmark: Bookmark) -> Listing {
        self.named.extend(bookmark.page.as_ref().and_then(token));
        self.next = Next::At(bookmark);
        self
    }

    /// Ends after so many items; [`Listing::bookmark`] then tells where the rest begins, be it within a page.
    pub fn at_most(mut self, items: usize) -> Listing {
        self.left = Some(items);
        self
    }

    /// Where the items that have not been given yet begin; `None` where there are none.
    pub fn bookmark(&self) -> Option<&Bookmark> {
        match &self.next {
            Next::At(bookmark) => Some(bookmark),
            Next::Circle | Next::End => None,
        }
    }

    /// The items of the next page that has any; `None` at the end. Dropping the future loses nothing.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// use databricks::{Arguments, operations};
    ///
    /// let mut jobs = client.list(&operations::JOBS_JOBS_LIST, Arguments::new());
    /// while let Some(page) = jobs.next_page().await? {
    ///     for job in page {
    ///         println!("{}", job["job_id"]);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::page`], and when the list does not come to an end.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Value>>, Error> {
        loop {
            let bookmark = match &self.next {
                Next::At(bookmark) if self.left != Some(0) => bookmark.clone(),
                Next::At(_) | Next::End => return Ok(None),
                Next::Circle => return Err(self.endless("the service named a page for the second time")),
            };
            if self.empty >= EMPTY_PAGES {
                return Err(self.endless(&format!("the service returned {EMPTY_PAGES} empty pages in a row")));
            }
            let (items, next) = self.read(&bookmark).await?;
            // From here on nothing waits, so that the place and the items given always agree.
            let items = self.take(items, bookmark, next);
            self.empty = if items.is_empty() { self.empty + 1 } else { 0 };
            if !items.is_empty() {
                return Ok(Some(items));
            }
        }
    }

    /// All items that are left, in one list.
    ///
    /// # Errors
    /// As [`Listing::next_page`]. What came before the error is lost; to keep it, go page by page.
    pub async fn collect(mut self) -> Result<Vec<Value>, Error> {
        let mut all = Vec::new();
        while let Some(items) = self.next_page().await? {
            all.extend(items);
        }
        Ok(all)
    }

    /// The items one by one. The stream ends after an error.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// use databricks::{Arguments, operations};
    /// use futures_util::TryStreamExt;
    ///
    /// let jobs = client.list(&operations::JOBS_JOBS_LIST, Arguments::new()).into_stream();
    /// let named: Vec<_> = jobs.try_filter(|job| std::future::ready(job["settings"]["name"].is_string())).try_collect().await?;
    /// assert!(!named.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_stream(self) -> impl Stream<Item = Result<Value, Error>> + Send {
        try_unfold((self, Vec::new().into_iter()), |(mut listing, mut items)| async move {
            loop {
                if let Some(item) = items.next() {
                    return Ok(Some((item, (listing, items))));
                }
                match listing.next_page().await? {
                    Some(page) => items = page.into_iter(),
                    None => return Ok(None),
                }
            }
        })
    }

    async fn read(&self, bookmark: &Bookmark) -> Result<(Vec<Value>, Option<Cursor>), Error> {
        let Listing { client, operation, .. } = self;
        if operation.pagination.is_none() {
            let object = client.whole(operation, self.arguments.clone()).await?;
            return Ok((vec![object], None));
        }
        let whole = Projection::whole();
        let answer = client.page_answer(operation, self.arguments.clone(), bookmark.page.as_ref(), &whole).await?;
        let next = Cursor::named(operation, bookmark.page.as_ref(), &answer);
        let mut items = Page::read(operation, None, answer).items;
        inner_lists::complete(client, operation, &self.arguments, &mut items).await?;
        Ok((items, next))
    }

    /// Takes from a page what is new and wanted, and moves on.
    fn take(&mut self, page: Vec<Value>, bookmark: Bookmark, next: Option<Cursor>) -> Vec<Value> {
        let shifts = matches!(
            self.operation.pagination.map(|pagination| pagination.style),
            Some(PageStyle::Scim | PageStyle::Page)
        );
        let is_empty = page.is_empty();
        let mut items = Vec::with_capacity(page.len());
        for (index, item) in page.into_iter().enumerate().skip(bookmark.skip) {
            if self.left == Some(0) {
                self.next = Next::At(Bookmark { skip: index, ..bookmark });
                return items;
            }
            if shifts && id(&item).is_some_and(|id| !self.ids.insert(id)) {
                continue;
            }
            self.left = self.left.map(|left| left - 1);
            items.push(item);
        }
        self.next = match next {
            None => Next::End,
            // Nothing yet: the service asks to come back.
            Some(cursor) if is_empty && bookmark.page.as_ref() == Some(&cursor) => Next::At(bookmark),
            Some(cursor) if token(&cursor).is_some_and(|token| !self.named.insert(token)) => Next::Circle,
            Some(cursor) => Next::At(Bookmark { page: Some(cursor), skip: 0 }),
        };
        items
    }

    fn endless(&self, why: &str) -> Error {
        Error::answer(format!("the list never ends: {why}")).in_operation(self.operation.id)
    }
}

fn token(cursor: &Cursor) -> Option<String> {
    match cursor {
        Cursor::Token(token) => Some(token.clone()),
        // Positions always grow.
        Cursor::Position(_) => None,
    }
}

fn id(item: &Value) -> Option<String> {
    match item.get("id")? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}
