//! Tells statements that destroy something: what they take away is not there any more when they have run, whatever it was.
//!
//! The words of a statement decide, not the parser's tree, as these statements have many forms that the parser lacks. A
//! statement that hides what it runs counts as one that destroys, and so does one whose first word is not known here.

use sqlparser::tokenizer::Token;

use super::constants::Constants;
use super::words::{is_word, starts_with, word};
use super::{Circumstances, identifiers, readings, reads, thread, tokens};
use crate::error::Error;

/// What statements begin with that destroy nothing, unless they say so further on.
const HARMLESS: [&str; 34] = [
    "ADD", "ANALYZE", "CACHE", "CLEAR", "COMMENT", "CONVERT", "COPY", "DECLARE", "DENY", "DESC", "DESCRIBE", "EXPLAIN",
    "FETCH", "FSCK", "GENERATE", "GRANT", "LIST", "MSCK", "OPEN", "OPTIMIZE", "REFRESH", "REORG", "REPAIR", "RESET",
    "REVOKE", "SELECT", "SET", "SHOW", "SYNC", "TABLE", "UNCACHE", "UNDROP", "USE", "VALUES",
];
/// Words that only statements have which destroy something, or run others. In a script, they may stand anywhere.
const ANYWHERE: [&str; 7] = ["CALL", "DELETE", "DROP", "EXECUTE", "OVERWRITE", "TRUNCATE", "VACUUM"];
/// Words of a condition that name no column.
const OF_CONSTANTS: [&str; 10] = ["AND", "BETWEEN", "FALSE", "IN", "IS", "LIKE", "NOT", "NULL", "OR", "TRUE"];
/// What of a table ALTER drops without any loss of data.
const DROPPED_RULES: [&str; 7] = ["CONSTRAINT", "DEFAULT", "FOREIGN", "IDENTITY", "NOT", "PRIMARY", "TAG"];

/// What a statement destroys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destroys {
    /// In words that follow "it".
    pub(crate) what: String,
    /// The object, where there is one whose name is known.
    pub(crate) target: Option<Target>,
}

/// An object by the parts of its full name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// `TABLE`, `SCHEMA`, …
    pub(crate) kind: String,
    pub(crate) parts: Vec<String>,
}

/// What a statement destroys in any of its readings; nothing where it only adds, changes what it names, or reads.
pub(crate) async fn destroys(
    sql: &str,
    circumstances: Circumstances,
    schema: Option<String>,
) -> Result<Option<Destroys>, Error> {
    let sql = sql.to_owned();
    thread::run(move || {
        let session = Session { catalog: circumstances.catalog.clone(), schema };
        let readings = match readings(&sql) {
            Ok(readings) => readings,
            Err(why) => return Some(unclear(&why)),
        };
        readings.into_iter().find_map(|plain| {
            let constants = Constants::new(plain.strings, &circumstances.parameters);
            let tokens = match tokens(&plain.text) {
                Ok(tokens) => tokens,
                Err(why) => return Some(unclear(&why)),
            };
            let is_query = |tokens: &[Token]| reads(tokens, &constants, circumstances.allowed(false)).is_ok();
            // A name that is computed hides an object, and not what is done with it.
            let tokens = identifiers::resolve(tokens.clone(), &constants).unwrap_or(tokens);
            if tokens.first().is_some_and(|first| is_word(first, &["BEGIN"])) {
                return script(&tokens, &session);
            }
            let statements = tokens.split(|token| *token == Token::SemiColon);
            { statements }.find_map(|statement| if is_query(statement) { None } else { of(statement, &session) })
        })
    })
    .await
}

/// The full names that a statement may mean, wherever they stand; `None` where it hides some. Far more words are taken for
/// names than are.
pub(crate) async fn mentioned(
    sql: &str,
    circumstances: Circumstances,
    schema: Option<String>,
) -> Result<Option<Vec<Vec<String>>>, Error> {
    let sql = sql.to_owned();
    thread::run(move || {
        let session = Session { catalog: circumstances.catalog.clone(), schema };
        let mut found = Vec::new();
        for plain in readings(&sql).ok()? {
            let constants = Constants::new(plain.strings, &circumstances.parameters);
            let tokens = identifiers::resolve(tokens(&plain.text).ok()?, &constants).ok()?;
            if tokens.iter().any(|token| is_word(token, &["CALL", "EXECUTE"])) {
                return None;
            }
            session.names(&tokens, &mut found);
        }
        Some(found)
    })
    .await
}

