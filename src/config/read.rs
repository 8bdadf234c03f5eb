//! Reads the sections key by key: this is the list of all keys and their validation rules.
//!
//! A function reads every key of its section before it builds the section, so that one mistake does not
//! hide another.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::layers::Layers;
use super::mistake::{Error, Fault};
use super::report::Report;
use super::section::Section;
use super::settings::{self, Settings};
use super::{
    Config, Database, Http, Loaded, Log, LogFormat, Login, MiniProgram, OfficialAccount, Privacy,
    ProfileApi, Push, Security, Sync, Wechat, address, check,
};
use crate::model::AppId;

/// Reads all sections.
pub(super) fn read(layers: &Layers) -> Result<Loaded, Error> {
    let mut report = Report::default();
    let config = config(Section::root(layers, &mut report));
    let Report { mistakes, warnings, settings, secret_files } = report;
    match config {
        Some(config) if mistakes.is_empty() => {
            Ok(Loaded { config, warnings, settings: Settings(settings), secret_files })
        }
        _ => Err(Error { mistakes }),
    }
}

fn config(mut root: Section<'_>) -> Option<Config> {
    let database = database(root.section("database"));
    let http = http(root.section("http"));
    let wechat = wechat(root.section("wechat"));
    let mut taken = BTreeMap::new();
    let official_accounts =
        root.each("official_accounts", |section| official_account(section, &mut taken));
    let mini_programs = root.each("mini_programs", |section| mini_program(section, &mut taken));
    let login = login(root.section("login"));
    let push = push(root.section("push"));
    let sync = sync(root.section("sync"));
    let privacy = privacy(root.section("privacy"));
    let security = security(root.section("security"));
    let log = log(root.section("log"));

    if official_accounts.is_empty() {
        root.warn("official_accounts", no_official_account());
    }
    root.finish();
    Some(Config {
        database: database?,
        http: http?,
        wechat: wechat?,
        official_accounts,
        mini_programs,
        login: login?,
        push: push?,
        sync: sync?,
        privacy: privacy?,
        security: security?,
        log: log?,
    })
}

fn database(mut section: Section<'_>) -> Option<Database> {
    let url = section.required_secret("url", address::redact_url, address::database_url);
    let max_connections = section.number("max_connections", 1..=1_000);
    section.finish();
    Some(Database { url: url?, max_connections: max_connections? })
}

fn http(mut section: Section<'_>) -> Option<Http> {
    let listen = section.text("listen", address::listen);
    let token_api = section.flag("token_api");
    let key_requests_per_second = section.number("key_requests_per_second", 0..=1_000_000);
    section.finish();
    Some(Http {
        listen: listen?,
        token_api: token_api?,
        key_requests_per_second: key_requests_per_second?,
    })
}

fn wechat(mut section: Section<'_>) -> Option<Wechat> {
    let base_url = section.text("base_url", address::base_url);
    let timeout_seconds = section.number("timeout_seconds", 1..=120);
    section.show_unset("ca_file");
    let ca_file = section.text("ca_file", check::readable_file);
    section.finish();
    Some(Wechat { base_url: base_url?, timeout_seconds: timeout_seconds?, ca_file })
}

fn official_account(mut section: Section<'_>, taken: &mut Taken) -> Option<OfficialAccount> {
    let account = account(&mut section, taken);
    let (callback_token, encoding_aes_key) = callback(&mut section);
    section.finish();
    let Account { name, appid, secret } = account?;
    Some(OfficialAccount { name, appid, secret, callback_token, encoding_aes_key })
}

fn mini_program(mut section: Section<'_>, taken: &mut Taken) -> Option<MiniProgram> {
    let account = account(&mut section, taken);
    let (callback_token, encoding_aes_key) = callback(&mut section);
    section.finish();
    let Account { name, appid, secret } = account?;
    Some(MiniProgram { name, appid, secret, callback_token, encoding_aes_key })
}

/// Reads the Token and EncodingAESKey of the server configuration in WeChat's console.
fn callback(section: &mut Section<'_>) -> (Option<SecretString>, Option<SecretString>) {
    section.show_unset("callback_token");
    section.show_unset("encoding_aes_key");
    if section.has("encoding_aes_key") && !section.has("callback_token") {
        let fault = Fault::new("is missing, but encoding_aes_key needs it")
            .hint("copy the Token from the same page of WeChat's console");
        section.mistake("callback_token", fault);
    }
    let token = section.secret("callback_token", settings::redact, check::callback_token);
    let key = section.secret("encoding_aes_key", settings::redact, check::encoding_aes_key);
    (token, key)
}

