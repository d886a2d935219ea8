//! Text in UTF-8, or in UTF-16 if its byte order mark says so.

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// A text that bytes hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub(crate) text: String,
    pub(crate) encoding: Encoding,
}

impl Encoding {
    /// By the byte order mark at the start of a file; a file without one is taken for UTF-8.
    pub(crate) fn of(start: &[u8]) -> Self {
        match start {
            [0xff, 0xfe, ..] => Self::Utf16Le,
            [0xfe, 0xff, ..] => Self::Utf16Be,
            _ => Self::Utf8,
        }
    }

    /// The name that the registry of character sets gives it (IANA).
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
        }
    }

    /// The text that bytes begin with, and how many of them it takes; they may end within a character. `None` where they are
    /// something else, or hold a NUL.
    pub(crate) fn text(self, bytes: &[u8]) -> Option<(String, usize)> {
        let (text, used) = match self {
            Self::Utf8 => utf8(bytes)?,
            Self::Utf16Le => utf16(bytes, u16::from_le_bytes)?,
            Self::Utf16Be => utf16(bytes, u16::from_be_bytes)?,
        };
        (!text.contains('\0')).then_some((text, used))
    }

    /// The first of the bytes that is no part of a text.
    pub(crate) fn fault(self, bytes: &[u8]) -> usize {
        let (valid, nul) = match self {
            Self::Utf8 => {
                let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
                (valid, bytes.iter().position(|byte| *byte == 0))
            }
            Self::Utf16Le | Self::Utf16Be => {
                let unit = if self == Self::Utf16Le { u16::from_le_bytes } else { u16::from_be_bytes };
                let (pairs, _) = bytes.as_chunks::<2>();
                let units = pairs.iter().map(|pair| unit(*pair));
                let whole = char::decode_utf16(units).map_while(Result::ok);
                (
                    whole.map(char::len_utf16).sum::<usize>() * 2,
                    pairs.iter().position(|pair| *pair == [0, 0]).map(|at| at * 2),
                )
            }
        };
        nul.map_or(valid, |nul| nul.min(valid))
    }

    /// How many bytes a text has in this encoding.
    pub(crate) fn length(self, text: &str) -> usize {
        match self {
            Self::Utf8 => text.len(),
            Self::Utf16Le | Self::Utf16Be => 2 * text.encode_utf16().count(),
        }
    }
}

/// A whole text, without its byte order mark; `None` where the bytes are none.
pub(crate) fn decode(bytes: &[u8]) -> Option<Decoded> {
    let encoding = Encoding::of(bytes);
    let (text, used) = encoding.text(bytes)?;
    let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
    (used == bytes.len()).then_some(Decoded { text, encoding })
}

fn utf8(bytes: &[u8]) -> Option<(String, usize)> {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    Some((whole.to_owned(), whole.len()))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<(String, usize)> {
    let (pairs, _) = bytes.as_chunks::<2>();
    let mut units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    // The first half of a character whose second half is yet to come.
    if units.last().is_some_and(|last| (0xd800..0xdc00).contains(last)) {
        units.pop();
    }
    Some((String::from_utf16(&units).ok()?, units.len() * 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_may_end_within_a_character() {
        let text = |bytes: &[u8]| Encoding::Utf8.text(bytes);
        assert_eq!(text("aé".as_bytes()), Some(("aé".to_owned(), 3)));
        assert_eq!(text(&"aé".as_bytes()[..2]), Some(("a".to_owned(), 1)));
        assert_eq!(text(b""), Some((String::new(), 0)));
        assert_eq!(text(b"a\xffb"), None);
        assert_eq!(text(b"a\0b"), None);
        let wide: Vec<u8> = "a😀".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(Encoding::Utf16Be.text(&wide), Some(("a😀".to_owned(), 6)));
        assert_eq!(Encoding::Utf16Be.text(&wide[..4]), Some(("a".to_owned(), 2)));
        assert_eq!(Encoding::Utf16Be.text(&wide[..5]), Some(("a".to_owned(), 2)));
        assert_eq!(Encoding::Utf16Le.text(&[0x00, 0xdc, 0x41, 0x00]), None);
        for (encoding, bytes, at) in [
            (Encoding::Utf8, &b"a\xffb"[..], 1),
            (Encoding::Utf8, b"ab\0c\xff", 2),
            (Encoding::Utf8, b"\xff\0", 0),
            (Encoding::Utf16Le, b"\xff\xfea\0\0\xdcb\0", 4),
            (Encoding::Utf16Be, b"\xfe\xff\0a\0\0", 4),
        ] {
            assert_eq!((encoding.text(bytes), encoding.fault(bytes)), (None, at), "{bytes:?}");
        }
    }

    #[test]
    fn the_byte_order_mark_tells_and_is_no_text() {
        for (bytes, text, encoding) in [
            (&b"ab"[..], "ab", Encoding::Utf8),
            (b"\xef\xbb\xbfab", "ab", Encoding::Utf8),
            (b"\xff\xfea\0b\0", "ab", Encoding::Utf16Le),
            (b"\xfe\xff\0a\0b", "ab", Encoding::Utf16Be),
            (b"", "", Encoding::Utf8),
        ] {
            assert_eq!(decode(bytes), Some(Decoded { text: text.to_owned(), encoding }));
        }
        assert_eq!(decode(b"\xff\xfea\0b"), None);
    }
}
