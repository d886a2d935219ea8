//! What Python code can name without making it: functions, modules, types and exceptions.

use std::sync::Arc;

use super::budget::Budget;
use super::frame::Frame;
use super::json;
use super::run::{Failure, Script};
use super::show::quoted;
use super::value::{DEEPEST, Exception, Items, TOO_DEEP, Value};
use super::{dbutils, operate};

/// Functions and namespaces that are there without an import.
const GLOBALS: [&str; 20] = [
    "abs",
    "all",
    "any",
    "dbutils",
    "display",
    "enumerate",
    "getArgument",
    "isinstance",
    "len",
    "max",
    "min",
    "print",
    "range",
    "repr",
    "reversed",
    "round",
    "sorted",
    "spark",
    "sum",
    "zip",
];

/// Names of Python and its notebooks that the sandbox does not run.
const REFUSED: [&str; 46] = [
    "__import__",
    "ascii",
    "bin",
    "breakpoint",
    "bytearray",
    "bytes",
    "callable",
    "chr",
    "classmethod",
    "compile",
    "complex",
    "delattr",
    "dir",
    "displayHTML",
    "divmod",
    "eval",
    "exec",
    "exit",
    "filter",
    "format",
    "frozenset",
    "getattr",
    "globals",
    "hasattr",
    "hash",
    "help",
    "hex",
    "id",
    "input",
    "issubclass",
    "iter",
    "locals",
    "map",
    "next",
    "object",
    "oct",
    "open",
    "ord",
    "pow",
    "property",
    "quit",
    "sc",
    "setattr",
    "slice",
    "sqlContext",
    "super",
];

const TYPES: [&str; 7] = ["bool", "dict", "float", "int", "list", "str", "tuple"];

/// Exceptions, each with the one it is a kind of.
const EXCEPTIONS: [(&str, &str); 32] = [
    ("BaseException", ""),
    ("Exception", "BaseException"),
    ("ArithmeticError", "Exception"),
    ("AssertionError", "Exception"),
    ("AttributeError", "Exception"),
    ("EOFError", "Exception"),
    ("ImportError", "Exception"),
    ("LookupError", "Exception"),
    ("MemoryError", "Exception"),
    ("NameError", "Exception"),
    ("OSError", "Exception"),
    ("RuntimeError", "Exception"),
    ("StopIteration", "Exception"),
    ("SyntaxError", "Exception"),
    ("TypeError", "Exception"),
    ("ValueError", "Exception"),
    ("UserWarning", "Exception"),
    // Of Spark and of notebooks; they need an import where they have a name.
    ("AnalysisException", "Exception"),
    ("IllegalArgumentException", "Exception"),
    ("InputWidgetNotDefined", "Exception"),
    ("OverflowError", "ArithmeticError"),
    ("ZeroDivisionError", "ArithmeticError"),
    ("ModuleNotFoundError", "ImportError"),
    ("IndexError", "LookupError"),
    ("KeyError", "LookupError"),
    ("UnboundLocalError", "NameError"),
    ("ConnectionError", "OSError"),
    ("FileExistsError", "OSError"),
    ("FileNotFoundError", "OSError"),
    ("PermissionError", "OSError"),
    ("TimeoutError", "OSError"),
    ("NotImplementedError", "RuntimeError"),
];

/// Modules whose import alone does nothing that is seen. Of most, no member can be used.
const MODULES: [&str; 26] = [
    "collections",
    "csv",
    "databricks",
    "datetime",
    "decimal",
    "delta",
    "dlt",
    "functools",
    "io",
    "itertools",
    "json",
    "logging",
    "math",
    "matplotlib",
    "mlflow",
    "numpy",
    "os",
    "pandas",
    "pathlib",
    "pyspark",
    "random",
    "re",
    "requests",
    "sys",
    "time",
    "typing",
];

/// Members of modules and namespaces.
const MEMBERS: [&str; 26] = [
    "dbutils.jobs",
    "dbutils.jobs.taskValues",
    "dbutils.jobs.taskValues.get",
    "dbutils.jobs.taskValues.set",
    "dbutils.notebook",
    "dbutils.notebook.exit",
    "dbutils.secrets",
    "dbutils.secrets.get",
    "dbutils.widgets",
    "dbutils.widgets.dropdown",
    "dbutils.widgets.get",
    "dbutils.widgets.text",
    "json.dumps",
    "json.loads",
    "math.ceil",
    "math.floor",
    "math.isnan",
    "math.sqrt",
    "matplotlib.pyplot",
    "pyspark.sql",
    "spark.read",
    "spark.read.table",
    "spark.sql",
    "spark.table",
    "time.sleep",
    "time.time",
];

