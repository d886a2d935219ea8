//! How many tokens a text costs a model.

use anyhow::{Context as _, Result};
use serde_json::Value;
use tiktoken_rs::CoreBPE;

/// The tokenizer `o200k_base`. Other models count within a tenth of it.
pub(super) struct Tokenizer(CoreBPE);

impl Tokenizer {
    pub(super) fn new() -> Result<Self> {
        tiktoken_rs::o200k_base()
            .map(Self)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .context("cannot load o200k_base")
    }

    /// The tokens of a tool as a client receives it.
    pub(super) fn count(&self, definition: &Value) -> usize {
        self.0.encode_ordinary(&definition.to_string()).len()
    }
}