fn unclear(why: &str) -> Destroys {
    Destroys { what: format!("is not understood well enough to say what it destroys: {why}"), target: None }
}

fn destroying(what: impl Into<String>, target: Option<Target>) -> Option<Destroys> {
    Some(Destroys { what: what.into(), target })
}

/// Where names without a catalog or a schema are looked for.
struct Session {
    catalog: Option<String>,
    schema: Option<String>,
}

impl Session {
    /// The object that is named first in these tokens.
    fn target(&self, kind: &str, tokens: &[Token]) -> Option<Target> {
        let mut parts = name(tokens);
        let wanted = match kind {
            "CATALOG" => 1,
            "SCHEMA" => 2,
            _ => 3,
        };
        if parts.len() + 1 == wanted && wanted == 2 {
            parts.insert(0, self.catalog.clone()?);
        }
        if wanted == 3 {
            if parts.len() == 1 {
                parts.insert(0, self.schema.clone()?);
            }
            if parts.len() == 2 {
                parts.insert(0, self.catalog.clone()?);
            }
        }
        (parts.len() == wanted).then(|| Target { kind: kind.to_owned(), parts })
    }
}

impl Session {
    /// Every row of words with dots between them, as a name of a catalog, a schema or what is in one.
    fn names(&self, tokens: &[Token], found: &mut Vec<Vec<String>>) {
        let mut before: Option<&Token> = None;
        let mut rest = tokens;
        while let Some((first, after)) = rest.split_first() {
            let parts = if matches!(first, Token::Word(_)) { dotted(rest) } else { Vec::new() };
            let is_behind = |words: &[&str]| before.is_some_and(|before| is_word(before, words));
            let under = |above: &[&Option<String>], parts: &[String]| {
                let above: Option<Vec<String>> = above.iter().map(|part| (*part).clone()).collect();
                above.map(|above| above.into_iter().chain(parts.iter().cloned()).collect::<Vec<_>>())
            };
            match parts.len() {
                0 => {}
                1 if is_behind(&["CATALOG"]) => found.push(parts.clone()),
                1 if is_behind(&["DATABASE", "SCHEMA"]) => found.extend(under(&[&self.catalog], &parts)),
                1 => found.extend(under(&[&self.catalog, &self.schema], &parts)),
                2 => found.extend(under(&[&self.catalog], &parts).into_iter().chain([parts.clone()])),
                _ => found.push(parts.iter().take(3).cloned().collect()),
            }
            // A word, a dot, a word, …
            let taken = (parts.len() * 2).saturating_sub(1).max(1);
            before = tokens.get(tokens.len() - rest.len() + taken - 1).or(Some(first));
            rest = rest.get(taken..).unwrap_or(after);
        }
    }
}

/// The parts of the name that these tokens begin with, behind `TABLE` and `IF EXISTS`.
fn name(tokens: &[Token]) -> Vec<String> {
    let mut rest = tokens;
    for skipped in [&["TABLE"][..], &["IF", "EXISTS"]] {
        if starts_with(rest, skipped) {
            rest = rest.get(skipped.len()..).unwrap_or_default();
        }
    }
    dotted(rest)
}

/// The words that these tokens begin with, with dots between them.
fn dotted(mut rest: &[Token]) -> Vec<String> {
    let mut parts = Vec::new();
    while let Some((Token::Word(part), after)) = rest.split_first() {
        parts.push(part.value.clone());
        match after.split_first() {
            Some((Token::Period, after)) => rest = after,
            _ => break,
        }
    }
    parts
}

/// What stands within no parentheses, and where.
fn places(tokens: &[Token]) -> impl Iterator<Item = (usize, &Token)> {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter(move |(_, token)| {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    })
}

fn outer(tokens: &[Token]) -> Vec<Token> {
    places(tokens).map(|(_, token)| token.clone()).collect()
}

fn find(tokens: &[Token], words: &[&str]) -> Option<usize> {
    tokens.windows(words.len()).position(|window| starts_with(window, words))
}

