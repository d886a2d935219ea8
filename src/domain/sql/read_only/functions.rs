//! What functions may do, and which of them a statement that only reads may call.
//!
//! `functions.tsv` lists the functions that Databricks has built in. An unknown name without a qualifier could be a
//! function that is new, or one of the current schema, so it is refused. A function with a qualifier is user-defined:
//! its owner and the grants on it decide what it may do, so it passes unless the server is configured otherwise.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName};

use crate::domain::sql::read_only::constants::Constants;
use crate::domain::sql::read_only::names::{OWN_PATHS, fold, is_own_path, text_refusal};

/// What a built-in function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// It only computes.
    Pure,
    /// It reads data or metadata of the workspace.
    Reads,
    /// It asks a model, which costs and does nothing else.
    Costs,
    /// It reaches out, changes something, or reveals a secret.
    Acts,
}

/// What the arguments of a built-in function have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Anything.
    Any,
    /// The first is a path of the workspace's own storage, the others are options that only tell how to read.
    OwnPath,
    /// A table, by its name as text or as `TABLE(…)`.
    Table,
    /// The options of a document parser, without a place for its pictures.
    Document,
    /// A schema that is given, and options that only tell how to read: none names a registry or a file.
    Written,
    /// From the second or third argument on, options that only tell how to read.
    Options { from: usize },
}

/// What is known of a built-in function.
#[derive(Debug, Clone, Copy)]
pub(super) struct BuiltIn {
    pub(super) class: Class,
    pub(super) rule: Rule,
}

pub(super) const TABLE: &str = include_str!("functions.tsv");

static BUILT_IN: LazyLock<HashMap<&'static str, BuiltIn>> = LazyLock::new(|| TABLE.lines().filter_map(entry).collect());

/// A line of the table; none for a comment.
pub(super) fn entry(line: &'static str) -> Option<(&'static str, BuiltIn)> {
    let mut fields = line.split('\t');
    let name = fields.next()?;
    let class = match fields.next()? {
        "pure" => Class::Pure,
        "reads" => Class::Reads,
        "costs" => Class::Costs,
        "acts" => Class::Acts,
        _ => return None,
    };
    let rule = match fields.next() {
        None => Rule::Any,
        Some("own_path") => Rule::OwnPath,
        Some("table") => Rule::Table,
        Some("document") => Rule::Document,
        Some("written") => Rule::Written,
        Some("options_second") => Rule::Options { from: 1 },
        Some("options_third") => Rule::Options { from: 2 },
        Some(_) => return None,
    };
    Some((name, BuiltIn { class, rule }))
}

/// The built-in function of a name, in any case.
pub(super) fn built_in(name: &str) -> Option<BuiltIn> {
    BUILT_IN.get(fold(name).as_str()).copied()
}

/// A call of a function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// The parts of the function's name.
    pub(super) name: &'a [&'a str],
    pub(super) arguments: &'a [FunctionArg],
    /// Whether it stands where a table may.
    pub(super) is_table: bool,
}

