//! The tools that are written by hand: `src/tools/<toolset>/<tool>.rs`, one file for each composite of the allowlist.
//!
//! The build finds the files; no list names them. A composite has an input type, whose schema and field documentation
//! clients see, and a function. It calls the workspace through `Context::send`, which refuses operations that are not
//! among its `uses` in the allowlist. What several composites share, and what would make one of them long, is in
//! `src/domain`.

/// The composite of an input type and an `async` function of `Context` and that input. One that
/// is `guarded` in the allowlist has a guard here, by which it guards itself. One whose work can be handed over has `work`.
macro_rules! composite {
    (@ $input:ty, $run:path, $guard:expr, $one_of:tt, $work:expr) => {
        $crate::definition::Composite {
            schema: $crate::input::input_schema::<$input>,
            guard: $guard,
            one_of: &$one_of,
            work: $work,
            run: |context, arguments| {
                Box::pin(async move { $run(context, $crate::input::input::<$input>(arguments)?).await })
            },
        }
    };
    ($input:ty, $run:path) => {
        composite!(@ $input, $run, None, [], None)
    };
    ($input:ty, $run:path, work: $work:ident) => {
        composite!(@ $input, $run, None, [], Some(&$work))
    };
    ($input:ty, $run:path, guard: $guard:path, work: $work:ident) => {
        composite!(@ $input, $run, {
            let guard: $crate::definition::Guard = |policy, arguments| {
                Box::pin(async move { $guard(policy, &$crate::input::input::<$input>(arguments)?).await })
            };
            Some(guard)
        }, [], Some(&$work))
    };
    ($input:ty, $run:path, one_of: $one_of:tt) => {
        composite!(@ $input, $run, None, $one_of, None)
    };
}

/// What can be done with the work of a composite, from the type of its handle and `async` functions of `Context` and a handle:
/// one that looks how it stands, and one that ends it.
macro_rules! work {
    (@ $handle:ty, $of:path) => {
        |context, handle| Box::pin(async move { $of(context, $crate::input::input::<$handle>(handle)?).await })
    };
    ($handle:ty, look: $look:path) => {
        $crate::definition::Work { look: work!(@ $handle, $look), cancel: None }
    };
    ($handle:ty, look: $look:path, cancel: $cancel:path) => {
        $crate::definition::Work { look: work!(@ $handle, $look), cancel: Some(work!(@ $handle, $cancel)) }
    };
}

include!(concat!(env!("OUT_DIR"), "/composites.rs"));