/// What a script destroys: its statements stand behind many words, so that each of its words counts.
fn script(tokens: &[Token], session: &Session) -> Option<Destroys> {
    let begins = |token: &Token| {
        *token == Token::SemiColon || is_word(token, &["BEGIN", "DO", "ELSE", "LOOP", "REPEAT", "THEN"])
    };
    const DATA: [&str; 8] = ["ALTER", "CREATE", "INSERT", "MERGE", "REPLACE", "RESTORE", "UPDATE", "WITH"];
    let part = |part: &[Token]| {
        part.first().filter(|first| is_word(first, &ANYWHERE) || is_word(first, &DATA)).and_then(|_| of(part, session))
    };
    let found = tokens.split(begins).find_map(part).map(|found| found.what);
    let word = tokens.iter().find(|token| is_word(token, &ANYWHERE)).and_then(word);
    let found = found.or_else(|| word.map(|word| format!("has the word `{}`", word.value.to_uppercase())));
    destroying(format!("is a script, and a part of it {}", found?), None)
}

/// What one statement destroys.
fn of(tokens: &[Token], session: &Session) -> Option<Destroys> {
    let (first, after) = tokens.split_first()?;
    let behind = |count: usize| tokens.get(count..).unwrap_or_default();
    let is = |words: &[&str]| is_word(first, words);
    if is(&["DROP"]) {
        return drop(after, session);
    }
    if is(&["TRUNCATE"]) {
        return destroying("removes every row", session.target("TABLE", after));
    }
    if is(&["DELETE"]) {
        let named = if starts_with(after, &["FROM"]) { behind(2) } else { after };
        return rows(tokens, "deletes", session.target("TABLE", named));
    }
    if is(&["UPDATE"]) {
        return rows(tokens, "overwrites", session.target("TABLE", after));
    }
    if is(&["INSERT"]) {
        return insert(tokens, session);
    }
    if is(&["MERGE"]) {
        let all = ["NOT", "MATCHED", "BY", "SOURCE", "THEN", "DELETE"];
        let named = if starts_with(after, &["INTO"]) { behind(2) } else { after };
        let target = || session.target("TABLE", named);
        return find(tokens, &all).and_then(|_| destroying("deletes every row that its source lacks", target()));
    }
    if is(&["CREATE", "REPLACE"]) {
        let named = if starts_with(after, &["OR", "REPLACE", "TABLE"]) { Some(behind(4)) } else { None };
        let named = named.or_else(|| (is(&["REPLACE"]) && starts_with(after, &["TABLE"])).then(|| behind(2)));
        return named.and_then(|named| destroying("replaces a table that is there", session.target("TABLE", named)));
    }
    if is(&["ALTER"]) {
        return alter(tokens, session);
    }
    if is(&["VACUUM"]) {
        return destroying("deletes the files of older versions for good", session.target("TABLE", after));
    }
    if is(&["RESTORE"]) {
        return destroying("puts an older version in place of what is there", session.target("TABLE", after));
    }
    if is(&["EXECUTE"]) {
        return destroying("runs a text as a statement, and what that does is not known", None);
    }
    if is(&["CALL"]) {
        return destroying("calls a procedure, and what that does is not known", None);
    }
    if is(&["FROM", "WITH"]) {
        // The statement stands behind its common table expressions, or behind what it reads.
        let begins = |token: &Token| is_word(token, &["DELETE", "INSERT", "MERGE", "UPDATE"]);
        let start = places(after).find(|(_, token)| begins(token)).map(|(start, _)| start);
        return start.and_then(|start| of(after.get(start..)?, session));
    }
    if is(&["LOAD"]) {
        return find(tokens, &["OVERWRITE"]).and_then(|_| destroying("replaces what a table holds", None));
    }
    let is_known = is(&HARMLESS) || *first == Token::LParen;
    if is_known { None } else { Some(unclear("its first word is not known")) }
}

fn drop(after: &[Token], session: &Session) -> Option<Destroys> {
    let (first, rest) = after.split_first()?;
    if is_word(first, &["TEMP", "TEMPORARY"]) {
        // It lasts no longer than its session.
        return None;
    }
    let (kind, named) = match rest.split_first() {
        Some((second, named)) if is_word(first, &["MATERIALIZED"]) && is_word(second, &["VIEW"]) => ("TABLE", named),
        _ if is_word(first, &["TABLE", "VIEW"]) => ("TABLE", rest),
        _ if is_word(first, &["DATABASE", "SCHEMA"]) => ("SCHEMA", rest),
        _ if is_word(first, &["CATALOG"]) => ("CATALOG", rest),
        _ if is_word(first, &["VOLUME"]) => ("VOLUME", rest),
        _ => ("", rest),
    };
    let called = word(first).map_or_else(|| "something".to_owned(), |word| format!("a {}", word.value.to_lowercase()));
    let cascades = if rest.iter().any(|token| is_word(token, &["CASCADE"])) { " with all that is in it" } else { "" };
    let target = if kind.is_empty() { None } else { session.target(kind, named) };
    destroying(format!("drops {called}{cascades}"), target)
}

