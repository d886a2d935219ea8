//! Forms of Databricks SQL that the parser does not know and a dialect cannot add, written as forms that it knows.
//!
//! Each rewriting keeps every expression of the statement, so that what the guard looks for stays in sight. All of
//! these forms belong into the parser, and go from here once they are there.

use sqlparser::tokenizer::Token;

use crate::domain::sql::read_only::words::{is_word, starts_with, word};

const UNITS: [&str; 20] = [
    "YEAR",
    "YEARS",
    "QUARTER",
    "QUARTERS",
    "MONTH",
    "MONTHS",
    "WEEK",
    "WEEKS",
    "DAY",
    "DAYS",
    "HOUR",
    "HOURS",
    "MINUTE",
    "MINUTES",
    "SECOND",
    "SECONDS",
    "MILLISECOND",
    "MILLISECONDS",
    "MICROSECOND",
    "MICROSECONDS",
];

/// A bracket that is open.
struct Bracket {
    /// Where it stands among what is written.
    at: usize,
    /// Whether `TABLE(…)` was within it: that of `f(TABLE(t) PARTITION BY …)`.
    has_table: bool,
    /// Whether it was doubled, as the parser takes a query as an argument only in brackets of its own.
    is_doubled: bool,
}

/// Words that begin the query of `TABLE(…)`.
const BEGIN_QUERY: [&str; 4] = ["FROM", "SELECT", "VALUES", "WITH"];

/// The tokens of a query in forms that the parser knows.
pub(super) fn rewrite(tokens: &[Token]) -> Vec<Token> {
    let mut written: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut open: Vec<Bracket> = Vec::new();
    // How many brackets were open where one was put around a query behind a pipe.
    let mut put: Vec<usize> = Vec::new();
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        let ends = matches!(token, Token::RParen | Token::VerticalBarRightAngleBracket);
        if ends && put.last() == Some(&open.len()) {
            put.pop();
            written.push(Token::RParen);
        }
        if is_operand_of_pipe(token, &written) {
            put.push(open.len());
            written.push(Token::LParen);
        }
        let read = match token {
            Token::LParen => {
                let is_of_table = written.last().is_some_and(|before| is_word(before, &["TABLE"]));
                let is_doubled = is_of_table && after.first().is_some_and(|next| is_word(next, &BEGIN_QUERY));
                open.push(Bracket { at: written.len(), has_table: false, is_doubled });
                written.extend(is_doubled.then_some(Token::LParen));
                None
            }
            Token::RParen => {
                let closed = open.pop();
                let before = closed.as_ref().and_then(|closed| written.get(closed.at.checked_sub(1)?));
                if before.is_some_and(|before| is_word(before, &["TABLE"]))
                    && let Some(around) = open.last_mut()
                {
                    around.has_table = true;
                }
                written.extend(closed.filter(|closed| closed.is_doubled).map(|_| Token::RParen));
                None
            }
            Token::Word(_) if open.last().is_some_and(|around| around.has_table) => {
                of_table_argument(rest, &mut written)
            }
            _ => None,
        };
        let read = read.or_else(|| known_form(rest, &mut written));
        rest = match read {
            Some(count) => rest.get(count..).unwrap_or_default(),
            None => {
                written.push(token.clone());
                after
            }
        };
    }
    written.extend(put.iter().map(|_| Token::RParen));
    written
}

/// Whether a query begins here that is the operand of `|> UNION ALL`, without the brackets that the parser wants.
fn is_operand_of_pipe(token: &Token, written: &[Token]) -> bool {
    const OPERATORS: [&str; 3] = ["EXCEPT", "INTERSECT", "UNION"];
    let before = match written {
        [before @ .., last] if is_word(last, &["ALL", "DISTINCT"]) => before,
        before => before,
    };
    let is_operand = matches!(before, [.., pipe, operator]
        if *pipe == Token::VerticalBarRightAngleBracket && is_word(operator, &OPERATORS));
    is_operand && (is_word(token, &BEGIN_QUERY) || is_word(token, &["TABLE"]))
}

