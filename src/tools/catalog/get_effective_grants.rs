//! `get_effective_grants`: who may do what with an object, and from where they have it.

use std::collections::{BTreeMap, BTreeSet};

use databricks::Request;
use databricks::requests::catalog::grants;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::Composite;
use crate::domain::request;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// Pages that are read: the order of the API is none, so all are sorted together.
const MOST_PAGES: usize = 50;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Kind of object; a view is a TABLE.
    securable_type: Kind,
    /// Name of the object, e.g. `main`, `main.sales` or `main.sales.orders`.
    full_name: String,
    /// Only this user (email), group name or service principal (application id).
    principal: Option<String>,
    /// `next_page_token` of the last answer.
    page_token: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Kind {
    Catalog,
    Schema,
    Table,
    Volume,
    Function,
    ExternalLocation,
    Connection,
    Metastore,
}

/// Privileges of one principal by the parent they come from; `None` is the object itself.
type Origins = BTreeMap<Option<String>, BTreeSet<String>>;

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let cursor = match input.page_token.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Cursor::decode(text).ok_or_else(Error::bad_page_token)?,
        None => Cursor::default(),
    };
    let request = grants::GetEffective::new(request::word(input.securable_type), input.full_name)
        .max_results(0)
        .maybe(input.principal, grants::GetEffective::principal);
    let (assignments, is_cut) = assignments(&context, request).await?;
    let items = by_principal(&assignments);
    let left = items.len().saturating_sub(cursor.skip);
    let page = shape::page(items.into_iter().skip(cursor.skip), context.budget);
    let next = (page.taken < left).then_some(Cursor { skip: cursor.skip + page.taken, ..cursor });
    let mut answer = shape::object([
        ("items", page.items.into()),
        ("returned", page.taken.into()),
        ("truncated", (next.is_some() || is_cut).into()),
    ]);
    if let Some(next) = next {
        shape::put(&mut answer, "next_page_token", next.encode());
        shape::put(&mut answer, "hint", "there is more: pass `page_token`, or name a `principal`");
    }
    if is_cut {
        shape::advise(&mut answer, "more principals than can be read at once: name a `principal`");
    }
    if left == 0 {
        shape::put(
            &mut answer,
            "hint",
            "you may see no grants here: without ownership or MANAGE you see your own grants only",
        );
    }
    shape::notice(&mut answer, page.cuts, "name a `principal`");
    Ok(answer)
}

/// All assignments, over all pages, and whether some were left unread. The specs know of no paging here.
async fn assignments(context: &Context, request: grants::GetEffective) -> Result<(Vec<Value>, bool), Error> {
    let (mut all, mut token) = (Vec::new(), None::<String>);
    for _ in 0..MOST_PAGES {
        let request = request.clone().maybe(token.take(), grants::GetEffective::page_token);
        let page = context.send(request).await?;
        all.extend(request::array(&page, "privilege_assignments").iter().cloned());
        match request::text(&page, "next_page_token") {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok((all, false)),
        }
    }
    Ok((all, true))
}

/// One item per principal, sorted.
fn by_principal(assignments: &[Value]) -> Vec<Value> {
    let mut principals: BTreeMap<String, Origins> = BTreeMap::new();
    for assignment in assignments {
        let principal = request::text(assignment, "principal").unwrap_or_default().to_owned();
        let origins = principals.entry(principal).or_default();
        for privilege in request::array(assignment, "privileges") {
            let Some(name) = request::text(privilege, "privilege") else { continue };
            let from = request::text(privilege, "inherited_from_name").map(|from| {
                let kind = request::text(privilege, "inherited_from_type").unwrap_or_default();
                format!("{kind} {from}").trim().to_owned()
            });
            origins.entry(from).or_default().insert(name.to_owned());
        }
    }
    let items = principals.into_iter().map(|(principal, mut origins)| {
        let mut item = json!({ "principal": principal });
        if let Some(own) = origins.remove(&None) {
            shape::put(&mut item, "privileges", json!(own));
        }
        let inherited = origins
            .into_iter()
            .filter_map(|(from, privileges)| Some(json!({ "from": from?, "privileges": privileges })));
        let inherited: Vec<_> = inherited.collect();
        if !inherited.is_empty() {
            shape::put(&mut item, "inherited", inherited);
        }
        item
    });
    items.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::by_principal;

    #[test]
    fn privileges_are_told_by_principal_and_origin() {
        let assignments = [
            json!({ "principal": "b", "privileges": [
                { "privilege": "USE_CATALOG", "inherited_from_type": "CATALOG", "inherited_from_name": "main" },
                { "privilege": "SELECT" }, { "privilege": "MODIFY" },
            ] }),
            json!({ "principal": "a", "privileges": [{ "privilege": "SELECT" }] }),
            json!({ "principal": "b", "privileges": [{ "privilege": "SELECT" }] }),
            json!({ "principal": "c", "privileges": null }),
        ];
        assert_eq!(
            by_principal(&assignments),
            [
                json!({ "principal": "a", "privileges": ["SELECT"] }),
                json!({
                    "principal": "b", "privileges": ["MODIFY", "SELECT"],
                    "inherited": [{ "from": "CATALOG main", "privileges": ["USE_CATALOG"] }],
                }),
                json!({ "principal": "c" }),
            ]
        );
    }
}
