//! Errors of statements in Databricks' form: `[CONDITION] text. SQLSTATE: 42P01`.
//!
//! Derived: the wording of conditions other than PARSE_SYNTAX_ERROR, TABLE_OR_VIEW_NOT_FOUND and
//! UNRESOLVED_COLUMN follows Databricks' style; it is not recorded.

/// Why a statement failed, as `status.error` carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqlError {
    pub(crate) message: String,
    pub(crate) sql_state: String,
}

impl SqlError {
    pub(crate) fn new(condition: &str, text: &str, sql_state: &str) -> Self {
        Self { message: format!("[{condition}] {text} SQLSTATE: {sql_state}"), sql_state: sql_state.to_owned() }
    }

    /// A syntax error with the marked line, as recorded.
    pub(crate) fn syntax(near: &str, line: usize, position: usize, sql: &str) -> Self {
        let near = if near == "EOF" { "end of input".to_owned() } else { format!("'{near}'") };
        let mut marked = String::new();
        for (index, text) in sql.lines().enumerate() {
            marked.push_str(text);
            marked.push('\n');
            if index + 1 == line {
                marked.push_str(&"-".repeat(position));
                marked.push_str("^^^\n");
            }
        }
        Self {
            message: format!(
                "\n[PARSE_SYNTAX_ERROR] Syntax error at or near {near}. SQLSTATE: 42601 (line {line}, pos {position})\n\n== SQL ==\n{marked}"
            ),
            sql_state: "42601".to_owned(),
        }
    }

    /// What the sandbox cannot run; it never guesses.
    pub(crate) fn unsupported(what: impl AsRef<str>) -> Self {
        Self::new(
            "UNSUPPORTED_FEATURE.SANDBOX",
            &format!("The feature is not supported: the sandbox does not implement {}.", what.as_ref()),
            "0A000",
        )
    }

    pub(crate) fn table_not_found(name: &[String]) -> Self {
        Self::new(
            "TABLE_OR_VIEW_NOT_FOUND",
            &format!(
                "The table or view {} cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not qualify the name with a schema, verify the current_schema() output, or qualify the name with the correct schema and catalog.\nTo tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS.",
                quoted(name)
            ),
            "42P01",
        )
    }

    pub(crate) fn schema_not_found(name: &[String]) -> Self {
        Self::new(
            "SCHEMA_NOT_FOUND",
            &format!(
                "The schema {} cannot be found. Verify the spelling and correctness of the schema and catalog.",
                quoted(name)
            ),
            "42704",
        )
    }

    pub(crate) fn catalog_not_found(name: &str) -> Self {
        Self::new(
            "NO_SUCH_CATALOG_EXCEPTION",
            &format!(
                "Catalog '{name}' was not found. Please verify the catalog name and then retry the query or command again."
            ),
            "42704",
        )
    }

    pub(crate) fn column_not_found(name: &[String], suggestions: &[String]) -> Self {
        if suggestions.is_empty() {
            return Self::new(
                "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION",
                &format!("A column, variable, or function parameter with name {} cannot be resolved.", quoted(name)),
                "42703",
            );
        }
        let suggestions: Vec<_> = suggestions.iter().map(|name| format!("`{name}`")).collect();
        Self::new(
            "UNRESOLVED_COLUMN.WITH_SUGGESTION",
            &format!(
                "A column, variable, or function parameter with name {} cannot be resolved. Did you mean one of the following? [{}].",
                quoted(name),
                suggestions.join(", ")
            ),
            "42703",
        )
    }

    pub(crate) fn ambiguous(name: &str) -> Self {
        Self::new("AMBIGUOUS_REFERENCE", &format!("Reference `{name}` is ambiguous."), "42704")
    }

    pub(crate) fn missing_aggregation(expression: &str) -> Self {
        Self::new(
            "MISSING_AGGREGATION",
            &format!(
                "The non-aggregating expression \"{expression}\" is based on columns which are not participating in the GROUP BY clause.\nAdd the columns or the expression to the GROUP BY, aggregate the expression, or use \"any_value({expression})\" if you do not care which of the values within a group is returned."
            ),
            "42803",
        )
    }

    pub(crate) fn unresolved_routine(name: &str) -> Self {
        Self::new(
            "UNRESOLVED_ROUTINE",
            &format!(
                "Cannot resolve routine `{name}` on search path [`system`.`builtin`, `system`.`session`]. Verify the spelling of `{name}`, check that the routine exists, and confirm you have `USE` privilege on the catalog and schema, and `EXECUTE` on the routine."
            ),
            "42883",
        )
    }

    pub(crate) fn mismatch(expression: &str, text: &str) -> Self {
        Self::new(
            "DATATYPE_MISMATCH",
            &format!("Cannot resolve \"{expression}\" due to data type mismatch: {text}."),
            "42K09",
        )
    }

    pub(crate) fn exists(what: &str, name: &[String]) -> Self {
        let condition = format!("{}_ALREADY_EXISTS", what.to_uppercase());
        Self::new(
            &condition,
            &format!(
                "Cannot create {what} {} because it already exists.\nChoose a different name, drop or replace the existing object, or add the IF NOT EXISTS clause to tolerate pre-existing objects.",
                quoted(name)
            ),
            "42P07",
        )
    }
}

pub(crate) fn quoted(name: &[String]) -> String {
    name.iter().map(|part| format!("`{part}`")).collect::<Vec<_>>().join(".")
}