/// What a statement does to rows, where no condition chooses among them.
fn rows(tokens: &[Token], what: &str, target: Option<Target>) -> Option<Destroys> {
    let Some(at) = places(tokens).find(|(_, token)| is_word(token, &["WHERE"])).map(|(at, _)| at) else {
        return destroying(format!("{what} every row"), target);
    };
    let is_column = |pair: &[Token]| match pair {
        [Token::Colon, _] => false,
        [_, name @ Token::Word(_)] => !is_word(name, &OF_CONSTANTS),
        _ => false,
    };
    if tokens.get(at..).unwrap_or_default().windows(2).any(is_column) {
        return None;
    }
    destroying(format!("{what} every row, as its condition names no column"), target)
}

fn insert(tokens: &[Token], session: &Session) -> Option<Destroys> {
    if let Some(at) = tokens.iter().take(3).position(|token| is_word(token, &["OVERWRITE"])) {
        let rest = tokens.get(at + 1..).unwrap_or_default();
        let rest = if starts_with(rest, &["INTO"]) { rest.get(1..).unwrap_or_default() } else { rest };
        return destroying("replaces the rows that are there", session.target("TABLE", rest));
    }
    let named = tokens.get(if starts_with(tokens, &["INSERT", "INTO"]) { 2 } else { 1 }..).unwrap_or_default();
    let outer = outer(tokens);
    let replaces = ["WHERE", "USING", "ON"].iter().any(|word| find(&outer, &["REPLACE", word]).is_some());
    if replaces { destroying("replaces rows that are there", session.target("TABLE", named)) } else { None }
}