/// Why a call of a function is refused.
pub(super) fn refusal(call: Call<'_>, constants: &Constants, user_functions: bool) -> Option<String> {
    let Call { name, arguments, is_table } = call;
    let shown = name.join(".");
    let folded: Vec<_> = name.iter().map(|part| fold(part)).collect();
    let folded: Vec<_> = folded.iter().map(String::as_str).collect();
    let name = match folded.as_slice() {
        [name] | ["builtin" | "ai", name] | ["system", "builtin" | "ai", name] => *name,
        ["session", _] | ["system", ..] | [] => {
            return Some(format!(
                "`{shown}` is not known to be a function that \
            only reads"
            ));
        }
        [_, _] | [_, _, _] if user_functions => return None,
        [_, _] | [_, _, _] => {
            return Some(format!("`{shown}` is a user-defined function, and this server refuses those"));
        }
        _ => return Some(format!("`{shown}` is not the name of a function")),
    };
    let Some(built_in) = built_in(name) else {
        // No built-in table function has a name of one letter, so this is one of the current schema.
        let takes_table = is_table && arguments.iter().filter_map(expression).any(is_table_argument);
        if folded.len() == 1 && name.chars().count() == 1 && takes_table && user_functions {
            return None;
        }
        // A schema may be called `ai` too.
        return match folded.as_slice() {
            ["ai", _] if user_functions => None,
            _ => Some(format!("`{shown}` is not known to be a built-in function that only reads")),
        };
    };
    let is_allowed = match (built_in.class, built_in.rule) {
        (Class::Acts, _) => return Some(acts(&shown)),
        (_, Rule::Any) => true,
        (_, Rule::OwnPath) => reads_own_path(arguments, constants),
        (_, Rule::Table) => return table_refusal(&shown, arguments, constants),
        (_, Rule::Document) => has_options(arguments, constants, 1, 1, |name| DOCUMENT_OPTIONS.contains(&name)),
        (_, Rule::Options { from }) => has_options(arguments, constants, from, 1, is_inert),
        (_, Rule::Written) => {
            has_options(arguments, constants, 1, 3, |name| is_inert(name) || SCHEMA_OPTIONS.contains(&name))
                && arguments.iter().skip(2).all(|argument| {
                    let text = expression(argument).and_then(|argument| constants.text(argument));
                    text.is_none_or(|text| is_own_path(&text))
                })
        }
    };
    (!is_allowed).then(|| match built_in.rule {
        Rule::OwnPath => {
            format!("`{shown}` is allowed with {OWN_PATHS}, written out, and with options that only say how to read")
        }
        Rule::Options { .. } => {
            format!("`{shown}` is allowed with its options written out as a `map`, and only those that say how to read")
        }
        Rule::Document => format!("`{shown}` is allowed without `imageOutputPath` and with its options written out"),
        _ => format!("`{shown}` is allowed with a schema that is written out, and not with a schema registry"),
    })
}

/// What is said of a function that does more than read.
pub(super) fn acts(name: &str) -> String {
    format!("`{name}` can do more than read")
}

/// Options of functions with a schema besides those of files. `avroSchemaUrl`, for one, is fetched.
const SCHEMA_OPTIONS: [&str; 12] = [
    "avroschema",
    "compression",
    "convert.any.fields.to.json",
    "emit.default.values",
    "enablestableidentifiersforuniontype",
    "enums.as.ints",
    "positionalfieldmatching",
    "recordname",
    "recordnamespace",
    "recursive.fields.max.depth",
    "recursivefieldmaxdepth",
    "unwrap.primitive.wrapper.types",
];

/// Whether an option only tells how to read or write a text; `rowValidationXSDPath`, for one, is fetched.
fn is_inert(name: &str) -> bool {
    const WRITTEN: [&str; 4] = ["compression", "declaration", "ignorenullfields", "roottag"];
    READ_OPTIONS.contains(&name) || WRITTEN.contains(&name)
}

/// Options of a document parser that only tell how to parse.
const DOCUMENT_OPTIONS: [&str; 4] = ["descriptionelementtypes", "mode", "pagerange", "version"];

/// Options that only tell how files are read; `badRecordsPath`, for one, writes.
const READ_OPTIONS: [&str; 72] = [
    "allowbackslashescapinganycharacter",
    "allowcomments",
    "allowcontinuouslybadrecords",
    "allownonnumericnumbers",
    "allownumericleadingzeros",
    "allowsinglequotes",
    "allowunquotedcontrolchars",
    "allowunquotedfieldnames",
    "arrayelementname",
    "attributeprefix",
    "avroschema",
    "charset",
    "chartoescapequoteescaping",
    "columnnameofcorruptrecord",
    "comment",
    "dataaddress",
    "dateformat",
    "datetimerebasemode",
    "delimiter",
    "dropfieldifallnull",
    "emptyvalue",
    "encoding",
    "enforceschema",
    "escape",
    "excludeattribute",
    "filenamepattern",
    "format",
    "header",
    "headerrows",
    "ignorecorruptfiles",
    "ignoreleadingwhitespace",
    "ignoremissingfiles",
    "ignorenamespace",
    "ignoresurroundingspaces",
    "ignoretrailingwhitespace",
    "infercolumntypes",
    "inferschema",
    "int96rebasemode",
    "linesep",
    "locale",
    "maxcharspercolumn",
    "maxcolumns",
    "mergeschema",
    "mode",
    "modifiedafter",
    "modifiedbefore",
    "multiline",
    "nanvalue",
    "negativeinf",
    "nullvalue",
    "partitioncolumns",
    "pathglobfilter",
    "positiveinf",
    "preferdate",
    "prefersdecimal",
    "primitivesasstring",
    "quote",
    "readercasesensitive",
    "recursivefilelookup",
    "rescueddatacolumn",
    "rowtag",
    "samplingratio",
    "schema",
    "schemaevolutionmode",
    "schemahints",
    "sep",
    "singlevariantcolumn",
    "skiprows",
    "timestampformat",
    "timezone",
    "valuetag",
    "wholetext",
];

