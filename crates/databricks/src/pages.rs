//! Lists that come in pages: extracting the items from an answer, and knowing where the next page begins.

mod inner_lists;
mod listing;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments::Arguments;
use crate::client::Client;
use crate::error::Error;
use crate::operation::{Operation, PageStyle, Pagination};
use crate::projection::Projection;

pub use listing::{Bookmark, Listing};

impl Client {
    /// Calls an operation that lists, for the page at `cursor`; `None` is the first page. A page without items is not
    /// yet the end: the end is where [`Page::next`] is `None`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// use databricks::{Arguments, Location, operations};
    ///
    /// let arguments = Arguments::new().with(Location::Query, "limit", 2);
    /// let first = client.page(&operations::JOBS_JOBS_LIST, arguments.clone(), None).await?;
    /// assert_eq!(first.items.len(), 2);
    /// let second = client.page(&operations::JOBS_JOBS_LIST, arguments, first.next.as_ref()).await?;
    /// assert_ne!(first.items, second.items);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::execute`], and when the operation does not answer with JSON.
    pub async fn page(
        &self,
        operation: &'static Operation,
        arguments: Arguments,
        cursor: Option<&Cursor>,
    ) -> Result<Page, Error> {
        self.page_reading(operation, arguments, cursor, Projection::whole()).await
    }

    /// As [`Client::page`], but of each item only what somebody will look at is read.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// use databricks::{Arguments, Projection, operations};
    ///
    /// let names = Projection::of(["name"]);
    /// let page = client.page_reading(&operations::CATALOG_CATALOGS_LIST, Arguments::new(), None, names).await?;
    /// assert!(page.items.iter().all(|catalog| catalog.as_object().is_some_and(|fields| fields.len() == 1)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::page`].
    pub async fn page_reading(
        &self,
        operation: &'static Operation,
        arguments: Arguments,
        cursor: Option<&Cursor>,
        items: Projection,
    ) -> Result<Page, Error> {
        let current = cursor.cloned().or_else(|| Cursor::given(operation, &arguments));
        let list = operation.pagination.and_then(|pagination| pagination.items);
        let answer = self.page_answer(operation, arguments, cursor, &items.in_list(list)).await?;
        Ok(Page::read(operation, current.as_ref(), answer))
    }

    /// The answer that holds the page at `cursor`.
    pub(crate) async fn page_answer(
        &self,
        operation: &'static Operation,
        arguments: Arguments,
        cursor: Option<&Cursor>,
        projection: &Projection,
    ) -> Result<Value, Error> {
        let arguments = match cursor {
            Some(cursor) => cursor.apply(operation, arguments),
            None => arguments,
        };
        // A list is a question, also where it is asked with POST.
        self.json(operation, arguments.idempotent(true), projection).await
    }

    /// All items of an operation that lists, from page to page. Nothing is sent before the first page is asked for.
    ///
    /// An operation that does not list has one item: its answer, as [`Client::whole`] gives it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// use databricks::{Arguments, operations};
    ///
    /// let catalogs = client.list(&operations::CATALOG_CATALOGS_LIST, Arguments::new()).collect().await?;
    /// assert!(catalogs.iter().any(|catalog| catalog["name"] == "main"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn list(&self, operation: &'static Operation, arguments: Arguments) -> Listing {
        Listing::new(self.clone(), operation, arguments)
    }

    /// Calls an operation that answers with an object, and puts the object together where its inner lists come in
    /// pages: a job or a run with more than 100 tasks.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// use databricks::{Arguments, Location, operations};
    ///
    /// let jobs = client.list(&operations::JOBS_JOBS_LIST, Arguments::new()).at_most(1).collect().await?;
    /// let arguments = Arguments::new().with(Location::Query, "job_id", jobs[0]["job_id"].clone());
    /// let job = client.whole(&operations::JOBS_JOBS_GET, arguments).await?;
    /// assert!(job["settings"]["tasks"].as_array().is_some_and(|tasks| !tasks.is_empty()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::execute`], and when the operation does not answer with JSON.
    pub async fn whole(&self, operation: &'static Operation, arguments: Arguments) -> Result<Value, Error> {
        inner_lists::whole(self, operation, arguments).await
    }
}

/// Where a page begins. As JSON (`{"token":"…"}` or `{"position":26}`) it survives a restart of the program.
///
/// Together with the same operation and arguments it always means the same page; it holds nothing secret.
///
/// ```
/// use databricks::Cursor;
///
/// let text = serde_json::to_string(&Cursor::Token("abc".to_owned()))?;
/// assert_eq!(text, r#"{"token":"abc"}"#);
/// assert_eq!(serde_json::from_str::<Cursor>(&text)?, Cursor::Token("abc".to_owned()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Cursor {
    /// The service's own token.
    Token(String),
    /// The number of a page, or of the first item on it, counted as the operation counts.
    Position(u64),
}