fn alter(tokens: &[Token], session: &Session) -> Option<Destroys> {
    let outer = outer(tokens);
    let at = find(&outer, &["DROP"])?;
    let dropped = outer.get(at + 1)?;
    if is_word(dropped, &DROPPED_RULES) {
        return None;
    }
    let what = word(dropped).map_or_else(|| "a part".to_owned(), |word| format!("a {}", word.value.to_lowercase()));
    let target = if starts_with(tokens, &["ALTER", "TABLE"]) {
        session.target("TABLE", tokens.get(2..).unwrap_or_default())
    } else {
        None
    };
    destroying(format!("drops {what}"), target)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(sql: &str) -> Option<(String, String)> {
        let circumstances = Circumstances { catalog: Some("main".to_owned()), ..Circumstances::default() };
        let found = destroys(sql, circumstances, Some("default".to_owned())).await.expect("checked")?;
        let target = found.target.map(|target| format!("{} {}", target.kind, target.parts.join(".")));
        Some((found.what, target.unwrap_or_default()))
    }

    #[tokio::test]
    async fn what_destroys_is_told_with_its_object() {
        for (sql, what, target) in [
            ("DROP TABLE a.b.c", "drops a table", "TABLE a.b.c"),
            ("drop table if exists `a`.b /* x */ . c;", "drops a table", "TABLE a.b.c"),
            ("DROP VIEW c", "drops a view", "TABLE main.default.c"),
            ("DROP SCHEMA s CASCADE", "drops a schema with all that is in it", "SCHEMA main.s"),
            ("DROP CATALOG c", "drops a catalog", "CATALOG c"),
            ("DROP VOLUME a.b.c", "drops a volume", "VOLUME a.b.c"),
            ("DROP FUNCTION a.b.c", "drops a function", ""),
            ("DROP TABLE IDENTIFIER('a.b.c')", "drops a table", "TABLE a.b.c"),
            ("TRUNCATE TABLE a.b.c", "removes every row", "TABLE a.b.c"),
            ("DELETE FROM b.c", "deletes every row", "TABLE main.b.c"),
            ("DELETE FROM c -- WHERE x = 1", "deletes every row", "TABLE main.default.c"),
            ("DELETE FROM c WHERE true", "names no column", "TABLE main.default.c"),
            ("DELETE FROM c WHERE (1 = 1)", "names no column", "TABLE main.default.c"),
            ("DELETE FROM c WHERE 'x' = 'x' OR NOT FALSE", "names no column", ""),
            ("UPDATE c SET a = (SELECT max(x) FROM d WHERE d.y = 1)", "overwrites every row", ""),
            ("INSERT OVERWRITE a.b.c SELECT 1", "replaces the rows", "TABLE a.b.c"),
            ("INSERT OVERWRITE TABLE a.b.c VALUES (1)", "replaces the rows", "TABLE a.b.c"),
            ("INSERT INTO a.b.c REPLACE WHERE x = 1 SELECT 1", "replaces rows", "TABLE a.b.c"),
            ("WITH x AS (SELECT 1) INSERT OVERWRITE a.b.c SELECT * FROM x", "replaces the rows", "TABLE a.b.c"),
            ("FROM x INSERT OVERWRITE TABLE a.b.c SELECT *", "replaces the rows", "TABLE a.b.c"),
            ("CREATE OR REPLACE TABLE a.b.c AS SELECT 1", "replaces a table", "TABLE a.b.c"),
            ("MERGE INTO c USING d ON c.a = d.a WHEN NOT MATCHED BY SOURCE THEN DELETE", "its source lacks", ""),
            ("ALTER TABLE a.b.c DROP COLUMN d", "drops a column", "TABLE a.b.c"),
            ("ALTER TABLE a.b.c DROP PARTITION (d = 1)", "drops a partition", "TABLE a.b.c"),
            ("VACUUM a.b.c RETAIN 0 HOURS", "older versions for good", "TABLE a.b.c"),
            ("RESTORE TABLE a.b.c TO VERSION AS OF 1", "an older version", "TABLE a.b.c"),
            ("EXECUTE IMMEDIATE 'DROP TABLE x'", "runs a text", ""),
            ("CALL a.b.p()", "calls a procedure", ""),
            ("BEGIN INSERT INTO a.b.c VALUES (1); DROP TABLE d; END", "a part of it drops a table", ""),
            ("BEGIN IF true THEN DELETE FROM a.b.c; END IF; END", "a part of it deletes every row", ""),
            ("BEGIN EXECUTE IMMEDIATE 'x'; END", "a part of it runs a text", ""),
            ("SELECT 1; DROP TABLE a.b.c", "drops a table", "TABLE a.b.c"),
            ("SELECT 1 -- \\\nDROP TABLE x", "", ""),
            ("FROBNICATE TABLE a.b.c", "first word is not known", ""),
            ("DROP TABLE 'unended", "is not understood", ""),
        ] {
            let found = found(sql).await;
            if what.is_empty() {
                assert_eq!(found, None, "{sql}");
                continue;
            }
            let (told, named) = found.unwrap_or_else(|| panic!("{sql}: nothing"));
            assert!(told.contains(what), "{sql}: {told}");
            assert!(target.is_empty() || named == target, "{sql}: {named}");
        }
    }

    #[tokio::test]
    async fn what_adds_or_changes_what_it_names_is_no_loss() {
        for sql in [
            "SELECT * FROM a.b.c",
            "SELECT drop, `delete` FROM t",
            "SELECT replace(a, 'DROP TABLE x', '') FROM t",
            "SELECT 1 /* DROP TABLE x */",
            "INSERT INTO a.b.c SELECT replace(x, 'a', 'b') FROM d",
            "INSERT INTO a.b.c VALUES ('DROP TABLE x')",
            "UPDATE a.b.c SET x = 1 WHERE id = 2",
            "DELETE FROM a.b.c WHERE id = 2",
            "DELETE FROM a.b.c WHERE id IN (SELECT id FROM d WHERE true)",
            "MERGE INTO c USING d ON c.a = d.a WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
            "CREATE TABLE a.b.c (d INT)",
            "CREATE OR REPLACE VIEW a.b.c AS SELECT 1",
            "ALTER TABLE a.b.c ADD COLUMN d INT",
            "ALTER TABLE a.b.c ALTER COLUMN d DROP NOT NULL",
            "GRANT SELECT ON TABLE a.b.c TO `x`",
            "OPTIMIZE a.b.c",
            "COMMENT ON TABLE a.b.c IS 'DROP'",
            "DROP TEMPORARY VARIABLE x",
            "EXPLAIN DELETE FROM a.b.c",
            "BEGIN DECLARE x INT; SET x = 1; INSERT INTO a.b.c VALUES (x); END",
            "",
        ] {
            assert_eq!(found(sql).await, None, "{sql}");
        }
    }
}
