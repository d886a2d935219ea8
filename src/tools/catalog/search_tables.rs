//! `search_tables`: tables by words, over names, comments and columns of every catalog, best first.
//!
//! Where a warehouse runs, `system.information_schema` answers at once for all catalogs, and shows only what the caller
//! may see. Where none runs, starting one would cost more than the answer is worth: then the REST lists of table names
//! are searched, which know neither comments nor columns. The answer says which of the two it was.

use databricks::requests::catalog::{catalogs, tables};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::Composite;
use crate::domain::catalog::rank::{self, Candidate, Words};
use crate::domain::request;
use crate::domain::sql::statement::{self, StatementRequest};
use crate::domain::sql::warehouse::{self, Warehouse};
use crate::domain::wait::Timeout;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// Names and columns that one search looks at.
const MOST_CANDIDATES: usize = 5_000;
/// Catalogs, and pages of each, that a search by names reads.
const MOST_CATALOGS: usize = 50;
const MOST_PAGES: usize = 5;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Words to look for, e.g. `customer orders`; small typos are tolerated.
    query: String,
    /// Only this catalog, from `list_catalogs`.
    catalog_name: Option<String>,
    /// Maximum tables to return.
    #[serde(default = "default_results")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// SQL warehouse to search with; if unset, a running one.
    warehouse_id: Option<String>,
    /// `next_page_token` of the last answer.
    page_token: Option<String>,
    /// Time to wait for it.
    #[serde(default)]
    timeout_seconds: Timeout,
}

fn default_results() -> usize {
    20
}

/// What was found, and how.
struct Found {
    candidates: Vec<Candidate>,
    searched: String,
    is_cut: bool,
}

/// Each word is compared with every name.
const MOST_CHARACTERS: usize = 1_000;
const MOST_WORDS: usize = 32;

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let length = input.query.chars().count();
    if length > MOST_CHARACTERS {
        let message = format!("`query` has {length} characters, and at most {MOST_CHARACTERS} are allowed");
        return Err(
            Error::failed(message).with_hint("give a few words that occur in the names of the table or its columns")
        );
    }
    let words = Words::of(&input.query);
    if words.is_empty() {
        return Err(Error::failed("`query` has no word to look for").with_hint("give part of a table's name"));
    }
    if words.count() > MOST_WORDS {
        let message = format!("`query` has {} words, and at most {MOST_WORDS} are allowed", words.count());
        return Err(
            Error::failed(message).with_hint("give the few that occur in the names of the table or its columns")
        );
    }
    let cursor = match input.page_token.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Cursor::decode(text).ok_or_else(Error::bad_page_token)?,
        None => Cursor::default(),
    };
    let warehouse = match warehouse::running(&context, input.warehouse_id.clone()).await {
        Ok(warehouse) => warehouse,
        // The search by names does not need one; only a warehouse that the call names must be there.
        Err(error) if input.warehouse_id.is_some() => return Err(error),
        Err(_) => None,
    };
    let (found, used) = match &warehouse {
        None => (by_names(&context, &input, "no SQL warehouse runs").await?, None),
        Some(warehouse) => match by_sql(&context, warehouse, &words, &input).await {
            Ok(found) => (found, Some(warehouse)),
            Err(error) => {
                let why = format!("`system.information_schema` returned nothing: {}", statement::head(&error));
                match by_names(&context, &input, &why).await {
                    Ok(found) => (found, None),
                    Err(unnamed) => return Err(neither(error, &unnamed)),
                }
            }
        },
    };
    let ranked = rank::ranked(found.candidates, &words);
    let total = ranked.len();
    let items = ranked.into_iter().skip(cursor.skip).take(input.limit).map(Candidate::into_json);
    let page = shape::page(items, context.budget);
    let next = cursor.skip + page.taken;
    let mut answer = json!({
        "items": page.items, "returned": page.taken, "truncated": next < total, "found": total, "searched": found.searched,
    });
    if next < total {
        shape::put(&mut answer, "next_page_token", Cursor { skip: next, ..Cursor::default() }.encode());
        shape::put(&mut answer, "hint", "best matches come first; for more pass `page_token`, or add words");
    }
    if total == 0 {
        let place = if input.catalog_name.is_some() { "another `catalog_name` (see `list_catalogs`), " } else { "" };
        let advice = format!("try {place}other or fewer words, or look around with `list_schemas` and `list_tables`");
        shape::advise(&mut answer, &advice);
    }
    if found.is_cut {
        shape::advise(&mut answer, "too many to search them all: name a `catalog_name`");
    }
    shape::notice(&mut answer, page.cuts, "see that table with `get_table_schema`");
    if let Some(warehouse) = used {
        warehouse.put(&mut answer);
    }
    Ok(answer)
}