/// What draws on a plot. The plot is always the same grey pixel, so only `show` is seen.
const DRAWING: [&str; 14] = [
    "bar",
    "barh",
    "figure",
    "grid",
    "hist",
    "legend",
    "plot",
    "scatter",
    "tight_layout",
    "title",
    "xlabel",
    "xticks",
    "ylabel",
    "yticks",
];

/// The arguments of a call.
pub(super) struct Arguments {
    callee: String,
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(String, Value)>,
}

impl Arguments {
    pub(super) fn new(callee: &str, arguments: Vec<(Option<String>, Value)>) -> Self {
        let mut this = Self { callee: callee.to_owned(), positional: Vec::new(), named: Vec::new() };
        for (name, value) in arguments {
            match name {
                Some(name) => this.named.push((name, value)),
                None => this.positional.push(value),
            }
        }
        this
    }

    /// The arguments of parameters that have these names. Any other argument is refused.
    pub(super) fn of<const N: usize>(&self, names: [&str; N]) -> Result<[Option<Value>; N], Failure> {
        let unknown = self.named.iter().find(|(name, _)| !names.contains(&name.as_str()));
        if let Some((name, _)) = unknown {
            return Err(Failure::refused(&format!("the argument `{name}` of `{}`", self.callee)));
        }
        if self.positional.len() > N {
            return Err(Failure::refused(&format!("{} arguments of `{}`", self.positional.len(), self.callee)));
        }
        let mut index = 0;
        Ok(names.map(|name| {
            let positional = self.positional.get(index);
            index += 1;
            let named = || self.named.iter().find(|(given, _)| given == name).map(|(_, value)| value);
            positional.or_else(named).cloned()
        }))
    }

    /// A value for each of these parameters.
    pub(super) fn all<const N: usize>(&self, names: [&str; N]) -> Result<[Value; N], Failure> {
        let found = self.of(names)?;
        if let Some(missing) = names.iter().zip(&found).find(|(_, value)| value.is_none()) {
            let message = format!("{}() missing 1 required positional argument: '{}'", self.callee, missing.0);
            return Err(Failure::raised("TypeError", message));
        }
        Ok(found.map(Option::unwrap_or_default))
    }

    /// A text for each of these parameters.
    pub(super) fn texts<const N: usize>(&self, names: [&str; N]) -> Result<[String; N], Failure> {
        let values = self.all(names)?;
        if let Some(other) = values.iter().find(|value| !matches!(value, Value::Text(_))) {
            return Err(Failure::refused(&format!("a {} as an argument of `{}`", other.type_name(), self.callee)));
        }
        Ok(values.map(|value| if let Value::Text(text) = value { text.to_string() } else { String::new() }))
    }

    /// Texts, as many as there are, also in one list. Of named arguments, only these may be given.
    pub(super) fn columns(&self, known: &[&str]) -> Result<Vec<String>, Failure> {
        let given = match self.positional.as_slice() {
            [Value::List(items)] => items.all().to_vec(),
            values => values.to_vec(),
        };
        let text = |value: &Value| match value {
            Value::Text(text) => Ok(text.to_string()),
            other => Err(Failure::refused(&format!("a {} as a column of `{}`", other.type_name(), self.callee))),
        };
        match self.named.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => given.iter().map(text).collect(),
            Some((name, _)) => Err(Failure::refused(&format!("the argument `{name}` of `{}`", self.callee))),
        }
    }
}

/// What a name stands for that the source does not bind.
pub(super) fn name(name: &str) -> Result<Value, Failure> {
    match name {
        _ if GLOBALS.contains(&name) => Ok(Value::Known(name.into())),
        _ if TYPES.contains(&name) || (is_exception(name) && !name.ends_with("Exception")) => {
            Ok(Value::Class(name.into()))
        }
        "Exception" | "BaseException" => Ok(Value::Class(name.into())),
        "type" => Ok(Value::Known("type".into())),
        "__name__" => Ok(Value::text("__main__")),
        "set" | "memoryview" | "vars" => Err(Failure::refused(&format!("`{name}`"))),
        _ if REFUSED.contains(&name) => Err(Failure::refused(&format!("`{name}`"))),
        _ => Err(Failure::raised("NameError", format!("name '{name}' is not defined"))),
    }
}

