//! Follower lists and statistics.

use std::collections::BTreeMap;
use std::time::Duration;

use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use unionid_bridge::keys::NewKey;
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::{OfficialAccount, Options, Quirk, Sandbox};
use unionid_bridge::store::accounts;

use crate::harness::{Answer, Backend, Service, TestApp, status_and_code};

const OTHER: &str = "wx0a00000000000002";

/// The application, its API, and a key with the `read` scope.
struct Api {
    app: TestApp,
    service: Service,
    key: String,
}

impl Api {
    async fn new(app: TestApp) -> Self {
        let service = Service::start(&app).await;
        let key = service.key(&[Scope::Read]).await;
        Self { app, service, key }
    }

    async fn get(&self, path: &str) -> Answer {
        self.service.get(&format!("/v1{path}")).key(&self.key).send().await
    }

    /// Returns the followers of all pages, and the number of pages.
    async fn all(&self, query: &str) -> (Vec<Value>, usize) {
        let (mut all, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let page = self.get(&format!("/followers?{query}{cursor}")).await.json();
            all.extend(page["data"].as_array().unwrap().clone());
            pages += 1;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return (all, pages),
            }
        }
    }
}

/// A sandbox with two Official Accounts.
async fn two_accounts() -> Sandbox {
    let mut options = Options::with_followers(120);
    let secret = "5a5d0b0c0a11ce0000000000000000a2";
    options.official_accounts.push(OfficialAccount::new("other", OTHER, secret, 50));
    Sandbox::start(options).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn the_pages_list_every_follower_once_as_mirrored(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(250).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let api = Api::new(app).await;
    api.app.sync_true(&world).await;
    world.main().leave([3]);
    api.app.sync_true(&world).await;
    let mirror = api.app.mirror().await;
    for (limit, pages) in [(1_000, 1), (250, 1), (100, 3), (125, 2), (249, 2)] {
        let (listed, took) = api.all(&format!("limit={limit}")).await;
        assert_eq!((listed.len(), took), (250, pages), "{limit}");
        let listed: BTreeMap<_, _> = listed
            .iter()
            .map(|one| {
                let unionid = one["unionid"].as_str().map(str::to_owned);
                let openid = one["openid"].as_str().unwrap().to_owned();
                (openid, (unionid, one["subscribed"].as_bool().unwrap()))
            })
            .collect();
        assert_eq!(listed, mirror);
    }
    let (left, _) = api.all("subscribed=false").await;
    assert_eq!((left.len(), &left[0]["openid"]), (1, &world.main().person(3).openid.into()));
    assert!(left[0]["unfollowed_at"].as_str().unwrap().ends_with('Z'), "{}", left[0]);
    let (one, _) = api.all("subscribed=true&has_unionid=true&limit=249").await;
    assert_eq!(one.len(), 249);
    let members: Vec<_> = one[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "appid",
        "language",
        "openid",
        "profile_at",
        "qr_scene",
        "qr_scene_text",
        "remark",
        "subscribe_scene",
        "subscribed",
        "subscribed_at",
        "tag_ids",
        "unfollowed_at",
        "unionid",
    ];
    assert_eq!(members, expected);
    assert_eq!(api.all("has_unionid=false").await.0, Vec::<Value>::new());
}

#[rstest]
#[tokio::test]
async fn followers_are_filtered_by_account_and_by_the_accounts_of_the_key(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = two_accounts().await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let mut api = Api::new(app).await;
    assert_eq!(api.all("").await.0, Vec::<Value>::new());
    api.app.sync_true(&world).await;
    api.app.for_account(1).sync_true(&world).await;
    assert_eq!(api.all("limit=50").await, (api.all("").await.0, 4));
    assert_eq!(api.all("").await.0.len(), 170);
    let (theirs, _) = api.all(&format!("appid={OTHER}&limit=20")).await;
    assert!(theirs.len() == 50 && theirs.iter().all(|one| one["appid"] == OTHER));

    let appids = vec![OTHER.parse().unwrap()];
    let key = NewKey { scopes: vec![Scope::Read], appids, ..NewKey::default() };
    api.key = api.service.key_of(key).await;
    assert_eq!(api.all("").await.0, theirs);
    let main = format!("/followers?appid={}", world.main().appid());
    assert_eq!(status_and_code(&api.get(&main).await), (403, "app_not_allowed".into()));
    let stats = api.get("/stats").await.json();
    assert_eq!(stats["official_accounts"].as_array().unwrap().len(), 1, "{stats}");
    assert_eq!(stats["official_accounts"][0]["appid"], OTHER);
    assert_eq!(stats["mini_programs"], json!([]));
}

/// Inserts `rows` followers, of whom the last one has left.
async fn fill(app: &TestApp, rows: u64) {
    let account = accounts::find_or_insert(&app.app.store, &app.account.appid).await.unwrap();
    let statement = format!(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {rows}) \
         INSERT INTO follower (account_id, openid, subscribed, digest, profile_at, created_at) \
         SELECT {account}, 'o' || n, n < {rows}, 0, 1, 1 FROM n"
    );
    app.app.store.writer().execute_unprepared(&statement).await.unwrap();
}

