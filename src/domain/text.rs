//! What a program wrote, as a model should read it: without terminal colors, without markup, and cut to the available
//! space.

/// Which part of a long text matters most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// What comes first: a result.
    Head,
    /// What comes last: a log.
    Tail,
    /// A little of the start, more of the end: a stack trace.
    Ends,
}

/// A text within its room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// What is left of it.
    pub(crate) text: String,
    /// What was left out, in exact numbers; `None` where it is whole.
    pub(crate) notice: Option<String>,
}

/// At most `most` characters of a text, besides the mark where it was cut.
pub(crate) fn excerpt(text: &str, most: usize, keep: Keep) -> Excerpt {
    let length = text.chars().count();
    if length <= most {
        return Excerpt { text: text.to_owned(), notice: None };
    }
    let head = match keep {
        Keep::Head => most,
        Keep::Tail => 0,
        Keep::Ends => most / 4,
    };
    let tail = most - head;
    let mark = format!("… {} characters left out …", length - most);
    let first: String = text.chars().take(head).collect();
    let last: String = text.chars().skip(length - tail).collect();
    let parts = [first.as_str(), mark.as_str(), last.as_str()];
    let text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    let notice = match (head, tail) {
        (head, 0) => format!("first {head} of {length} characters"),
        (0, tail) => format!("last {tail} of {length} characters"),
        (head, tail) => format!("first {head} and last {tail} of {length} characters"),
    };
    Excerpt { text, notice: Some(notice) }
}

/// The text without the escape sequences by which terminals show colours and move, and without other control
/// characters. What a carriage return overwrites is left out, as a terminal does.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => match letters.next() {
                // A control sequence ends at its first letter or one of a few signs.
                Some('[') => while letters.next().is_some_and(|letter| !('\u{40}'..='\u{7e}').contains(&letter)) {},
                // A command to the terminal ends at a bell, or at escape and a backslash.
                Some(']') => {
                    while let Some(letter) = letters.next() {
                        if letter == '\u{7}' {
                            break;
                        }
                        if letter == '\u{1b}' {
                            letters.next();
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\r' if letters.peek() == Some(&'\n') => {}
            '\r' => plain.truncate(plain.rfind('\n').map_or(0, |end| end + 1)),
            '\u{8}' => drop(plain.pop()),
            '\n' | '\t' => plain.push(letter),
            letter if letter.is_control() => {}
            letter => plain.push(letter),
        }
    }
    plain
}

/// Elements that Databricks and notebooks wrap text in. Others, such as Python's `<module>`, are text.
const ELEMENTS: [&str; 36] = [
    "a", "b", "body", "br", "code", "div", "em", "font", "h1", "h2", "h3", "h4", "head", "hr", "html", "i", "img",
    "li", "ol", "p", "pre", "script", "small", "span", "strong", "style", "sub", "sup", "table", "tbody", "td", "th",
    "thead", "title", "tr", "ul",
];

/// Elements after which a new line begins.
const LINES: [&str; 10] = ["br", "div", "h1", "h2", "h3", "h4", "li", "p", "pre", "tr"];

/// The text of markup: tags taken out, entities resolved, and the colours of [`plain`] too. A text without any tag
/// stays as it is, entities too.
pub(crate) fn without_markup(text: &str) -> String {
    let text = plain(text);
    let mut bare = String::with_capacity(text.len());
    let (mut rest, mut tags) = (text.as_str(), 0);
    while let Some((before, after)) = rest.split_once('<') {
        bare.push_str(before);
        match tag(after) {
            Some((name, closes, inside)) => {
                tags += 1;
                rest = inside;
                if matches!(name, "script" | "style") && !closes {
                    let end = format!("</{name}");
                    rest = rest.find(&end).and_then(|at| rest.get(at..)).unwrap_or_default();
                } else if LINES.contains(&name) && (closes || name == "br") {
                    bare.push('\n');
                } else if matches!(name, "td" | "th") && closes {
                    bare.push('\t');
                }
            }
            None => {
                bare.push('<');
                rest = after;
            }
        }
    }
    bare.push_str(rest);
    if tags == 0 { text } else { entities(bare.trim()) }
}

/// Name, whether it closes, and what follows, of a tag whose `<` is before the text.
fn tag(text: &str) -> Option<(&'static str, bool, &str)> {
    let (closes, text) = text.strip_prefix('/').map_or((false, text), |text| (true, text));
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric())?;
    let name = text.get(..end)?.to_ascii_lowercase();
    let name = ELEMENTS.into_iter().find(|element| *element == name)?;
    let rest = text.get(end..)?;
    // A tag has nothing but attributes in it, never another one.
    let close = rest.find('>')?;
    let attributes = rest.get(..close)?;
    let is_apart = attributes.is_empty() || attributes.starts_with(|sign: char| sign.is_whitespace() || sign == '/');
    // `a<b and b>c` compares; the elements here have attributes with values or none.
    let has_values = attributes.trim().trim_end_matches('/').is_empty() || attributes.contains('=');
    let after = rest.get(close + 1..)?;
    (is_apart && has_values && !attributes.contains('<')).then_some((name, closes, after))
}

fn entities(text: &str) -> String {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        resolved.push_str(before);
        let entity = after.split_once(';').filter(|(name, _)| name.len() <= 8);
        match entity.and_then(|(name, rest)| Some((entity_letter(name)?, rest))) {
            Some((letter, after)) => {
                resolved.push(letter);
                rest = after;
            }
            None => {
                resolved.push('&');
                rest = after;
            }
        }
    }
    resolved.push_str(rest);
    resolved
}

fn entity_letter(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        name => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Excerpt, Keep, excerpt, plain, without_markup};

    #[test]
    fn cuts_are_told_exactly() {
        let whole = excerpt("äöü", 3, Keep::Tail);
        assert_eq!(whole, Excerpt { text: "äöü".into(), notice: None });
        let text = "0123456789";
        let cut = |keep| {
            let Excerpt { text, notice } = excerpt(text, 8, keep);
            (text, notice.unwrap_or_default())
        };
        assert_eq!(cut(Keep::Head).1, "first 8 of 10 characters");
        assert_eq!(cut(Keep::Tail).0, "… 2 characters left out …\n23456789");
        let (text, notice) = cut(Keep::Ends);
        assert_eq!(text, "01\n… 2 characters left out …\n456789");
        assert_eq!(notice, "first 2 and last 6 of 10 characters");
    }

    #[test]
    fn terminals_leave_no_trace() {
        assert_eq!(plain("\u{1b}[0;31mValueError\u{1b}[0m: x\r\n"), "ValueError: x\n");
        assert_eq!(plain("10%\r50%\r100%\nnext"), "100%\nnext");
        assert_eq!(plain("\u{1b}]0;title\u{7}text\u{8}t\u{0}"), "text");
        assert_eq!(plain("cut \u{1b}["), "cut ");
    }

    #[test]
    fn markup_goes_and_what_only_looks_like_it_stays() {
        let summary =
            "<div class=\"ansi\"><span class=\"ansi-red-fg\">NameError</span>: name &#39;x&#39; &lt;y&gt;</div>";
        assert_eq!(without_markup(summary), "NameError: name 'x' <y>");
        let trace = "File <command-1>, line 1, in <module>\n  if a<b and b>c: &amp;";
        assert_eq!(without_markup(trace), trace);
        assert_eq!(without_markup("<table><tr><td>1</td><td>2</td></tr></table>"), "1\t2");
        assert_eq!(without_markup("<style>p { color: red }</style><p>one</p>two &unknown; &"), "one\ntwo &unknown; &");
        assert_eq!(without_markup("<span"), "<span");
    }
}
