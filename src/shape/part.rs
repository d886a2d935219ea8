//! A long text, part by part.

use crate::shape::Budget;

/// As much of a text from a character on as the budget has room for as JSON, and where the rest begins.
pub(crate) fn part(text: &str, offset: usize, budget: Budget) -> (String, Option<usize>) {
    let mut used = 0;
    let mut part = String::new();
    for (index, character) in text.chars().enumerate().skip(offset) {
        used += match character {
            '"' | '\\' | '\n' | '\r' | '\t' => 2,
            character if character.is_control() => 6,
            _ => 1,
        };
        if used > budget.characters {
            return (part, Some(index));
        }
        part.push(character);
    }
    (part, None)
}

#[cfg(test)]
mod tests {
    use super::{Budget, part};

    #[test]
    fn parts_make_the_whole() {
        let text = "a\"é\n".repeat(50);
        let (mut whole, mut offset, mut parts) = (String::new(), Some(0), 0);
        while let Some(start) = offset {
            let (part, next) = part(&text, start, Budget { characters: 60 });
            assert!(serde_json::json!(part).to_string().chars().count() <= 62);
            whole.push_str(&part);
            offset = next;
            parts += 1;
        }
        assert_eq!((whole, parts), (text, 5));
    }
}
