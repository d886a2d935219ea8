//! Digests of texts and bytes: `md5`, `sha2` and `crc32`.

use rusqlite::types::Value;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::{Arguments, Definition};

pub(super) const FUNCTIONS: &[Definition] = &[
    ("dbx_md5", |a| Ok(Value::Text(hexadecimal(&md5(bytes(a)))))),
    ("dbx_sha2", |a| {
        let bytes = bytes(a);
        Ok(match a.integer(1) {
            224 => Value::Text(hexadecimal(&Sha224::digest(bytes))),
            0 | 256 => Value::Text(hexadecimal(&Sha256::digest(bytes))),
            384 => Value::Text(hexadecimal(&Sha384::digest(bytes))),
            512 => Value::Text(hexadecimal(&Sha512::digest(bytes))),
            _ => Value::Null,
        })
    }),
    ("dbx_crc32", |a| Ok(Value::Integer(crc32(bytes(a)).into()))),
];

fn bytes(a: &Arguments) -> &[u8] {
    match a.get(0) {
        Value::Text(text) => text.as_bytes(),
        Value::Blob(bytes) => bytes,
        _ => &[],
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// By RFC 1321.
fn md5(bytes: &[u8]) -> [u8; 16] {
    const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((u64::try_from(bytes.len()).unwrap_or_default().wrapping_mul(8)).to_le_bytes());
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(64) {
        let words: Vec<u32> = block
            .chunks_exact(4)
            .map(|word| word.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte)))
            .collect();
        let [mut a, mut b, mut c, mut d] = state;
        for (round, turns) in (0_u32..).zip(TURNS) {
            for step in 0..16_u32 {
                let (mixed, place) = match round {
                    0 => ((b & c) | (!b & d), step),
                    1 => ((d & b) | (!d & c), 5 * step + 1),
                    2 => (b ^ c ^ d, 3 * step + 5),
                    _ => (c ^ (b | !d), 7 * step),
                };
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "below 2^32 and not negative"
                )]
                let constant = (f64::from(round * 16 + step + 1).sin().abs() * 4_294_967_296.0) as u32;
                let word = words.get(usize::try_from(place % 16).unwrap_or_default()).copied().unwrap_or_default();
                let turn = turns
                    .iter()
                    .cycle()
                    .nth(usize::try_from(step % 4).unwrap_or_default())
                    .copied()
                    .unwrap_or_default();
                let sum = a.wrapping_add(mixed).wrapping_add(constant).wrapping_add(word);
                (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(turn)));
            }
        }
        for (part, more) in state.iter_mut().zip([a, b, c, d]) {
            *part = part.wrapping_add(more);
        }
    }
    let mut digest = [0; 16];
    for (place, byte) in digest.iter_mut().zip(state.iter().flat_map(|part| part.to_le_bytes())) {
        *place = byte;
    }
    digest
}
