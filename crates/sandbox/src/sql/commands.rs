//! Statements that the catalog answers: SHOW, DESCRIBE, EXPLAIN, USE, ALTER, and CREATE and DROP of catalogs and schemas.

mod access;
mod alter;
mod answers;
mod delta;
mod explain;
mod listing;
mod name_pattern;
mod routines;

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::error::SqlError;
use super::parse::word;
use super::session::Session;
use access::Securable;
pub(crate) use alter::Change;
pub(super) use delta::history;
pub(crate) use explain::Detail;
use name_pattern::NamePattern;
use routines::Routine;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    ShowCatalogs(Option<NamePattern>),
    ShowSchemas(Vec<String>, Option<NamePattern>),
    ShowTables(Vec<String>, Option<NamePattern>, Listed),
    ShowColumns(Vec<String>),
    ListTables(Wanted),
    ListColumns(Wanted),
    Detail(Vec<String>),
    History(Vec<String>),
    DescribeQuery(String),
    ShowCreateTable(Vec<String>),
    Describe { name: Vec<String>, extended: bool },
    DescribeSchema(Vec<String>),
    DescribeCatalog(String),
    ShowProperties(Vec<String>),
    Explain(Detail, String),
    Alter { name: Vec<String>, is_view: bool, change: Change },
    Use { catalog: bool, name: Vec<String> },
    CreateCatalog { name: String, if_not_exists: bool, comment: Option<String> },
    CreateSchema { name: Vec<String>, if_not_exists: bool, comment: Option<String> },
    Grant { revoke: bool, privileges: Vec<String>, securable: Securable, principal: String },
    ShowGrants { principal: Option<String>, securable: Securable },
    CommentOn { kind: String, name: Vec<String>, comment: Option<String> },
    CreateFunction(Routine),
    CreateVolume { name: Vec<String>, if_not_exists: bool, comment: Option<String> },
    DropObject { name: Vec<String>, if_exists: bool, is_function: bool },
    DescribeFunction(Vec<String>),
    DropCatalog { name: String, if_exists: bool, cascade: bool },
    DropSchema { name: Vec<String>, if_exists: bool, cascade: bool },
}

/// What a listing of a whole catalog, or of all, is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) catalog: Option<String>,
    pub(crate) schema: Option<NamePattern>,
    pub(crate) table: Option<NamePattern>,
    pub(crate) column: Option<NamePattern>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    Tables,
    Views,
    Volumes,
    Functions,
}

