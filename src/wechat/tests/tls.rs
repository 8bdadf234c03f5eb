//! Servers with certificates that must not be trusted.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::{Class, Error, TransportError};
use super::server::{ok, read_request};
use super::{Client, ConcurrencyLimit, Tokens, account_of, options};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn params(host: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, host);
    params
}

/// Starts a server with this certificate, and lists followers from it with a client that trusts `root`.
async fn list(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    root: &Authority,
) -> Result<u64, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private(key))
        .unwrap();
    let base_url = serve(TlsAcceptor::from(Arc::new(config))).await;
    let (outcome, calls) = list_at(&base_url, root).await;
    assert_eq!(calls, 1, "sent again after {outcome:?}");
    outcome
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()))
}

/// Lists followers from this server. Returns the outcome and the number of calls.
async fn list_at(base_url: &str, root: &Authority) -> (Result<u64, Error>, u64) {
    let options = super::Options { ca_file_pem: Some(root.pem().into()), ..options(base_url) };
    let client = Client::new(options).unwrap();
    let account = account_of(client, Tokens::starting_with("token"), ConcurrencyLimit::new(1));
    let outcome = account.list_followers(None).await.map(|page| page.total);
    (outcome, account.calls()["user/get"])
}

async fn serve(acceptor: TlsAcceptor) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            read_request(&mut stream).await;
            let answer = ok("application/json", br#"{"total":7,"count":0}"#);
            stream.write_all(&answer).await.unwrap_or_default();
            stream.shutdown().await.unwrap_or_default();
        }
    });
    base_url
}

fn assert_refused(outcome: Result<u64, Error>, reason: &str) {
    let error = outcome.unwrap_err();
    let expected = format!("user/get failed: the server's certificate {reason}");
    assert_eq!(error.to_string(), expected);
    assert_eq!((error.class(), error.may_have_arrived()), (Class::Config, false));
    assert!(error.hint().unwrap().contains("clock"));
}

#[tokio::test]
async fn a_certificate_from_a_trusted_authority_is_accepted() {
    let (root, key) = (authority(), KeyPair::generate().unwrap());
    let certificate = params("127.0.0.1").signed_by(&key, &root).unwrap();
    assert_eq!(list(certificate.into(), &key, &root).await.unwrap(), 7);
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let (root, key) = (authority(), KeyPair::generate().unwrap());
    let mut params = params("127.0.0.1");
    params.not_after = date_time_ymd(2020, 1, 1);
    let certificate = params.signed_by(&key, &root).unwrap();
    assert_refused(list(certificate.into(), &key, &root).await, "has expired");
}

#[tokio::test]
async fn a_certificate_from_the_future_is_refused() {
    let (root, key) = (authority(), KeyPair::generate().unwrap());
    let mut params = params("127.0.0.1");
    params.not_before = date_time_ymd(3000, 1, 1);
    let certificate = params.signed_by(&key, &root).unwrap();
    assert_refused(list(certificate.into(), &key, &root).await, "is not valid yet");
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused() {
    let (root, key) = (authority(), KeyPair::generate().unwrap());
    let certificate = params("wechat.example").signed_by(&key, &root).unwrap();
    assert_refused(list(certificate.into(), &key, &root).await, "is for another host");
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    let (root, key) = (authority(), KeyPair::generate().unwrap());
    let certificate = params("127.0.0.1").self_signed(&key).unwrap();
    let reason = "is self-signed or its issuer is unknown";
    assert_refused(list(certificate.into(), &key, &root).await, reason);
}

#[tokio::test]
async fn a_self_signed_ca_certificate_is_refused() {
    let (root, key) = (authority(), KeyPair::generate().unwrap());
    let mut params = params("127.0.0.1");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let reason = "is self-signed: it is a CA certificate";
    assert_refused(list(certificate.into(), &key, &root).await, reason);
}

#[tokio::test]
async fn a_server_requiring_a_client_certificate_may_have_received_it() {
    let (root, key) = (authority(), KeyPair::generate().unwrap());
    let certificate = params("127.0.0.1").signed_by(&key, &root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![certificate.into()], private(&key))
        .unwrap();
    let base_url = serve(TlsAcceptor::from(Arc::new(config))).await;
    // The server refuses after the handshake, when the request is already sent. Whether its TLS alert or the
    // end of the connection arrives first is random.
    let error = list_at(&base_url, &root).await.0.unwrap_err();
    assert_eq!((error.class(), error.may_have_arrived()), (Class::Transient, true), "{error:?}");
}

#[tokio::test]
async fn a_server_without_tls_cannot_have_received_the_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap_or_default();
            read_request(&mut stream).await;
        }
    });
    let error = list_at(&base_url, &authority()).await.0.unwrap_err();
    assert!(matches!(error, Error::Transport { fault: TransportError::Tls(_), .. }), "{error:?}");
    assert!(!error.may_have_arrived());
}
