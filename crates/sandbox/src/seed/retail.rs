//! `samples.retail`: customers, products, orders and their items.

use rusqlite::types::Value;

use super::securables::{one_of, pick, table};
use crate::sql::Type::{BigInt, Boolean, Date, Decimal, Int, String as Text, Timestamp};
use crate::workspace::catalog::Key;
use crate::workspace::{Workspace, lock};

const CUSTOMERS: usize = 300;
const PRODUCTS: usize = 40;
const ORDERS: usize = 1500;

const FIRST: [&str; 12] =
    ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Margaret", "Ken", "Radia", "Tony", "Frances", "Niklaus"];
const LAST: [&str; 10] =
    ["Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Hamilton", "Perlman", "Hoare", "Wirth"];
const PLACES: [(&str, &str); 8] = [
    ("Ghent", "BE"),
    ("Utrecht", "NL"),
    ("Lyon", "FR"),
    ("Leipzig", "DE"),
    ("Porto", "PT"),
    ("Leeds", "GB"),
    ("Austin", "US"),
    ("Osaka", "JP"),
];
const CATEGORIES: [&str; 5] = ["books", "garden", "kitchen", "toys", "tools"];

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn number(value: usize) -> i64 {
    i64::try_from(value).unwrap_or_default()
}

/// A product's price in cents.
fn price(product: usize) -> i64 {
    199 + pick(product, 21, 9_800)
}

/// The items of an order: product, quantity, unit price and discount in cents and percent.
fn items(order: usize) -> Vec<(usize, i64, i64, Option<i64>)> {
    let count = 1 + usize::try_from(pick(order, 31, 4)).unwrap_or(0);
    (0..count)
        .map(|line| {
            let salt = 40 + u64::try_from(line).unwrap_or(0) * 10;
            let product = 1 + usize::try_from(pick(order, salt, 40)).unwrap_or(0);
            let discount = match pick(order, salt + 2, 10) {
                0 => Some(10),
                1 => Some(25),
                2 => None,
                _ => Some(0),
            };
            (product, 1 + pick(order, salt + 1, 5), price(product), discount)
        })
        .collect()
}

fn total(order: usize) -> i64 {
    items(order)
        .iter()
        .map(|(_, quantity, price, discount)| quantity * price * (100 - discount.unwrap_or(0)) / 100)
        .sum()
}

/// The keys of the tables, which are never NULL.
fn keys(workspace: &Workspace) {
    let table = |name: &str| ["samples", "retail", name].map(str::to_owned);
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let primary = [
        ("customers", &["customer_id"][..]),
        ("products", &["product_id"]),
        ("orders", &["order_id"]),
        ("order_items", &["order_id", "line"]),
    ];
    let foreign = [
        ("orders", "customer_id", "customers"),
        ("order_items", "order_id", "orders"),
        ("order_items", "product_id", "products"),
    ];
    let mut catalog = lock(&workspace.catalog);
    for (name, key) in primary {
        let key = Key { name: format!("{name}_pk"), columns: columns(key), references: None };
        if let Some(table) = catalog.tables.get_mut(&table(name)) {
            for column in table.columns.iter_mut().filter(|column| key.columns.contains(&column.name)) {
                column.nullable = false;
            }
        }
        catalog.keys.entry(table(name)).or_default().push(key);
    }
    for (name, column, parent) in foreign {
        let references = Some((table(parent), columns(&[column])));
        let key = Key { name: format!("{name}_{column}_fk"), columns: columns(&[column]), references };
        catalog.keys.entry(table(name)).or_default().push(key);
    }
}

pub(super) fn fill(workspace: &Workspace) -> Result<(), String> {
    tables(workspace)?;
    keys(workspace);
    Ok(())
}