/// The keys that Official Accounts and Mini Programs share.
struct Account {
    name: String,
    appid: AppId,
    secret: SecretString,
}

/// AppIDs and names already used, each with the path of the table that uses it.
type Taken = BTreeMap<String, String>;

fn account(section: &mut Section<'_>, taken: &mut Taken) -> Option<Account> {
    section.show_unset("name");
    let named = section.text("name", check::name);
    let appid = section.required_text("appid", check::appid);
    let secret = section.required_secret("secret", settings::redact, check::secret);

    if let Some(appid) = &appid {
        claim(section, taken, "appid", appid.to_string());
    }
    if let Some(name) = &named {
        // Names are unique per list: "main" may be both an Official Account and a Mini Program.
        let list = section.path().split('.').next().unwrap_or_default();
        let claimed = format!("{list} {name}");
        claim(section, taken, "name", claimed);
    }
    let appid = appid?;
    Some(Account { name: named.unwrap_or_else(|| appid.to_string()), appid, secret: secret? })
}

/// Records a mistake if another account already uses the value.
fn claim(section: &mut Section<'_>, taken: &mut Taken, key: &str, value: String) {
    if let Some(first) = taken.get(&value) {
        let fault = Fault::new(format!("is the same as {first}.{key}"));
        section.mistake(key, fault.hint(format!("give every account its own {key}")));
    } else {
        taken.insert(value, section.path().to_owned());
    }
}

fn no_official_account() -> Fault {
    Fault::new("no Official Account is configured, so there is nothing to sync")
        .hint("add an [[official_accounts]] block; `unionid-bridge config default` shows one")
}

fn sync(mut section: Section<'_>) -> Option<Sync> {
    let apis = [("batchget", ProfileApi::Batchget), ("info", ProfileApi::Info)];
    let enabled = section.flag("enabled");
    let schedule = section.text("schedule", check::schedule);
    let timezone = section.text("timezone", check::timezone);
    let profile_api = section.text("profile_api", check::one_of(&apis));
    let concurrency = section.number("concurrency", 1..=100);
    let refresh_after_days = section.number("refresh_after_days", 1..=3_650);
    let max_unfollow_ratio = section.ratio("max_unfollow_ratio");
    let lease_seconds = section.number("lease_seconds", 1..=600);
    section.finish();
    Some(Sync {
        enabled: enabled?,
        schedule: schedule?,
        timezone: timezone?,
        profile_api: profile_api?,
        concurrency: concurrency?,
        refresh_after_days: refresh_after_days?,
        max_unfollow_ratio: max_unfollow_ratio?,
        lease_seconds: lease_seconds?,
    })
}

fn login(mut section: Section<'_>) -> Option<Login> {
    let timeout_seconds = section.number("timeout_seconds", 1..=60);
    let store_session_key = section.flag("store_session_key");
    let refused_codes_per_minute = section.number("refused_codes_per_minute", 1..=1_000_000);
    section.finish();
    Some(Login {
        timeout_seconds: timeout_seconds?,
        store_session_key: store_session_key?,
        refused_codes_per_minute: refused_codes_per_minute?,
    })
}

fn push(mut section: Section<'_>) -> Option<Push> {
    let enabled = section.flag("enabled");
    let rate_per_second = section.number("rate_per_second", 1..=10_000);
    let concurrency = section.number("concurrency", 1..=1_000);
    let expire_after_hours = section.number("expire_after_hours", 1..=168);
    let keep_days = section.number("keep_days", 1..=3_650);
    section.finish();
    Some(Push {
        enabled: enabled?,
        rate_per_second: rate_per_second?,
        concurrency: concurrency?,
        expire_after_hours: expire_after_hours?,
        keep_days: keep_days?,
    })
}

fn privacy(mut section: Section<'_>) -> Option<Privacy> {
    let forget_unfollowed_after_days = section.number("forget_unfollowed_after_days", 0..=36_500);
    section.finish();
    Some(Privacy { forget_unfollowed_after_days: forget_unfollowed_after_days? })
}

fn security(mut section: Section<'_>) -> Option<Security> {
    let encryption_keys = section.secrets("encryption_keys", check::encryption_key);
    section.finish();
    Some(Security { encryption_keys: encryption_keys? })
}

fn log(mut section: Section<'_>) -> Option<Log> {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let filter = section.text("filter", check::log_filter);
    let format = section.text("format", check::one_of(&formats));
    section.finish();
    Some(Log { filter: filter?, format: format? })
}
