//! Databricks SQL types and how each is named on the wire.
//!
//! In SQLite a BOOLEAN is 0 or 1, a DATE the days and a TIMESTAMP the microseconds since 1970, a
//! DECIMAL its unscaled integer (12.34 is 1234), a STRUCT, ARRAY or MAP its JSON text. SQLite has no NaN: a FLOAT or
//! DOUBLE that is none is the text [`NAN`], which equals itself and sorts after all numbers, as NaN does in Databricks.

use serde_json::{Value, json};
use sqlparser::ast::{ArrayElemTypeDef, DataType, ExactNumberInfo, TimezoneInfo};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::dialect::Databricks;
use super::parse::tokens;

/// What stands for NaN among numbers.
pub(crate) const NAN: &str = "NaN";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    Void,
    Boolean,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    Decimal(u8, u8),
    String,
    Binary,
    Date,
    Timestamp,
    TimestampNtz,
    /// Microseconds, shown from one field to another: DAY is 0, SECOND is 3.
    DayTime(u8, u8),
    /// Months, shown from one field to another: YEAR is 0, MONTH is 1.
    YearMonth(u8, u8),
    Array(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Struct(Vec<(String, Type)>),
}

impl Type {
    /// How many types it is made of, itself included.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Array(items) => 1 + items.size(),
            Self::Map(keys, values) => 1 + keys.size() + values.size(),
            Self::Struct(fields) => 1 + fields.iter().map(|(_, field)| field.size()).sum::<usize>(),
            _ => 1,
        }
    }
}

/// A column of a table or of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Type,
    pub(crate) comment: Option<String>,
    pub(crate) nullable: bool,
}

impl Column {
    pub(crate) fn new(name: impl Into<String>, kind: Type) -> Self {
        Self { name: name.into(), kind, comment: None, nullable: true }
    }
}

