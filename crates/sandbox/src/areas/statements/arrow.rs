//! Results as Arrow IPC streams: a schema and one batch of rows, uncompressed.
//!
//! The Arrow types are those of recorded results. Derived: TIMESTAMP has microseconds in `Etc/UTC`, intervals are
//! strings, and so are ARRAY, MAP and STRUCT, of their JSON.

mod flat;

use flat::{Part, buffer};

use crate::sql::{Column, Type};

/// Version 5 of the format's metadata.
const VERSION: i16 = 4;
const SCHEMA: u8 = 1;
const RECORD_BATCH: u8 = 3;
/// Before the length of each message.
const CONTINUATION: [u8; 4] = [0xff; 4];

type Row = Vec<Option<String>>;

/// The cells of one column in Arrow's layout.
#[derive(Default)]
struct Encoded {
    nulls: usize,
    buffers: Vec<Vec<u8>>,
}

/// A stream that holds these rows, whose cells are exact.
pub(super) fn stream(columns: &[Column], rows: &[Row]) -> Vec<u8> {
    let fields = columns.iter().map(field).collect();
    let mut bytes = message(SCHEMA, vec![Part::Short(0), Part::Tables(fields)], &[]);
    let (mut nodes, mut places, mut body) = (Vec::new(), Vec::new(), Vec::new());
    for (index, column) in columns.iter().enumerate() {
        let encoded = encode(&column.kind, rows.iter().map(|row| row.get(index).and_then(Option::as_deref)));
        nodes.push([long(rows.len()), long(encoded.nulls)]);
        for buffer in encoded.buffers {
            places.push([long(body.len()), long(buffer.len())]);
            body.extend(buffer);
            body.resize(body.len().next_multiple_of(8), 0);
        }
    }
    bytes.extend(message(
        RECORD_BATCH,
        vec![Part::Long(long(rows.len())), Part::Pairs(nodes), Part::Pairs(places)],
        &body,
    ));
    bytes.extend(CONTINUATION);
    bytes.extend([0; 4]);
    bytes
}

fn long(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn message(kind: u8, header: Vec<Part>, body: &[u8]) -> Vec<u8> {
    let root = [Part::Short(VERSION), Part::Byte(kind), Part::Table(header), Part::Long(long(body.len()))];
    let mut metadata = buffer(&root);
    metadata.resize(metadata.len().next_multiple_of(8), 0);
    let length = u32::try_from(metadata.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&CONTINUATION, &length, metadata.as_slice(), body].concat()
}

/// A field: its name, that it may be NULL, and its type.
fn field(column: &Column) -> Vec<Part> {
    let int = |bits| (2, vec![Part::Int(bits), Part::Byte(1)]);
    let (tag, kind) = match &column.kind {
        Type::Void => (1, vec![]),
        Type::TinyInt => int(8),
        Type::SmallInt => int(16),
        Type::Int => int(32),
        Type::BigInt => int(64),
        Type::Float => (3, vec![Part::Short(1)]),
        Type::Double => (3, vec![Part::Short(2)]),
        Type::Binary => (4, vec![]),
        Type::Boolean => (6, vec![]),
        Type::Decimal(precision, scale) => {
            (7, vec![Part::Int((*precision).into()), Part::Int((*scale).into()), Part::Int(128)])
        }
        Type::Date => (8, vec![Part::Short(0)]),
        Type::Timestamp => (10, vec![Part::Short(2), Part::Text("Etc/UTC".to_owned())]),
        Type::TimestampNtz => (10, vec![Part::Short(2)]),
        Type::String | Type::DayTime(..) | Type::YearMonth(..) | Type::Array(_) | Type::Map(..) | Type::Struct(_) => {
            (5, vec![])
        }
    };
    vec![
        Part::Text(column.name.clone()),
        Part::Byte(1),
        Part::Byte(tag),
        Part::Table(kind),
        Part::Absent,
        Part::Tables(Vec::new()),
    ]
}

fn encode<'a>(kind: &Type, cells: impl Iterator<Item = Option<&'a str>> + Clone) -> Encoded {
    let (validity, nulls) = bits(cells.clone().map(|cell| cell.is_some()));
    let numbers = |data| Encoded { nulls, buffers: vec![validity.clone(), data] };
    match kind {
        Type::Void => Encoded { nulls, buffers: Vec::new() },
        Type::Boolean => numbers(bits(cells.map(|cell| cell == Some("true"))).0),
        Type::TinyInt => numbers(fixed(cells, |text| text.parse::<i8>().unwrap_or_default().to_le_bytes())),
        Type::SmallInt => numbers(fixed(cells, |text| text.parse::<i16>().unwrap_or_default().to_le_bytes())),
        Type::Int | Type::Date => numbers(fixed(cells, |text| text.parse::<i32>().unwrap_or_default().to_le_bytes())),
        Type::BigInt | Type::Timestamp | Type::TimestampNtz => {
            numbers(fixed(cells, |text| text.parse::<i64>().unwrap_or_default().to_le_bytes()))
        }
        Type::Float => numbers(fixed(cells, |text| text.parse::<f32>().unwrap_or_default().to_le_bytes())),
        Type::Double => numbers(fixed(cells, |text| text.parse::<f64>().unwrap_or_default().to_le_bytes())),
        // The cell has as many digits behind its point as the type.
        Type::Decimal(..) => {
            numbers(fixed(cells, |text| text.replace('.', "").parse::<i128>().unwrap_or_default().to_le_bytes()))
        }
        Type::Binary => variable(cells.map(|cell| cell.map(unhex)), validity, nulls),
        Type::String | Type::DayTime(..) | Type::YearMonth(..) | Type::Array(_) | Type::Map(..) | Type::Struct(_) => {
            variable(cells.map(|cell| cell.map(str::as_bytes)), validity, nulls)
        }
    }
}

/// One bit for each, and how many are not set.
fn bits(flags: impl Iterator<Item = bool>) -> (Vec<u8>, usize) {
    let (mut bytes, mut unset) = (Vec::new(), 0);
    for (index, flag) in flags.enumerate() {
        if index % 8 == 0 {
            bytes.push(0);
        }
        unset += usize::from(!flag);
        if let Some(last) = bytes.last_mut() {
            *last |= u8::from(flag) << (index % 8);
        }
    }
    (bytes, unset)
}

fn fixed<'a, const N: usize>(cells: impl Iterator<Item = Option<&'a str>>, value: impl Fn(&str) -> [u8; N]) -> Vec<u8> {
    cells.flat_map(|cell| cell.map_or([0; N], &value)).collect()
}

fn variable(cells: impl Iterator<Item = Option<impl AsRef<[u8]>>>, validity: Vec<u8>, nulls: usize) -> Encoded {
    let (mut ends, mut data) = (vec![0; 4], Vec::new());
    for cell in cells {
        data.extend(cell.as_ref().map_or(&[][..], AsRef::as_ref));
        ends.extend(i32::try_from(data.len()).unwrap_or(i32::MAX).to_le_bytes());
    }
    Encoded { nulls, buffers: vec![validity, ends, data] }
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
    text.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |byte, next| byte << 4 | digit(next))).collect()
}