fn reads_own_path(arguments: &[FunctionArg], constants: &Constants) -> bool {
    let mut has_path = false;
    arguments.iter().enumerate().all(|(index, argument)| {
        let name = name(argument);
        match name.as_deref() {
            Some(option) if option != "path" => READ_OPTIONS.contains(&option),
            _ if has_path || (index > 0 && name.is_none()) => false,
            _ => {
                has_path = true;
                let path = expression(argument);
                path.is_some_and(|path| {
                    is_table_argument(path) || constants.text(path).is_some_and(|path| is_own_path(&path))
                })
            }
        }
    }) && has_path
}

/// How functions that take the name of a table as text call that argument, where it is not the first.
const TABLE_ARGUMENTS: [&str; 3] = ["index", "table", "table_name"];

/// Why a function may not read the table that it is given the name of.
fn table_refusal(shown: &str, arguments: &[FunctionArg], constants: &Constants) -> Option<String> {
    let tables = arguments.iter().enumerate().filter(|(index, argument)| match name(argument) {
        Some(name) => TABLE_ARGUMENTS.contains(&name.as_str()),
        None => *index == 0,
    });
    tables.map(|(_, argument)| expression(argument)).find_map(|table| match table {
        Some(table) if is_table_argument(table) => None,
        Some(table) => match constants.text(table) {
            Some(text) => text_refusal(&text),
            None => {
                Some(format!("`{shown}` is allowed with the name of its table written out as text, or as `TABLE(…)`"))
            }
        },
        None => Some(format!("`{shown}` is allowed with one table")),
    })
}

/// Whether this is the keyword that makes a table an argument, and no function of that name.
pub(super) fn is_table_keyword(name: &ObjectName) -> bool {
    let [part] = name.0.as_slice() else { return false };
    part.as_ident().is_some_and(|part| part.quote_style.is_none() && part.value.eq_ignore_ascii_case("TABLE"))
}

/// `TABLE(t)`. What may stand in it is looked at apart.
fn is_table_argument(argument: &Expr) -> bool {
    matches!(argument, Expr::Function(Function { name, .. }) if is_table_keyword(name))
}

/// Whether the arguments from one on are plain text or a map whose keys are known and allowed, `most` at most.
fn has_options(
    arguments: &[FunctionArg],
    constants: &Constants,
    from: usize,
    most: usize,
    is_allowed: impl Fn(&str) -> bool,
) -> bool {
    let rest = arguments.get(from..).unwrap_or_default();
    rest.len() <= most
        && rest.iter().all(|argument| {
            let Some(Expr::Function(function)) = expression(argument) else {
                let text = expression(argument).and_then(|argument| constants.text(argument));
                return text.is_some() && name(argument).is_none_or(|name| is_allowed(&name));
            };
            let FunctionArguments::List(list) = &function.args else { return false };
            // What a star stands for could be keys and values.
            let is_written =
                list.args.len().is_multiple_of(2) && list.args.iter().all(|part| expression(part).is_some());
            function.name.to_string().eq_ignore_ascii_case("map")
                && is_written
                && list.args.iter().step_by(2).all(|key| {
                    let key = expression(key).and_then(|key| constants.text(key));
                    key.is_some_and(|key| is_allowed(&fold(&key)))
                })
        })
}

/// The folded name of a named argument.
fn name(argument: &FunctionArg) -> Option<String> {
    match argument {
        FunctionArg::Named { name, .. } => Some(fold(&name.value)),
        FunctionArg::ExprNamed { name, .. } => Some(fold(&name.to_string())),
        FunctionArg::Unnamed(_) => None,
    }
}

/// The expression that is an argument.
pub(super) fn expression(argument: &FunctionArg) -> Option<&Expr> {
    let (FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } | FunctionArg::Unnamed(arg)) = argument;
    match arg {
        FunctionArgExpr::Expr(expression) => Some(expression),
        _ => None,
    }
}
