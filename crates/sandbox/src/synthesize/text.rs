//! Scalars that look like what their name says.

use crate::ids::mix;
use crate::seed::DAY;
use crate::text::rfc3339;

/// What a state most likely is of something that is well, the first of these that is listed.
const WELL: [&str; 14] = [
    "ACTIVE",
    "RUNNING",
    "SUCCEEDED",
    "SUCCESS",
    "COMPLETED",
    "READY",
    "ONLINE",
    "AVAILABLE",
    "PROVISIONED",
    "NOT_UPDATING",
    "IDLE",
    "FINISHED",
    "Finished",
    "Running",
];

pub(super) fn text(name: &str, seed: u64, epoch: i64) -> String {
    let short = seed & 0xffff;
    match name {
        "email" | "user_name" | "userName" | "owner" | "creator" | "created_by" | "updated_by" => {
            crate::workspace::USER.to_owned()
        }
        "" => format!("value-{short:04x}"),
        name if ["_time", "_at", "_timestamp", "Time"].iter().any(|end| name.ends_with(end)) => {
            rfc3339(instant(name, seed, epoch))
        }
        name if name.ends_with("uuid") => uuid(seed),
        name if name.ends_with("url") || name.ends_with("uri") => format!("https://sandbox.test/{name}/{short:04x}"),
        name if name.ends_with("id") => format!("{seed:016x}"),
        name if name.ends_with("path") => format!("/sandbox/{name}-{short:04x}"),
        name => format!("{name}-{short:04x}"),
    }
}

fn uuid(seed: u64) -> String {
    let other = mix(seed);
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        seed >> 32,
        (seed >> 16) & 0xffff,
        seed & 0xfff,
        0x8000 | (other & 0x3fff),
        other >> 16
    )
}

/// An instant of the week before `epoch`; what ends does so after what starts.
pub(super) fn instant(name: &str, seed: u64, epoch: i64) -> i64 {
    let offset = i64::try_from(seed % 3_600_000).unwrap_or_default();
    let is_later = ["end", "finish", "update", "modif", "last", "expir"].iter().any(|word| name.contains(word));
    epoch - if is_later { DAY } else { 7 * DAY } + offset
}

/// An id, an instant in milliseconds or a small number.
pub(super) fn number(name: &str, seed: u64, epoch: i64) -> i64 {
    let is_instant =
        name.ends_with("_time") || name.ends_with("_at") || name.contains("timestamp") || name.ends_with("_ms");
    let range = if name.ends_with("id") { 1_000_000_000_000 } else { 100 };
    if is_instant { instant(name, seed, epoch) } else { i64::try_from(seed % range).unwrap_or_default() + 1 }
}

/// More often false; more to fetch there is never.
pub(super) fn flag(name: &str, seed: u64) -> bool {
    !matches!(name, "has_more" | "truncated") && seed.is_multiple_of(3)
}

pub(super) fn listed<'a>(name: &str, values: &'a [String], seed: u64) -> &'a str {
    let lower = name.to_lowercase();
    if lower.contains("state") || lower.contains("status") {
        let well = WELL.iter().find_map(|well| values.iter().find(|value| value == well));
        if let Some(well) = well {
            return well;
        }
    }
    let says_something = |value: &&String| !value.contains("UNSPECIFIED") && !value.contains("UNKNOWN");
    let count = values.iter().filter(says_something).count();
    let at = usize::try_from(seed).unwrap_or_default().checked_rem(count).unwrap_or_default();
    values.iter().filter(says_something).nth(at).or(values.first()).map_or("", String::as_str)
}
