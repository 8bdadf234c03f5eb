//! T11 and T12 for logins: WeChat is busy, or a quota is used up.

use rstest::rstest;
use serde_json::{Value, json};
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::{Call, Fault, Sandbox};

use crate::harness::{Answer, Backend, Service, TestApp, paged_world};

/// A service, its sandbox, and a key with the `login` and `resolve` scopes.
struct Setup {
    world: Sandbox,
    app: TestApp,
    service: Service,
    key: String,
}

impl Setup {
    async fn on(backend: Backend) -> Option<Self> {
        let world = paged_world(100, 500).await;
        let app = TestApp::on(&world, backend).await?;
        let service = Service::start(&app).await;
        let key = service.key(&[Scope::Login, Scope::Resolve]).await;
        Some(Self { world, app, service, key })
    }

    async fn log_in(&self, person: u64) -> Answer {
        let code = self.world.mini_program().unwrap().mint_code(person);
        self.service.post("/v1/login", json!({ "code": code })).key(&self.key).send().await
    }

    async fn resolve(&self, person: u64) -> Answer {
        let program = self.world.mini_program().unwrap();
        let openid = program.person(person).openid;
        let path = format!("/v1/resolve-openid?appid={}&openid={openid}", program.appid());
        self.service.get(&path).key(&self.key).send().await
    }
}

#[rstest]
#[case::quota(Fault::Errcode(45009), 503, "wechat_quota_spent", "300", json!(45009))]
#[case::user_too_often(Fault::Errcode(45011), 429, "login_rate_limited", "60", json!(45011))]
#[case::busy(Fault::Errcode(-1), 503, "wechat_busy", "5", json!(-1))]
#[case::as_text(Fault::ErrcodeAsText(45011), 429, "login_rate_limited", "60", json!(45011))]
#[case::gateway(Fault::HttpStatus(502), 503, "wechat_busy", "5", Value::Null)]
#[tokio::test]
async fn a_busy_wechat_is_reported_with_its_errcode_and_retry_after(
    #[case] fault: Fault,
    #[case] status: u16,
    #[case] code: &str,
    #[case] retry_after: &str,
    #[case] errcode: Value,
) {
    let setup = Setup::on(Backend::Sqlite).await.unwrap();
    setup.app.sync_true(&setup.world).await;
    assert_eq!(setup.log_in(7).await.status, 200);
    setup.world.fail(Call::Jscode2session, 1.., fault);
    let refused = setup.log_in(8).await;
    assert_eq!((refused.status, refused.code().as_str()), (status, code));
    assert_eq!(refused.header("retry-after"), retry_after);
    let upstream = &refused.json()["upstream"];
    assert_eq!(upstream["errcode"], errcode);
    if !errcode.is_null() {
        assert!(!upstream["errmsg"].as_str().unwrap().is_empty(), "{refused:?}");
    }
    assert!(refused.json()["hint"].as_str().unwrap().len() > 10, "{refused:?}");

    // Known users are resolved while WeChat is unavailable, and a new code works afterwards.
    assert_eq!(setup.resolve(7).await.status, 200);
    setup.world.clear_faults();
    assert_eq!(setup.log_in(8).await.status, 200);
}

#[rstest]
#[tokio::test]
async fn a_sync_without_quota_does_not_affect_logins_and_look_ups(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(setup) = Setup::on(backend).await else { return };
    setup.world.main().set_quota(Call::UserGet, Some(3));
    let run = setup.app.sync().await.run;
    assert_eq!((run.state.as_str(), run.counts.pages), ("paused", 3), "{run:?}");
    assert_eq!(setup.log_in(7).await.status, 200);
    assert_eq!(setup.resolve(7).await.status, 200);
    // A follower on a page that was not fetched is not reported as unfollowed.
    let beyond = setup.world.main().followers().nth(499).unwrap().number;
    assert_eq!(setup.log_in(beyond).await.status, 200);
    assert_eq!(setup.resolve(beyond).await.code(), "not_a_follower");
    assert_eq!(setup.world.requests(Call::ClearQuota), 0);
}
