//! DataFrames: queries that run when their rows are asked for.

use std::sync::Arc;

use super::run::{Failure, Script};
use super::value::Value;
use crate::areas::tasks::run_sql;
use crate::sql::{Column, Table, Type};

/// Rows that are collected, at most.
const MOST_ROWS: usize = 10_000;
/// Rows that `display` gives.
pub(super) const DISPLAYED: usize = 1_000;
/// Letters of a cell that `show` cuts off beyond.
const WIDEST: usize = 20;

#[derive(Debug)]
pub(crate) struct Frame {
    source: Source,
    pub(super) columns: Vec<Column>,
}

#[derive(Debug)]
enum Source {
    /// A query, which runs each time its rows are asked for.
    Query(String),
    /// What a command gave, which ran once.
    Rows(Table),
}

/// `frame.groupBy(…)`.
#[derive(Debug)]
pub(crate) struct Grouped {
    pub(super) frame: Arc<Frame>,
    pub(super) columns: Vec<String>,
}

/// `frame.write`, with its mode.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(super) frame: Arc<Frame>,
    pub(super) mode: String,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(super) names: Arc<Vec<String>>,
    pub(super) values: Vec<Value>,
}

impl Row {
    pub(super) fn get(&self, name: &str) -> Option<Value> {
        let place = self.names.iter().position(|known| known == name)?;
        self.values.get(place).cloned()
    }
}

/// A name in backticks.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Whether a statement is a query, which can stand within another one.
fn is_query(sql: &str) -> bool {
    let code = sql.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("--"));
    let first = code.take(1).collect::<String>().to_uppercase();
    let word = first.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
    first.starts_with('(') || matches!(word, "SELECT" | "WITH" | "VALUES" | "FROM" | "TABLE")
}

impl Frame {
    /// What `spark.sql` gives: a query is checked and runs later, any other statement runs at once.
    pub(super) fn of_sql(script: &Script<'_>, sql: &str) -> Result<Value, Failure> {
        let sql = sql.trim().trim_end_matches(';').trim_end();
        if is_query(sql) {
            return Self::of_query(script, sql.to_owned());
        }
        let table = run(script, sql, MOST_ROWS)?;
        let columns = table.columns.clone();
        Ok(Value::Frame(Arc::new(Self { source: Source::Rows(table), columns })))
    }

    pub(super) fn of_query(script: &Script<'_>, sql: String) -> Result<Value, Failure> {
        let columns = run(script, &format!("SELECT * FROM ({sql}\n) LIMIT 0"), 1)?.columns;
        Ok(Value::Frame(Arc::new(Self { source: Source::Query(sql), columns })))
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.source {
            Source::Query(sql) => sql.len(),
            Source::Rows(table) => table.bytes(),
        }
    }

    /// As `repr` gives it.
    pub(super) fn text(&self) -> String {
        let column = |column: &Column| format!("{}: {}", column.name, column.kind.catalog_text().to_lowercase());
        format!("DataFrame[{}]", self.columns.iter().map(column).collect::<Vec<_>>().join(", "))
    }

    pub(super) fn query(&self) -> Result<&str, Failure> {
        match &self.source {
            Source::Query(sql) => Ok(sql),
            Source::Rows(_) => Err(Failure::refused("this on the result of a command; run a query")),
        }
    }

    /// Up to so many rows, as the API gives them.
    pub(super) fn table(&self, script: &Script<'_>, most: usize) -> Result<Table, Failure> {
        match &self.source {
            Source::Query(sql) => run(script, sql, most),
            Source::Rows(table) => {
                let mut table = table.clone();
                table.truncated |= table.rows.len() > most;
                table.rows.truncate(most);
                Ok(table)
            }
        }
    }

    pub(super) fn count(&self, script: &Script<'_>) -> Result<i64, Failure> {
        let table = match &self.source {
            Source::Rows(table) => return Ok(i64::try_from(table.rows.len()).unwrap_or(i64::MAX)),
            Source::Query(sql) => run(script, &format!("SELECT count(*) FROM ({sql}\n)"), 1)?,
        };
        let cell = table.rows.first().and_then(|row| row.first()?.as_ref()?.parse().ok());
        cell.ok_or_else(|| Failure::refused("this count"))
    }

    pub(super) fn collect(&self, script: &Script<'_>, most: Option<usize>) -> Result<Vec<Value>, Failure> {
        let table = self.table(script, most.unwrap_or(MOST_ROWS).min(MOST_ROWS))?;
        if table.truncated && most.is_none_or(|most| most > MOST_ROWS) {
            return Err(Failure::refused(&format!("more than {MOST_ROWS} rows at once")));
        }
        let names = Arc::new(table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>());
        let rows = table.rows.into_iter().map(|row| {
            let values = row.into_iter().zip(&table.columns).map(|(cell, column)| value(cell, &column.kind));
            Ok(Value::Row(Arc::new(Row { names: Arc::clone(&names), values: values.collect::<Result<_, Failure>>()? })))
        });
        rows.collect()
    }