/// Reads tokens one by one.
struct Cursor<'a> {
    tokens: &'a [TokenWithSpan],
    position: usize,
    sql: &'a str,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.position).map(|token| &token.token)
    }

    fn word(&self) -> String {
        self.peek().and_then(word).unwrap_or_default()
    }

    fn accept(&mut self, wanted: &str) -> bool {
        let mut ahead = 0;
        for part in wanted.split(' ') {
            let found = self.tokens.get(self.position + ahead).and_then(|token| word(&token.token));
            if found.as_deref() != Some(part) {
                return false;
            }
            ahead += 1;
        }
        self.position += ahead;
        true
    }

    fn accept_token(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == Some(wanted);
        self.position += usize::from(found);
        found
    }

    /// A name of one part, as written.
    fn plain(&mut self) -> Result<String, SqlError> {
        match self.name()?.as_slice() {
            [name] => Ok(name.clone()),
            _ => Err(self.unexpected()),
        }
    }

    fn name(&mut self) -> Result<Vec<String>, SqlError> {
        let mut parts = Vec::new();
        loop {
            match self.peek() {
                Some(Token::Word(word)) => parts.push(word.value.clone()),
                _ => return Err(self.unexpected()),
            }
            self.position += 1;
            if self.peek() != Some(&Token::Period) {
                return Ok(parts);
            }
            self.position += 1;
        }
    }

    fn single(&mut self) -> Result<String, SqlError> {
        match self.name()?.as_slice() {
            [name] => Ok(name.to_lowercase()),
            _ => Err(self.unexpected()),
        }
    }

    fn string(&mut self) -> Result<String, SqlError> {
        match self.peek() {
            Some(Token::SingleQuotedString(text) | Token::DoubleQuotedString(text)) => {
                let text = text.clone();
                self.position += 1;
                Ok(text)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn place(&mut self) -> Result<Vec<String>, SqlError> {
        if self.accept("IN") || self.accept("FROM") { self.name() } else { Ok(Vec::new()) }
    }

    fn pattern(&mut self) -> Result<Option<NamePattern>, SqlError> {
        let like = self.accept("LIKE");
        if like || matches!(self.peek(), Some(Token::SingleQuotedString(_))) {
            NamePattern::read(&self.string()?).map(Some)
        } else {
            Ok(None)
        }
    }

    fn comment(&mut self) -> Result<Option<String>, SqlError> {
        if self.accept("COMMENT") { self.string().map(Some) } else { Ok(None) }
    }

    fn unexpected(&self) -> SqlError {
        match self.tokens.get(self.position) {
            Some(token) => {
                let line = usize::try_from(token.span.start.line).unwrap_or(1);
                let column = usize::try_from(token.span.start.column).unwrap_or(1).saturating_sub(1);
                SqlError::syntax(&token.token.to_string(), line, column, self.sql)
            }
            None => SqlError::syntax(
                "EOF",
                self.sql.lines().count().max(1),
                self.sql.lines().last().map_or(0, str::len),
                self.sql,
            ),
        }
    }
}

/// Recognizes a command; `None` is for the parser of statements.
pub(crate) fn parse(tokens: &[TokenWithSpan], sql: &str) -> Result<Option<Command>, SqlError> {
    let mut cursor = Cursor { tokens, position: 0, sql };
    let command = match cursor.word().as_str() {
        "SHOW" => show(&mut cursor)?,
        "DESCRIBE" | "DESC" => describe(&mut cursor)?,
        "EXPLAIN" => {
            cursor.position += 1;
            let detail = if cursor.accept("EXTENDED") {
                Detail::Extended
            } else if cursor.accept("FORMATTED") {
                Detail::Formatted
            } else if cursor.accept("COST") {
                Detail::Cost
            } else {
                Detail::Simple
            };
            if cursor.accept("CODEGEN") {
                return Err(SqlError::unsupported("EXPLAIN CODEGEN"));
            }
            return Ok(Some(Command::Explain(detail, rest(&cursor))));
        }
        "USE" => {
            cursor.position += 1;
            let catalog = cursor.accept("CATALOG");
            let _ = !catalog && (cursor.accept("SCHEMA") || cursor.accept("DATABASE"));
            Command::Use { catalog, name: cursor.name()? }
        }
        "ALTER" => alter::parse(&mut cursor)?,
        "COMMENT" => comment(&mut cursor)?,
        "GRANT" | "REVOKE" => access::change(&mut cursor)?,
        "CREATE" | "DROP" => match routines::parse(&mut cursor)? {
            Some(command) => command,
            None => match change(&mut cursor)? {
                Some(command) => command,
                None => return Ok(None),
            },
        },
        _ => return Ok(None),
    };
    match cursor.peek() {
        None => Ok(Some(command)),
        Some(_) => Err(cursor.unexpected()),
    }
}

/// The current catalog and schema after a statement that is a USE.
pub(crate) fn use_target(sql: &str, session: &Session) -> Option<(String, String)> {
    let tokens = super::parse::tokens(sql).ok()?;
    let Some(Command::Use { catalog, name }) = parse(&tokens, sql).ok()? else { return None };
    used(catalog, &name, session)
}

fn used(is_catalog: bool, name: &[String], session: &Session) -> Option<(String, String)> {
    match name {
        [name] if is_catalog => Some((name.to_lowercase(), "default".to_owned())),
        [schema] => Some((session.catalog.clone(), schema.to_lowercase())),
        [catalog, schema] if !is_catalog => Some((catalog.to_lowercase(), schema.to_lowercase())),
        _ => None,
    }
}

/// The text from the cursor on.
fn rest(cursor: &Cursor<'_>) -> String {
    let Some(start) = cursor.tokens.get(cursor.position).map(|token| token.span.start) else { return String::new() };
    let line = usize::try_from(start.line).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(start.column).unwrap_or(1).saturating_sub(1);
    let mut lines = cursor.sql.lines().skip(line);
    let first: String = lines.next().unwrap_or_default().chars().skip(column).collect();
    std::iter::once(first).chain(lines.map(str::to_owned)).collect::<Vec<_>>().join("\n")
}

fn show(cursor: &mut Cursor<'_>) -> Result<Command, SqlError> {
    cursor.position += 1;
    let _ = cursor.accept("USER") || cursor.accept("ALL");
    if cursor.accept("CREATE TABLE") {
        return Ok(Command::ShowCreateTable(cursor.name()?));
    }
    if cursor.accept("GRANTS") || cursor.accept("GRANT") {
        return access::show(cursor);
    }
    if cursor.accept("TBLPROPERTIES") {
        return Ok(Command::ShowProperties(cursor.name()?));
    }
    let kind = cursor.word();
    cursor.position += 1;
    Ok(match kind.as_str() {
        "CATALOGS" => Command::ShowCatalogs(cursor.pattern()?),
        "SCHEMAS" | "DATABASES" => Command::ShowSchemas(cursor.place()?, cursor.pattern()?),
        "TABLES" if is_wide(cursor) => {
            let mut wanted = wide(cursor)?;
            wanted.table = cursor.pattern()?;
            Command::ListTables(wanted)
        }
        "COLUMNS" if is_wide(cursor) => {
            let mut wanted = wide(cursor)?;
            wanted.table = cursor.accept("TABLE").then(|| cursor.pattern()).transpose()?.flatten();
            wanted.column = cursor.pattern()?;
            Command::ListColumns(wanted)
        }
        "TABLES" => Command::ShowTables(cursor.place()?, cursor.pattern()?, Listed::Tables),
        "VIEWS" => Command::ShowTables(cursor.place()?, cursor.pattern()?, Listed::Views),
        "VOLUMES" => Command::ShowTables(cursor.place()?, cursor.pattern()?, Listed::Volumes),
        "FUNCTIONS" => Command::ShowTables(cursor.place()?, cursor.pattern()?, Listed::Functions),
        "COLUMNS" => {
            let mut name = cursor.place()?;
            // `IN table IN schema` is another way to say `IN schema.table`.
            let mut schema = cursor.place()?;
            schema.append(&mut name);
            Command::ShowColumns(schema)
        }
        kind => return Err(SqlError::unsupported(format!("SHOW {kind}"))),
    })
}

/// Whether a listing goes beyond one schema.
fn is_wide(cursor: &Cursor<'_>) -> bool {
    let words: Vec<_> = cursor.tokens.iter().skip(cursor.position).take(3).map(|token| word(&token.token)).collect();
    let words: Vec<_> = words.iter().map(Option::as_deref).collect();
    // `CATALOG` followed by nothing is a schema of that name.
    matches!(
        words.as_slice(),
        [Some("IN" | "FROM"), Some("CATALOG"), Some(_)] | [Some("IN" | "FROM"), Some("CATALOG"), None]
    ) || matches!(words.as_slice(), [Some("IN" | "FROM"), Some("ALL"), Some("CATALOGS")])
}

fn wide(cursor: &mut Cursor<'_>) -> Result<Wanted, SqlError> {
    let _ = cursor.accept("IN") || cursor.accept("FROM");
    let catalog = if cursor.accept("ALL CATALOGS") {
        None
    } else {
        cursor.accept("CATALOG").then(|| cursor.single()).transpose()?
    };
    let schema = cursor.accept("SCHEMA").then(|| cursor.pattern()).transpose()?.flatten();
    Ok(Wanted { catalog, schema, ..Wanted::default() })
}

fn describe(cursor: &mut Cursor<'_>) -> Result<Command, SqlError> {
    cursor.position += 1;
    if cursor.accept("CATALOG") {
        let _ = cursor.accept("EXTENDED");
        return Ok(Command::DescribeCatalog(cursor.single()?));
    }
    if cursor.accept("SCHEMA") || cursor.accept("DATABASE") {
        let _ = cursor.accept("EXTENDED");
        return Ok(Command::DescribeSchema(cursor.name()?));
    }
    if cursor.tokens.len() > 2 {
        if cursor.accept("DETAIL") {
            return Ok(Command::Detail(cursor.name()?));
        }
        if cursor.accept("HISTORY") {
            return Ok(Command::History(cursor.name()?));
        }
        if cursor.accept("QUERY") || matches!(cursor.word().as_str(), "SELECT" | "WITH" | "VALUES") {
            let query = rest(cursor);
            cursor.position = cursor.tokens.len();
            return Ok(Command::DescribeQuery(query));
        }
    }
    if cursor.tokens.len() > 2 && cursor.accept("FUNCTION") {
        let _ = cursor.accept("EXTENDED");
        return Ok(Command::DescribeFunction(cursor.name()?));
    }
    if cursor.tokens.len() > 2 && cursor.accept("VOLUME") {
        return Err(SqlError::unsupported("DESCRIBE VOLUME"));
    }
    let _ = cursor.accept("TABLE");
    let extended = cursor.tokens.len() > cursor.position + 1 && cursor.accept("EXTENDED");
    Ok(Command::Describe { name: cursor.name()?, extended })
}

/// Reads `COMMENT ON TABLE t IS 'text'`, or NULL.
fn comment(cursor: &mut Cursor<'_>) -> Result<Command, SqlError> {
    if !cursor.accept("COMMENT ON") {
        return Err(cursor.unexpected());
    }
    let kind = cursor.word();
    cursor.position += 1;
    let name = cursor.name()?;
    if !cursor.accept("IS") {
        return Err(cursor.unexpected());
    }
    let comment = if cursor.accept("NULL") { None } else { Some(cursor.string()?) };
    Ok(Command::CommentOn { kind, name, comment })
}

fn change(cursor: &mut Cursor<'_>) -> Result<Option<Command>, SqlError> {
    let create = cursor.accept("CREATE");
    if !create {
        cursor.position += 1;
    }
    let catalog = cursor.accept("CATALOG");
    if !catalog && !cursor.accept("SCHEMA") && !cursor.accept("DATABASE") {
        return Ok(None);
    }
    let if_not_exists = create && cursor.accept("IF NOT EXISTS");
    let if_exists = !create && cursor.accept("IF EXISTS");
    let name = cursor.name()?.iter().map(|part| part.to_lowercase()).collect::<Vec<_>>();
    let comment = if create { cursor.comment()? } else { None };
    let cascade = !create && cursor.accept("CASCADE");
    let _ = !create && cursor.accept("RESTRICT");
    Ok(Some(match (create, catalog, name.as_slice()) {
        (true, true, [name]) => Command::CreateCatalog { name: name.clone(), if_not_exists, comment },
        (false, true, [name]) => Command::DropCatalog { name: name.clone(), if_exists, cascade },
        (true, false, [_] | [_, _]) => Command::CreateSchema { name, if_not_exists, comment },
        (false, false, [_] | [_, _]) => Command::DropSchema { name, if_exists, cascade },
        _ => return Err(cursor.unexpected()),
    }))
}
