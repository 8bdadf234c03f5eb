//! Resolving an openid or a unionid to the openid of the Official Account, or to a reason.

use std::collections::HashMap;

use futures::future::join_all;
use rstest::rstest;
use unionid_bridge::http::responses::ResolveResponse;
use unionid_bridge::model::{AppId, OpenId, UnionId};
use unionid_bridge::resolve::{Error, Resolution, User};
use unionid_bridge::sandbox::{Account, OfficialAccount, Options, Sandbox};
use unionid_bridge::store::accounts;
use unionid_bridge::store::followers::{self, FollowEvent};
use unionid_bridge::store::mini_program_users::{self, Login, Recorded};

use crate::harness::{Backend, TestApp, paged_world};

const SECOND: &str = "wx0a00000000000002";

/// A sandbox with two Official Accounts. The second has the first 50 followers of the first.
async fn two_accounts() -> Sandbox {
    let mut options = Options { page_size: 100, ..Options::with_followers(300) };
    let secret = "5a5d0b0c0a11ce0000000000000000a2";
    options.official_accounts.push(OfficialAccount::new("news", SECOND, secret, 50));
    Sandbox::start(options).await.unwrap()
}

impl TestApp {
    /// Records a login without the code exchange.
    async fn log_in(&self, world: &Sandbox, person: u64, with_unionid: bool) -> Recorded {
        let program = world.mini_program().unwrap();
        let (openid, unionid) = (openid(&program, person), unionid(&program, person));
        let unionid = with_unionid.then_some(&unionid);
        self.record(world, Login { openid: &openid, unionid, ..nothing_else(&openid) }).await
    }

    async fn record(&self, world: &Sandbox, login: Login<'_>) -> Recorded {
        let appid: AppId = world.mini_program().unwrap().appid().parse().unwrap();
        let account = accounts::find_or_insert(&self.app.store, &appid).await.unwrap();
        let store = &self.app.store;
        let found = mini_program_users::find(store.reader(), account, login.openid).await.unwrap();
        let transaction = store.begin().await.unwrap();
        let recorded = mini_program_users::record_login(&transaction, account, login, found).await;
        transaction.commit().await.unwrap();
        recorded.unwrap()
    }

    async fn resolve(&self, user: &User) -> Resolution {
        let to = &self.account.appid;
        let one = self.app.resolver.resolve(user.clone(), Some(to)).await.unwrap();
        // The answer is the same when resolved together with others.
        let stranger = User::Unionid("nobody".parse().unwrap());
        let users = [stranger.clone(), user.clone(), stranger];
        let many = self.app.resolver.resolve_all(&users, Some(to)).await.unwrap();
        assert_eq!(many, [Resolution::UserUnknown, one.clone(), Resolution::UserUnknown]);
        one
    }
}

fn nothing_else(openid: &OpenId) -> Login<'_> {
    Login { openid, unionid: None, unionid_of_client: None, session_key: None }
}

fn openid(account: &Account, person: u64) -> OpenId {
    account.person(person).openid.parse().unwrap()
}

fn unionid(account: &Account, person: u64) -> UnionId {
    account.person(person).unionid.unwrap().parse().unwrap()
}

/// Names a person by their openid in an account.
fn user_of(account: &Account, person: u64) -> User {
    User::OpenId { appid: account.appid().parse().unwrap(), openid: openid(account, person) }
}

