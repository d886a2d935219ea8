//! The statements that only show something: SHOW, DESCRIBE and LIST, by a small grammar of their known forms.
//!
//! The parser knows few of them. A form that is not here is refused: a statement could follow a word that only seems to
//! begin one of these.

use sqlparser::tokenizer::Token;

use crate::domain::sql::read_only::constants::Constants;
use crate::domain::sql::read_only::names::{OWN_PATHS, is_own_path, is_table_path, table_refusal};
use crate::domain::sql::read_only::words::{is_word, starts_with, word};

/// What can be shown, and whether the name of an object follows.
const SHOWN: [(&[&str], bool); 43] = [
    (&["ALL", "FUNCTIONS"], false),
    (&["ALL", "IN", "SHARE"], true),
    (&["CATALOGS"], false),
    (&["COLUMNS"], false),
    (&["CONNECTIONS"], false),
    (&["CREATE", "FUNCTION"], true),
    (&["CREATE", "MATERIALIZED", "VIEW"], true),
    (&["CREATE", "STREAMING", "TABLE"], true),
    (&["CREATE", "TABLE"], true),
    (&["CREATE", "VIEW"], true),
    (&["CREDENTIALS"], false),
    (&["CURRENT", "DATABASE"], false),
    (&["CURRENT", "SCHEMA"], false),
    (&["DATABASES"], false),
    (&["EFFECTIVE", "POLICIES"], false),
    (&["EXTERNAL", "LOCATIONS"], false),
    (&["FOREIGN", "CATALOGS"], false),
    (&["FUNCTIONS"], false),
    (&["GRANT"], false),
    (&["GRANTS"], false),
    (&["GROUPS"], false),
    (&["MATERIALIZED", "VIEWS"], false),
    (&["PARTITIONS"], true),
    (&["POLICIES"], false),
    (&["PROCEDURES"], false),
    (&["PROVIDERS"], false),
    (&["RECIPIENTS"], false),
    (&["SCHEMAS"], false),
    (&["SERVICE", "CREDENTIALS"], false),
    (&["SHARES"], false),
    (&["STORAGE", "CREDENTIALS"], false),
    (&["STREAMING", "TABLES"], false),
    (&["SYSTEM", "FUNCTIONS"], false),
    (&["TABLE", "EXTENDED"], false),
    (&["TABLES", "DROPPED"], false),
    (&["TABLES"], false),
    (&["TBLPROPERTIES"], true),
    (&["USER", "FUNCTIONS"], false),
    (&["USERS"], false),
    (&["VIEWS"], false),
    (&["VOLUMES"], false),
    (&["CONSTRAINTS"], false),
    (&["TAGS"], false),
];

/// The kinds of objects, as they stand before a name.
const KINDS: [&[&str]; 29] = [
    &["ANONYMOUS", "FUNCTION"],
    &["ANY", "FILE"],
    &["CATALOG"],
    &["CLEAN", "ROOM"],
    &["CONNECTION"],
    &["CREDENTIAL"],
    &["DATABASE"],
    &["EXTERNAL", "LOCATION"],
    &["EXTERNAL", "METADATA"],
    &["FOREIGN", "CATALOG"],
    &["FUNCTION"],
    &["GROUP"],
    &["MATERIALIZED", "VIEW"],
    &["METASTORE"],
    &["MODEL"],
    &["POLICY"],
    &["PROCEDURE"],
    &["PROVIDER"],
    &["RECIPIENT"],
    &["SCHEMA"],
    &["SERVICE", "CREDENTIAL"],
    &["SERVER"],
    &["SHARE"],
    &["STORAGE", "CREDENTIAL"],
    &["STREAMING", "TABLE"],
    &["TABLE"],
    &["USER"],
    &["VIEW"],
    &["VOLUME"],
];

