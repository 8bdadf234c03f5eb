//! T35 for the service: `serve` with the log level trace handles all kinds of requests and reveals no secret.

mod dump;
mod messages;

use std::time::Duration;

use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use unionid_bridge::sandbox::{
    Account, Call, Callback, Event, Fault, MINI_PROGRAM, MiniProgram, OFFICIAL_ACCOUNT,
    OfficialAccount, Options, Quirk, Sandbox, UserData,
};

use crate::harness::{Answer, Backend, Bridge, ServeProcess, TestDatabase};
use crate::secrets::{
    ACCOUNT_SECRET, CALLBACK_TOKEN, CANARIES, DATABASE_PASSWORD, ENCODING_AES_KEY, PROGRAM_SECRET,
    found, verbose,
};

const SETTINGS: &str = "
[http]
token_api = true
[login]
timeout_seconds = 1
store_session_key = true
[log]
format = 'json'
";

const BAD_CODE: &str = "0CanaryLoginCode07";

/// People who log in, follow, leave and are erased.
const PEOPLE: std::ops::Range<u64> = 0..20;

async fn world() -> Sandbox {
    let mut options = Options::with_followers(30);
    let callback = Callback::safe("http://127.0.0.1:9/", CALLBACK_TOKEN, ENCODING_AES_KEY);
    let mut main = OfficialAccount::new("main", OFFICIAL_ACCOUNT, ACCOUNT_SECRET, 30);
    main.callback = Some(callback);
    options.official_accounts = vec![main];
    options.mini_programs = vec![MiniProgram::new("shop", MINI_PROGRAM, PROGRAM_SECRET)];
    Sandbox::start(options).await.unwrap()
}

/// Returns the database URL with a unique password.
pub async fn url_with_canary(database: &TestDatabase, backend: Backend) -> String {
    let mut url = reqwest::Url::parse(&database.url).unwrap();
    match backend {
        Backend::Sqlite => return database.url.clone(),
        // A server that trusts this machine ignores the password.
        Backend::Postgres if url.password().is_none() => {}
        Backend::Postgres => return database.url.clone(),
        Backend::Mysql => {
            let name = url.path().trim_start_matches('/').to_owned();
            // A user's name is at most 32 characters on MySQL.
            let user = name[..32].to_owned();
            let store = database.connect().await;
            for host in ["%", "localhost"] {
                for statement in [
                    format!("CREATE USER '{user}'@'{host}' IDENTIFIED BY '{DATABASE_PASSWORD}'"),
                    format!("GRANT ALL ON {name}.* TO '{user}'@'{host}'"),
                ] {
                    store.writer().execute_unprepared(&statement).await.unwrap();
                }
            }
            store.close().await.unwrap();
            url.set_username(&user).unwrap();
        }
    }
    url.set_password(Some(DATABASE_PASSWORD)).unwrap();
    url.into()
}

/// All outputs and answers, each with a description.
#[derive(Default)]
struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    fn record(&mut self, what: &str, bytes: impl Into<Vec<u8>>) {
        self.0.push((what.to_owned(), bytes.into()));
    }

    fn record_answer(&mut self, what: &str, answer: &Answer) {
        self.record(what, format!("{} {:?} {}", answer.status, answer.headers, answer.text));
    }

    fn assert_no_secrets(&self, secrets: &[&str]) {
        for (what, bytes) in &self.0 {
            let text = String::from_utf8_lossy(bytes);
            assert_eq!(found(bytes, secrets), [""; 0], "{what}: {text}");
        }
    }
}

/// The service, the secrets, and all outputs so far.
struct Scenario {
    world: Sandbox,
    bridge: Bridge,
    serving: ServeProcess,
    key: String,
    secrets: Vec<String>,
    outputs: Outputs,
}

impl Scenario {
    async fn start(world: Sandbox, url: &str) -> Self {
        let bridge = verbose(Bridge::on(&world, url, SETTINGS));
        let mut outputs = Outputs::default();
        for arguments in [&["migrate", "up"][..], &["sync"]] {
            run(&bridge, &mut outputs, arguments).await;
        }
        let scopes = "login,resolve,push,templates,erase,read,metrics,token";
        let create = ["keys", "create", "--name", "canary", "--scope", scopes];
        let key = only_on_stdout(&bridge, &mut outputs, &create, "key").await;
        let mut secrets: Vec<String> = CANARIES.iter().map(|&secret| secret.to_owned()).collect();
        for account in ["main", "shop"] {
            let arguments = ["token", "show", account];
            secrets.push(only_on_stdout(&bridge, &mut outputs, &arguments, "access_token").await);
        }
        secrets.extend([key.clone(), BAD_CODE.to_owned()]);
        // Also the secret part alone.
        secrets.push(key.rsplit('_').next().unwrap().to_owned());
        let serving = ServeProcess::start(&bridge).await;
        Self { world, bridge, serving, key, secrets, outputs }
    }

    fn program(&self) -> Account {
        self.world.mini_program().unwrap()
    }

