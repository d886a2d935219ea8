//! Presigned URLs from answers: fetched without credentials, because the URL is itself a credential. For the same
//! reason it appears in no log and no error.

use http::header::{self, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::{Request, Url};

use super::{Exchange, Transport};
use crate::answer::Answer;
use crate::deadline::Attempts;
use crate::error::Error;
use crate::host::{Host, is_loopback};
use crate::mask::Mask;
use crate::operation::Response;
use crate::secret::Secret;
use crate::weight::Form;

/// What messages call the download, which is no operation.
const NAME: &str = "presigned download";
/// What a request carries by the client's own hand: with other values it would be another request, or two at once.
const CLIENT_HEADERS: [HeaderName; 14] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHORIZATION,
    header::RANGE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::USER_AGENT,
];

impl Transport {
    /// Fetches a presigned URL. `form` says what becomes of the answer.
    pub(crate) async fn fetch_presigned<'a>(
        &self,
        url: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        form: Form,
    ) -> Result<Answer, Error> {
        let url = Url::parse(url).map_err(|_| Error::answer("the presigned URL is not a URL").in_operation(NAME))?;
        let local = is_loopback(&url) && self.known_host().is_some_and(Host::is_loopback);
        if url.scheme() != "https" && !local {
            return Err(Error::answer("the presigned URL is not `https`").in_operation(NAME));
        }
        let asked = presigned_headers(headers).map_err(|error| error.in_operation(NAME))?;
        let (url, asked, attempts) = (&url, &asked, &Attempts::new(NAME));
        let attempt = |_| async move {
            let mut request = Request::new(Method::GET, url.clone());
            request.headers_mut().extend(asked.clone());
            request.headers_mut().insert(USER_AGENT, self.user_agent.header(None));
            let (sent, idle) = (signature(url), self.shared.config.idle_timeout);
            let exchange = Exchange { response: Response::Binary, form, sent, idle };
            Box::pin(self.attempt(request, attempts, exchange)).await.inspect_err(|error| attempts.failed(error))
        };
        let fetched = async {
            self.count()?;
            self.retry(None).run(true, self.queue(false), attempt).await
        };
        let answer = self.limit(attempts, fetched).await;
        answer.map_err(|error| error.with_outcome(false).in_operation(NAME))
    }
}

/// The headers that an answer asks to send along with a presigned URL; like the URL, they are credentials.
fn presigned_headers<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap, Error> {
    let mut asked = HeaderMap::new();
    for (name, value) in headers {
        let header = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
        let (name, mut value) =
            header.ok_or_else(|| Error::answer("a header that belongs to the presigned URL is not a valid header"))?;
        if CLIENT_HEADERS.contains(&name) {
            return Err(Error::answer(format!(
                "the presigned URL asks for the header `{name}`, which is the client's own"
            )));
        }
        value.set_sensitive(true);
        asked.insert(name, value);
    }
    Ok(asked)
}

/// What makes a presigned URL a credential, as it is written there and as it is meant: storage services like to explain
/// what they refuse.
fn signature(url: &Url) -> Mask {
    let written = url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let written = written.map(|(_, value)| Secret::from(value));
    Mask::credentials(written.chain(url.query_pairs().map(|(_, value)| Secret::from(value.as_ref()))))
}
