//! The network path to WeChat: DNS, certificates, and clocks; also the terminal output.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use unionid_bridge::clock::Clock;
use unionid_bridge::config::{self, Sources};
use unionid_bridge::doctor::{self, Name, State};
use unionid_bridge::sandbox::{Call, Fault, Sandbox};

use super::{BASE_URL, Report, synced};
use crate::harness::stderr;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn certificate_of(host: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, host);
    params
}

/// Starts a TLS server whose certificate is signed by the authority, or self-signed. Returns its URL.
async fn tls_server(params: CertificateParams, authority: Option<&Authority>) -> String {
    let key = KeyPair::generate().unwrap();
    let certificate = match authority {
        Some(authority) => params.signed_by(&key, authority).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The tests check whether the client accepts the certificate.
            drop(acceptor.accept(stream).await);
        }
    });
    url
}

#[tokio::test]
async fn a_connection_problem_is_reported_at_its_first_step() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let no_tls = format!("https://{}", world.address());
    let mut bridge = synced(&world).await;
    for (base_url, name, words) in [
        ("https://nowhere.invalid", "wechat-dns", "nowhere.invalid could not be resolved"),
        ("http://127.0.0.1:1", "wechat-answer", "refused"),
        (&no_tls, "wechat-tls", "does not speak TLS"),
    ] {
        bridge = bridge.with(BASE_URL, base_url);
        let report = Report::of(&bridge).await;
        report.assert(name, "fail", &[words, base_url]);
        report.assert("access-token", "fail", &[]);
        report.assert("clock-wechat", "skipped", &[]);
        report.assert("last-run", "ok", &[]);
    }
}

#[tokio::test]
async fn an_untrusted_certificate_is_reported_with_the_reason() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = synced(&world).await;
    let root = authority();
    let file = bridge.folder().join("root.pem");
    std::fs::write(&file, root.pem()).unwrap();
    let mut bridge = bridge.with("UNIONID_BRIDGE__WECHAT__CA_FILE", file.to_str().unwrap());
    let mut old = certificate_of("127.0.0.1");
    old.not_after = date_time_ymd(2020, 1, 1);
    for (base_url, words) in [
        (tls_server(old, Some(&root)).await, "has expired"),
        (tls_server(certificate_of("wechat.example"), Some(&root)).await, "is for another host"),
        (tls_server(certificate_of("127.0.0.1"), None).await, "is self-signed"),
    ] {
        bridge = bridge.with(BASE_URL, &base_url);
        Report::of(&bridge).await.assert("wechat-tls", "fail", &[words, "clock"]);
    }
    let base_url = tls_server(certificate_of("127.0.0.1"), Some(&root)).await;
    bridge = bridge.with(BASE_URL, &base_url);
    Report::of(&bridge).await.assert("wechat-tls", "ok", &[]);
}

#[tokio::test]
async fn an_invalid_ca_file_skips_only_the_wechat_checks() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = synced(&world).await;
    let file = bridge.folder().join("root.pem");
    std::fs::write(&file, "no certificate").unwrap();
    let bridge = bridge
        .with("UNIONID_BRIDGE__WECHAT__CA_FILE", file.to_str().unwrap())
        .with(BASE_URL, "https://127.0.0.1:1");
    let report = Report::of(&bridge).await;
    assert_eq!(report.names("fail"), ["configuration"]);
    assert!(report.0.to_string().contains("BEGIN CERTIFICATE"), "{:#}", report.0);
    for name in ["wechat-answer", "access-token", "unionids", "login-secret"] {
        report.assert(name, "skipped", &["cannot be prepared"]);
    }
    report.assert("last-run", "ok", &[]);
}

#[tokio::test]
async fn a_captive_portal_is_not_mistaken_for_wechat() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = synced(&world).await;
    world.fail(Call::UserGet, 1.., Fault::Html);
    Report::of(&bridge).await.assert("wechat-answer", "fail", &["HTML", "proxies"]);
}

#[tokio::test]
async fn clocks_that_disagree_are_reported() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("bridge.db").display());
    let text = format!("{}\n[database]\nurl = '{url}'", world.config_toml());
    let loaded = config::load(&Sources::defaults().with_text("bridge.toml", text));
    unionid_bridge::app::connect(&loaded.as_ref().unwrap().config).await.unwrap();
    for (seconds, state) in [(0, State::Ok), (30, State::Warn), (300, State::Fail)] {
        let ahead = Clock::manual(Clock::system().now());
        ahead.advance(Duration::from_secs(seconds));
        let report = doctor::examine(&loaded, &ahead).await;
        for name in [Name::ClockDatabase, Name::ClockWechat] {
            let check = report.checks.iter().find(|check| check.name == name).unwrap();
            assert_eq!(check.state, state, "{check:?}");
            assert_eq!(check.hint.is_some(), state > State::Ok, "{check:?}");
        }
    }
}

#[tokio::test]
async fn a_wechat_that_does_not_respond_fails_the_checks_in_time() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = synced(&world).await.with("UNIONID_BRIDGE__WECHAT__TIMEOUT_SECONDS", "1");
    for call in Call::ALL {
        world.fail(*call, 1.., Fault::Stall(Duration::from_secs(60)));
    }
    let report = tokio::time::timeout(Duration::from_secs(30), Report::of(&bridge)).await.unwrap();
    for name in ["wechat-answer", "access-token", "login-secret"] {
        report.assert(name, "fail", &["in time"]);
    }
}

#[tokio::test]
async fn the_terminal_output_shows_names_states_and_hints() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = synced(&world).await;
    world.main().refuse_address(true);
    let output = bridge.run(&["doctor"]).await;
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8(output.stdout.clone()).unwrap();
    let start = shown.find("\nfail     access-token").unwrap();
    let mut lines = shown[start..].lines().skip(1);
    assert!(lines.next().unwrap().contains("main: "), "{shown}");
    assert!(lines.next().unwrap().trim().starts_with("hint: add 127.0.0.1"), "{shown}");
    assert!(stderr(&output).contains("1 failed, 0 warn"), "{}", stderr(&output));
}

#[tokio::test]
async fn doctor_prints_no_secrets_and_no_user_ids() {
    let world = Sandbox::with_followers(30).await.unwrap();
    let bridge = synced(&world).await.with("UNIONID_BRIDGE__LOG__FILTER", "trace");
    let token = bridge.json(&["token", "show", "main"]).await["access_token"].clone();
    let mut private = vec![
        token.as_str().unwrap().to_owned(),
        world.main().secret().to_owned(),
        world.mini_program().unwrap().secret().to_owned(),
    ];
    let main = world.main();
    private.extend(main.followers().flat_map(|person| [person.openid, person.unionid.unwrap()]));
    for errcode in [None, Some(40001), Some(40003), Some(48001)] {
        world.clear_faults();
        for call in Call::ALL {
            let fault = errcode.map(Fault::Errcode);
            fault.map(|fault| world.fail(*call, 2.., fault));
        }
        for arguments in [&["doctor"][..], &["doctor", "--json"]] {
            let output = bridge.run(arguments).await;
            for text in [&output.stdout, &output.stderr] {
                let text = String::from_utf8_lossy(text);
                let leaked: Vec<_> = private.iter().filter(|it| text.contains(*it)).collect();
                assert!(leaked.is_empty(), "{leaked:?}: {text}");
            }
        }
    }
}

#[test]
fn the_readme_names_every_check() {
    let readme = include_str!("../../../README.md");
    for name in Name::ALL {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}