/// What an import binds a name to.
pub(super) fn import(path: &str) -> Result<Value, Failure> {
    let module = path.split('.').next().unwrap_or_default();
    if path.ends_with(".AnalysisException") && module == "pyspark" {
        return Ok(Value::Class("AnalysisException".into()));
    }
    if MODULES.contains(&module) {
        return Ok(Value::Known(path.into()));
    }
    Err(Failure::raised("ModuleNotFoundError", format!("No module named '{module}'")))
}

/// A member of a module or namespace.
pub(super) fn member(path: &str, name: &str) -> Result<Value, Failure> {
    let member = format!("{path}.{name}");
    let draws = path == "matplotlib.pyplot" && (name == "show" || DRAWING.contains(&name));
    match member.as_str() {
        "math.pi" => Ok(Value::Float(std::f64::consts::PI)),
        _ if draws || MEMBERS.contains(&member.as_str()) => Ok(Value::Known(member.into())),
        _ => Err(Failure::refused(&format!("`{member}`"))),
    }
}

pub(super) fn is_exception(class: &str) -> bool {
    EXCEPTIONS.iter().any(|(known, _)| *known == class)
}

fn is_kind_of(class: &str, wanted: &str) -> bool {
    let mut class = class;
    while class != wanted {
        match EXCEPTIONS.iter().find(|(known, _)| *known == class) {
            Some((_, parent)) => class = parent,
            None => return false,
        }
    }
    true
}

/// Whether a value is of a class or of one in a tuple.
pub(super) fn is_instance(value: &Value, class: &Value, budget: &Budget) -> Result<bool, Failure> {
    is_instance_within(value, class, budget, 0)
}

fn is_instance_within(value: &Value, class: &Value, budget: &Budget, depth: usize) -> Result<bool, Failure> {
    if depth > DEEPEST {
        return Err(TOO_DEEP.into());
    }
    budget.spend(1)?;
    match class {
        Value::Tuple(classes) => {
            for class in classes.all().iter() {
                if is_instance_within(value, class, budget, depth + 1)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Class(class) => Ok(match value {
            Value::Exception(exception) => is_kind_of(&exception.class, class),
            Value::Bool(_) => matches!(class.as_ref(), "bool" | "int"),
            Value::None
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Tuple(_)
            | Value::Dict(_) => class.as_ref() == value.type_name(),
            other => return Err(Failure::refused(&format!("the class of a {}", other.type_name()))),
        }),
        _ => Err(Failure::refused("classes other than types and exceptions")),
    }
}

/// Makes a value of a type, or an exception.
pub(super) fn construct(script: &mut Script<'_>, class: &str, arguments: &Arguments) -> Result<Value, Failure> {
    let [value] = arguments.of([""])?;
    if is_exception(class) {
        let message = match &value {
            None => String::new(),
            Some(key) if class == "KeyError" => key.to_repr(&script.budget)?,
            Some(message) => message.to_text(&script.budget)?,
        };
        return Ok(Value::Exception(Arc::new(Exception::new(class, message))));
    }
    Ok(match (class, value) {
        ("str", None) => Value::text(""),
        ("str", Some(value)) => Value::text(&value.to_text(&script.budget)?),
        ("bool", value) => Value::Bool(value.is_some_and(|value| value.is_true())),
        ("int", None) => Value::Int(0),
        ("int", Some(value)) => int(&value)?,
        ("float", None) => Value::Float(0.0),
        ("float", Some(value)) => float(&value)?,
        ("list", None) => Value::list(Vec::new()),
        ("list", Some(value)) => Value::list(script.items(&value)?),
        ("tuple", None) => Value::Tuple(Items::new(Vec::new())),
        ("tuple", Some(value)) => Value::Tuple(Items::new(script.items(&value)?)),
        ("dict", None) => Value::Dict(Items::new(Vec::new())),
        ("dict", Some(Value::Dict(items))) => Value::Dict(Items::new(items.all().to_vec())),
        (class, _) => return Err(Failure::refused(&format!("`{class}` of this"))),
    })
}

fn int(value: &Value) -> Result<Value, Failure> {
    match value {
        Value::Float(number) if number.is_finite() && number.abs() < 9e18 =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "as Python does it, within its bounds")]
            Ok(Value::Int(*number as i64))
        }
        Value::Text(text) => {
            let digits = text.trim();
            digits.parse().map(Value::Int).map_err(|_| {
                let plain = digits.trim_start_matches(['+', '-']);
                if !plain.is_empty() && plain.bytes().all(|digit| digit.is_ascii_digit() || digit == b'_') {
                    return Failure::refused(&format!("the number {digits}"));
                }
                let message = format!("invalid literal for int() with base 10: {}", quoted(text));
                Failure::raised("ValueError", message)
            })
        }
        other => match other.whole() {
            Some(number) => Ok(Value::Int(number)),
            None => Err(Failure::refused(&format!("`int` of a {}", other.type_name()))),
        },
    }
}

