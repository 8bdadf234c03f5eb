//! T35: unique secrets are searched for in all outputs and files of the process.

use std::path::Path;
use std::process::Output;

use rstest::rstest;
use unionid_bridge::sandbox::{
    Call, Fault, MINI_PROGRAM, MiniProgram, OFFICIAL_ACCOUNT, OfficialAccount, Options, Sandbox,
};

use crate::harness::{Bridge, SHORT_LEASE, signal, until};

pub const ACCOUNT_SECRET: &str = "ca9a41a5ec4e7000000000000000aa01";
pub const PROGRAM_SECRET: &str = "ca9a41a5ec4e7000000000000000aa02";
pub const CALLBACK_TOKEN: &str = "CanaryCallbackToken03";
pub const ENCODING_AES_KEY: &str = "CanaryEncodingAesKey04xxxxxxxxxxxxxxxxxxxxx";
const ENCRYPTION_KEY: &str = "Q2FuYXJ5RW5jcnlwdGlvbktleTA1eHh4eHh4eHh4eHg=";
/// The decoded bytes of [`ENCRYPTION_KEY`].
const ENCRYPTION_KEY_BYTES: &str = "CanaryEncryptionKey05xxxxxxxxxxx";
pub const DATABASE_PASSWORD: &str = "CanaryDatabasePassword06";

pub const CANARIES: &[&str] = &[
    ACCOUNT_SECRET,
    PROGRAM_SECRET,
    CALLBACK_TOKEN,
    ENCODING_AES_KEY,
    ENCRYPTION_KEY,
    ENCRYPTION_KEY_BYTES,
    DATABASE_PASSWORD,
];

async fn world() -> Sandbox {
    let mut options = Options::with_followers(300);
    options.official_accounts =
        vec![OfficialAccount::new("main", OFFICIAL_ACCOUNT, ACCOUNT_SECRET, 300)];
    options.mini_programs = vec![MiniProgram::new("shop", MINI_PROGRAM, PROGRAM_SECRET)];
    Sandbox::start(options).await.unwrap()
}

/// Enables the most verbose logging.
pub fn verbose(bridge: Bridge) -> Bridge {
    let keys = format!("[\"{ENCRYPTION_KEY}\"]");
    bridge
        .with("UNIONID_BRIDGE__LOG__FILTER", "trace")
        .with("UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__0__CALLBACK_TOKEN", CALLBACK_TOKEN)
        .with("UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__0__ENCODING_AES_KEY", ENCODING_AES_KEY)
        .with("UNIONID_BRIDGE__SECURITY__ENCRYPTION_KEYS", &keys)
        .with("RUST_BACKTRACE", "1")
        .with("RUST_LOG", "trace")
}

pub fn found<'s>(bytes: &[u8], secrets: &[&'s str]) -> Vec<&'s str> {
    let holds = |secret: &&&str| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
    secrets.iter().filter(holds).copied().collect()
}

pub fn assert_silent(what: &str, output: &Output, secrets: &[&str]) {
    for text in [&output.stdout, &output.stderr] {
        let output = String::from_utf8_lossy(text);
        assert_eq!(found(text, secrets), [""; 0], "{what}: {output}");
    }
}

/// Asserts that the SQLite file and its companion files contain no secret.
pub fn assert_files_are_sealed(database: &Path, secrets: &[&str]) {
    let folder = std::fs::read_dir(database.parent().unwrap()).unwrap();
    let name = database.file_name().unwrap().to_str().unwrap();
    let mut files = 0;
    for file in folder.map(|file| file.unwrap()) {
        if file.file_name().to_str().unwrap().starts_with(name) {
            files += 1;
            let bytes = std::fs::read(file.path()).unwrap();
            assert_eq!(found(&bytes, secrets), [""; 0], "{:?}", file.path());
        }
    }
    assert!(files > 0);
}

#[tokio::test]
async fn successful_commands_print_no_secrets() {
    let world = world().await;
    let bridge = verbose(Bridge::against(&world, ""));
    let token = bridge.json(&["token", "show", "main"]).await["access_token"].clone();
    let secrets = [CANARIES, &[token.as_str().unwrap()]].concat();
    for arguments in [
        &["config", "show"][..],
        &["config", "show", "--json"],
        &["config", "check"],
        &["migrate", "up"],
        &["sync"],
        &["sync", "--json", "--full"],
        &["sync", "--dry-run"],
        &["runs", "list", "--json"],
    ] {
        let output = bridge.run(arguments).await;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_silent(&format!("{arguments:?}"), &output, &secrets);
    }
    // The token is printed on stdout, and must not appear in the log.
    let mut shown = bridge.run(&["token", "refresh", "main"]).await;
    assert_eq!(found(&shown.stdout, &secrets), [token.as_str().unwrap()]);
    shown.stdout.clear();
    assert!(!shown.stderr.is_empty(), "trace logs nothing");
    assert_silent("token refresh", &shown, &secrets);
    assert_files_are_sealed(&bridge.database(), &secrets);
}