/// Writes the known form of what the tokens begin with, and tells how many of them that is.
fn known_form(tokens: &[Token], written: &mut Vec<Token>) -> Option<usize> {
    let (first, after) = tokens.split_first()?;
    match first {
        // `t FOR SYSTEM_VERSION AS OF 3`, `t FOR VERSION AS OF 3`
        Token::Word(_) if is_word(first, &["FOR", "SYSTEM_VERSION", "SYSTEM_TIME"]) => {
            let count = usize::from(is_word(first, &["FOR"]));
            let travel = tokens.get(count)?;
            let kind = match () {
                () if is_word(travel, &["SYSTEM_VERSION", "VERSION"]) => "VERSION",
                () if is_word(travel, &["SYSTEM_TIME", "TIMESTAMP"]) => "TIMESTAMP",
                () => return None,
            };
            starts_with(tokens.get(count + 1..)?, &["AS", "OF"]).then_some(())?;
            written.push(Token::make_keyword(kind));
            Some(count + 1)
        }
        // `x?::INT` tries the cast.
        Token::Question => (after.first() == Some(&Token::DoubleColon)).then_some(1),
        Token::Placeholder(mark) if mark == "?" => (after.first() == Some(&Token::DoubleColon)).then_some(1),
        // `t@v3`, `t@20260101000000000`
        Token::AtSign => is_version(after.first()?).then_some(2),
        Token::Placeholder(version) => {
            let version = version.strip_prefix('@')?;
            is_version(&Token::make_word(version, None)).then_some(1)
        }
        // `* EXCEPT (a, b.c)`: the names within are columns, whose structs do not matter.
        Token::Word(_) if is_word(first, &["EXCEPT"]) && written.last() == Some(&Token::Mul) => {
            let (open, names) = after.split_first()?;
            let is_name = |token: &Token| matches!(token, Token::Word(_) | Token::Period | Token::Comma);
            let end = names.iter().take_while(|token| is_name(token)).count();
            (*open == Token::LParen && names.get(end) == Some(&Token::RParen)).then_some(())?;
            let names = names.get(..end)?;
            written.extend([first.clone(), Token::LParen]);
            for (index, name) in names.iter().enumerate() {
                let is_struct = names.get(index + 1) == Some(&Token::Period);
                if *name != Token::Period && !is_struct {
                    written.push(name.clone());
                }
            }
            written.push(Token::RParen);
            Some(end + 3)
        }
        // `LIKE ALL (…)`, where a function of that name could not stand.
        Token::Word(_)
            if is_word(first, &["ALL"])
                && written.last().is_some_and(|before| is_word(before, &["LIKE", "ILIKE"]))
                && after.first() == Some(&Token::LParen) =>
        {
            Some(1)
        }
        Token::Word(_) if is_word(first, &["INTERVAL"]) => interval(after, written),
        // `struct(*)`, which the parser takes for a literal: as a quoted name it is a function like others.
        Token::Word(_) if is_word(first, &["STRUCT"]) && after.first() == Some(&Token::LParen) => {
            written.push(Token::make_word("struct", Some('`')));
            Some(1)
        }
        // `|> OFFSET 3`
        Token::Word(_)
            if is_word(first, &["OFFSET"]) && written.last() == Some(&Token::VerticalBarRightAngleBracket) =>
        {
            written.push(Token::make_keyword("LIMIT"));
            Some(1)
        }
        // `|> EXCEPT ALL`, where the parser knows DISTINCT only.
        Token::Word(_)
            if is_word(first, &["EXCEPT", "INTERSECT"])
                && written.last() == Some(&Token::VerticalBarRightAngleBracket) =>
        {
            written.extend([first.clone(), Token::make_keyword("DISTINCT")]);
            Some(1 + usize::from(after.first().is_some_and(|next| is_word(next, &["ALL", "DISTINCT"]))))
        }
        // `CAST(a AS STRING COLLATE c)`: a collation in a type, which is a name and nothing else.
        Token::Word(_)
            if is_word(first, &["COLLATE"])
                && written.last().is_some_and(|before| is_word(before, &["STRING"]))
                && after.first().is_some_and(|name| word(name).is_some()) =>
        {
            matches!(after.get(1), Some(Token::RParen | Token::Comma | Token::Gt | Token::ShiftRight)).then_some(2)
        }
        // `trim(LEADING FROM s)`
        Token::Word(_)
            if is_word(first, &["BOTH", "LEADING", "TRAILING"])
                && written.last() == Some(&Token::LParen)
                && after.first().is_some_and(|next| is_word(next, &["FROM"])) =>
        {
            Some(2)
        }
        // `TABLE t` is a query.
        Token::Word(_) if is_word(first, &["TABLE"]) && after.first().is_some_and(|next| word(next).is_some()) => {
            const BEFORE: [&str; 7] = ["UNION", "INTERSECT", "EXCEPT", "MINUS", "ALL", "DISTINCT", "AS"];
            let begins = match written.last() {
                None | Some(Token::LParen | Token::RParen) => true,
                Some(before) => is_word(before, &BEFORE),
            };
            begins.then_some(())?;
            written.extend([Token::make_keyword("SELECT"), Token::Mul, Token::make_keyword("FROM")]);
            Some(1)
        }
        // `a DIV b`, which stands where `a / b` could.
        Token::Word(_)
            if is_word(first, &["DIV"])
                && written.last().is_some_and(ends_operand)
                && after.first().is_some_and(|next| begins_operand(next, after.get(1))) =>
        {
            written.push(Token::Div);
            Some(1)
        }
        // `WITH RECURSIVE t MAX RECURSION LEVEL 10 AS …`
        Token::Word(_) if starts_with(tokens, &["MAX", "RECURSION", "LEVEL"]) => {
            matches!(tokens.get(3), Some(Token::Number(..))).then_some(4)
        }
        _ => None,
    }
}