fn float(value: &Value) -> Result<Value, Failure> {
    match value {
        Value::Text(text) => {
            let invalid = || {
                let message = format!("could not convert string to float: {}", quoted(text));
                Failure::raised("ValueError", message)
            };
            text.trim().parse().map(Value::Float).map_err(|_| invalid())
        }
        other => match other.number() {
            Some(number) => Ok(Value::Float(number)),
            None => Err(Failure::refused(&format!("`float` of a {}", other.type_name()))),
        },
    }
}

/// Calls a function that the sandbox knows.
pub(super) fn call(script: &mut Script<'_>, path: &str, arguments: &Arguments) -> Result<Value, Failure> {
    if path.starts_with("dbutils.") || path == "getArgument" {
        return dbutils::call(script, path, arguments);
    }
    if let Some(drawing) = path.strip_prefix("matplotlib.pyplot.") {
        script.ran.images += usize::from(drawing == "show");
        return Ok(Value::None);
    }
    match path {
        "print" => print(script, arguments),
        "display" => {
            match arguments.all(["value"])? {
                [Value::Frame(frame)] => {
                    script.ran.table = Some(frame.table(script, super::frame::DISPLAYED)?);
                }
                [value] => {
                    let text = value.to_text(&script.budget)? + "\n";
                    script.print(&text)?;
                }
            }
            Ok(Value::None)
        }
        "spark.sql" => {
            let [sql] = arguments.texts(["sqlQuery"])?;
            Frame::of_sql(script, &sql)
        }
        "spark.table" | "spark.read.table" => {
            let [name] = arguments.texts(["tableName"])?;
            Frame::of_query(script, format!("SELECT * FROM {name}"))
        }
        // How long a source sleeps is read from its text before it runs.
        "time.sleep" => match arguments.all(["seconds"])? {
            [seconds] if seconds.number().is_some() => Ok(Value::None),
            _ => Err(Failure::raised("TypeError", "sleep takes a number")),
        },
        "time.time" => {
            arguments.of([])?;
            let now = Value::Int(script.workspace.clock.now()).number().unwrap_or_default();
            Ok(Value::Float(now / 1000.0))
        }
        "json.dumps" => {
            let [value] = arguments.all(["obj"])?;
            Ok(Value::text(&json::dumps(&value, &script.budget)?))
        }
        "json.loads" => {
            let [text] = arguments.texts(["s"])?;
            // Each letter can be a value.
            script.spend(text.len())?;
            match serde_json::from_str(&text) {
                Ok(json) => Ok(Value::of_json(&json)),
                Err(error) => Err(Failure::raised("ValueError", format!("the text is no JSON: {error}"))),
            }
        }
        _ => super::builtin::call(script, path, arguments),
    }
}

fn print(script: &mut Script<'_>, arguments: &Arguments) -> Result<Value, Failure> {
    let unknown = arguments.named.iter().find(|(name, _)| !matches!(name.as_str(), "sep" | "end" | "flush"));
    if let Some((name, _)) = unknown {
        return Err(Failure::refused(&format!("the argument `{name}` of `print`")));
    }
    let option = |wanted: &str, usual: &str| {
        let given = arguments.named.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        match given {
            None | Some(Value::None) => Ok(usual.to_owned()),
            Some(value) => value.to_text(&script.budget),
        }
    };
    let texts: Result<Vec<_>, _> = arguments.positional.iter().map(|value| value.to_text(&script.budget)).collect();
    let (texts, between) = (texts?, option("sep", " ")?);
    operate::check_length(texts.len().saturating_mul(between.len()))?;
    let text = texts.join(&between) + &option("end", "\n")?;
    script.print(&text)?;
    Ok(Value::None)
}