/// Makes calls fail in the given way.
fn inject_failure(world: &Sandbox, how: &str) {
    let each = |fault: Fault| _ = world.fail(Call::StableToken, 1.., fault);
    match how {
        "40125" => each(Fault::Errcode(40125)),
        "40164" => world.main().refuse_address(true),
        "http" => each(Fault::HttpStatus(502)),
        "html" => each(Fault::Html),
        "truncated" => each(Fault::Truncated),
        "disconnect" => each(Fault::Disconnect),
        "dead token" => _ = world.fail(Call::UserGet, 1.., Fault::TokenJammed),
        "no page" => _ = world.fail(Call::UserGet, 1.., Fault::Truncated),
        "no profile" => _ = world.fail(Call::UserInfoBatchget, 1.., Fault::Errcode(48001)),
        other => panic!("unknown failure {other}"),
    }
}

#[rstest]
#[tokio::test]
async fn wechat_failures_print_no_secrets(
    #[values(
        "40125",
        "40164",
        "http",
        "html",
        "truncated",
        "disconnect",
        "dead token",
        "no page",
        "no profile"
    )]
    how: &str,
) {
    let world = world().await;
    inject_failure(&world, how);
    let bridge = verbose(Bridge::against(&world, ""));
    let output = bridge.run(&["sync"]).await;
    assert_ne!(output.status.code(), Some(0), "{how}");
    assert_silent(how, &output, CANARIES);
    let token = bridge.run(&["token", "refresh", "main", "--force"]).await;
    assert_silent(how, &token, CANARIES);
    assert_files_are_sealed(&bridge.database(), CANARIES);
}

#[tokio::test]
async fn connection_failures_print_no_secrets() {
    let world = world().await;
    let tls = format!("https://{}", world.address());
    let fails = async |base_url: &str, arguments: &[&str]| {
        let bridge = verbose(Bridge::against(&world, ""))
            .with("UNIONID_BRIDGE__WECHAT__BASE_URL", base_url)
            .with("UNIONID_BRIDGE__WECHAT__TIMEOUT_SECONDS", "1");
        let output = bridge.run(arguments).await;
        assert_ne!(output.status.code(), Some(0), "{base_url}");
        assert_silent(base_url, &output, CANARIES);
    };
    // Concurrently, because each command retries several times.
    tokio::join!(
        fails("http://127.0.0.1:1", &["sync"]),
        fails("http://127.0.0.1:1", &["token", "show", "main"]),
        fails("https://nowhere.invalid", &["sync"]),
        fails(&tls, &["sync"]),
        fails(&tls, &["token", "show", "main"]),
    );
}

#[tokio::test]
async fn configuration_errors_print_no_secrets() {
    let world = world().await;
    let bridge = verbose(Bridge::against(&world, ""))
        .with("UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__0__SECRET", &format!("{ACCOUNT_SECRET}-short"))
        .with("UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__0__CALLBACK_TOKEN", &CALLBACK_TOKEN.repeat(2))
        .with("UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__0__ENCODING_AES_KEY", &ENCODING_AES_KEY[..40])
        .with("UNIONID_BRIDGE__SECURITY__ENCRYPTION_KEYS", &format!("['{ENCRYPTION_KEY}x']"))
        .with("UNIONID_BRIDGE__DATABASE__URL", &format!("pg://u:{DATABASE_PASSWORD}@h/d"));
    let parts = [CANARIES, &[&ENCODING_AES_KEY[..40]]].concat();
    for arguments in [&["config", "check"][..], &["config", "check", "--json"], &["sync"]] {
        let output = bridge.run(arguments).await;
        assert_eq!(output.status.code(), Some(78));
        assert_silent(&format!("{arguments:?}"), &output, &parts);
    }
}

#[rstest]
#[case::postgres("postgres")]
#[case::mysql("mysql")]
#[tokio::test]
async fn an_unreachable_database_does_not_reveal_its_password(#[case] kind: &str) {
    let world = world().await;
    let url = format!("{kind}://someone:{DATABASE_PASSWORD}@127.0.0.1:1/none");
    let bridge = verbose(Bridge::on(&world, &url, ""));
    for arguments in [&["sync"][..], &["migrate", "up"], &["config", "show"]] {
        let output = bridge.run(arguments).await;
        assert_silent(&format!("{arguments:?}"), &output, CANARIES);
    }
}

#[tokio::test]
async fn a_killed_process_leaves_no_secrets_behind() {
    let world = world().await;
    let bridge = verbose(Bridge::against(&world, SHORT_LEASE));
    let token = bridge.json(&["token", "show", "main"]).await["access_token"].clone();
    let secrets = [CANARIES, &[token.as_str().unwrap()]].concat();
    let mut sync = bridge.command(&["sync"]);
    sync.env("FAILPOINTS", "sync.before_close=sleep(60000)");
    let sync = sync.spawn().unwrap();
    until("profile calls", || world.requests(Call::UserInfoBatchget) >= 3).await;
    let line = std::fs::read(format!("/proc/{}/cmdline", sync.id().unwrap())).unwrap();
    assert_eq!(found(&line, &secrets), [""; 0]);
    signal(&sync, "KILL");
    assert_silent("killed", &sync.wait_with_output().await.unwrap(), &secrets);
    // SQLite's write-ahead log still exists next to the file.
    assert_files_are_sealed(&bridge.database(), &secrets);
}
