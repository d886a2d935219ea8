//! `oauth`: stub
use http::request::Parts;

use crate::error::Error;
use crate::risk::Risk;
use crate::transport::http::options::HttpOptions;
use crate::transport::http::principal::{Denied, Principal};

#[derive(Debug)]
pub(crate) struct Resource;

impl Resource {
    pub(super) fn open(_options: &HttpOptions) -> Result<Self, Error> {
        Err(Error::failed("not built"))
    }
    pub(super) async fn principal(&self, _request: &Parts) -> Result<Principal, Denied> {
        Err(Denied::Unavailable(String::new()))
    }
    pub(super) fn metadata(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
    pub(super) fn step_up(&self, _risk: Risk) -> String {
        String::new()
    }
}
