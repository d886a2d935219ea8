//! Public documents of identity providers: a provider's metadata, and the keys that it signs with.

use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, HeaderValue};
use reqwest::{Request, Url};
use tokio::time::timeout;

use crate::answer::Answer;
use crate::elsewhere;
use crate::error::Error;
use crate::host::is_loopback;
use crate::weight::Form;

/// Such a document has some kilobytes.
const LARGEST: usize = 512 * 1024;
/// How long a provider may take, from the first byte sent to the last that comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to the documents of one provider. Nothing secret is sent.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let documents = databricks::Documents::of("https://login.acme.test/realms/data")?;
/// let refused = documents.get("http://login.acme.test/keys").await;
/// assert!(refused.is_err_and(|error| error.to_string().contains("`https`")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Documents {
    http: reqwest::Client,
    /// The provider runs on this machine, and so may what it names.
    is_local: bool,
}

impl Documents {
    /// The documents of the provider with this address.
    ///
    /// # Errors
    /// When somebody between could answer in its place: its address is neither `https` nor on this machine.
    pub fn of(provider: &str) -> Result<Documents, Error> {
        let url = Url::parse(provider)
            .map_err(|error| Error::configuration(format!("`{provider}` is not a URL: {error}")))?;
        let is_local = is_loopback(&url);
        if url.scheme() != "https" && !is_local {
            return Err(Error::configuration(format!("`{provider}` is neither `https` nor on this machine")));
        }
        Ok(Documents { http: elsewhere::client(is_local)?, is_local })
    }

    /// The bytes of a document.
    ///
    /// # Errors
    /// When the address is neither `https` nor on the machine that the provider is on, too; when no answer comes in time,
    /// or one that is no success or too long.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, Error> {
        let parsed = Url::parse(url).map_err(|error| Error::configuration(format!("`{url}` is not a URL: {error}")))?;
        if parsed.scheme() != "https" && !(self.is_local && is_loopback(&parsed)) {
            return Err(Error::configuration(format!("`{url}` is not `https`")));
        }
        let mut request = Request::new(Method::GET, parsed);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let receive = async {
            let response = self.http.execute(request).await.map_err(Error::http)?;
            Answer::receive(response, PATIENCE, LARGEST, Form::Bytes).await
        };
        let answer = timeout(PATIENCE, receive).await.map_err(|_| Error::timed_out(PATIENCE))??;
        match answer.status {
            status if status.is_success() => Ok(answer.bytes.to_vec()),
            status if status.is_redirection() => Err(Error::answer(format!(
                "`{url}` redirects elsewhere with status {}, and that is not followed",
                status.as_u16()
            ))),
            status => Err(Error::answer(format!("`{url}` answers with status {}", status.as_u16()))),
        }
    }
}
