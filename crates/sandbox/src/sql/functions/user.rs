//! Functions that users made in SQL: a call becomes the body, with the arguments in the place of the parameters.

use std::rc::Rc;

use serde_json::Value;
use sqlparser::parser::Parser;

use crate::sql::compile::{Compiler, Scope, Typed};
use crate::sql::dialect::Databricks;
use crate::sql::error::SqlError;
use crate::sql::parse::tokens;
use crate::sql::types::Type;
use crate::workspace::catalog::{Name, Node};

use super::known::is_known;

impl Compiler<'_> {
    /// The function of a catalog that a call names; what is built in comes before those with one part.
    pub(crate) fn user_function(&self, name: &[String]) -> Option<(Name, &Node)> {
        if matches!(name, [single] if is_known(single)) {
            return None;
        }
        let full = self.qualify(name).ok()?;
        let node = self.catalog.functions.get(&full)?;
        Some((full, node))
    }

    pub(crate) fn call_user(&self, (name, node): (Name, &Node), arguments: &[Typed]) -> Result<Typed, SqlError> {
        let fact = |key: &str| node.extra.get(key).and_then(Value::as_str).unwrap_or_default();
        if fact("routine_body") != "SQL" {
            return Err(SqlError::unsupported(format!("the function `{}`, whose body is not SQL", name.join("."))));
        }
        let inputs =
            node.extra.get("input_params").and_then(|inputs| inputs.get("parameters")).and_then(Value::as_array);
        let mut parameters = Vec::new();
        for input in inputs.into_iter().flatten() {
            let part = |key: &str| input.get(key).and_then(Value::as_str).unwrap_or_default();
            let kind = Type::parse(part("type_text"))
                .ok_or_else(|| SqlError::unsupported(format!("parameters of the type {}", part("type_text"))))?;
            parameters.push((part("name").to_owned(), kind));
        }
        if parameters.len() != arguments.len() {
            return Err(SqlError::new(
                "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
                &format!(
                    "The `{}` requires {} parameters but the actual number is {}.",
                    name.join("`.`"),
                    parameters.len(),
                    arguments.len()
                ),
                "42605",
            ));
        }
        let value = self.inlined(&name, &parameters, fact("routine_definition"), arguments)?;
        match Type::parse(fact("full_data_type")) {
            // DECIMAL alone is how the API names a type whose digits are elsewhere.
            Some(Type::Decimal(10, 0)) | None => Ok(value),
            Some(kind) => self.cast(value, &kind, false),
        }
    }

    /// The body of a function over these arguments.
    pub(crate) fn inlined(
        &self,
        name: &Name,
        parameters: &[(String, Type)],
        body: &str,
        arguments: &[Typed],
    ) -> Result<Typed, SqlError> {
        let mut scope = Scope::empty(None);
        scope.aliases_first = true;
        for ((parameter, kind), argument) in parameters.iter().zip(arguments) {
            let value = self.cast(argument.clone(), kind, false)?;
            Rc::make_mut(&mut scope.aliases).push((parameter.clone(), value));
        }
        // A body that is a query stands in parentheses when it is used.
        let is_query = tokens(body)?
            .first()
            .and_then(|first| crate::sql::parse::word(&first.token))
            .is_some_and(|word| matches!(word.as_str(), "SELECT" | "WITH"));
        let text = if is_query { format!("({body})") } else { body.to_owned() };
        let tokens = tokens(&text)?;
        let dialect = Databricks::for_tokens(tokens.len());
        let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
        let wrong = || SqlError::unsupported(format!("the body of the function `{}`", name.join(".")));
        let expr = parser.parse_expr().map_err(|_| wrong())?;
        if parser.next_token().token != sqlparser::tokenizer::Token::EOF {
            return Err(wrong());
        }
        self.within(name, || self.expr(&expr, &scope))
    }

    /// A NULL of this type.
    pub(crate) fn null(&self, kind: &Type) -> Typed {
        Typed::new("NULL", kind.clone())
    }
}
