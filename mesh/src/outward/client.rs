//! One exchange with an address that a customer named.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::{Address, Forbidden, Rules};

/// Bounds of one exchange.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the look-up of the name to the last byte of the answer.
    pub timeout: Duration,
    /// Bytes of the answer's body.
    pub max_bytes: usize,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status. A redirect is not followed.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It leads where it must not.
    #[error("address {0}")]
    Forbidden(#[from] Forbidden),
    /// Its name is not known.
    #[error("name is not known")]
    Unknown,
    /// Nobody takes the connection, or it broke.
    #[error("no connection")]
    Unreachable(#[source] io::Error),
    /// What came is no HTTP.
    #[error("no HTTP answer")]
    Http(#[source] hyper::Error),
    /// The answer is too big.
    #[error("answer is too big")]
    TooBig,
    /// It took too long.
    #[error("no answer in time")]
    Late,
}

/// Makes exchanges under the rules. Clones share the trusted certificates.
#[derive(Clone)]
pub struct Client {
    rules: Rules,
    tls: TlsConnector,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Client").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Client {
    /// A client that trusts the certificates of the machine (`SSL_CERT_FILE`, `SSL_CERT_DIR`).
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        Self::trusting(rules, roots)
    }

    fn trusting(rules: Rules, roots: RootCertStore) -> Self {
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Self { rules, tls: TlsConnector::from(Arc::new(config)) }
    }

    /// Reads an address and looks where it leads. A name that nobody knows now is let through:
    /// that shows when it is used.
    ///
    /// # Errors
    /// When it is malformed or forbidden.
    pub async fn check(&self, text: &str) -> Result<Address, Forbidden> {
        let address = Address::parse(text, self.rules)?;
        address.resolve(self.rules).await?;
        Ok(address)
    }

    /// Gets what is there.
    ///
    /// # Errors
    /// When there is no whole answer within the limits.
    pub async fn get(&self, address: &Address, limits: Limits) -> Result<Answer, SendError> {
        self.send(Method::GET, address, HeaderMap::new(), Bytes::new(), limits).await
    }

    /// Sends a request; `host` and `user-agent` are added.
    ///
    /// # Errors
    /// When there is no whole answer within the limits.
    pub async fn send(
        &self,
        method: Method,
        address: &Address,
        headers: HeaderMap,
        body: Bytes,
        limits: Limits,
    ) -> Result<Answer, SendError> {
        let exchange = self.exchange(method, address, headers, body, limits.max_bytes);
        tokio::time::timeout(limits.timeout, exchange).await.unwrap_or(Err(SendError::Late))
    }

    async fn exchange(
        &self,
        method: Method,
        address: &Address,
        headers: HeaderMap,
        body: Bytes,
        max_bytes: usize,
    ) -> Result<Answer, SendError> {
        let found = address.resolve(self.rules).await?.ok_or(SendError::Unknown)?;
        let connecting = TcpStream::connect(found.as_slice());
        let stream = connecting.await.map_err(SendError::Unreachable)?;
        let request = request(method, address, headers, body)?;
        if address.is_secure() {
            let name = ServerName::try_from(address.host().to_owned())
                .map_err(|_error| SendError::Forbidden(Forbidden::Malformed))?;
            let handshake = self.tls.connect(name, stream);
            talk(handshake.await.map_err(SendError::Unreachable)?, request, max_bytes).await
        } else {
            talk(stream, request, max_bytes).await
        }
    }
}

fn request(
    method: Method,
    address: &Address,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, SendError> {
    let malformed = SendError::Forbidden(Forbidden::Malformed);
    let Some(target) = address.target() else { return Err(malformed) };
    let Ok(host) = HeaderValue::from_str(&address.authority()) else { return Err(malformed) };
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = target;
    *request.headers_mut() = headers;
    request.headers_mut().insert(header::HOST, host);
    let agent = concat!("cordboard/", env!("CARGO_PKG_VERSION"));
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(agent));
    Ok(request)
}

/// One request and its answer over a connection of its own.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    max_bytes: usize,
) -> Result<Answer, SendError> {
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(SendError::Http)?;
    let exchange = async move {
        let answer = sender.send_request(request).await.map_err(SendError::Http)?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, max_bytes).collect().await.map_err(|error| match error
            .downcast::<hyper::Error>(
        ) {
            Ok(error) => SendError::Http(*error),
            Err(_too_long) => SendError::TooBig,
        })?;
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    };
    let (mut exchange, mut connection) = (pin!(exchange), pin!(connection));
    let mut is_connected = true;
    loop {
        tokio::select! {
            biased;
            answer = &mut exchange => return answer,
            // What it brought last is still to be read.
            _over = &mut connection, if is_connected => is_connected = false,
        }
    }
}

#[cfg(test)]
mod tests;
