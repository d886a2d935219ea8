//! Data classes and enums. A field's annotation, `as_dict` and `from_dict` have to say the same.

use std::collections::BTreeMap;

use anyhow::Result;
use ruff_python_ast::{Expr, Stmt, StmtClassDef, StmtFunctionDef};

use super::model::{Field, Schema, Type, Width};
use super::pattern::{Pattern, Whitelist};
use super::python::{Found, Module, as_name, as_string, statements};
use super::types::{Encoding, Index, encodings, optional};

/// The constructs of data classes.
#[derive(Debug)]
pub(crate) struct Grammar {
    new: Pattern,
    set: Whitelist<()>,
    end: Pattern,
    encodings: Whitelist<Encoding>,
    build: Pattern,
    decodings: Whitelist<Decoding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decoding {
    Plain,
    Int64,
    Int64List,
    Object,
    ObjectList,
    Enum,
    EnumList,
    Timestamp,
    Duration,
    FieldMask,
}

/// What `from_dict` says about a field.
struct Decoded<'a> {
    wire: String,
    decoding: Decoding,
    class: Option<&'a Expr>,
}

impl Grammar {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            new: Pattern::new("body = {}")?,
            set: Whitelist::new([
                ((), "if self.N_field is not None:\n    body[S_wire] = E_value"),
                ((), "if self.N_field:\n    body[S_wire] = E_value"),
            ])?,
            end: Pattern::new("return body")?,
            encodings: encodings("self.N_field")?,
            build: Pattern::new("return cls(**E_fields)")?,
            decodings: Whitelist::new([
                (Decoding::Plain, "d.get(S_wire, None)"),
                (Decoding::Int64, "_int64(d, S_wire)"),
                (Decoding::Int64List, "_repeated_int64(d, S_wire)"),
                (Decoding::Object, "_from_dict(d, S_wire, E_class)"),
                (Decoding::ObjectList, "_repeated_dict(d, S_wire, E_class)"),
                (Decoding::Enum, "_enum(d, S_wire, E_class)"),
                (Decoding::EnumList, "_repeated_enum(d, S_wire, E_class)"),
                (Decoding::Timestamp, "_timestamp(d, S_wire)"),
                (Decoding::Duration, "_duration(d, S_wire)"),
                (Decoding::FieldMask, "_fieldmask(d, S_wire)"),
            ])?,
        })
    }

    /// Reads a data class.
    pub(crate) fn object(&self, module: &Module, index: &Index, class: &StmtClassDef) -> Found<Schema> {
        let mut annotations = Vec::new();
        let mut encoded = None;
        let mut decoded = None;
        for statement in statements(&class.body) {
            match statement {
                Stmt::AnnAssign(field) => {
                    let Some(name) = as_name(&field.target) else {
                        return Err(module.problem(statement, "`name: type`"));
                    };
                    let optional = optional(&field.annotation);
                    match (optional, field.value.as_deref()) {
                        (Some(_), Some(Expr::NoneLiteral(_))) | (None, None) => {}
                        _ => return Err(module.problem(statement, "`name: type` or `name: Optional[type] = None`")),
                    }
                    annotations.push((name, optional.unwrap_or(&field.annotation), optional.is_none()));
                }
                Stmt::FunctionDef(function) => match function.name.as_str() {
                    "as_dict" => encoded = Some(self.encoded(module, function)?),
                    "from_dict" => decoded = Some(self.decoded(module, function)?),
                    // The same fields once more, without nesting.
                    "as_shallow_dict" => {}
                    _ => return Err(module.problem(&function.name, "`as_dict`, `as_shallow_dict` or `from_dict`")),
                },
                _ => return Err(module.problem(statement, "a field or a method of a data class")),
            }
        }
        let (Some(mut encoded), Some(mut decoded)) = (encoded, decoded) else {
            return Err(module.problem(&class.name, "`as_dict` and `from_dict`"));
        };
        let mut fields = Vec::new();
        for (python, annotation, required) in annotations {
            let (Some((wire, encoding)), Some(from)) = (encoded.remove(python), decoded.remove(python)) else {
                return Err(module.problem(annotation, format!("`{python}` in `as_dict` and in `from_dict`")));
            };
            let width = match from.decoding {
                Decoding::Int64 | Decoding::Int64List => Width::Int64,
                _ => Width::Int32,
            };
            let kind = index.resolve(module, annotation, width)?;
            if wire != from.wire || encoding != kind.encoding() || !self.agrees(module, index, &kind, &from)? {
                let reason = format!("`{python}` to be encoded and decoded as its annotation says");
                return Err(module.problem(annotation, reason));
            }
            fields.push(Field { python: python.to_owned(), wire, kind, required, auto: false });
        }
        match encoded.keys().chain(decoded.keys()).next() {
            Some(name) => Err(module.problem(&class.name, format!("an annotation of `{name}`"))),
            None => Ok(Schema::Object(fields)),
        }
    }

    /// Reads an enum.
    pub(crate) fn enumeration(module: &Module, class: &StmtClassDef) -> Found<Schema> {
        let member = |statement: &Stmt| match statement {
            Stmt::Assign(assign) => match assign.targets.as_slice() {
                [target] => Some((as_name(target)?.to_owned(), as_string(&assign.value)?.to_owned())),
                _ => None,
            },
            _ => None,
        };
        let read = |statement| member(statement).ok_or_else(|| module.problem(statement, "`NAME = \"value\"`"));
        statements(&class.body).map(read).collect::<Found<_>>().map(Schema::Enum)
    }

    fn encoded<'a>(
        &self,
        module: &Module,
        function: &'a StmtFunctionDef,
    ) -> Found<BTreeMap<&'a str, (String, Encoding)>> {
        let mut fields = BTreeMap::new();
        for statement in statements(&function.body) {
            if self.new.statement(statement).is_some() || self.end.statement(statement).is_some() {
                continue;
            }
            let Some(((), set)) = self.set.statement(statement) else {
                return Err(module.problem(statement, "`if self.x is not None: body[\"x\"] = …`"));
            };
            let value = set.get("E_value").and_then(|value| self.encodings.expression(value));
            let Some((encoding, _)) = value.filter(|(_, value)| value.text("N_field") == set.text("N_field")) else {
                return Err(module.problem(statement, "a known encoding of the tested field"));
            };
            let Some(name) = field_name(statement) else {
                return Err(module.problem(statement, "a test of one field"));
            };
            fields.insert(name, (set.text("S_wire").to_owned(), encoding));
        }
        Ok(fields)
    }

    fn decoded<'a>(&'a self, module: &Module, function: &'a StmtFunctionDef) -> Found<BTreeMap<&'a str, Decoded<'a>>> {
        let mut body = statements(&function.body);
        let (Some(statement), None) = (body.next(), body.next()) else {
            return Err(module.problem(&function.name, "one `return cls(…)`"));
        };
        let Some(build) = self.build.statement(statement) else {
            return Err(module.problem(statement, "`return cls(field=…, …)`"));
        };
        let mut fields = BTreeMap::new();
        for keyword in build.keywords("E_fields") {
            match (&keyword.arg, self.decodings.expression(&keyword.value)) {
                (Some(name), Some((decoding, found))) => {
                    let wire = found.text("S_wire").to_owned();
                    fields.insert(name.as_str(), Decoded { wire, decoding, class: found.get("E_class") });
                }
                _ => return Err(module.problem(*keyword, "a known decoding of a field")),
            }
        }
        Ok(fields)
    }

    fn agrees(&self, module: &Module, index: &Index, kind: &Type, from: &Decoded<'_>) -> Found<bool> {
        let class = from.class.map(|class| index.resolve(module, class, Width::Unknown)).transpose()?;
        let (item, repeated) = match kind {
            Type::Array(item) => (&**item, true),
            other => (other, false),
        };
        let expected = match (item, repeated) {
            (Type::Object(_), false) => Decoding::Object,
            (Type::Object(_), true) => Decoding::ObjectList,
            (Type::Enum(_), false) => Decoding::Enum,
            (Type::Enum(_), true) => Decoding::EnumList,
            (Type::Integer(Width::Int64), false) => Decoding::Int64,
            (Type::Integer(Width::Int64), true) => Decoding::Int64List,
            (Type::Timestamp, false) => Decoding::Timestamp,
            (Type::Duration, false) => Decoding::Duration,
            (Type::FieldMask, false) => Decoding::FieldMask,
            (Type::Timestamp | Type::Duration | Type::FieldMask, true) => return Ok(false),
            _ => Decoding::Plain,
        };
        Ok(expected == from.decoding && class.is_none_or(|class| class == *item))
    }
}

/// `x` of `if self.x …`.
fn field_name(statement: &Stmt) -> Option<&str> {
    let Stmt::If(statement) = statement else { return None };
    let tested = match &*statement.test {
        Expr::Compare(compare) => &*compare.left,
        other => other,
    };
    match tested {
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        _ => None,
    }
}
