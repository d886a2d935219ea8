//! Names of tables: `catalog.schema.table`.

use crate::error::Error;

/// Refuses a name with fewer parts, which several catalogs or schemas may have.
pub(crate) fn check(full_name: &str) -> Result<(), Error> {
    let is_whole = full_name.split('.').count() >= 3 && full_name.split('.').all(|part| !part.is_empty());
    if is_whole {
        return Ok(());
    }
    Err(Error::failed(format!("`{full_name}` is not a full name `catalog.schema.table`"))
        .with_hint("find the full name with `search_tables`, or list a schema with `list_tables`"))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_table_is_named_with_its_catalog_and_schema() {
        for name in ["samples.retail.orders", "a.b.name.with.dots"] {
            check(name).expect(name);
        }
        for name in ["", "orders", "retail.orders", "samples..orders", "samples.retail."] {
            assert!(check(name).expect_err(name).to_string().contains("`search_tables`"), "{name}");
        }
    }
}
