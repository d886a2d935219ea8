//! Pages of a list with opaque tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::ApiError;

#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
    pub(crate) previous: Option<String>,
}

/// Cuts the page that `token` names out of `items`; the first one without a token.
pub(crate) fn page<T>(items: Vec<T>, size: usize, token: Option<&str>) -> Result<Page<T>, ApiError> {
    let size = size.max(1);
    let offset = match token {
        None | Some("") => 0,
        Some(token) => {
            decode(token).ok_or_else(|| ApiError::invalid_parameter(format!("Invalid page token: {token}")))?
        }
    };
    let total = items.len();
    let end = offset.saturating_add(size);
    let next = (end < total).then(|| encode(end));
    let previous = (offset > 0).then(|| encode(offset.saturating_sub(size)));
    let items = items.into_iter().skip(offset).take(size).collect();
    Ok(Page { items, next, previous })
}

fn encode(offset: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("page:{offset}"))
}

fn decode(token: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("page:")?.parse().ok()
}

/// A page size that was asked for: absent or zero means `default`, and `maximum` caps it.
pub(crate) fn size(asked: Option<i64>, default: usize, maximum: usize) -> Result<usize, ApiError> {
    match asked {
        None | Some(0) => Ok(default),
        Some(asked) => match usize::try_from(asked) {
            Ok(asked) => Ok(asked.min(maximum)),
            Err(_) => Err(ApiError::invalid_parameter("The page size must be greater than or equal to 0")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_all_pages() {
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let page = page((0..7).collect(), 3, token.as_deref()).unwrap();
            seen.extend(page.items);
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..7).collect::<Vec<_>>());
        assert!(page(vec![1], 3, Some("junk")).is_err());
    }
}
