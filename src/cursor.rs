//! The `page_token` of every list: where the list continues, self-contained, so that a restarted server or another
//! replica understands it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// Where a list goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cursor {
    /// The page of the API, as its own cursor; absent for the first.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(crate) page: Option<String>,
    /// Items of that page that were given already.
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub(crate) skip: usize,
    /// Which list of several this is, where one listing goes over many.
    #[serde(rename = "l", default, skip_serializing_if = "is_zero")]
    pub(crate) list: usize,
    /// A mark of what it belongs to, where it would be misunderstood with anything else.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<String>,
}

impl Cursor {
    /// The cursor as text for a client.
    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The cursor of a text that [`Cursor::encode`] made; `None` for any other text.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}

/// A cursor that belongs to one of several workspaces, as text for a client.
pub(crate) fn bound(cursor: &str, workspace: &str) -> String {
    // The name's alphabet has no dot, whatever that of the cursor is.
    format!("{cursor}.{}", URL_SAFE_NO_PAD.encode(workspace))
}

/// The cursor and the workspace of a text that [`bound`] made; `None` for any other text.
pub(crate) fn unbound(text: &str) -> Option<(&str, String)> {
    let (cursor, workspace) = text.rsplit_once('.')?;
    Some((cursor, String::from_utf8(URL_SAFE_NO_PAD.decode(workspace).ok()?).ok()?))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::{Cursor, bound, unbound};

    #[test]
    fn cursors_survive_the_way_to_the_client() {
        let cursor = Cursor { page: Some("next=\"page\"/ü".into()), skip: 7, list: 2, of: Some("mark".into()) };
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        assert_eq!(Cursor::decode(&Cursor::default().encode()), Some(Cursor::default()));
    }

    #[test]
    fn a_cursor_knows_its_workspace() {
        for name in ["prod", "a.b", "ü=/?"] {
            let text = bound("next.page", name);
            assert_eq!(unbound(&text), Some(("next.page", name.to_owned())));
            assert_eq!(Cursor::decode(&bound(&Cursor::default().encode(), name)), None, "not bound by accident");
        }
        assert_eq!(unbound(&Cursor::default().encode()), None);
        assert_eq!(unbound("e30.not base64"), None);
    }

    #[test]
    fn foreign_text_is_no_cursor() {
        for text in ["", "next", "bnVsbA", "eyJ4IjoxfQ", "eyJzIjotMX0"] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }
}
