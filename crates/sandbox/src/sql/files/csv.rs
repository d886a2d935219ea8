//! CSV: cells in quotes, and the types that its texts show.

use serde_json::Value as Json;

use super::{Reading, Rows, check_size, malformed};
use crate::json::MOST_VALUES;
use crate::sql::error::SqlError;
use crate::sql::temporal;
use crate::sql::types::{Column, Type};

impl Reading {
    pub(super) fn csv(&self, texts: &[(&str, &str)]) -> Result<Rows, SqlError> {
        let mut names: Option<Vec<String>> = None;
        let mut cells: Vec<Vec<Option<String>>> = Vec::new();
        for (file, text) in texts {
            let mut records = records(text, self.delimiter).map_err(|why| malformed(file, why))?.into_iter();
            if self.header
                && let Some(header) = records.next()
            {
                let header: Vec<_> = header.into_iter().map(Option::unwrap_or_default).collect();
                match &names {
                    Some(known) if *known != header => {
                        return Err(SqlError::unsupported("CSV files whose headers differ"));
                    }
                    _ => names = Some(header),
                }
            }
            cells.extend(records);
        }
        let width = cells.iter().map(Vec::len).max().unwrap_or(0);
        let names = names.unwrap_or_else(|| (0..width).map(|at| format!("_c{at}")).collect());
        if width > names.len() {
            let (file, _) = texts.first().copied().unwrap_or_default();
            return Err(malformed(file, "a line has more cells than the header"));
        }
        check_size(names.len(), cells.len())?;
        let mut columns = Vec::new();
        let mut rows = vec![Vec::with_capacity(names.len()); cells.len()];
        for (at, name) in names.into_iter().enumerate() {
            let column: Vec<_> = cells.iter().map(|row| row.get(at).and_then(Option::as_deref)).collect();
            let kind = if self.infer { kind_of(&column) } else { Type::String };
            for (row, cell) in rows.iter_mut().zip(column) {
                row.push(cell.and_then(|cell| value(cell, &kind)).unwrap_or_default());
            }
            columns.push(Column::new(name, kind));
        }
        Ok(Rows { columns, rows })
    }
}

/// The narrowest type that all texts of a column have.
fn kind_of(column: &[Option<&str>]) -> Type {
    const KINDS: [Type; 6] = [Type::Int, Type::BigInt, Type::Double, Type::Date, Type::Timestamp, Type::Boolean];
    let has_text = column.iter().any(Option::is_some);
    let fits = |kind: &Type| column.iter().flatten().all(|cell| value(cell, kind).is_some());
    KINDS.into_iter().find(|kind| has_text && fits(kind)).unwrap_or(Type::String)
}

/// A text as a value of a type, in the form in which SQLite keeps it.
fn value(text: &str, kind: &Type) -> Option<Json> {
    match kind {
        Type::Int => text.parse::<i32>().ok().map(Json::from),
        Type::BigInt => text.parse::<i64>().ok().map(Json::from),
        // Texts such as `nan` and `infinity` are none that JSON can hold.
        Type::Double => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Json::from),
        Type::Date => temporal::parse_date(text).filter(|_| text.len() == 10).map(Json::from),
        Type::Timestamp => temporal::parse_timestamp(text).filter(|_| text.len() >= 16).map(Json::from),
        Type::Boolean if text.eq_ignore_ascii_case("true") => Some(Json::from(1)),
        Type::Boolean if text.eq_ignore_ascii_case("false") => Some(Json::from(0)),
        Type::String => Some(Json::from(text)),
        _ => None,
    }
}

/// The cells of each line that is not empty; an empty cell is NULL.
fn records(text: &str, delimiter: char) -> Result<Vec<Vec<Option<String>>>, &'static str> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut cells = 0;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            _ if quoted => cell.push(letter),
            '"' if cell.is_empty() => quoted = true,
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' => {
                if !(record.is_empty() && cell.is_empty()) {
                    record.push(taken(&mut cell));
                    records.push(std::mem::take(&mut record));
                }
            }
            letter if letter == delimiter => {
                cells += 1;
                if cells > MOST_VALUES {
                    return Err("it has too many cells");
                }
                record.push(taken(&mut cell));
            }
            letter => cell.push(letter),
        }
    }
    if quoted {
        return Err("a quote is not closed");
    }
    if !(record.is_empty() && cell.is_empty()) {
        record.push(taken(&mut cell));
        records.push(record);
    }
    Ok(records)
}

fn taken(cell: &mut String) -> Option<String> {
    Some(std::mem::take(cell)).filter(|text| !text.is_empty())
}