    async fn request(&mut self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let call = self.serving.call(method, path).key(&self.key);
        let call = if let Some(body) = body { call.json(body) } else { call };
        let answer = call.send().await;
        self.outputs
            .record_answer(&format!("{method} {}", path.split('?').next().unwrap()), &answer);
        answer
    }

    /// Mints a code for a person. Adds the code and the session key to the secrets.
    fn code(&mut self, person: u64) -> String {
        let code = self.program().mint_code(person);
        self.secrets.extend([code.clone(), self.program().session_key(person)]);
        code
    }

    async fn log_in(&mut self, code: &str) -> u16 {
        self.request("POST", "/v1/login", Some(json!({ "code": code }))).await.status
    }

    async fn logins(&mut self) {
        let code = self.code(1);
        assert_eq!((self.log_in(&code).await, self.log_in(&code).await), (200, 200));
        assert_eq!(self.log_in(BAD_CODE).await, 400);
        for (index, (fault, status)) in [
            (Fault::Stall(Duration::from_millis(1_500)), 504),
            (Fault::Errcode(40125), 502),
            (Fault::Errcode(45009), 503),
            (Fault::Html, 502),
            (Fault::Cut, 503),
            (Fault::Disconnect, 503),
        ]
        .into_iter()
        .enumerate()
        {
            self.world.fail(Call::Jscode2session, 1.., fault);
            let code = self.code(2 + index as u64);
            assert_eq!(self.log_in(&code).await, status, "{index}");
            self.world.clear_faults();
        }
        self.program().quirk([9, 10], Quirk::NoUnionidAtLogin);
        for (person, sealed) in [(9, UserData::of(9)), (10, UserData::of(9))] {
            let code = self.code(person);
            let (encrypted_data, iv) = self.program().encrypted_user_data(sealed);
            let body = json!({ "code": code, "encrypted_data": encrypted_data, "iv": iv });
            let answer = self.request("POST", "/v1/login", Some(body)).await;
            assert_eq!(answer.status, if person == 9 { 200 } else { 400 }, "{answer:?}");
        }
        let code = self.code(11);
        for body in [json!({ "code": [code] })] {
            let status = self.request("POST", "/v1/login", Some(body)).await.status;
            assert!([400, 422].contains(&status), "{status}");
        }
    }

    async fn look_ups(&mut self) {
        let (program, person) = (self.program(), self.program().person(1));
        let unionid = person.unionid.unwrap();
        let named = format!("appid={}&openid={}", program.appid(), person.openid);
        let key = self.key.clone();
        for (path, status) in [
            (format!("/v1/resolve-openid?{named}"), 200),
            (format!("/v1/resolve-openid?{named}&access_token={key}"), 400),
            (format!("/v1/resolve-openid?unionid={key}"), 400),
            (format!("/v1/resolve-openid?unionid={unionid}x"), 404),
            (format!("/v1/identities/{unionid}"), 200),
            (format!("/v1/identities/{key}"), 400),
            (format!("/v1/{key}"), 404),
            ("/metrics".to_owned(), 200),
            ("/openapi.json".to_owned(), 200),
            ("/docs/".to_owned(), 200),
            ("/readyz?verbose".to_owned(), 200),
        ] {
            let answer = self.request("GET", &path, None).await;
            // A key in place of an identifier may be invalid or unknown.
            let fits = answer.status == status || (path.contains(&key) && answer.status == 404);
            assert!(fits, "{path}: {answer:?}");
        }
        let many = json!({ "users": [{ "unionid": unionid }, { "unionid": "nobody" }] });
        assert_eq!(self.request("POST", "/v1/resolve-openid", Some(many)).await.status, 200);
        let mut almost = self.key.clone();
        almost.pop();
        self.key = almost;
        assert_eq!(self.request("GET", "/v1/resolve-openid", None).await.status, 401);
        self.key = key;
        assert!(
            self.request("DELETE", &format!("/v1/identities/{unionid}"), None).await.status < 300
        );
    }

    async fn call_backs(&mut self) {
        let main = self.world.main();
        let url = format!("http://{}/v1/callbacks/{{appid}}", self.serving.address);
        main.set_callback_url(&url).unwrap();
        assert!(main.check_callback().await.unwrap());
        let joined = main.join(1).start;
        main.leave([12]);
        for event in [Event::subscribe(joined), Event::unsubscribe(12), Event::text(13, "hello")] {
            let answer = main.post(&main.envelope(event).unwrap()).await.unwrap();
            assert_eq!(answer.body, b"success");
        }
        let envelope = main.envelope(Event::unsubscribe(14)).unwrap();
        let signed = main.envelope(Event::raw("<xml><no end")).unwrap();
        let key = self.key.clone();
        for (query, body) in [
            (envelope.query.replace("msg_signature=", "msg_signature=0"), envelope.body.clone()),
            (format!("token={CALLBACK_TOKEN}&key={key}"), envelope.body.clone()),
            (envelope.query.clone(), b"<xml><Encrypt>AAAA</Encrypt></xml>".to_vec()),
            (envelope.query.clone(), ENCODING_AES_KEY.into()),
            (signed.query, signed.body),
        ] {
            let path = format!("/v1/callbacks/{OFFICIAL_ACCOUNT}?{query}");
            let answer = self.serving.call("POST", &path).body(body).send().await;
            assert!([400, 403].contains(&answer.status), "{answer:?}");
            self.outputs.record_answer("callback", &answer);
        }
    }

