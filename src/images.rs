//! The pictures of an answer: what JSON cannot show, and a client can.

use std::sync::{Arc, Mutex, PoisonError};

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its bytes in base64.
    pub base64: String,
    /// Its type, such as `image/png`.
    pub mime_type: String,
}

/// Where a call puts the pictures that go along with its answer.
#[derive(Debug, Clone, Default)]
pub struct Media {
    images: Arc<Mutex<Vec<Image>>>,
}

impl Media {
    /// Adds a picture to the answer of this call.
    pub(crate) fn add(&self, image: Image) {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).push(image);
    }

    /// The pictures, in order; there are none afterwards.
    pub(crate) fn take(&self) -> Vec<Image> {
        std::mem::take(&mut *self.images.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