/// The error where the search by names, which stood in for SQL, failed too.
fn neither(error: Error, unnamed: &Error) -> Error {
    let note = format!("the search of names only, which needs no SQL, also failed: {}", statement::head(unnamed));
    let error = error.after("`system.information_schema` cannot be searched");
    if error.hint().is_some() { error.with_note(&note) } else { error.with_hint(note) }
}

/// Names, comments and columns, in one statement.
async fn by_sql(context: &Context, warehouse: &Warehouse, words: &Words, input: &Input) -> Result<Found, Error> {
    let mut values: Vec<(String, String)> = Vec::new();
    for (index, part) in words.parts().into_iter().enumerate() {
        values.push((format!("w{index}"), format!("%{part}%")));
    }
    let any = |columns: &[&str]| {
        let tests = (0..values.len())
            .flat_map(|index| columns.iter().map(move |column| format!("lower({column}) LIKE :w{index}")));
        tests.collect::<Vec<_>>().join(" OR ")
    };
    let (tables, columns) = (any(&["table_name", "table_schema", "comment"]), any(&["column_name", "comment"]));
    let mut place = "table_schema <> 'information_schema'".to_owned();
    if let Some(catalog) = &input.catalog_name {
        place.push_str(" AND table_catalog = :catalog");
        values.push(("catalog".to_owned(), catalog.to_lowercase()));
    }
    let sql = format!(
        "SELECT table_catalog, table_schema, table_name, table_type, comment, CAST(NULL AS STRING) AS column_name \
         FROM system.information_schema.tables WHERE {place} AND ({tables}) \
         UNION ALL \
         SELECT table_catalog, table_schema, table_name, CAST(NULL AS STRING) AS table_type, comment, column_name \
         FROM system.information_schema.columns WHERE {place} AND ({columns}) \
         LIMIT {MOST_CANDIDATES}"
    );
    let values: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let request = StatementRequest::new(sql, &values);
    let advice = "raise `timeout_seconds`";
    let table = statement::table_in_time(context, warehouse, &request, input.timeout_seconds.seconds(), advice).await?;
    let rows = table.rows.iter().map(|row| {
        let text = |column: &str| table.cell(row, column).unwrap_or_default().to_owned();
        let full_name = format!("{}.{}.{}", text("table_catalog"), text("table_schema"), text("table_name"));
        match table.cell(row, "column_name") {
            Some(column) => Candidate::of_column(full_name, column, &text("comment")),
            None => Candidate::of_table(full_name, &text("table_type"), &text("comment")),
        }
    });
    Ok(Found {
        candidates: rank::merged(rows),
        searched: format!("names, comments and columns of {}", places(input)),
        is_cut: table.rows.len() >= MOST_CANDIDATES,
    })
}

/// Names only, catalog by catalog.
async fn by_names(context: &Context, input: &Input, why: &str) -> Result<Found, Error> {
    let mut is_cut = false;
    let catalogs: Vec<String> = match &input.catalog_name {
        Some(name) => vec![name.clone()],
        None => {
            let list = request::list(context, catalogs::List::new().include_browse(true), MOST_PAGES).await?;
            is_cut |= list.is_cut || list.items.len() > MOST_CATALOGS;
            let names = list.items.iter().filter_map(|catalog| request::text(catalog, "name").map(str::to_owned));
            names.take(MOST_CATALOGS).collect()
        }
    };
    let (mut candidates, mut hidden) = (Vec::new(), Vec::new());
    for catalog in &catalogs {
        let list = match request::list(context, tables::ListSummaries::new(catalog), MOST_PAGES).await {
            Ok(list) => list,
            // One catalog that may only be browsed does not hide the others.
            Err(_) if input.catalog_name.is_none() => {
                hidden.push(catalog.as_str());
                continue;
            }
            Err(error) => return Err(error),
        };
        is_cut |= list.is_cut;
        let tables = list.items.iter().filter_map(|table| {
            let name = request::text(table, "full_name")?;
            let is_told = name.split('.').nth(1) != Some("information_schema");
            is_told.then(|| {
                Candidate::of_table(name.to_owned(), request::text(table, "table_type").unwrap_or_default(), "")
            })
        });
        candidates.extend(tables);
    }
    let without = if hidden.is_empty() { String::new() } else { format!(", without {}", hidden.join(", ")) };
    Ok(Found { candidates, searched: format!("names only of {}{without} ({why})", places(input)), is_cut })
}

fn places(input: &Input) -> String {
    input.catalog_name.as_ref().map_or_else(|| "all catalogs".to_owned(), |catalog| format!("catalog `{catalog}`"))
}
