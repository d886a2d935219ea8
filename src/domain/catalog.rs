//! Unity Catalog: names of tables, what is in them, how well they match a search, where their data comes from.

pub(crate) mod lineage;
pub(crate) mod rank;
pub(crate) mod table_contents;
pub(crate) mod table_name;
