//! Which of many values a person may mean, the likeliest first.

/// How well a value fits what was typed, the best first: it begins with it, a word of it does, or it holds it. `None` where it does not.
pub(super) fn rank(typed: &str, value: &str) -> Option<u8> {
    let (typed, value) = (typed.to_lowercase(), value.to_lowercase());
    if value.starts_with(&typed) {
        return Some(0);
    }
    let mut found = value.match_indices(&typed).peekable();
    found.peek()?;
    let is_at_word = |(index, _): (usize, &str)| {
        value.get(..index).and_then(|before| before.chars().next_back()).is_some_and(|before| !before.is_alphanumeric())
    };
    Some(if found.any(is_at_word) { 1 } else { 2 })
}

/// The values that fit, the best first, and among equals in their order.
pub(super) fn ranked<T>(values: impl IntoIterator<Item = T>, fits: impl Fn(&T) -> Option<u8>) -> Vec<T> {
    let mut found: Vec<_> = values.into_iter().filter_map(|value| Some((fits(&value)?, value))).collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::{rank, ranked};

    #[test]
    fn beginnings_come_before_words_and_words_before_parts() {
        let names = ["reorders", "daily orders", "Orders", "stock", "sub_order"];
        let found = ranked(names, |name| rank("ORDER", name));
        assert_eq!(found, ["Orders", "daily orders", "sub_order", "reorders"]);
        assert_eq!(ranked(names, |name| rank("", name)).len(), names.len());
        assert_eq!(rank("é", "Café É"), Some(1));
    }
}