fn tables(workspace: &Workspace) -> Result<(), String> {
    let today = workspace.clock.epoch().div_euclid(super::DAY);
    table(
        workspace,
        "samples.retail.customers",
        "One row per customer of the shop",
        &[
            ("customer_id", BigInt, "Primary key"),
            ("name", Text, "Full name"),
            ("email", Text, "Address for invoices; may be missing"),
            ("city", Text, ""),
            ("country", Text, "ISO 3166 code"),
            ("segment", Text, "consumer, business or public"),
            ("signup_date", Date, "Day of registration"),
            ("is_active", Boolean, "Ordered within a year"),
        ],
        (1..=CUSTOMERS).map(|id| {
            let (first, last) = (one_of(&FIRST, id, 1), one_of(&LAST, id, 2));
            let place = usize::try_from(pick(id, 3, 8))
                .ok()
                .and_then(|place| PLACES.get(place))
                .copied()
                .unwrap_or(("Ghent", "BE"));
            let email = if pick(id, 4, 12) == 0 {
                Value::Null
            } else {
                text(&format!("{}.{}{id}@mail.test", first.to_lowercase(), last.to_lowercase()))
            };
            vec![
                Value::Integer(number(id)),
                text(&format!("{first} {last}")),
                email,
                text(place.0),
                text(place.1),
                text(one_of(&["consumer", "consumer", "consumer", "business", "public"], id, 5)),
                Value::Integer(today - 30 - pick(id, 6, 900)),
                Value::Integer(i64::from(pick(id, 7, 5) != 0)),
            ]
        }),
    )?;
    table(
        workspace,
        "samples.retail.products",
        "What the shop sells",
        &[
            ("product_id", BigInt, "Primary key"),
            ("name", Text, ""),
            ("category", Text, ""),
            ("price", Decimal(10, 2), "List price in euro"),
        ],
        (1..=PRODUCTS).map(|id| {
            let category = one_of(&CATEGORIES, id, 20);
            vec![
                Value::Integer(number(id)),
                text(&format!("{category} item {id}")),
                text(category),
                Value::Integer(price(id)),
            ]
        }),
    )?;
    table(
        workspace,
        "samples.retail.orders",
        "One row per order",
        &[
            ("order_id", BigInt, "Primary key"),
            ("customer_id", BigInt, "Refers to customers"),
            ("order_ts", Timestamp, "When it was placed, UTC"),
            ("status", Text, "new, paid, shipped, returned or cancelled"),
            ("channel", Text, "web, app or store"),
            ("total", Decimal(12, 2), "Sum of the items in euro"),
        ],
        (1..=ORDERS).map(|id| {
            let micros = (today - 1 - pick(id, 11, 180)) * 86_400_000_000 + pick(id, 12, 86_400) * 1_000_000;
            vec![
                Value::Integer(number(id)),
                Value::Integer(1 + pick(id, 10, 300)),
                Value::Integer(micros),
                text(one_of(&["shipped", "shipped", "shipped", "paid", "new", "returned", "cancelled"], id, 13)),
                text(one_of(&["web", "web", "app", "store"], id, 14)),
                Value::Integer(total(id)),
            ]
        }),
    )?;
    table(
        workspace,
        "samples.retail.order_items",
        "The lines of the orders",
        &[
            ("order_id", BigInt, "Refers to orders"),
            ("line", Int, "Number within the order"),
            ("product_id", BigInt, "Refers to products"),
            ("quantity", Int, ""),
            ("unit_price", Decimal(10, 2), "Price at the time of the order"),
            ("discount_percent", Int, "NULL where none was recorded"),
        ],
        (1..=ORDERS).flat_map(|order| {
            items(order).into_iter().enumerate().map(move |(line, (product, quantity, price, discount))| {
                vec![
                    Value::Integer(number(order)),
                    Value::Integer(number(line) + 1),
                    Value::Integer(number(product)),
                    Value::Integer(quantity),
                    Value::Integer(price),
                    discount.map_or(Value::Null, Value::Integer),
                ]
            })
        }),
    )
}