impl Cursor {
    /// The cursor of the page after `answer`, which was the page at `current` (`None`: the first). `None` at the end.
    ///
    /// ```
    /// use databricks::{Cursor, operations};
    /// use serde_json::json;
    ///
    /// let answer = json!({ "jobs": [{ "job_id": 7 }], "next_page_token": "abc" });
    /// let next = Cursor::after(&operations::JOBS_JOBS_LIST, None, &answer);
    /// assert_eq!(next, Some(Cursor::Token("abc".to_owned())));
    /// ```
    pub fn after(operation: &Operation, current: Option<&Cursor>, answer: &Value) -> Option<Cursor> {
        // A cursor that stays where it is would go round for ever; but a page without items may come to have some.
        let is_empty = operation.pagination.is_some_and(|pagination| items(&pagination, answer).is_empty());
        Cursor::named(operation, current, answer).filter(|next| Some(next) != current || is_empty)
    }

    /// The cursor that `answer` names, be it the same once more.
    fn named(operation: &Operation, current: Option<&Cursor>, answer: &Value) -> Option<Cursor> {
        let pagination = operation.pagination.as_ref()?;
        match pagination.style {
            PageStyle::None => None,
            PageStyle::Token => token(pagination, answer).map(Cursor::Token),
            PageStyle::Offset | PageStyle::Scim | PageStyle::Page => {
                let at = match current {
                    Some(Cursor::Position(position)) => *position,
                    Some(Cursor::Token(_)) | None => pagination.start,
                };
                following(pagination, at, answer).map(Cursor::Position)
            }
        }
    }

    /// The position that the caller has put among the arguments of an operation that counts.
    pub(crate) fn given(operation: &Operation, arguments: &Arguments) -> Option<Cursor> {
        let Pagination { style, location, request: Some(name), .. } = operation.pagination? else { return None };
        let counts = matches!(style, PageStyle::Offset | PageStyle::Scim | PageStyle::Page);
        let position = arguments.get(location, name).filter(|_| counts)?.as_u64()?;
        Some(Cursor::Position(position))
    }

    /// The arguments of the request for this page.
    ///
    /// ```
    /// use databricks::{Arguments, Cursor, Location, operations};
    ///
    /// let second = Cursor::Token("abc".to_owned()).apply(&operations::JOBS_JOBS_LIST, Arguments::new());
    /// assert_eq!(second.get(Location::Query, "page_token"), Some(&"abc".into()));
    /// ```
    pub fn apply(&self, operation: &Operation, mut arguments: Arguments) -> Arguments {
        if let Some(Pagination { location, request: Some(name), .. }) = operation.pagination {
            let value = match self {
                Cursor::Token(token) => Value::from(token.as_str()),
                Cursor::Position(position) => Value::from(*position),
            };
            arguments.insert(location, name, value);
        }
        arguments
    }
}

fn token(pagination: &Pagination, answer: &Value) -> Option<String> {
    let is_last = |name: &&str| answer.get(name) == Some(&Value::Bool(false));
    if ["has_next_page", "has_more"].iter().any(is_last) {
        // Some lists leave a token in their last page.
        return None;
    }
    let token = answer.get(pagination.response?)?.as_str()?;
    (!token.is_empty()).then(|| token.to_owned())
}

/// The next position of a counting cursor: the list ends with an empty page, or earlier where the service tells the
/// total.
fn following(pagination: &Pagination, at: u64, answer: &Value) -> Option<u64> {
    let count = items(pagination, answer).len() as u64;
    if count == 0 {
        return None;
    }
    let number = |name: &str| answer.get(name).and_then(Value::as_u64);
    let (next, end) = match pagination.style {
        PageStyle::Page => (
            at.saturating_add(1),
            number("count").zip(number("page_size")).map(|(total, size)| total.div_ceil(size.max(1))),
        ),
        PageStyle::Token | PageStyle::Offset | PageStyle::Scim | PageStyle::None => {
            (at.saturating_add(count), number("totalResults"))
        }
    };
    // With `start` 1 the last position is the total itself; with 0 it is one less.
    end.is_none_or(|end| next < end.saturating_add(pagination.start)).then_some(next)
}

fn items<'a>(pagination: &Pagination, answer: &'a Value) -> &'a [Value] {
    let list = match pagination.items {
        Some(name) => answer.get(name),
        None => Some(answer),
    };
    list.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// One page of a list.
///
/// ```
/// use databricks::{Page, operations};
/// use serde_json::json;
///
/// let page = Page::read(&operations::JOBS_JOBS_LIST, None, json!({ "jobs": [{ "job_id": 7 }] }));
/// assert_eq!(page.items, [json!({ "job_id": 7 })]);
/// assert_eq!(page.next, None); // it was the only one
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The items; a list that is `null` or missing has none.
    pub items: Vec<Value>,
    /// The cursor of the next page; `None` after the last. A page may be empty and yet not the last.
    pub next: Option<Cursor>,
}

impl Page {
    /// Reads the answer for the page at `current` (`None`: the first).
    pub fn read(operation: &Operation, current: Option<&Cursor>, mut answer: Value) -> Page {
        let next = Cursor::after(operation, current, &answer);
        let list = match operation.pagination.and_then(|pagination| pagination.items) {
            Some(name) => answer.get_mut(name).map(Value::take),
            None => Some(answer),
        };
        let items = match list {
            Some(Value::Array(items)) => items,
            Some(_) | None => Vec::new(),
        };
        Page { items, next }
    }
}

#[cfg(test)]
mod tests;
