//! A client that sends messages over HTTP: a sandbox with users of every kind, the service, and an API key.

use serde_json::{Value, json};
use unionid_bridge::keys::NewKey;
use unionid_bridge::model::{AppId, Scope};
use unionid_bridge::sandbox::{Account, Options, Permission, Quirk, Sandbox};

use super::{Answer, Backend, Service, TestApp};

/// A user of the Mini Program who follows the Official Account.
pub const FOLLOWER: u64 = 7;
/// A user whose unionid WeChat does not return.
pub const UNLINKED: u64 = 8;
/// A user who followed and unfollowed.
pub const LEFT: u64 = 9;
/// A user who never followed.
pub const STRANGER: u64 = 1_000;
/// A follower who does not use the Mini Program.
pub const READER: u64 = 20;

/// A sandbox, the service in process, and an API key for it.
pub struct Sender {
    pub world: Sandbox,
    pub app: TestApp,
    pub service: Service,
    pub key: String,
}

impl Sender {
    /// Starts with one Official Account and one Mini Program.
    pub async fn on(backend: Backend) -> Option<Self> {
        Self::in_world(Options::with_followers(30), backend).await
    }

    /// Starts with this sandbox, which needs at least 30 followers.
    pub async fn in_world(options: Options, backend: Backend) -> Option<Self> {
        let world = Sandbox::start(options).await.unwrap();
        let app = TestApp::on(&world, backend).await?;
        app.sync_true(&world).await;
        world.main().leave([LEFT]);
        app.sync_true(&world).await;
        let service = Service::start(&app).await;
        let key = service.key(&[Scope::Login, Scope::Push, Scope::Templates, Scope::Erase]).await;
        let sender = Self { world, app, service, key };
        sender.program().quirk([UNLINKED], Quirk::NoUnionidAtLogin);
        for person in [FOLLOWER, UNLINKED, LEFT, STRANGER] {
            sender.log_in(person).await;
        }
        Some(sender)
    }

    /// The Mini Program.
    pub fn program(&self) -> Account {
        self.world.mini_program().unwrap()
    }

    /// Logs a person in to the Mini Program.
    pub async fn log_in(&self, person: u64) {
        let body =
            json!({ "code": self.program().mint_code(person), "appid": self.program().appid() });
        let answer = self.service.post("/v1/login", body).key(&self.key).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// A recipient: a person by their openid in the Mini Program.
    pub fn user(&self, person: u64) -> Value {
        by_openid(&self.program(), person)
    }

    /// A recipient: a person by their unionid.
    pub fn unionid(&self, person: u64) -> Value {
        json!({ "unionid": self.world.main().person(person).unionid })
    }

    /// The body of a template message of the Official Account.
    pub fn message(&self, to: Value) -> Value {
        let template = &self.world.main().template_ids()[0];
        let data =
            json!({ "character_string1": "A-1", "thing2": "雨伞", "time3": "2026-01-01 12:00" });
        json!({ "to": to, "template_id": template, "data": data })
    }

    /// The `subscribe` member of a message of the Mini Program.
    pub fn subscribe(&self) -> Value {
        let data = json!({
            "character_string1": "A-1",
            "thing2": "雨伞",
            "amount3": "¥12.50",
            "time4": "2026-01-01 12:00",
        });
        json!({ "template_id": self.program().template_ids()[0], "data": data })
    }

    /// Makes a person accept subscribe messages of the Mini Program.
    pub fn grant_consent(&self, person: u64) {
        let template = &self.program().template_ids()[0];
        self.program().grant(person, template, Permission::Always);
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.service.post(path, body).key(&self.key).send().await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.service.get(path).key(&self.key).send().await
    }

    /// Requests a message.
    pub async fn send(&self, body: Value) -> Answer {
        self.post("/v1/messages", body).await
    }

    /// Requests a message with an Idempotency-Key.
    pub async fn send_named(&self, idempotency_key: &str, body: Value) -> Answer {
        let call = self.service.post("/v1/messages", body).key(&self.key);
        call.header("idempotency-key", idempotency_key).send().await
    }

    /// Requests a message that must be accepted, and returns its id.
    pub async fn send_accepted(&self, body: Value) -> String {
        let answer = self.send(body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.json()["state"], "queued");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Returns a message as the API shows it.
    pub async fn get_message(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/messages/{id}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Returns the ids of the listed messages, newest first.
    pub async fn ids(&self, query: &str) -> Vec<String> {
        let listed = self.get(&format!("/v1/messages?{query}")).await;
        assert_eq!(listed.status, 200, "{listed:?}");
        ids(&listed.json())
    }

    /// Creates a key that is limited to these accounts.
    pub async fn key_for(&self, appids: &[&str]) -> String {
        let appids: Vec<AppId> = appids.iter().map(|appid| appid.parse().unwrap()).collect();
        let scopes = vec![Scope::Push, Scope::Templates];
        self.service.key_of(NewKey { scopes, appids, ..NewKey::default() }).await
    }
}

/// A recipient: a person by their openid in an account.
pub fn by_openid(account: &Account, person: u64) -> Value {
    json!({ "appid": account.appid(), "openid": account.person(person).openid })
}

/// Returns the ids of a page of messages.
pub fn ids(page: &Value) -> Vec<String> {
    let ids = page["data"].as_array().unwrap().iter();
    ids.map(|message| message["id"].as_str().unwrap().to_owned()).collect()
}

/// Returns the status and the problem code.
pub fn status_and_code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}
