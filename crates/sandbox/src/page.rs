//! Pages of a list with opaque tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Outcome;

#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
    pub(crate) previous: Option<String>,
}

impl<T> Page<T> {
    /// The page with what is told of its items, so that only they are told.
    pub(crate) fn try_map<U, E>(self, told: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        let items = self.items.into_iter().map(told).collect::<Result<_, _>>()?;
        Ok(Page { items, next: self.next, previous: self.previous })
    }
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

/// Answers a page of a list, with the token of the next one if there is one.
pub(crate) fn told(field: &str, items: Vec<Value>, size: usize, token: Option<&str>) -> Outcome {
    let page = page(items, size, token)?;
    let mut reply = json!({field: page.items});
    if let Some(next) = page.next {
        reply.set("next_page_token", next);
    }
    Ok(Reply::json(reply))
}

/// Answers the page that `page_size` and `page_token` of the query ask for.
pub(crate) fn asked(field: &str, items: Vec<Value>, request: &Request, default: usize, maximum: usize) -> Outcome {
    let size = size(request.query_integer("page_size")?, default, maximum)?;
    told(field, items, size, request.query("page_token"))
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
