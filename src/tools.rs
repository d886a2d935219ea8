//! The tools that are written by hand: `src/tools/<toolset>/<tool>.rs`, one file for each composite of the allowlist.
//!
//! The build finds the files; no list names them. A composite has an input type, whose schema and field documentation
//! clients see, and a function. It calls the workspace through `Context::send`, which refuses operations that are not
//! among its `uses` in the allowlist. What several composites share, and what would make one of them long, is in
//! `src/domain`.

/// The composite of an input type and an `async` function of `Context` and that input. One that
/// is `guarded` in the allowlist says here too that it guards itself.
macro_rules! composite {
    ($input:ty, $run:path) => {
        composite!($input, $run, guards_itself: false, one_of: [])
    };
    ($input:ty, $run:path, guards_itself: $guards_itself:literal) => {
        composite!($input, $run, guards_itself: $guards_itself, one_of: [])
    };
    ($input:ty, $run:path, one_of: $one_of:tt) => {
        composite!($input, $run, guards_itself: false, one_of: $one_of)
    };
    ($input:ty, $run:path, guards_itself: $guards_itself:literal, one_of: $one_of:tt) => {
        $crate::definition::Composite {
            schema: $crate::input::input_schema::<$input>,
            guards_itself: $guards_itself,
            one_of: &$one_of,
            run: |context, arguments| {
                Box::pin(async move { $run(context, $crate::input::input::<$input>(arguments)?).await })
            },
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/composites.rs"));