impl Type {
    /// As `type_text` of a result column and in DDL: `DECIMAL(10,2)`, `STRUCT<a: INT>`.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Decimal(precision, scale) => format!("DECIMAL({precision},{scale})"),
            Self::Array(item) => format!("ARRAY<{}>", item.text()),
            Self::Map(key, value) => format!("MAP<{}, {}>", key.text(), value.text()),
            Self::Struct(fields) => {
                let fields: Vec<_> = fields.iter().map(|(name, kind)| format!("{name}: {}", kind.text())).collect();
                format!("STRUCT<{}>", fields.join(", "))
            }
            Self::BigInt => "BIGINT".to_owned(),
            Self::TinyInt => "TINYINT".to_owned(),
            Self::SmallInt => "SMALLINT".to_owned(),
            Self::Void => "VOID".to_owned(),
            Self::TimestampNtz => "TIMESTAMP_NTZ".to_owned(),
            Self::DayTime(from, to) => interval_text(&["DAY", "HOUR", "MINUTE", "SECOND"], *from, *to),
            Self::YearMonth(from, to) => interval_text(&["YEAR", "MONTH"], *from, *to),
            _ => self.name().to_owned(),
        }
    }

    /// From its own text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::from_ast(&Self::read(text)?.0)
    }

    /// The type that a text begins with, if it is not too large for the parser, and whether that is all of it.
    fn read(text: &str) -> Option<(DataType, bool)> {
        let tokens = tokens(text).ok()?;
        let dialect = Databricks::for_tokens(tokens.len());
        let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
        let kind = parser.parse_data_type().ok()?;
        let is_all = parser.peek_token_ref().token == Token::EOF;
        Some((kind, is_all))
    }

    /// From a schema in DDL: a type, or the fields of a struct.
    pub(crate) fn schema(text: &str) -> Option<Self> {
        let whole =
            |text: &str| Self::read(text).filter(|(_, is_all)| *is_all).and_then(|(kind, _)| Self::from_ast(&kind));
        whole(text).or_else(|| whole(&format!("STRUCT<{text}>")))
    }

    /// As the catalog and DESCRIBE write it: `decimal(10,2)`, `struct<a:int>`.
    pub(crate) fn catalog_text(&self) -> String {
        self.text().to_lowercase().replace(": ", ":").replace(", ", ",")
    }

    /// As `type_name` on the wire: `LONG`, `DECIMAL`, `STRUCT`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Void => "NULL",
            Self::Boolean => "BOOLEAN",
            Self::TinyInt => "BYTE",
            Self::SmallInt => "SHORT",
            Self::Int => "INT",
            Self::BigInt => "LONG",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Decimal(..) => "DECIMAL",
            Self::String => "STRING",
            Self::Binary => "BINARY",
            Self::Date => "DATE",
            Self::Timestamp => "TIMESTAMP",
            Self::TimestampNtz => "TIMESTAMP_NTZ",
            Self::DayTime(..) | Self::YearMonth(..) => "INTERVAL",
            Self::Array(_) => "ARRAY",
            Self::Map(..) => "MAP",
            Self::Struct(_) => "STRUCT",
        }
    }

    /// The `type` member of a column's `type_json`.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::BigInt => json!("long"),
            Self::TinyInt => json!("byte"),
            Self::SmallInt => json!("short"),
            Self::Int => json!("integer"),
            Self::Array(item) => json!({"type": "array", "elementType": item.json(), "containsNull": true}),
            Self::Map(key, value) => {
                json!({"type": "map", "keyType": key.json(), "valueType": value.json(), "valueContainsNull": true})
            }
            Self::Struct(fields) => json!({"type": "struct", "fields": fields.iter().map(|(name, kind)| {
                json!({"name": name, "type": kind.json(), "nullable": true, "metadata": {}})
            }).collect::<Vec<_>>()}),
            _ => json!(self.catalog_text()),
        }
    }

    /// SQLite's affinity for a column of this type.
    pub(crate) fn affinity(&self) -> &'static str {
        match self {
            Self::Float | Self::Double => "REAL",
            Self::Boolean
            | Self::TinyInt
            | Self::SmallInt
            | Self::Int
            | Self::BigInt
            | Self::Date
            | Self::Decimal(..)
            | Self::Timestamp
            | Self::TimestampNtz
            | Self::DayTime(..)
            | Self::YearMonth(..) => "INTEGER",
            Self::Binary => "BLOB",
            _ => "TEXT",
        }
    }

    pub(crate) fn is_integer(&self) -> bool {
        matches!(self, Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt)
    }

    pub(crate) fn is_number(&self) -> bool {
        self.is_integer() || matches!(self, Self::Float | Self::Double | Self::Decimal(..))
    }

    pub(crate) fn is_fractional(&self) -> bool {
        matches!(self, Self::Float | Self::Double)
    }

    pub(crate) fn is_temporal(&self) -> bool {
        matches!(self, Self::Date | Self::Timestamp | Self::TimestampNtz)
    }

    pub(crate) fn is_interval(&self) -> bool {
        matches!(self, Self::DayTime(..) | Self::YearMonth(..))
    }

    pub(crate) fn is_nested(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Map(..) | Self::Struct(_))
    }

    fn rank(&self) -> u8 {
        match self {
            Self::TinyInt => 1,
            Self::SmallInt => 2,
            Self::Int => 3,
            Self::BigInt => 4,
            _ => 0,
        }
    }

    /// An integer type as the decimal that holds it.
    pub(crate) fn as_decimal(&self) -> Option<(u8, u8)> {
        match self {
            Self::TinyInt => Some((3, 0)),
            Self::SmallInt => Some((5, 0)),
            Self::Int => Some((10, 0)),
            Self::BigInt => Some((20, 0)),
            Self::Decimal(precision, scale) => Some((*precision, *scale)),
            _ => None,
        }
    }

    /// The type that holds values of both, where Databricks has one.
    pub(crate) fn common(&self, other: &Self) -> Option<Self> {
        if self == other {
            return Some(self.clone());
        }
        match (self, other) {
            (Self::Void, kind) | (kind, Self::Void) => Some(kind.clone()),
            (a, b) if a.is_integer() && b.is_integer() => {
                Some(if a.rank() >= b.rank() { a.clone() } else { b.clone() })
            }
            (Self::DayTime(a, b), Self::DayTime(c, d)) => Some(Self::DayTime(*a.min(c), *b.max(d))),
            (Self::YearMonth(a, b), Self::YearMonth(c, d)) => Some(Self::YearMonth(*a.min(c), *b.max(d))),
            (Self::Float, Self::TinyInt | Self::SmallInt) | (Self::TinyInt | Self::SmallInt, Self::Float) => {
                Some(Self::Float)
            }
            (a, b) if a.is_number() && b.is_number() => Some(match (a.as_decimal(), b.as_decimal()) {
                (Some((p1, s1)), Some((p2, s2))) => {
                    let scale = s1.max(s2);
                    let whole = p1.saturating_sub(s1).max(p2.saturating_sub(s2));
                    Self::Decimal(whole.saturating_add(scale).min(38), scale)
                }
                _ => Self::Double,
            }),
            (Self::Date, kind) | (kind, Self::Date) if kind.is_temporal() => Some(kind.clone()),
            (Self::String, kind) | (kind, Self::String) if !kind.is_nested() => Some(match kind {
                Self::TinyInt | Self::SmallInt | Self::Int => Self::BigInt,
                Self::Float | Self::Decimal(..) => Self::Double,
                kind => kind.clone(),
            }),
            _ => None,
        }
    }

    /// From the parser's data type, where the sandbox has it.
    pub(crate) fn from_ast(kind: &DataType) -> Option<Self> {
        Some(match kind {
            DataType::Boolean | DataType::Bool => Self::Boolean,
            DataType::TinyInt(_) => Self::TinyInt,
            DataType::SmallInt(_) => Self::SmallInt,
            DataType::Int(_) | DataType::Integer(_) => Self::Int,
            DataType::BigInt(_) => Self::BigInt,
            DataType::Float(_) | DataType::Real => Self::Float,
            DataType::Double(_) => Self::Double,
            DataType::Decimal(info) | DataType::Numeric(info) | DataType::Dec(info) => decimal(info)?,
            DataType::String(_) | DataType::Varchar(_) | DataType::Char(_) | DataType::Text => Self::String,
            DataType::Binary(_) => Self::Binary,
            DataType::Date => Self::Date,
            DataType::Timestamp(_, TimezoneInfo::None) => Self::Timestamp,
            DataType::TimestampNtz(_) => Self::TimestampNtz,
            DataType::Array(ArrayElemTypeDef::AngleBracket(item)) => Self::Array(Box::new(Self::from_ast(item)?)),
            DataType::Map(key, value, _) => Self::Map(Box::new(Self::from_ast(key)?), Box::new(Self::from_ast(value)?)),
            DataType::Struct(fields, _) => Self::Struct(
                fields
                    .iter()
                    .map(|field| Some((field.field_name.as_ref()?.value.clone(), Self::from_ast(&field.field_type)?)))
                    .collect::<Option<_>>()?,
            ),
            DataType::Custom(name, modifiers) if modifiers.is_empty() => {
                match name.to_string().to_lowercase().as_str() {
                    "long" => Self::BigInt,
                    "short" => Self::SmallInt,
                    "byte" => Self::TinyInt,
                    "timestamp_ntz" => Self::TimestampNtz,
                    "timestamp_ltz" => Self::Timestamp,
                    "void" => Self::Void,
                    _ => return None,
                }
            }
            _ => return None,
        })
    }
}

fn interval_text(fields: &[&str], from: u8, to: u8) -> String {
    let field = |index: u8| fields.get(usize::from(index)).copied().unwrap_or_default();
    if from == to { format!("INTERVAL {}", field(from)) } else { format!("INTERVAL {} TO {}", field(from), field(to)) }
}

fn decimal(info: &ExactNumberInfo) -> Option<Type> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    let (precision, scale) = (u8::try_from(precision).ok()?, u8::try_from(scale).ok()?);
    ((1..=38).contains(&precision) && scale <= precision).then_some(Type::Decimal(precision, scale))
}