    /// Tokens are returned in these answers and must not appear elsewhere.
    async fn tokens(&mut self) {
        let path = format!("/v1/access-tokens/{OFFICIAL_ACCOUNT}");
        for (method, path, body) in [
            ("GET", path.clone(), None),
            (
                "POST",
                format!("{path}/refresh"),
                Some(json!({ "stale": self.secrets[CANARIES.len()] })),
            ),
        ] {
            let call = self.serving.call(method, &path).key(&self.key);
            let answer = if let Some(body) = body { call.json(body) } else { call }.send().await;
            match answer.status {
                200 => {
                    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
                    self.secrets.push(token);
                }
                _ => self.outputs.record_answer("token API", &answer),
            }
        }
    }

    async fn operators(&mut self) {
        let id = self.key.split('_').nth(1).unwrap().to_owned();
        let rolled = ["keys", "roll", &id];
        let new = only_on_stdout(&self.bridge, &mut self.outputs, &rolled, "key").await;
        self.secrets.push(new.clone());
        let new = new.split('_').nth(1).unwrap().to_owned();
        for arguments in [
            &["keys", "list", "--json"][..],
            &["keys", "revoke", &new],
            &["config", "show"],
            &["config", "show", "--json"],
            &["doctor"],
            &["doctor", "--json"],
            &["runs", "list", "--json"],
            &["resolve", "--from", MINI_PROGRAM, "--openid", "nobody"],
        ] {
            run(&self.bridge, &mut self.outputs, arguments).await;
        }
        let mut panics = self.bridge.command(&["sync", "--full"]);
        let output = panics.env("FAILPOINTS", "sync.page_fetched=panic").output().await.unwrap();
        assert!(found(&output.stderr, &["panicked at"]).len() == 1, "{output:?}");
        self.outputs.record("panic", [output.stdout, output.stderr].concat());
        let process = format!("/proc/{}/cmdline", self.serving.child.id().unwrap());
        self.outputs.record("command line", std::fs::read(process).unwrap());
    }

    /// Returns the openids and unionids of the people in this scenario.
    fn people(&self) -> Vec<String> {
        let of = |account: &Account, number| {
            let person = account.person(number);
            [Some(person.openid), person.unionid]
        };
        let people = PEOPLE.chain([30]);
        people
            .flat_map(|number| [of(&self.world.main(), number), of(&self.program(), number)])
            .flatten()
            .flatten()
            .collect()
    }
}

async fn run(bridge: &Bridge, outputs: &mut Outputs, arguments: &[&str]) {
    let output = bridge.run(arguments).await;
    outputs.record(&arguments.join(" "), [output.stdout, output.stderr].concat());
}

/// Runs a command that prints a secret on stdout, and records only its stderr. Returns the secret.
async fn only_on_stdout(
    bridge: &Bridge,
    outputs: &mut Outputs,
    arguments: &[&str],
    member: &str,
) -> String {
    let output = bridge.run(&[arguments, &["--json"]].concat()).await;
    outputs.record(&arguments.join(" "), output.stderr);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer[member].as_str().unwrap().to_owned()
}

/// Returns the log lines at info and above, and all lines that are not JSON.
fn above_debug(output: &[u8]) -> String {
    let quiet = |line: &&str| {
        let level = serde_json::from_str::<Value>(line).ok().map(|line| line["level"].clone());
        !level.is_some_and(|level| level == "DEBUG" || level == "TRACE")
    };
    String::from_utf8_lossy(output).lines().filter(quiet).collect::<Vec<_>>().join("\n")
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_trace_logging_reveals_no_secrets(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let url = url_with_canary(&database, backend).await;
    let mut scenario = Scenario::start(world().await, &url).await;
    scenario.logins().await;
    scenario.messages().await;
    scenario.look_ups().await;
    scenario.call_backs().await;
    scenario.tokens().await;
    scenario.operators().await;
    let people = scenario.people();
    let Scenario { world, serving, secrets, mut outputs, .. } = scenario;
    let (code, output) = serving.stop().await;
    assert_eq!(code, Some(0));
    let quiet = above_debug(&output);
    assert!(output.len() > quiet.len(), "trace logs nothing");
    assert_eq!(found(&output, &[messages::TEXT]), [""; 0], "a message's text is logged");
    outputs.record("serve", output);

    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    outputs.assert_no_secrets(&secrets);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    assert_eq!(found(quiet.as_bytes(), &people), [""; 0], "{quiet}");
    dump::assert_sealed(&database, &secrets, &world.main().person(2).openid).await;
}