#[tokio::test]
async fn a_page_with_few_matches_ends_early_with_a_cursor() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let api = Api::new(TestApp::against(&world).await).await;
    fill(&api.app, 500_000).await;
    let first = api.get("/followers?subscribed=false").await.json();
    assert_eq!(first["data"], json!([]));
    assert!(first["next_cursor"].is_string(), "{first}");
    let (found, pages) = api.all("subscribed=false").await;
    assert_eq!((found.len(), &found[0]["openid"]), (1, &"o500000".into()));
    assert!((2..=4).contains(&pages), "{pages}");
    // A page at the end of the list.
    let end = format!("/followers?limit=2&cursor=f{:016x}", 499_998);
    let page = api.get(&end).await.json();
    assert_eq!((page["data"].as_array().unwrap().len(), &page["next_cursor"]), (2, &Value::Null));
}

#[tokio::test]
async fn invalid_filters_and_cursors_are_rejected() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let api = Api::new(TestApp::against(&world).await).await;
    let long = "f".repeat(10_000);
    for query in [
        "appid=%25",
        "appid=a'%20OR%20'1'%3D'1",
        "appid=%E2%80%AEwx",
        "appid=wx%00",
        "subscribed=1",
        "subscribed=%25",
        "has_unionid=",
        "limit=0",
        "limit=1001",
        "limit=99999999999999999999",
        "cursor=r0000000000000001",
        "cursor=f000000000000000%25",
        "cursor=f000000000000000%00",
        "cursor=f8000000000000000",
        &format!("cursor={long}"),
        "openid=oA",
    ] {
        let answer = api.get(&format!("/followers?{query}")).await;
        assert_eq!(status_and_code(&answer), (400, "invalid_query".into()), "{query:.60}");
        assert!(answer.text.len() < 1_000, "{query:.60}");
    }
    let answer = api.get("/followers?appid=wx0000000000000000").await;
    assert_eq!(status_and_code(&answer), (404, "official_account_unknown".into()));
    let nowhere = api.get("/followers?cursor=f7fffffffffffffff").await.json();
    assert_eq!(nowhere, json!({ "data": [], "next_cursor": null }));
}

#[rstest]
#[tokio::test]
async fn stats_count_users_by_account_and_are_cached_briefly(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = two_accounts().await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    world.main().quirk(0..5, Quirk::NoUnionid);
    let number = async |appid: &str| {
        let number = accounts::find_or_insert(&app.app.store, &appid.parse().unwrap()).await;
        number.unwrap()
    };
    let (program, now) = (world.mini_program().unwrap().appid().to_owned(), "1");
    let statement = format!(
        "INSERT INTO mini_program_user (account_id, openid, unionid, created_at, login_at) VALUES \
         ({0}, 'oA', 'u1', {now}, {now}), ({0}, 'oa', NULL, {now}, {now})",
        number(&program).await
    );
    app.app.store.writer().execute_unprepared(&statement).await.unwrap();
    app.sync().await;
    world.main().leave([100, 101]);
    let run = app.sync().await.run;
    let api = Api::new(app).await;
    let stats = api.get("/stats").await;
    assert_eq!(stats.status, 200, "{stats:?}");
    let stats = stats.json();
    let run = serde_json::to_value(run).unwrap();
    let good = json!({
        "id": run["id"], "started_at": run["started_at"], "finished_at": run["finished_at"],
    });
    let expected = json!([
        {
            "appid": world.main().appid(), "name": "main", "followers": 118, "with_unionid": 113,
            "without_unionid": 5, "unfollowed": 2, "last_good_run": good,
        },
        {
            "appid": OTHER, "name": "other", "followers": 0, "with_unionid": 0,
            "without_unionid": 0, "unfollowed": 0, "last_good_run": null,
        },
    ]);
    assert_eq!(stats["official_accounts"], expected);
    let expected = json!([{
        "appid": program, "name": "shop", "users": 2, "with_unionid": 1, "without_unionid": 1,
    }]);
    assert_eq!(stats["mini_programs"], expected);

    // The counts are cached for a few seconds, for all callers.
    world.main().leave([102]);
    api.app.sync().await;
    assert_eq!(api.get("/stats").await.json(), stats);
    tokio::time::sleep(Duration::from_millis(5_200)).await;
    let requests = (0..20).map(|_| api.get("/stats"));
    let counts: Vec<_> =
        futures::future::join_all(requests).await.iter().map(Answer::json).collect();
    assert!(counts.iter().all(|count| *count == counts[0]));
    assert_eq!(counts[0]["official_accounts"][0]["unfollowed"], 3);
    assert!(counts[0]["counted_at"].as_str() > stats["counted_at"].as_str());
}
