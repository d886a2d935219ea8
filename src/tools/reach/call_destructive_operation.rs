//! `call_destructive_operation`: calls an operation or a tool that may delete, overwrite or interrupt something.

use serde_json::Value;

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::reach::Call;
use crate::error::Error;
use crate::risk::Risk;

pub(crate) static COMPOSITE: Composite = composite!(Call, run);

async fn run(context: Context, call: Call) -> Result<Value, Error> {
    call.within(&context, Risk::Destructive).await
}