/// Words that begin a statement, which are no names here unless they are quoted.
const VERBS: [&str; 35] = [
    "ALTER", "ANALYZE", "BEGIN", "CACHE", "CALL", "CLEAR", "COMMENT", "CONVERT", "COPY", "CREATE", "DECLARE", "DELETE",
    "DENY", "DROP", "EXECUTE", "GRANT", "INSERT", "LOAD", "MERGE", "MSCK", "OPTIMIZE", "PUT", "REFRESH", "REMOVE",
    "REORG", "REPAIR", "RESET", "RESTORE", "REVOKE", "SET", "TRUNCATE", "UNDROP", "UPDATE", "USE", "VACUUM",
];

/// Refuses a SHOW statement in no known form. SHOW itself has been read.
pub(super) fn show(tokens: &[Token], constants: &Constants) -> Result<(), String> {
    let mut reader = Reader { tokens, constants };
    let Some((shown, has_object)) = SHOWN.iter().find(|(words, _)| reader.words(words)) else {
        return Err("it is in no known form of SHOW".to_owned());
    };
    if *has_object {
        reader.name()?;
    }
    if shown == &["TBLPROPERTIES"] && reader.tokens.first() == Some(&Token::LParen) {
        reader.list_of_values()?;
    }
    if shown == &["GROUPS"] && (reader.words(&["WITH", "USER"]) || reader.words(&["WITH", "GROUP"])) {
        reader.name()?;
    }
    while !reader.tokens.is_empty() {
        let is_name = reader.tokens.first().is_some_and(|token| word(token).is_some());
        if shown.last() == Some(&"FUNCTIONS") && is_name && !is_word_of_clause(reader.tokens) {
            // The name of one, which ends the statement.
            reader.name()?;
            return if reader.tokens.is_empty() { Ok(()) } else { reader.unknown() };
        }
        reader.clause()?;
    }
    Ok(())
}

/// Refuses a DESCRIBE statement in no known form, but for that of a query. DESCRIBE itself has been read.
pub(super) fn describe(tokens: &[Token], constants: &Constants) -> Result<(), String> {
    let mut reader = Reader { tokens, constants };
    // Each of these words may be a name, too.
    let is_of = |words: &[&str]| tokens.len() > words.len() && starts_with(tokens, words);
    if let Some(kind) = KINDS.iter().find(|kind| is_of(kind)) {
        reader.words(kind);
    } else if is_of(&["HISTORY"]) || is_of(&["DETAIL"]) {
        reader.words(&["HISTORY"]);
        reader.words(&["DETAIL"]);
    }
    if reader.tokens.len() > 1 {
        let _ = reader.words(&["EXTENDED"]) || reader.words(&["FORMATTED"]);
    }
    if !reader.tokens.is_empty() {
        // A path may also be given as a string.
        reader.name().or_else(|error| if reader.string_path(is_table_path) { Ok(()) } else { Err(error) })?;
    }
    while !reader.tokens.is_empty() {
        // A column, or one of its fields.
        if reader.tokens.first().is_some_and(|token| word(token).is_some()) && !is_word_of_clause(reader.tokens) {
            reader.name()?;
            continue;
        }
        reader.clause()?;
    }
    Ok(())
}

/// Refuses a LIST statement of anything but the workspace's own storage. LIST itself has been read.
pub(super) fn list(tokens: &[Token], constants: &Constants) -> Result<(), String> {
    let mut reader = Reader { tokens, constants };
    if !reader.string_path(is_own_path) {
        return Err(format!("LIST is allowed with {OWN_PATHS}, written out"));
    }
    while !reader.tokens.is_empty() {
        reader.limit()?;
    }
    Ok(())
}

fn is_word_of_clause(tokens: &[Token]) -> bool {
    tokens.first().is_some_and(|token| is_word(token, &["AS", "IN", "FROM", "LIKE", "LIMIT", "ON", "PARTITION", "TO"]))
}

struct Reader<'a> {
    tokens: &'a [Token],
    constants: &'a Constants,
}

