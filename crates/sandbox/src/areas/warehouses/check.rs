//! Whether a warehouse of some settings can be.
//!
//! Derived: the texts. The sizes and limits are those that the API documents.

use crate::error::ApiError;
use crate::request::Fields;

const SIZES: [&str; 10] =
    ["2X-Small", "X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large", "3X-Large", "4X-Large", "5X-Large"];

const MOST_CLUSTERS: i64 = 40;

/// Refuses sizes that there are none of, and limits that exclude each other.
pub(super) fn settings(fields: &Fields) -> Result<(), ApiError> {
    if let Some(size) = fields.text("cluster_size")?
        && !SIZES.contains(&size)
    {
        let message = format!("Invalid cluster_size '{size}': one of {} is", SIZES.join(", "));
        return Err(ApiError::invalid_parameter(message));
    }
    if let Some(minutes) = fields.integer("auto_stop_mins")?
        && minutes < 0
    {
        let message = format!("auto_stop_mins must be 0, which is never, or more, not {minutes}");
        return Err(ApiError::invalid_parameter(message));
    }
    let (least, most) = (fields.integer("min_num_clusters")?, fields.integer("max_num_clusters")?);
    for (name, count) in [("min_num_clusters", least), ("max_num_clusters", most)] {
        if let Some(count) = count.filter(|count| !(1..=MOST_CLUSTERS).contains(count)) {
            let message = format!("{name} must be between 1 and {MOST_CLUSTERS}, not {count}");
            return Err(ApiError::invalid_parameter(message));
        }
    }
    match (least, most) {
        (Some(least), Some(most)) if least > most => Err(ApiError::invalid_parameter(format!(
            "min_num_clusters ({least}) must not be greater than max_num_clusters ({most})"
        ))),
        _ => Ok(()),
    }
}
