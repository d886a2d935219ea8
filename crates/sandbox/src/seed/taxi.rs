//! `samples.taxi.trips`: a few weeks of rides.

use rusqlite::types::Value;

use super::securables::{one_of, pick, table};
use crate::sql::Type::{BigInt, Decimal, Double, Int, String as Text, Timestamp};
use crate::workspace::Workspace;

const TRIPS: usize = 2500;

pub(super) fn fill(workspace: &Workspace) -> Result<(), String> {
    let start = (workspace.clock.epoch().div_euclid(super::DAY) - 35) * 86_400_000_000;
    table(
        workspace,
        "samples.taxi.trips",
        "One row per ride",
        &[
            ("trip_id", BigInt, "Primary key"),
            ("pickup_time", Timestamp, "UTC"),
            ("dropoff_time", Timestamp, "UTC"),
            ("distance_miles", Double, ""),
            ("fare_amount", Decimal(8, 2), "Without tip"),
            ("tip_amount", Decimal(8, 2), "NULL when paid in cash"),
            ("passengers", Int, ""),
            ("pickup_zip", Int, ""),
            ("payment", Text, "card, cash or app"),
        ],
        (1..=TRIPS).map(|id| {
            let pickup = start + pick(id, 1, 35 * 86_400) * 1_000_000;
            let tenths = 4 + pick(id, 2, 180);
            let minutes = 3 + tenths / 4 + pick(id, 3, 12);
            let fare = 300 + tenths * 22 + minutes * 35;
            let payment = one_of(&["card", "card", "app", "cash"], id, 4);
            let tip = if payment == "cash" { Value::Null } else { Value::Integer(fare * pick(id, 5, 25) / 100) };
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let miles = tenths as f64 / 10.0;
            vec![
                Value::Integer(i64::try_from(id).unwrap_or_default()),
                Value::Integer(pickup),
                Value::Integer(pickup + minutes * 60_000_000),
                Value::Real(miles),
                Value::Integer(fare),
                tip,
                Value::Integer(1 + pick(id, 6, 4)),
                Value::Integer(10_001 + pick(id, 7, 40)),
                Value::Text(payment.to_owned()),
            ]
        }),
    )
}