impl Reader<'_> {
    /// Reads these keywords if they are next.
    fn words(&mut self, words: &[&str]) -> bool {
        let found = starts_with(self.tokens, words);
        if found {
            self.skip(words.len());
        }
        found
    }

    fn skip(&mut self, count: usize) {
        self.tokens = self.tokens.get(count..).unwrap_or_default();
    }

    fn read(&mut self, token: &Token) -> bool {
        let found = self.tokens.first() == Some(token);
        if found {
            self.skip(1);
        }
        found
    }

    fn unknown<T>(&self) -> Result<T, String> {
        let found = self.tokens.first().map_or_else(|| "its end".to_owned(), |token| format!("`{token}`"));
        Err(format!("{found} is not expected in a SHOW or DESCRIBE statement"))
    }

    /// Reads the name of an object.
    fn name(&mut self) -> Result<(), String> {
        let mut parts = Vec::new();
        loop {
            let Some(Token::Word(part)) = self.tokens.first() else { return self.unknown() };
            if self.tokens.first().is_some_and(|token| is_word(token, &VERBS)) {
                return self.unknown();
            }
            parts.push(part.value.as_str());
            self.skip(1);
            if !self.read(&Token::Period) {
                break;
            }
        }
        table_refusal(&parts).map_or(Ok(()), Err)
    }

    /// Reads a path that is allowed, which is a string or a quoted name.
    fn string_path(&mut self, is_allowed: impl Fn(&str) -> bool) -> bool {
        let path = match self.tokens.first() {
            Some(Token::Word(word)) if word.quote_style.is_some() => Some(word.value.as_str()),
            Some(token) => self.constants.token(token),
            None => None,
        };
        let found = path.is_some_and(is_allowed);
        if found {
            self.skip(1);
        }
        found
    }

    fn is_string(&mut self) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::SingleQuotedString(_)));
        if found {
            self.skip(1);
        }
        found
    }

    /// Reads whatever may follow what is shown or described.
    fn clause(&mut self) -> Result<(), String> {
        if self.words(&["AS", "JSON"]) || self.words(&["AS", "SERDE"]) || self.is_string() {
            return Ok(());
        }
        if self.words(&["LIKE"]) {
            return if self.is_string() { Ok(()) } else { self.pattern() };
        }
        if self.words(&["PARTITION"]) {
            return self.list_of_values();
        }
        if starts_with(self.tokens, &["LIMIT"]) {
            return self.limit();
        }
        let is_preposition = ["FROM", "IN", "ON", "TO"].iter().any(|word| self.words(&[word]));
        let is_kind = KINDS.iter().any(|kind| self.words(kind));
        match (is_preposition, is_kind, self.tokens.first()) {
            // `ON METASTORE`, `ON ANY FILE` have no name.
            (_, true, None) => Ok(()),
            (true, ..) | (_, true, _) => self.name(),
            // A principal.
            (false, false, Some(Token::Word(word))) if word.quote_style.is_some() => self.name(),
            _ => self.unknown(),
        }
    }

    /// Reads an unquoted pattern, such as `a*|b*`.
    fn pattern(&mut self) -> Result<(), String> {
        let end = self.tokens.iter().take_while(|token| match token {
            Token::Mul | Token::Pipe | Token::Period => true,
            Token::Word(_) => !is_word(token, &VERBS),
            _ => false,
        });
        match end.count() {
            0 => self.unknown(),
            count => {
                self.skip(count);
                Ok(())
            }
        }
    }

    fn limit(&mut self) -> Result<(), String> {
        if self.words(&["LIMIT"]) && matches!(self.tokens.first(), Some(Token::Number(..))) {
            self.skip(1);
            return Ok(());
        }
        self.unknown()
    }

    /// Reads `(a = 1, b = 'x')` or `(key)`.
    fn list_of_values(&mut self) -> Result<(), String> {
        if !self.read(&Token::LParen) {
            return self.unknown();
        }
        while !self.read(&Token::RParen) {
            match self.tokens.first() {
                Some(
                    Token::Word(_)
                    | Token::Period
                    | Token::Comma
                    | Token::Eq
                    | Token::Minus
                    | Token::Number(..)
                    | Token::SingleQuotedString(_),
                ) => self.skip(1),
                _ => return self.unknown(),
            }
        }
        Ok(())
    }
}
