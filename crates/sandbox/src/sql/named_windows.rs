//! Named windows: `OVER w` with `WINDOW w AS (…)`, put in the place of their names.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, NamedWindowDefinition, NamedWindowExpr, OrderBy, Select, VisitMut, VisitorMut, WindowSpec, WindowType,
};

use super::error::SqlError;

/// The same SELECT with each named window in the place of its name.
pub(super) fn with_windows(select: &Select, order: Option<&OrderBy>) -> Result<(Select, Option<OrderBy>), SqlError> {
    struct Namer {
        known: Vec<(String, WindowSpec)>,
        missing: Option<String>,
    }
    impl Namer {
        fn spec(&mut self, name: &Ident) -> Option<WindowSpec> {
            let found = self.known.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name.value));
            if found.is_none() {
                self.missing.get_or_insert_with(|| name.value.clone());
            }
            found.map(|(_, spec)| spec.clone())
        }

        /// A window that builds on another one.
        fn whole(&mut self, mut spec: WindowSpec) -> WindowSpec {
            if let Some(base) = spec.window_name.take().and_then(|name| self.spec(&name)) {
                if spec.partition_by.is_empty() {
                    spec.partition_by = base.partition_by;
                }
                if spec.order_by.is_empty() {
                    spec.order_by = base.order_by;
                }
                spec.window_frame = spec.window_frame.or(base.window_frame);
            }
            spec
        }
    }
    impl VisitorMut for Namer {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Function(function) = expr {
                function.over = match function.over.take() {
                    Some(WindowType::NamedWindow(name)) => self.spec(&name).map(WindowType::WindowSpec),
                    Some(WindowType::WindowSpec(spec)) => Some(WindowType::WindowSpec(self.whole(spec))),
                    None => None,
                };
            }
            ControlFlow::Continue(())
        }
    }
    let (mut select, mut order) = (select.clone(), order.cloned());
    let mut namer = Namer { known: Vec::new(), missing: None };
    for NamedWindowDefinition(name, window) in std::mem::take(&mut select.named_window) {
        let spec = match window {
            NamedWindowExpr::NamedWindow(base) => namer.spec(&base),
            NamedWindowExpr::WindowSpec(spec) => Some(namer.whole(spec)),
        };
        namer.known.extend(spec.map(|spec| (name.value, spec)));
    }
    let _ = select.visit(&mut namer);
    let _ = order.visit(&mut namer);
    match namer.missing {
        Some(name) => Err(undefined(&name)),
        None => Ok((select, order)),
    }
}

pub(super) fn undefined(window: &str) -> SqlError {
    SqlError::new(
        "MISSING_WINDOW_SPECIFICATION",
        &format!("Window specification is not defined in the WINDOW clause for {window}."),
        "42P20",
    )
}