/// Keywords that follow an operand and are none.
const AFTER_OPERAND: [&str; 32] = [
    "AND",
    "AS",
    "BETWEEN",
    "CROSS",
    "DIV",
    "ELSE",
    "END",
    "EXCEPT",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IN",
    "INNER",
    "INTERSECT",
    "IS",
    "JOIN",
    "LATERAL",
    "LIKE",
    "LIMIT",
    "MINUS",
    "NATURAL",
    "ON",
    "OR",
    "ORDER",
    "PIVOT",
    "THEN",
    "UNION",
    "USING",
    "WHEN",
    "WHERE",
    "WINDOW",
];

/// Whether an operand may end with this token.
fn ends_operand(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.quote_style.is_some() || !is_word(token, &["SELECT", "BY", "WHEN", "DISTINCT"]),
        Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_) => true,
        Token::RParen | Token::RBracket | Token::RBrace => true,
        _ => false,
    }
}

/// Whether an operand begins with this token, which the next one follows.
fn begins_operand(token: &Token, next: Option<&Token>) -> bool {
    match token {
        // `left(a, 1)` is one, `LEFT JOIN` none.
        Token::Word(_) if is_word(token, &["LEFT", "RIGHT"]) => next == Some(&Token::LParen),
        Token::Word(_) => !is_word(token, &AFTER_OPERAND),
        Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_) | Token::Colon => true,
        Token::LParen | Token::Minus | Token::Plus | Token::Tilde => true,
        _ => false,
    }
}

fn is_version(token: &Token) -> bool {
    match token {
        Token::Number(..) => true,
        Token::Word(word) => {
            let digits = word.value.strip_prefix(['v', 'V']).unwrap_or(&word.value);
            !digits.is_empty() && digits.chars().all(|char| char.is_ascii_digit())
        }
        _ => false,
    }
}

/// What follows INTERVAL: a type with units, `INTERVAL DAY TO SECOND`, or a literal with several, `1 YEAR 2 MONTHS`.
fn interval(after: &[Token], written: &mut Vec<Token>) -> Option<usize> {
    let is_unit = |token: Option<&Token>| token.is_some_and(|token| is_word(token, &UNITS));
    let keyword = Token::make_keyword("INTERVAL");
    if is_unit(after.first()) {
        let units = if starts_with(after.get(1..)?, &["TO"]) && is_unit(after.get(2)) { 3 } else { 1 };
        let is_type =
            matches!(after.get(units), None | Some(Token::RParen | Token::Comma | Token::Gt | Token::ShiftRight));
        written.push(keyword);
        return is_type.then_some(1 + units);
    }
    let length = |tokens: &[Token]| {
        let sign = usize::from(matches!(tokens.first(), Some(Token::Minus | Token::Plus)));
        let is_value = matches!(tokens.get(sign), Some(Token::Number(..) | Token::SingleQuotedString(_)));
        (is_value && is_unit(tokens.get(sign + 1))).then_some(sign + 2)
    };
    let first = length(after)?;
    let mut count = first;
    while let Some(more) = length(after.get(count..)?) {
        count += more;
    }
    (count > first).then_some(())?;
    written.push(keyword);
    written.extend_from_slice(after.get(..first)?);
    Some(1 + count)
}

/// How a table argument is divided and ordered: the expressions become arguments.
fn of_table_argument(tokens: &[Token], written: &mut Vec<Token>) -> Option<usize> {
    if starts_with(tokens, &["WITH", "SINGLE", "PARTITION"]) {
        return Some(3);
    }
    let first = tokens.first()?;
    if is_word(first, &["PARTITION", "DISTRIBUTE", "ORDER", "SORT"]) && starts_with(tokens.get(1..)?, &["BY"]) {
        written.push(Token::Comma);
        return Some(2);
    }
    is_word(first, &["ASC", "DESC"]).then_some(1)
}
