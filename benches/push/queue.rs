//! A message to each follower of a sandbox.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use unionid_bridge::app::App;
use unionid_bridge::config::{self, Sources};
use unionid_bridge::model::{Channel, Content, Text};
use unionid_bridge::push::{Accepted, MessageSpec, SendRequest};
use unionid_bridge::resolve::User;
use unionid_bridge::sandbox::{Call, Options, Permission, Sandbox};

use crate::base::Base;

/// The number of messages per request.
const BATCH_SIZE: usize = 1_000;

/// The application and the messages to send.
pub struct Queue {
    app: Arc<App>,
    world: Sandbox,
    orders: Vec<SendRequest>,
}

impl Queue {
    pub async fn of(base: &Base, messages: u64, concurrency: u64, latency: Duration) -> Self {
        let options = Options::with_followers(messages).latency(Call::TemplateSend, latency);
        let options = options.latency(Call::SubscribeSend, latency);
        let world = Sandbox::start(options).await.unwrap();
        let push = format!("[push]\nrate_per_second = 10000\nconcurrency = {concurrency}\n");
        let text = world.config_toml() + &base.config_toml() + &push;
        let config = config::load(&Sources::defaults().with_text("bench.toml", &text)).unwrap();
        let app = Arc::new(App::open(config.config).await.unwrap());
        let orders = orders(&world);
        Self { app, world, orders }
    }

    /// Requests all messages, in batches.
    pub async fn accept(&self) {
        for orders in self.orders.chunks(BATCH_SIZE) {
            let accepted = self.app.push.accept(orders, None, |_| String::new()).await.unwrap();
            let Accepted::New(verdicts) = accepted else { panic!("{accepted:?}") };
            assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
        }
    }

    /// Runs the worker until WeChat has accepted each message once.
    pub async fn send_all(&self) {
        let stop = CancellationToken::new();
        let work = tokio::spawn(self.app.push.clone().work(stop.clone()));
        while self.world.sent_messages().len() < self.orders.len() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        stop.cancel();
        work.await.unwrap();
        assert_eq!(self.world.sent_messages().len(), self.orders.len());
    }
}

/// Returns a message to each follower: a template message, or a subscribe message of the Mini Program if
/// `BENCH_CHANNEL` is `subscribe`.
fn orders(world: &Sandbox) -> Vec<SendRequest> {
    let is_subscribe = std::env::var("BENCH_CHANNEL").is_ok_and(|named| named == "subscribe");
    let (channel, account) = match is_subscribe {
        true => (Channel::Subscribe, world.mini_program().unwrap()),
        false => (Channel::Template, world.main()),
    };
    let appid: unionid_bridge::model::AppId = account.appid().parse().unwrap();
    let texts = match channel {
        Channel::Template => vec![("time3", "2026-01-01 12:00")],
        Channel::Subscribe => vec![("amount3", "¥12.50"), ("time4", "2026-01-01 12:00")],
    };
    let both = [("character_string1", "A-1"), ("thing2", "雨伞")];
    let text = |value: &str| Text { value: value.to_owned(), color: None };
    let texts = both.into_iter().chain(texts);
    let data = texts.map(|(key, value)| (key.to_owned(), text(value))).collect();
    let template_id = &account.template_ids()[0];
    let spec = MessageSpec {
        channel,
        sender: Some(appid.clone()),
        template_id: template_id.parse().unwrap(),
        content: Content { data, ..Content::default() },
    };
    let order = |person: u64| {
        if is_subscribe {
            account.grant(person, template_id, Permission::Always);
        }
        let openid = account.person(person).openid.parse().unwrap();
        let to = User::OpenId { appid: appid.clone(), openid };
        SendRequest { to, message: spec.clone(), fallback: None }
    };
    world.main().followers().map(|follower| order(follower.number)).collect()
}