fn resolved_openid(resolution: &Resolution) -> &OpenId {
    match resolution {
        Resolution::Resolved { openid, subscribed: true, .. } => openid,
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[tokio::test]
async fn each_user_is_resolved_or_a_reason_is_returned(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 300).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (main, program) = (world.main(), world.mini_program().unwrap());
    app.sync_true(&world).await;
    main.leave([9]);
    app.sync_true(&world).await;
    for person in [7, 9, 1_000] {
        app.log_in(&world, person, true).await;
    }
    app.log_in(&world, 8, false).await;

    let follower = app.resolve(&user_of(&program, 7)).await;
    assert_eq!(*resolved_openid(&follower), openid(&main, 7));
    assert_eq!(app.resolve(&User::Unionid(unionid(&main, 7))).await, follower);
    assert_eq!(app.resolve(&user_of(&main, 7)).await, follower);
    let json = serde_json::to_value(ResolveResponse::of(follower).unwrap()).unwrap();
    let mut members: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(
        members,
        ["official_account", "openid", "status", "subscribed", "unionid", "verified_at"]
    );
    assert_eq!(json["status"], "resolved");
    assert!(json["verified_at"].as_str().unwrap().ends_with('Z'), "{json}");

    assert_eq!(app.resolve(&user_of(&program, 2_000)).await, Resolution::UserUnknown);
    assert_eq!(app.resolve(&user_of(&program, 8)).await, Resolution::NoUnionid);
    assert_eq!(app.resolve(&user_of(&program, 1_000)).await, Resolution::NotAFollower);
    assert_eq!(app.resolve(&user_of(&program, 9)).await, Resolution::Unfollowed);
    // Known only from the Mini Program, only from the follower list, and not at all.
    for (person, expected) in [
        (1_000, Resolution::NotAFollower),
        (9, Resolution::Unfollowed),
        (2_000, Resolution::UserUnknown),
    ] {
        assert_eq!(app.resolve(&User::Unionid(unionid(&main, person))).await, expected);
    }
}

#[rstest]
#[tokio::test]
async fn a_thousand_users_are_resolved_in_request_order(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = two_accounts().await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    app.for_account(1).sync().await;
    let (main, second) = (world.main(), world.account(SECOND).unwrap());
    let program = world.mini_program().unwrap();
    for person in 0..20 {
        app.log_in(&world, person, true).await;
    }
    // All ways to name a person, in mixed order.
    let person = |n: u64| (n * 7) % 250;
    let user = |n: u64| match n % 4 {
        0 => user_of(&program, person(n)),
        1 => user_of(&main, person(n)),
        2 => user_of(&second, person(n)),
        _ => User::Unionid(unionid(&main, person(n))),
    };
    let users: Vec<User> = (0..1_000).map(user).collect();
    let answers = app.app.resolver.resolve_all(&users, Some(&app.account.appid)).await.unwrap();
    assert_eq!(answers.len(), 1_000);
    for (n, answer) in (0..1_000).zip(&answers) {
        let is_known = match n % 4 {
            0 => person(n) < 20,
            2 => person(n) < 50,
            _ => true,
        };
        match is_known {
            true => assert_eq!(*resolved_openid(answer), openid(&main, person(n))),
            false => assert_eq!(*answer, Resolution::UserUnknown),
        }
    }
    assert_eq!(app.app.resolver.resolve_all(&[], Some(&app.account.appid)).await.unwrap(), []);
}

#[rstest]
#[tokio::test]
async fn concurrent_lookups_each_get_their_own_result(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = two_accounts().await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    app.for_account(1).sync().await;
    let accounts = [world.main(), world.account(SECOND).unwrap()];
    // Concurrent lookups of different people in different accounts.
    let look_up = async |n: u64| {
        let to = &accounts[(n % 2) as usize];
        let user = User::Unionid(unionid(&accounts[0], n % 50));
        let appid = to.appid().parse().unwrap();
        (app.app.resolver.resolve(user, Some(&appid)).await.unwrap(), openid(to, n % 50))
    };
    for (answer, expected) in join_all((0..400).map(look_up)).await {
        assert_eq!(*resolved_openid(&answer), expected);
    }
}

#[rstest]
#[tokio::test]
async fn an_unconfigured_or_missing_account_is_rejected_by_name(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = two_accounts().await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let resolver = &app.app.resolver;
    let program = world.mini_program().unwrap();
    let (user, to) = (user_of(&program, 7), Some(&app.account.appid));
    let refused = resolver.resolve(user.clone(), None).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`to` is required when several Official Accounts are configured"
    );
    assert!(refused.hint().contains(SECOND), "{}", refused.hint());

    let elsewhere: AppId = "wx0000000000000000".parse().unwrap();
    let refused = resolver.resolve(user.clone(), Some(&elsewhere)).await.unwrap_err();
    let unknown = "wx0000000000000000 is not a configured Official Account";
    assert_eq!(refused.to_string(), unknown);
    // A Mini Program is not a valid target.
    let appid: AppId = program.appid().parse().unwrap();
    let refused = resolver.resolve(user.clone(), Some(&appid)).await.unwrap_err();
    assert!(refused.to_string().ends_with("is not a configured Official Account"), "{refused}");

    let stranger = User::OpenId { appid: elsewhere, openid: "o".parse().unwrap() };
    let refused = resolver.resolve(stranger.clone(), to).await.unwrap_err();
    assert_eq!(refused.to_string(), "wx0000000000000000 is not a configured account");
    assert_eq!(refused.hint().matches("wx").count(), 3, "{}", refused.hint());
    let refused = resolver.resolve_all(&[user, stranger], to).await.unwrap_err();
    assert!(matches!(refused, Error::Account(_)), "{refused}");
}

