//! Names and types: which classes exist, what an annotation means, and which encodings go with it.

use std::collections::BTreeMap;

use anyhow::Result;
use ruff_python_ast::{Expr, Stmt, StmtClassDef};

use super::model::{SchemaId, Type, Width};
use super::pattern::Whitelist;
use super::python::{Found, Module, as_name, statements};

/// What a class of a service module is.
#[derive(Debug, Clone)]
pub(crate) enum Class {
    Object,
    Enum,
    /// `Name = Dict[…]`: stands for its type.
    Alias(Type),
    /// `…API`: its methods are operations.
    Service,
    /// What an operation returns that goes on after its response.
    LongRunning,
}

/// All classes of the release.
#[derive(Debug, Default)]
pub(crate) struct Index(BTreeMap<SchemaId, Class>);

#[derive(Debug, Clone, Copy)]
enum TopLevel {
    Logger,
    Alias,
}

impl Index {
    /// Adds the classes of a module; a statement that is neither class, import nor alias is a problem.
    pub(crate) fn add(&mut self, module: &Module) -> Result<Vec<super::python::Problem>> {
        let whitelist = Whitelist::new([
            (TopLevel::Logger, "_LOG = logging.getLogger(\"databricks.sdk\")"),
            (TopLevel::Alias, "N_alias = Dict[E_key, E_value]"),
        ])?;
        let mut problems = Vec::new();
        for statement in statements(module.body()) {
            let class = match statement {
                Stmt::Import(_) | Stmt::ImportFrom(_) => continue,
                Stmt::ClassDef(class) => class_kind(module, class).map(|kind| (class.name.to_string(), kind)),
                _ => match whitelist.statement(statement) {
                    Some((TopLevel::Logger, _)) => continue,
                    Some((TopLevel::Alias, found)) => match statement {
                        Stmt::Assign(assign) => self
                            .resolve(module, &assign.value, Width::Unknown)
                            .map(|kind| (found.text("N_alias").to_owned(), Class::Alias(kind))),
                        _ => continue,
                    },
                    None => Err(module.problem(statement, "an import, a class, or `Name = Dict[…]`")),
                },
            };
            match class {
                Ok((name, class)) => {
                    let id = SchemaId { package: module.package.clone(), name };
                    if self.0.insert(id, class).is_some() {
                        problems.push(module.problem(statement, "one class of this name"));
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
        Ok(problems)
    }

    /// What a class is.
    pub(crate) fn get(&self, id: &SchemaId) -> Option<&Class> {
        self.0.get(id)
    }

    /// What the class named by `expression` (`Class` or `package.Class`) is.
    pub(crate) fn class(&self, module: &Module, expression: &Expr) -> Found<(SchemaId, &Class)> {
        let id = match expression {
            Expr::Name(name) => SchemaId { package: module.package.clone(), name: name.id.to_string() },
            Expr::Attribute(attribute) if as_name(&attribute.value).is_some() => SchemaId {
                package: as_name(&attribute.value).unwrap_or_default().to_owned(),
                name: attribute.attr.to_string(),
            },
            _ => return Err(module.problem(expression, "the name of a class")),
        };
        match self.0.get(&id) {
            Some(class) => Ok((id, class)),
            None => Err(module.problem(expression, "a class of a service module")),
        }
    }

    /// The class named by `expression`, which has to be a data class.
    pub(crate) fn object(&self, module: &Module, expression: &Expr) -> Found<SchemaId> {
        match self.class(module, expression)? {
            (id, Class::Object) => Ok(id),
            _ => Err(module.problem(expression, "a data class")),
        }
    }

    /// The type that an annotation means; integers are `width` wide.
    pub(crate) fn resolve(&self, module: &Module, annotation: &Expr, width: Width) -> Found<Type> {
        if let Expr::Subscript(subscript) = annotation {
            return match (as_name(&subscript.value), &*subscript.slice) {
                (Some("List"), item) => Ok(Type::Array(Box::new(self.resolve(module, item, width)?))),
                (Some("Dict"), Expr::Tuple(tuple)) => match tuple.elts.as_slice() {
                    [key, value] if as_name(key) == Some("str") => {
                        Ok(Type::Map(Box::new(self.resolve(module, value, width)?)))
                    }
                    _ => Err(module.problem(annotation, "`Dict[str, …]`")),
                },
                _ => Err(module.problem(annotation, "`List[…]` or `Dict[str, …]`")),
            };
        }
        Ok(match as_name(annotation) {
            Some("str") => Type::String,
            Some("bool") => Type::Boolean,
            Some("int") => Type::Integer(width),
            Some("float") => Type::Number,
            Some("any" | "Any") => Type::Any,
            Some("dict") => Type::Map(Box::new(Type::Any)),
            Some("BinaryIO") => Type::Binary,
            Some("Timestamp") => Type::Timestamp,
            Some("Duration") => Type::Duration,
            Some("FieldMask") => Type::FieldMask,
            _ => match self.class(module, annotation)? {
                (id, Class::Object) => Type::Object(id),
                (id, Class::Enum) => Type::Enum(id),
                (_, Class::Alias(kind)) => kind.clone(),
                _ => return Err(module.problem(annotation, "a data type")),
            },
        })
    }
}

/// `Optional[T]` without its wrapper.
pub(crate) fn optional(annotation: &Expr) -> Option<&Expr> {
    match annotation {
        Expr::Subscript(subscript) if as_name(&subscript.value) == Some("Optional") => Some(&subscript.slice),
        _ => None,
    }
}

fn class_kind(module: &Module, class: &StmtClassDef) -> Found<Class> {
    let bases = class.arguments.as_deref();
    let enumeration = bases.is_some_and(|bases| {
        bases.keywords.is_empty() && matches!(&*bases.args, [base] if as_name(base) == Some("Enum"))
    });
    let dataclass = matches!(
        &*class.decorator_list,
        [decorator] if as_name(&decorator.expression) == Some("dataclass")
    );
    match (dataclass, enumeration) {
        (true, false) if bases.is_none() => Ok(Class::Object),
        (false, true) if class.decorator_list.is_empty() => Ok(Class::Enum),
        (false, false) if bases.is_none() && class.decorator_list.is_empty() => {
            if class.name.ends_with("API") {
                Ok(Class::Service)
            } else if class.name.ends_with("Operation") {
                Ok(Class::LongRunning)
            } else {
                Err(module.problem(&class.name, "a class named `…API` or `…Operation`, a data class, or an enum"))
            }
        }
        _ => Err(module.problem(&class.name, "`@dataclass`, `(Enum)`, or neither bases nor decorators")),
    }
}

/// How the SDK turns a value into JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Object,
    Enum,
    Text,
    List,
    ObjectList,
    EnumList,
}

/// The encodings of the value that `subject` (a pattern) stands for.
pub(crate) fn encodings(subject: &str) -> Result<Whitelist<Encoding>> {
    let patterns = [
        (Encoding::Plain, subject.to_owned()),
        (Encoding::Object, format!("{subject}.as_dict()")),
        (Encoding::Enum, format!("{subject}.value")),
        (Encoding::Text, format!("{subject}.ToJsonString()")),
        (Encoding::List, format!("[v for v in {subject}]")),
        (Encoding::ObjectList, format!("[v.as_dict() for v in {subject}]")),
        (Encoding::EnumList, format!("[v.value for v in {subject}]")),
    ];
    Whitelist::new(patterns.iter().map(|(encoding, text)| (*encoding, text.as_str())))
}

impl Type {
    /// The encoding that belongs to the type.
    pub(crate) fn encoding(&self) -> Encoding {
        match self {
            Self::Object(_) => Encoding::Object,
            Self::Enum(_) => Encoding::Enum,
            Self::Timestamp | Self::Duration | Self::FieldMask => Encoding::Text,
            Self::Array(item) => match **item {
                Self::Object(_) => Encoding::ObjectList,
                Self::Enum(_) => Encoding::EnumList,
                _ => Encoding::List,
            },
            _ => Encoding::Plain,
        }
    }
}
