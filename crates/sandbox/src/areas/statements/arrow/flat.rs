//! FlatBuffers, as far as the metadata of Arrow needs them: tables, texts, lists.
//!
//! Arrow's own crates would bring sixteen packages and a quarter of a debug build for this much.

/// A field of a table, in the order of its ids.
pub(super) enum Part {
    Absent,
    Byte(u8),
    Short(i16),
    Int(i32),
    Long(i64),
    Text(String),
    Table(Vec<Part>),
    Tables(Vec<Vec<Part>>),
    /// A list of structs of two longs.
    Pairs(Vec<[i64; 2]>),
}

impl Part {
    /// The bytes within the table; what is longer stands elsewhere, and its distance here.
    fn size(&self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Byte(_) => 1,
            Self::Short(_) => 2,
            Self::Long(_) => 8,
            Self::Int(_) | Self::Text(_) | Self::Table(_) | Self::Tables(_) | Self::Pairs(_) => 4,
        }
    }
}

/// A buffer whose root is this table.
pub(super) fn buffer(root: &[Part]) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    let position = table(&mut bytes, root);
    point(&mut bytes, 0, position);
    bytes
}

/// Writes a table after its layout; gives its position.
fn table(bytes: &mut Vec<u8>, parts: &[Part]) -> usize {
    let layout_size = 4 + 2 * parts.len();
    let mut end = 4;
    let mut places = Vec::with_capacity(parts.len());
    for part in parts {
        let size = part.size();
        if size == 0 {
            places.push(0);
            continue;
        }
        end = usize::next_multiple_of(end, size);
        places.push(end);
        end += size;
    }
    while !(bytes.len() + layout_size).is_multiple_of(8) {
        bytes.push(0);
    }
    for number in [layout_size, end].iter().chain(&places) {
        bytes.extend(u16::try_from(*number).unwrap_or(u16::MAX).to_le_bytes());
    }
    let start = bytes.len();
    bytes.resize(start + end, 0);
    put(bytes, start, &i32::try_from(layout_size).unwrap_or(i32::MAX).to_le_bytes());
    for (part, place) in parts.iter().zip(places) {
        let place = start + place;
        let child = match part {
            Part::Absent => continue,
            Part::Byte(value) => {
                put(bytes, place, &[*value]);
                continue;
            }
            Part::Short(value) => {
                put(bytes, place, &value.to_le_bytes());
                continue;
            }
            Part::Int(value) => {
                put(bytes, place, &value.to_le_bytes());
                continue;
            }
            Part::Long(value) => {
                put(bytes, place, &value.to_le_bytes());
                continue;
            }
            Part::Text(text) => self::text(bytes, text),
            Part::Table(parts) => table(bytes, parts),
            Part::Tables(list) => tables(bytes, list),
            Part::Pairs(list) => pairs(bytes, list),
        };
        point(bytes, place, child);
    }
    start
}

fn text(bytes: &mut Vec<u8>, text: &str) -> usize {
    let start = list(bytes, text.len(), 4);
    bytes.extend(text.as_bytes());
    bytes.push(0);
    start
}

fn tables(bytes: &mut Vec<u8>, items: &[Vec<Part>]) -> usize {
    let start = list(bytes, items.len(), 4);
    let first = bytes.len();
    bytes.resize(first + 4 * items.len(), 0);
    for (index, item) in items.iter().enumerate() {
        let child = table(bytes, item);
        point(bytes, first + 4 * index, child);
    }
    start
}

fn pairs(bytes: &mut Vec<u8>, items: &[[i64; 2]]) -> usize {
    let start = list(bytes, items.len(), 8);
    for value in items.iter().flatten() {
        bytes.extend(value.to_le_bytes());
    }
    start
}

/// The head of a list whose items have this alignment; gives its position.
fn list(bytes: &mut Vec<u8>, length: usize, alignment: usize) -> usize {
    while !(bytes.len() + 4).is_multiple_of(alignment) {
        bytes.push(0);
    }
    let start = bytes.len();
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    start
}

/// Writes the distance from a place to what stands behind it.
fn point(bytes: &mut [u8], place: usize, target: usize) {
    let distance = u32::try_from(target.saturating_sub(place)).unwrap_or(u32::MAX);
    put(bytes, place, &distance.to_le_bytes());
}

fn put(bytes: &mut [u8], place: usize, value: &[u8]) {
    if let Some(target) = bytes.get_mut(place..place + value.len()) {
        target.copy_from_slice(value);
    }
}
