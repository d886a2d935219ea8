//! Rows of text, as the results of SQL statements have them.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

/// The rows of a result. Every cell is text, or `None` for NULL. All of them are in one text: ten thousand rows take a few
/// allocations, and a tenth of the memory that a list of lists of texts would take.
///
/// ```
/// let rows: databricks::Rows = serde_json::from_str(r#"[["1", "Ada"], ["2", null]]"#)?;
/// let last = rows.iter().next_back().map(|row| row.iter().collect::<Vec<_>>());
/// assert_eq!(last, Some(vec![Some("2"), None]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Rows {
    text: String,
    /// Where each cell ends in the text.
    cells: Vec<Cell>,
    /// Where each row ends among the cells.
    rows: Vec<u32>,
}

/// The end of a cell in bytes, and above it whether the cell is NULL.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Cell(u32);

impl Cell {
    const NULL: u32 = 1 << 31;

    fn end(self) -> usize {
        (self.0 & !Self::NULL) as usize
    }

    fn is_null(self) -> bool {
        self.0 & Self::NULL != 0
    }
}

/// A row of [`Rows`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    text: &'a str,
    /// Where its first cell begins.
    start: usize,
    cells: &'a [Cell],
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What they take, in bytes.
    pub fn size(&self) -> usize {
        self.text.len() + size_of::<Cell>() * self.cells.len() + size_of::<u32>() * self.rows.len()
    }

    /// A row, counted from 0.
    pub fn get(&self, index: usize) -> Option<Row<'_>> {
        let first = match index.checked_sub(1) {
            Some(before) => *self.rows.get(before)? as usize,
            None => 0,
        };
        let cells = self.cells.get(first..*self.rows.get(index)? as usize)?;
        let start = first.checked_sub(1).and_then(|before| self.cells.get(before)).map_or(0, |cell| cell.end());
        Some(Row { text: &self.text, start, cells })
    }

    /// All rows in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Row<'_>> + Clone {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Adds a cell to the row that is not ended yet; `None` where there is no more room.
    fn add(&mut self, cell: Option<&str>) -> Option<()> {
        self.text.push_str(cell.unwrap_or_default());
        let end = u32::try_from(self.text.len()).ok().filter(|end| *end < Cell::NULL)?;
        self.cells.push(Cell(if cell.is_none() { end | Cell::NULL } else { end }));
        Some(())
    }

    /// Ends a row; `None` where there is no more room.
    fn end_row(&mut self) -> Option<()> {
        self.rows.push(u32::try_from(self.cells.len()).ok()?);
        Some(())
    }
}

impl<'a> Row<'a> {
    /// How many cells it has.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Its cells in their order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&'a str>> + Clone + use<'a> {
        let (text, mut start) = (self.text, self.start);
        self.cells.iter().map(move |cell| {
            let part = text.get(start..cell.end());
            start = cell.end();
            part.filter(|_| !cell.is_null())
        })
    }
}

/// The cells of a row are somebody's data.
impl fmt::Debug for Rows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Rows").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Row").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut cells = serializer.serialize_seq(Some(self.len()))?;
        for cell in self.iter() {
            cells.serialize_element(&cell)?;
        }
        cells.end()
    }
}

/// No rows at all may be null.
impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rows, D::Error> {
        deserializer.deserialize_option(OfRows)
    }
}

struct OfRows;

impl<'de> Visitor<'de> for OfRows {
    type Value = Rows;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of rows")
    }

    fn visit_none<E: Error>(self) -> Result<Rows, E> {
        Ok(Rows::default())
    }

    fn visit_unit<E: Error>(self) -> Result<Rows, E> {
        Ok(Rows::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Rows, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Rows, S::Error> {
        let mut rows = Rows::default();
        while list.next_element_seed(OfRow(&mut rows))?.is_some() {}
        Ok(rows)
    }
}

/// Reads one more row.
struct OfRow<'r>(&'r mut Rows);

impl<'de> DeserializeSeed<'de> for OfRow<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for OfRow<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a row")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut cells: S) -> Result<(), S::Error> {
        while cells.next_element_seed(OfCell(self.0))?.is_some() {}
        self.0.end_row().ok_or_else(|| Error::custom("too many cells"))
    }
}

/// Reads one more cell.
struct OfCell<'r>(&'r mut Rows);

impl OfCell<'_> {
    fn add<E: Error>(self, cell: Option<&str>) -> Result<(), E> {
        self.0.add(cell).ok_or_else(|| Error::custom("rows of more than 2 GiB"))
    }
}

impl<'de> DeserializeSeed<'de> for OfCell<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for OfCell<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the text of a cell, or null")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.add(Some(text))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.add(None)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.add(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Rows;

    fn read(value: &Value) -> Result<Rows, serde_json::Error> {
        serde_json::from_str(&value.to_string())
    }

    #[test]
    fn rows_are_read_and_written_as_they_came() {
        for value in [
            json!([]),
            json!([[]]),
            json!([["a", null, "", "é\"\n"], [], [null], [""], ["x"]]),
            json!([[null, null], ["1", "2"]]),
        ] {
            let rows = read(&value).expect("rows");
            assert_eq!(json!(rows), value);
            assert_eq!(serde_json::from_value::<Rows>(value.clone()).expect("rows"), rows);
            let cells: Vec<Vec<Option<String>>> =
                rows.iter().map(|row| row.iter().map(|cell| cell.map(str::to_owned)).collect()).collect();
            assert_eq!(json!(cells), value);
            assert_eq!((rows.len(), rows.is_empty()), (cells.len(), cells.is_empty()));
            assert!(rows.get(rows.len()).is_none());
        }
        assert!(read(&json!(null)).expect("no rows").is_empty());
    }

    #[test]
    fn what_is_no_row_and_no_cell_is_refused() {
        for value in
            [json!("x"), json!({}), json!(["x"]), json!([null]), json!([[1]]), json!([[true]]), json!([[["x"]]])]
        {
            assert!(read(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn nothing_that_is_shown_of_rows_is_data() {
        let rows = read(&json!([["secret"]])).expect("rows");
        assert_eq!(format!("{rows:?} {:?}", rows.get(0)), "Rows { len: 1, .. } Some(Row { len: 1, .. })");
    }
}
