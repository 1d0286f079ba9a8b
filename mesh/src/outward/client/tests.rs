//! Against servers that answer in one way or another.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;

const FREE: Rules = Rules { allow_private: true };
const LIMITS: Limits = Limits { timeout: Duration::from_secs(5), max_bytes: 100 };

/// Answers one request with these bytes, and gives what was asked.
async fn server(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test awaits it")]
    let asked = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream, answer).await
    });
    (format!("http://{address}"), asked)
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) -> String {
    let mut asked = Vec::new();
    let mut buffer = [0; 1024];
    while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        if count == 0 {
            break;
        }
        asked.extend_from_slice(&buffer[..count]);
    }
    // A client that has had enough goes away.
    stream.write_all(answer.as_bytes()).await.ok();
    stream.shutdown().await.ok();
    String::from_utf8(asked).unwrap()
}

async fn get(url: &str) -> Result<Answer, SendError> {
    let client = Client::new(FREE);
    let address = client.check(url).await.unwrap();
    client.get(&address, LIMITS).await
}

#[tokio::test]
async fn an_answer_is_read_whole() {
    let (url, asked) = server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: b\r\n\r\nhello").await;

    let answer = get(&format!("{url}/a/b?c=d")).await.unwrap();

    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"hello"[..]));
    assert_eq!(answer.headers["x-a"], "b");
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("GET /a/b?c=d HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: {}", &url["http://".len()..])), "{asked}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (url, _) = server("HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\n\r\n").await;
    assert_eq!(get(&url).await.unwrap().status, StatusCode::FOUND);
}

#[tokio::test]
async fn more_than_is_allowed_is_too_big_with_and_without_a_length() {
    let long: &'static str =
        Box::leak(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(101)).into());
    let (url, _) = server(long).await;
    assert!(matches!(get(&url).await, Err(SendError::TooBig)));
    let (url, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n").await;
    let outcome = get(&url).await;
    assert!(matches!(outcome, Err(SendError::TooBig | SendError::Http(_))), "{outcome:?}");
}

#[tokio::test]
async fn what_is_no_http_and_what_breaks_off_is_no_answer() {
    for answer in
        ["220 mail.example.com ESMTP\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", ""]
    {
        let (url, _) = server(answer).await;
        let outcome = get(&url).await;
        assert!(matches!(outcome, Err(SendError::Http(_))), "{answer:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(matches!(get(&url).await, Err(SendError::Unreachable(_))));
    assert!(matches!(get("http://nobody.invalid/").await, Err(SendError::Unknown)));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::new(FREE);
    let address = client.check(&url).await.unwrap();
    let limits = Limits { timeout: Duration::from_millis(50), ..LIMITS };

    assert!(matches!(client.get(&address, limits).await, Err(SendError::Late)));
}

#[tokio::test]
async fn the_rules_hold_at_the_time_of_use() {
    let address = Client::new(FREE).check("http://localhost:1/").await.unwrap();

    let outcome = Client::new(Rules::default()).get(&address, LIMITS).await;

    assert!(matches!(outcome, Err(SendError::Forbidden(Forbidden::NotPublic))), "{outcome:?}");
}

#[tokio::test]
async fn https_is_spoken_with_who_can_prove_the_name_and_with_nobody_else() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], secret)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, "HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let trusting = Client::trusting(FREE, roots);
    let address = trusting.check(&format!("https://localhost:{port}/")).await.unwrap();

    let trusted = trusting.get(&address, LIMITS).await;
    let stranger = Client::trusting(FREE, RootCertStore::empty()).get(&address, LIMITS).await;
    let misnamed = trusting.check(&format!("https://127.0.0.1:{port}/")).await.unwrap();
    let misnamed = trusting.get(&misnamed, LIMITS).await;

    assert_eq!(trusted.unwrap().status, StatusCode::NO_CONTENT);
    assert!(matches!(stranger, Err(SendError::Unreachable(_))), "{stranger:?}");
    assert!(matches!(misnamed, Err(SendError::Unreachable(_))), "{misnamed:?}");
}
