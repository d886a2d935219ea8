//! Delivering what this process tells of itself to one place, such as a collector of traces.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;
use tokio::time::timeout;

use crate::answer::Answer;
use crate::elsewhere;
use crate::error::Error;
use crate::host::is_loopback;
use crate::weight::Form;

/// What is answered to a delivery is a few words.
const LARGEST: usize = 64 * 1024;
/// How long a delivery may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to one place. No redirect is followed, so that headers with a credential go nowhere else.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let collector = databricks::Deliveries::to("https://collector.acme.test/v1/traces")?;
/// assert!(collector.is_private());
/// assert!(!databricks::Deliveries::to("http://collector.acme.test/v1/traces")?.is_private());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Deliveries {
    http: reqwest::Client,
    is_private: bool,
}

impl Deliveries {
    /// Deliveries to this address, of the scheme `https` or `http`.
    ///
    /// # Errors
    /// When it is no such address; it is not repeated, as it may hold a credential.
    pub fn to(address: &str) -> Result<Deliveries, Error> {
        let url = Url::parse(address).map_err(|error| Error::configuration(format!("the address is none: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::configuration("the address begins neither with `https://` nor with `http://`"));
        }
        let is_local = is_loopback(&url);
        Ok(Deliveries { http: elsewhere::client(is_local)?, is_private: is_local || url.scheme() == "https" })
    }

    /// Whether nobody on the network can read along.
    pub fn is_private(&self) -> bool {
        self.is_private
    }

    /// Sends a request, and gives whatever is answered.
    ///
    /// # Errors
    /// When no whole answer comes in time.
    pub async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, Error> {
        let request = reqwest::Request::try_from(request).map_err(Error::http)?;
        let receive = async {
            let response = self.http.execute(request).await.map_err(Error::http)?;
            Answer::receive(response, PATIENCE, LARGEST, Form::Bytes).await
        };
        let answer = timeout(PATIENCE, receive).await.map_err(|_| Error::timed_out(PATIENCE))??;
        let mut response = http::Response::new(answer.bytes.clone());
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers.clone();
        Ok(response)
    }
}
