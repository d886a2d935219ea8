//! The Marketplace as a consumer sees it: a few listings, and what was installed of them.
//!
//! Listings are the same for everybody. An installed one is a catalog without tables. Derived: the texts of refusals.

use serde_json::{Map, Value, json};

use super::catalog;
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::workspace::{Workspace, lock};

const INSTALLATIONS: Kind = Kind {
    name: "marketplace-installations",
    missing: |id| ApiError::does_not_exist(format!("Installation {id} does not exist.")),
};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/marketplace-consumer/search-listings", search),
    route("GET", "/api/2.1/marketplace-consumer/listings", |_, r| page::asked("listings", listings(), r, 50, 100)),
    route("GET", "/api/2.1/marketplace-consumer/listings/{id}", |_, r| {
        Ok(Reply::json(json!({"listing": listing(r.parameter("id"))?})))
    }),
    route("GET", "/api/2.1/marketplace-consumer/listings/{listing_id}/content", content),
    route("GET", "/api/2.1/marketplace-consumer/listings/{listing_id}/installations", |w, r| {
        let listing = r.parameter("listing_id");
        let all = INSTALLATIONS.all(w).into_iter().filter(|installed| installed.text_at("listing_id") == listing);
        page::asked("installations", all.collect(), r, 50, 100)
    }),
    route("POST", "/api/2.1/marketplace-consumer/listings/{listing_id}/installations", install),
    route("DELETE", "/api/2.1/marketplace-consumer/listings/{listing_id}/installations/{installation_id}", uninstall),
    route("GET", "/api/2.1/marketplace-consumer/installations", |w, r| {
        page::asked("installations", INSTALLATIONS.all(w), r, 50, 100)
    }),
    route("GET", "/api/2.0/marketplace-provider/listings", |_, r| page::asked("listings", Vec::new(), r, 50, 100)),
];

/// The version of the terms that has to be agreed to.
const TERMS: &str = "05-2023";

type Listing = (&'static str, &'static str, &'static str, &'static str, &'static str, [&'static str; 2]);

/// Listings: id, name, subtitle, share, cost, and the tables in them.
const LISTINGS: [Listing; 2] = [
    (
        "7d0f3c52-0b5e-4a8e-9d0a-1f6c2b7e9a01",
        "World weather history",
        "Daily weather of stations all over the world",
        "weather_history",
        "FREE",
        ["stations", "daily"],
    ),
    (
        "7d0f3c52-0b5e-4a8e-9d0a-1f6c2b7e9a02",
        "Retail footfall index",
        "Visitors of shopping streets by the hour",
        "footfall",
        "PAID",
        ["streets", "hours"],
    ),
];

fn listings() -> Vec<Value> {
    let one = |(id, name, subtitle, share, cost, _): (&str, &str, &str, &str, &str, [&str; 2])| {
        json!({
            "id": id,
            "summary": {"name": name, "subtitle": subtitle, "status": "PUBLISHED", "listingType": "STANDARD",
                "share": {"name": share, "type": "FULL"}, "categories": ["OTHER"],
                "provider_id": "7d0f3c52-0b5e-4a8e-9d0a-1f6c2b7e9aff"},
            "detail": {"description": subtitle, "cost": cost, "assets": ["ASSET_TYPE_DATA_TABLE"],
                "terms_of_service": "https://provider.test/terms"},
        })
    };
    LISTINGS.into_iter().map(one).collect()
}

fn listing(id: &str) -> Result<Value, ApiError> {
    let found = listings().into_iter().find(|listing| listing.text_at("id") == id);
    found.ok_or_else(|| ApiError::does_not_exist(format!("Listing {id} does not exist.")))
}

/// Listings that have any word of the query.
fn search(_workspace: &Workspace, request: &Request) -> Outcome {
    let query = request.required_query("query")?.to_lowercase();
    let is_free = request.query("is_free") == Some("true");
    let fits = |listing: &Value| {
        let text = listing.at("summary").to_string().to_lowercase();
        query.split_whitespace().any(|word| text.contains(word))
            && (!is_free || listing.at("detail").text_at("cost") == "FREE")
    };
    page::asked("listings", listings().into_iter().filter(fits).collect(), request, 50, 100)
}

fn content(_workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("listing_id");
    listing(id)?;
    let tables = LISTINGS.into_iter().filter(|(known, ..)| *known == id).flat_map(|(.., tables)| tables);
    let objects = tables.map(|table| json!({"name": format!("data.{table}"), "data_object_type": "TABLE"})).collect();
    page::asked("shared_data_objects", objects, request, 50, 100)
}

fn install(workspace: &Workspace, request: &Request) -> Outcome {
    let (fields, id) = (request.fields()?, request.parameter("listing_id"));
    let listing = listing(id)?;
    if fields.get("accepted_consumer_terms").map(|terms| terms.text_at("version")) != Some(TERMS) {
        return Err(ApiError::invalid_parameter(format!("The terms of version {TERMS} have to be accepted.")));
    }
    if listing.at("detail").text_at("cost") != "FREE" {
        return Err(ApiError::new(403, "PERMISSION_DENIED", "The provider has to approve this listing first."));
    }
    let share = listing.at("summary").at("share").text_at("name").to_owned();
    let name = fields.text("catalog_name")?.unwrap_or(&share).to_owned();
    let made = Map::from_iter([
        ("name".to_owned(), json!(name)),
        ("comment".to_owned(), listing.at("summary").at("name").clone()),
    ]);
    let catalog = catalog::make(workspace, &Fields(made))?;
    let number = workspace.ids.uuid();
    let installation = json!({"id": number, "listing_id": id, "listing_name": listing.at("summary").at("name"),
        "share_name": share, "catalog_name": catalog.at("name"), "status": "INSTALLED",
        "recipient_type": "DELTA_SHARING_RECIPIENT_TYPE_DATABRICKS", "installed_on": workspace.clock.now()});
    INSTALLATIONS.put(workspace, &number, installation.clone());
    Ok(Reply::json(json!({"installation": installation})))
}

/// The catalog goes with it.
fn uninstall(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("installation_id");
    let name = INSTALLATIONS.get(workspace, id)?.text_at("catalog_name").to_owned();
    INSTALLATIONS.remove(workspace, id)?;
    let mut catalog = lock(&workspace.catalog);
    catalog.catalogs.remove(&name);
    catalog.schemas.retain(|[above, _], _| *above != name);
    Ok(Reply::json(json!({})))
}
