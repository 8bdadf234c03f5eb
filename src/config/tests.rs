//! Tests of layers, mistakes and redaction.

use std::io::Write;

use insta::assert_snapshot;
use secrecy::ExposeSecret;

use super::*;

/// A minimal configuration with two Official Accounts and a Mini Program.
const ACCOUNTS: &str = r#"
[[official_accounts]]
name = "main"
appid = "wx0a00000000000001"
secret = "canary-official-secret"
callback_token = "canaryToken"
encoding_aes_key = "canary7890123456789012345678901234567890123"

[[official_accounts]]
appid = "wx0a00000000000002"
secret = "canary-second-secret"

[[mini_programs]]
name = "shop"
appid = "wx3b00000000000001"
secret = "canary-program-secret"
"#;

const KEY: &str = "Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5MTI=";

fn file(text: &str) -> Sources {
    Sources::defaults().with_text("bridge.toml", text)
}

fn mistakes(text: &str) -> String {
    load(&file(text)).unwrap_err().to_string()
}

#[test]
fn the_defaults_alone_are_valid_with_a_warning() {
    let loaded = load(&Sources::defaults()).unwrap();
    assert_snapshot!(loaded.settings.to_table(), @r"
    database.url                          sqlite://unionid-bridge.db?mode=rwc  default
    database.max_connections              16                                   default
    http.listen                           127.0.0.1:8080                       default
    http.token_api                        false                                default
    http.key_requests_per_second          0                                    default
    wechat.base_url                       https://api.weixin.qq.com            default
    wechat.timeout_seconds                10                                   default
    wechat.ca_file                        (not set)                            default
    login.timeout_seconds                 5                                    default
    login.store_session_key               false                                default
    login.refused_codes_per_minute        300                                  default
    push.enabled                          true                                 default
    push.rate_per_second                  100                                  default
    push.concurrency                      32                                   default
    push.expire_after_hours               24                                   default
    push.keep_days                        90                                   default
    sync.enabled                          true                                 default
    sync.schedule                         0 0 3 * * *                          default
    sync.timezone                         Asia/Shanghai                        default
    sync.profile_api                      batchget                             default
    sync.concurrency                      16                                   default
    sync.refresh_after_days               30                                   default
    sync.max_unfollow_ratio               0.05                                 default
    sync.lease_seconds                    15                                   default
    privacy.forget_unfollowed_after_days  0                                    default
    security.encryption_keys              (0 set)                              default
    log.filter                            info                                 default
    log.format                            text                                 default
    ");
    assert_snapshot!(loaded.warnings[0].to_string(), @r"
    official_accounts: no Official Account is configured, so there is nothing to sync
      hint: add an [[official_accounts]] block; `unionid-bridge config default` shows one
    ");
}

#[test]
fn the_file_overrides_defaults_and_the_environment_overrides_the_file() {
    let text = format!("[sync]\nconcurrency = 4\nschedule = \"0 30 2 * * *\"\n{ACCOUNTS}");
    let loaded = load(&file(&text).with_environment([
        ("UNIONID_BRIDGE__SYNC__CONCURRENCY", "8"),
        ("UNIONID_BRIDGE__SYNC__ENABLED", "false"),
        ("UNIONID_BRIDGE__SYNC__MAX_UNFOLLOW_RATIO", "0.2"),
        ("UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__1__SECRET", "12345678901234567890123456789012"),
        ("UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__2__APPID", "wx0a00000000000003"),
        ("UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__2__SECRET", "canary-third-secret"),
        ("UNIONID_BRIDGE__SECURITY__ENCRYPTION_KEYS", &format!("[\"{KEY}\", '{KEY}']")),
        ("UNIONID_BRIDGE__DATABASE__URL", "postgres://bridge:canary@db:5432/bridge?sslmode=canary"),
        ("UNIONID_BRIDGE__LOG__FILTER", ""),
        ("UNIONID_BRIDGE_CONFIG", "not ours: one underscore"),
    ]))
    .unwrap();

    let secret = loaded.config.official_accounts[1].secret.expose_secret();
    assert_eq!(secret, "12345678901234567890123456789012");
    assert_eq!(loaded.config.security.encryption_keys[1].expose_secret(), KEY);
    assert_snapshot!(loaded.settings.to_table(), @r"
    database.url                          postgres://bridge:***@db:5432/bridge?***  environment variable UNIONID_BRIDGE__DATABASE__URL
    database.max_connections              16                                        default
    http.listen                           127.0.0.1:8080                            default
    http.token_api                        false                                     default
    http.key_requests_per_second          0                                         default
    wechat.base_url                       https://api.weixin.qq.com                 default
    wechat.timeout_seconds                10                                        default
    wechat.ca_file                        (not set)                                 default
    official_accounts.0.name              main                                      bridge.toml line 6
    official_accounts.0.appid             wx0a00000000000001                        bridge.toml line 7
    official_accounts.0.secret            (set, 22 characters)                      bridge.toml line 8
    official_accounts.0.callback_token    (set, 11 characters)                      bridge.toml line 9
    official_accounts.0.encoding_aes_key  (set, 43 characters)                      bridge.toml line 10
    official_accounts.1.name              (not set)                                 default
    official_accounts.1.appid             wx0a00000000000002                        bridge.toml line 13
    official_accounts.1.secret            (set, 32 characters)                      environment variable UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__1__SECRET
    official_accounts.1.callback_token    (not set)                                 default
    official_accounts.1.encoding_aes_key  (not set)                                 default
    official_accounts.2.name              (not set)                                 default
    official_accounts.2.appid             wx0a00000000000003                        environment variable UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__2__APPID
    official_accounts.2.secret            (set, 19 characters)                      environment variable UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__2__SECRET
    official_accounts.2.callback_token    (not set)                                 default
    official_accounts.2.encoding_aes_key  (not set)                                 default
    mini_programs.0.name                  shop                                      bridge.toml line 17
    mini_programs.0.appid                 wx3b00000000000001                        bridge.toml line 18
    mini_programs.0.secret                (set, 21 characters)                      bridge.toml line 19
    mini_programs.0.callback_token        (not set)                                 default
    mini_programs.0.encoding_aes_key      (not set)                                 default
    login.timeout_seconds                 5                                         default
    login.store_session_key               false                                     default
    login.refused_codes_per_minute        300                                       default
    push.enabled                          true                                      default
    push.rate_per_second                  100                                       default
    push.concurrency                      32                                        default
    push.expire_after_hours               24                                        default
    push.keep_days                        90                                        default
    sync.enabled                          false                                     environment variable UNIONID_BRIDGE__SYNC__ENABLED
    sync.schedule                         0 30 2 * * *                              bridge.toml line 3
    sync.timezone                         Asia/Shanghai                             default
    sync.profile_api                      batchget                                  default
    sync.concurrency                      8                                         environment variable UNIONID_BRIDGE__SYNC__CONCURRENCY
    sync.refresh_after_days               30                                        default
    sync.max_unfollow_ratio               0.2                                       environment variable UNIONID_BRIDGE__SYNC__MAX_UNFOLLOW_RATIO
    sync.lease_seconds                    15                                        default
    privacy.forget_unfollowed_after_days  0                                         default
    security.encryption_keys              (2 set)                                   environment variable UNIONID_BRIDGE__SECURITY__ENCRYPTION_KEYS
    log.filter                            info                                      default
    log.format                            text                                      default
    ");
}

#[test]
fn every_mistake_is_reported_at_once() {
    let text = r#"
[database]
url = "mariadb://root@127.0.0.1/test"
max_connections = "16"

[http]
listen = "localhost"
port = 80

[wechat]
base_url = "http://api.weixin.qq.com"
timeout_seconds = 0
ca_file = "/nowhere/ca.pem"

[[official_accounts]]
name = "main"
appid = "canary-appid"
secret = 7
callback_token = "canary-with-hyphens"
encoding_aes_key = "canary"

[[official_accounts]]
name = "main"
appid = "wx0a00000000000001"

[[mini_programs]]
appid = "wx0a00000000000001"
secret = "a"
secret_file = "/nowhere/secret"

[[mini_programs]]
secret_file = "/nowhere/secret"

[sync]
schedule = "0 3 * * *"
timezone = "Asia/Shangai"
profile_api = "batch"
concurency = 8
concurrency = 500
refresh_after_days = 1.5
max_unfollow_ratio = 5

[security]
encryption_keys = ["canary", "Y2FuYXJ5"]

[log]
filter = "info,unionid_bridge=loud"
format = "xml"

[webhooks]
url = "x"
"#;
    let sources = file(text).with_environment([
        ("UNIONID_BRIDGE__SYNC__ENABLED", "yes"),
        ("UNIONID_BRIDGE__SINC__ENABLED", "true"),
        ("UNIONID_BRIDGE__MINI_PROGRAMS__1__A__B__C", "canary"),
    ]);
    let text = load(&sources).unwrap_err().to_string();
    assert_snapshot!(text, @r#"
    the configuration has 32 mistakes
    database.url (bridge.toml line 3): unknown scheme `mariadb`
      hint: did you mean `mysql`?
    database.max_connections (bridge.toml line 4): must be a whole number, not a string
    http.listen (bridge.toml line 7): "localhost" is not an IP address with a port
      hint: for example 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
    http.port (bridge.toml line 8): unknown key
      hint: known keys: listen, token_api, key_requests_per_second
    wechat.base_url (bridge.toml line 11): must be https: http would send AppSecrets unencrypted
      hint: for example https://api.weixin.qq.com
    wechat.timeout_seconds (bridge.toml line 12): must be from 1 to 120, not 0
    wechat.ca_file (bridge.toml line 13): cannot read /nowhere/ca.pem: No such file or directory (os error 2)
      hint: check that the path exists and that this process's user may read it
    official_accounts.0.appid (bridge.toml line 17): is not an AppID (wx and 16 letters or digits): it has 12 characters
      hint: WeChat's console shows it next to the AppSecret; gh_… is the original id, not the AppID
    official_accounts.0.secret (bridge.toml line 18): must be a string, not a number
    official_accounts.0.callback_token (bridge.toml line 19): must be 3 to 32 letters and digits
      hint: copy the Token from the server configuration in WeChat's console
    official_accounts.0.encoding_aes_key (bridge.toml line 20): must be 43 letters and digits: it has 6 characters
      hint: copy the EncodingAESKey from the server configuration in WeChat's console
    official_accounts.1.secret (bridge.toml line 22): is missing
      hint: set secret (or UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__1__SECRET), or set secret_file to a path
    official_accounts.1.name (bridge.toml line 23): is the same as official_accounts.0.name
      hint: give every account its own name
    mini_programs.0.secret (bridge.toml line 28): is set twice: also by mini_programs.0.secret_file (bridge.toml line 29)
      hint: remove one of them
    mini_programs.0.appid (bridge.toml line 27): is the same as official_accounts.1.appid
      hint: give every account its own appid
    mini_programs.1.appid (bridge.toml line 31): is missing
      hint: set appid, or UNIONID_BRIDGE__MINI_PROGRAMS__1__APPID
    mini_programs.1.secret_file (bridge.toml line 32): cannot read /nowhere/secret: No such file or directory (os error 2)
      hint: check that the path exists and that this process's user may read it
    mini_programs.1.a__b__c (environment variable UNIONID_BRIDGE__MINI_PROGRAMS__1__A__B__C): unknown key
      hint: known keys: name, appid, secret, secret_file, callback_token, callback_token_file, encoding_aes_key, encoding_aes_key_file
    sync.enabled (environment variable UNIONID_BRIDGE__SYNC__ENABLED): must be true or false, not a string
    sync.schedule (bridge.toml line 35): "0 3 * * *" is not a valid schedule: Invalid pattern: Pattern must have 6 or 7 fields when seconds are required and years are optional
      hint: fields: second minute hour day month weekday; "0 0 3 * * *" is every day at 03:00
    sync.timezone (bridge.toml line 36): unknown time zone "Asia/Shangai"
      hint: did you mean `Asia/Shanghai`?
    sync.profile_api (bridge.toml line 37): must be "batchget" or "info", not "batch"
    sync.concurrency (bridge.toml line 39): must be from 1 to 100, not 500
    sync.refresh_after_days (bridge.toml line 40): must be a whole number, not a number with a fraction
    sync.max_unfollow_ratio (bridge.toml line 41): must be from 0 to 1, not 5
      hint: 0.05 is 5 % of the known followers
    sync.concurency (bridge.toml line 38): unknown key
      hint: did you mean `concurrency`?
    security.encryption_keys.0 (bridge.toml line 44): is not base64
      hint: create one with: openssl rand -base64 32
    security.encryption_keys.1 (bridge.toml line 44): must be 32 bytes in base64, not 6
      hint: create one with: openssl rand -base64 32
    log.filter (bridge.toml line 47): is not a valid log filter: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5
      hint: use a level (error, warn, info, debug, trace), or "info,unionid_bridge::sync=debug"
    log.format (bridge.toml line 48): must be "text" or "json", not "xml"
    sinc (environment variable UNIONID_BRIDGE__SINC__ENABLED): unknown key
      hint: did you mean `sync`?
    webhooks (bridge.toml line 50): unknown key
      hint: known keys: database, http, wechat, official_accounts, mini_programs, login, push, sync, privacy, security, log
    "#);
    assert!(!text.contains("canary"));
}

#[test]
fn invalid_toml_is_reported_by_line_and_never_quoted() {
    let text = mistakes(
        "[sync]\nconcurrency = 3\n[[official_accounts]]\nsecret = \"canary\nname = canary\nname = 'a'",
    );
    assert_snapshot!(text, @r#"
    the configuration has 3 mistakes
    bridge.toml line 4: is not valid TOML: invalid basic string, expected `"`
    bridge.toml line 5: is not valid TOML: string values must be quoted, expected literal string
    bridge.toml line 6: is not valid TOML: duplicate key
    "#);
}

#[test]
fn accounts_written_as_a_section_are_rejected_with_an_explanation() {
    assert_snapshot!(mistakes("[official_accounts]\nname = 'main'"), @r"
    the configuration has 1 mistake
    official_accounts (bridge.toml line 1): must be a list whose entries start with [[official_accounts]], not a table
    ");
    assert_snapshot!(mistakes("official_accounts = 3\nsync = 4"), @r"
    the configuration has 2 mistakes
    official_accounts (bridge.toml line 1): must be a list whose entries start with [[official_accounts]], not a number
    sync (bridge.toml line 2): must be a section [sync], not a number
    ");
}

#[test]
fn schedules_that_never_occur_or_are_out_of_range_are_rejected() {
    assert_snapshot!(mistakes("[sync]\nschedule = '0 0 3 30 2 *'"), @r#"
    the configuration has 1 mistake
    sync.schedule (bridge.toml line 2): "0 0 3 30 2 *" is not a valid schedule: it never occurs
      hint: fields: second minute hour day month weekday; "0 0 3 * * *" is every day at 03:00
    "#);
    assert_snapshot!(mistakes("[sync]\nschedule = '0 61 3 * * *'"), @r#"
    the configuration has 1 mistake
    sync.schedule (bridge.toml line 2): "0 61 3 * * *" is not a valid schedule: Component error: Number out of bounds
      hint: fields: second minute hour day month weekday; "0 0 3 * * *" is every day at 03:00
    "#);
}

#[test]
fn an_explicitly_named_missing_file_is_an_error() {
    let sources = Sources::of_process(Some("/nowhere/bridge.toml".into()));
    assert_snapshot!(load(&sources).unwrap_err(), @r"
    the configuration has 1 mistake
    /nowhere/bridge.toml: cannot be read: No such file or directory (os error 2)
    ");
}

#[test]
fn secrets_can_be_read_from_separate_files() {
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    writeln!(secret, "canary-in-a-file").unwrap();
    let mut keys = tempfile::NamedTempFile::new().unwrap();
    write!(keys, "{KEY}\r\n\n{KEY}\n").unwrap();
    let text = format!(
        "[security]\nencryption_keys_file = {:?}\n[[mini_programs]]\nappid = 'wx3b00000000000001'\nsecret_file = {:?}\n",
        keys.path(),
        secret.path()
    );
    let loaded = load(&file(&text)).unwrap();
    assert_eq!(loaded.config.mini_programs[0].secret.expose_secret(), "canary-in-a-file");
    assert_eq!(loaded.config.security.encryption_keys.len(), 2);
    let shown = loaded.settings.to_table();
    assert!(shown.contains("(set, 16 characters)") && !shown.contains("canary"), "{shown}");
    let files = BTreeSet::from([secret.path().to_owned(), keys.path().to_owned()]);
    assert_eq!(loaded.secret_files, files);
}

#[test]
fn a_file_counts_as_secret_only_if_it_contains_a_secret() {
    let files = |text: &str| load(&file(text)).unwrap().secret_files;
    for plain in [
        "[http]\nlisten = '127.0.0.1:1'",
        "[database]\nurl = 'sqlite://bridge.db?mode=rwc'",
        "[security]\nencryption_keys = []",
    ] {
        assert_eq!(files(plain), BTreeSet::new(), "{plain}");
    }
    let keys = format!("[security]\nencryption_keys = ['{KEY}']");
    for secret in [ACCOUNTS, "[database]\nurl = 'mysql://root:canary@db/x'", &keys] {
        assert_eq!(files(secret), BTreeSet::from(["bridge.toml".into()]), "{secret}");
    }
    let environment = [("UNIONID_BRIDGE__DATABASE__URL", "mysql://root:canary@db/x")];
    let elsewhere = file("[http]\nlisten = '127.0.0.1:1'").with_environment(environment);
    assert_eq!(load(&elsewhere).unwrap().secret_files, BTreeSet::new());
}

#[test]
fn secrets_do_not_appear_in_debug_settings_or_json_output() {
    let text = format!(
        "[database]\nurl = 'mysql://root:canary@db/x'\n[security]\nencryption_keys = ['{KEY}']\n{ACCOUNTS}"
    );
    let loaded = load(&file(&text)).unwrap();
    let everything = format!(
        "{loaded:?} {:?} {} {}",
        loaded.config,
        loaded.settings.to_table(),
        serde_json::to_string(&loaded.settings).unwrap()
    );
    assert!(!everything.to_lowercase().contains("canary"), "{everything}");
    assert!(!everything.contains(KEY));
}

#[test]
fn a_password_that_breaks_its_url_is_not_shown() {
    for url in ["postgres://u:ca#nary@h/d", "postgres://u:ca/nary@h/d", "mysql://u:12?nary@h/d"] {
        let shown = address::redact_url(url);
        assert!(!shown.contains("nary"), "{shown}");
    }
    assert_snapshot!(address::redact_url("mysql://u:canary@h:1/d?ssl-key=canary"), @r"mysql://u:***@h:1/d?***");
}

#[test]
fn an_account_is_found_by_name_or_appid_or_a_suggestion_is_given() {
    let config = load(&file(ACCOUNTS)).unwrap().config;
    assert_eq!(config.official_account("main").unwrap().appid.as_str(), "wx0a00000000000001");
    let second = config.official_account("wx0a00000000000002").unwrap();
    assert_eq!(second.name, "wx0a00000000000002");
    assert_snapshot!(config.official_account("mian").unwrap_err(), @r#"
    there is no Official Account "mian"
    hint: did you mean `main`?
    "#);
    assert_snapshot!(config.official_account("other").unwrap_err(), @r#"
    there is no Official Account "other"
    hint: configured: main, wx0a00000000000002
    "#);
    assert_snapshot!(config.mini_program("wx3b00000000000002").unwrap_err(), @r#"
    there is no Mini Program "wx3b00000000000002"
    hint: did you mean `wx3b00000000000001`?
    "#);
}

#[test]
fn every_key_is_documented_in_the_default_file() {
    let loaded = load(&file(ACCOUNTS)).unwrap();
    for setting in &loaded.settings.0 {
        let key = setting.key.rsplit('.').next().unwrap();
        let documented = DEFAULTS.lines().any(|line| {
            line.trim_start_matches("# ")
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with(" ="))
        });
        assert!(documented, "{key}");
    }
}

#[test]
fn the_path_prefix_of_the_base_url_is_kept_when_joining() {
    let config = load(&file("[wechat]\nbase_url = 'https://proxy/wechat'")).unwrap().config;
    let joined = config.wechat.base_url.join("cgi-bin/token").unwrap();
    assert_eq!(joined.as_str(), "https://proxy/wechat/cgi-bin/token");
}

#[test]
fn broken_toml_around_a_secret_does_not_quote_it() {
    for line in [
        "secret = canary",
        "secret = \"canary",
        "secret = 'canary",
        "secret = \"\"\"canary",
        "secret = \"canary\" \"canary\"",
        "secret = \"\\canary\"",
        "secret = [\"canary\"",
        "secret = { canary",
        "secret : canary",
        "secret = 0xcanary",
        "secret = 2canary",
        "secret = \"canary\u{1}\"",
    ] {
        let text = mistakes(&format!("[[mini_programs]]\n{line}\n"));
        assert!(!text.contains("canary"), "{line}: {text}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    #[test]
    fn loading_any_text_does_not_panic(
        text in "(\\[{0,2}[a-z_.]{1,9}\\]{0,2}\n|[a-z_]{1,9} = ['\"\\[{0-9a-z.:-]{0,9}\n){0,8}",
        anything in ".{0,40}",
    ) {
        let _ = load(&file(&text));
        let _ = load(&file(&anything));
    }

    #[test]
    fn loading_any_value_does_not_panic(value in "[0-9*/,LW#?@a-zA-Z:. -]{0,20}|.{0,20}") {
        let loaded = load(&Sources::defaults());
        for setting in loaded.unwrap().settings.0 {
            let name = layers::variable(&setting.key);
            let _ = load(&Sources::defaults().with_environment([(name.as_str(), value.as_str())]));
        }
    }
}