    /// The table that `show` prints.
    pub(super) fn shown(&self, script: &Script<'_>, most: usize, cut: bool) -> Result<String, Failure> {
        let names: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let table = match &self.source {
            Source::Rows(table) => table.clone(),
            Source::Query(sql) => {
                let unique = (0..names.len()).map(|index| format!("c{index}")).collect::<Vec<_>>();
                let texts: Vec<_> = unique.iter().map(|name| format!("CAST({name} AS STRING)")).collect();
                let (texts, unique) = (texts.join(", "), unique.join(", "));
                let sql = format!("SELECT {texts} FROM ({sql}\n) AS shown({unique})");
                run(script, &sql, most.saturating_add(1).min(MOST_ROWS))?
            }
        };
        let cell = |cell: &Option<String>| {
            let text = cell.as_deref().unwrap_or("NULL").replace('\n', "\\n").replace('\t', "\\t");
            match cut && text.chars().count() > WIDEST {
                true => text.chars().take(WIDEST - 3).chain("...".chars()).collect(),
                false => text,
            }
        };
        let rows: Vec<Vec<String>> = table.rows.iter().take(most).map(|row| row.iter().map(cell).collect()).collect();
        let widths: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let cells = rows.iter().filter_map(|row| Some(row.get(index)?.chars().count()));
                cells.chain([name.chars().count(), 3]).max().unwrap_or(3)
            })
            .collect();
        let rule: String = widths.iter().map(|width| format!("+{}", "-".repeat(*width))).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let cells = cells.zip(&widths).map(|(cell, width)| match cut {
                true => format!("|{cell:>width$}"),
                false => format!("|{cell:<width$}"),
            });
            cells.collect::<String>() + "|\n"
        };
        let mut text = format!("{rule}+\n{}{rule}+\n", line(&mut names.iter().copied()));
        for row in &rows {
            text.push_str(&line(&mut row.iter().map(String::as_str)));
        }
        text.push_str(&format!("{rule}+\n"));
        if table.rows.len() > most {
            text.push_str(&format!("only showing top {most} row{}\n", if most == 1 { "" } else { "s" }));
        }
        Ok(text + "\n")
    }
}

fn run(script: &Script<'_>, sql: &str, rows: usize) -> Result<Table, Failure> {
    let table = run_sql(script.workspace, sql, &script.call.parameters, rows, script.budget.cancel())
        .map_err(|error| Failure::raised("AnalysisException", error.message.trim()))?;
    // What a script holds takes about as many bytes for each unit that it spends.
    script.budget.spend(table.bytes() / 64)?;
    Ok(table)
}

/// A cell as Python has it.
fn value(cell: Option<String>, kind: &Type) -> Result<Value, Failure> {
    let Some(text) = cell else { return Ok(Value::None) };
    let exact = |shown: String, text: &str| Ok(Value::Exact(shown.into(), text.into()));
    let parsed = match kind {
        Type::Boolean => Some(Value::Bool(text == "true")),
        Type::TinyInt | Type::SmallInt | Type::Int | Type::BigInt => text.parse().ok().map(Value::Int),
        Type::Float | Type::Double => text.parse().ok().map(Value::Float),
        Type::String => Some(Value::text(&text)),
        Type::Decimal(..) => return exact(format!("Decimal('{text}')"), &text),
        Type::Date => return exact(format!("datetime.date({})", numbers(&text)), &text),
        Type::Timestamp | Type::TimestampNtz => {
            let plain = text.trim_end_matches('Z').replace('T', " ");
            let plain = plain.trim_end_matches(".000");
            // Python tells microseconds, and seconds only where there are any.
            let padded = if plain.contains('.') { format!("{plain}000") } else { plain.to_owned() };
            let shown = numbers(&padded);
            let shown = if plain.contains('.') { shown } else { shown.trim_end_matches(", 0").to_owned() };
            return exact(format!("datetime.datetime({shown})"), &padded);
        }
        _ => None,
    };
    parsed.ok_or_else(|| Failure::refused(&format!("a value of the type {} in a row", kind.text())))
}

/// The numbers in a date or timestamp, without leading zeros.
fn numbers(text: &str) -> String {
    let digits = text.split(|letter: char| !letter.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let plain = digits.map(|digits| match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    });
    plain.collect::<Vec<_>>().join(", ")
}