#[rstest]
#[tokio::test]
async fn verified_at_is_the_time_of_the_newest_confirmation_by_wechat(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 300).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let user = user_of(&world.main(), 7);
    let verified_at = async |app: &TestApp| match app.resolve(&user).await {
        Resolution::Resolved { verified_at, .. } => verified_at,
        other => panic!("{other:?}"),
    };
    let began = app.app.store.now().await.unwrap();
    app.sync_true(&world).await;
    let by_profile = verified_at(&app).await;
    assert!(by_profile.timestamp_millis() >= began);
    // A run without changes writes no rows but lists everybody.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let run = app.sync_true(&world).await;
    let by_list = verified_at(&app).await;
    assert_eq!((by_list, by_list > by_profile), (run.started_at, true));
    // An event is the newest information.
    let received_at = app.app.store.now().await.unwrap();
    let account = accounts::find_or_insert(&app.app.store, &app.account.appid).await.unwrap();
    let event = FollowEvent { subscribed: true, created_at: received_at / 1_000 };
    let openid = openid(&world.main(), 7);
    let writer = app.app.store.writer();
    followers::record_event(writer, account, &openid, event, received_at).await.unwrap();
    assert_eq!(verified_at(&app).await.timestamp_millis(), received_at);
}

#[rstest]
#[tokio::test]
async fn a_user_is_found_with_its_openids_in_all_configured_accounts(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = two_accounts().await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    app.for_account(1).sync().await;
    world.account(SECOND).unwrap().leave([7]);
    app.for_account(1).sync().await;
    app.log_in(&world, 7, true).await;
    let (main, second) = (world.main(), world.account(SECOND).unwrap());
    let person = app.app.resolver.find_person(&unionid(&main, 7)).await.unwrap().unwrap();
    let follows: HashMap<_, _> = person
        .official_accounts
        .iter()
        .map(|it| (it.appid.as_str(), (it.openid.clone(), it.subscribed)))
        .collect();
    assert_eq!(follows[main.appid()], (openid(&main, 7), true));
    assert_eq!(follows[SECOND], (openid(&second, 7), false));
    let program = world.mini_program().unwrap();
    assert_eq!(person.mini_programs.len(), 1);
    assert_eq!(person.mini_programs[0].openid, openid(&program, 7));

    let stranger = unionid(&main, 5_000);
    assert_eq!(app.app.resolver.find_person(&stranger).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn a_unionid_is_never_cleared_and_a_change_is_recorded(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 100).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let program = world.mini_program().unwrap();
    let (openid, known, other) = (openid(&program, 7), unionid(&program, 7), unionid(&program, 8));
    let nothing = nothing_else(&openid);
    let recorded = |is_new, unionid: Option<&UnionId>| {
        let unionid = unionid.cloned();
        Recorded { is_new, unionid }
    };
    assert_eq!(app.record(&world, nothing).await, recorded(true, None));
    // The client's data fills in a missing unionid but never replaces a known one.
    let of_client = Login { unionid_of_client: Some(&known), ..nothing };
    assert_eq!(app.record(&world, of_client).await, recorded(false, Some(&known)));
    assert_eq!(app.record(&world, nothing).await, recorded(false, Some(&known)));
    let of_client = Login { unionid_of_client: Some(&other), ..nothing };
    assert_eq!(app.record(&world, of_client).await, recorded(false, Some(&known)));
    assert!(app.conflicts().await.is_empty());
    // WeChat's own answer replaces it.
    let changed = Login { unionid: Some(&other), ..nothing };
    assert_eq!(app.record(&world, changed).await, recorded(false, Some(&other)));
    let conflict = (openid.to_string(), known.to_string(), other.to_string());
    assert_eq!(app.conflicts().await, [conflict]);
    assert_eq!(app.record(&world, nothing).await, recorded(false, Some(&other)));
}

#[rstest]
#[tokio::test]
async fn exactly_one_of_several_concurrent_first_logins_is_new(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 100).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    for person in 0..10 {
        let logins = (0..4).map(|_| app.log_in(&world, person, true));
        let recorded = futures::future::join_all(logins).await;
        assert_eq!(recorded.iter().filter(|login| login.is_new).count(), 1, "{recorded:?}");
    }
}
