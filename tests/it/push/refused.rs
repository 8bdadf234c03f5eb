//! WeChat refuses a message: the service records what the refusal says about the follower or the template,
//! and the message uses its fallback or fails with a reason.

use rstest::rstest;
use unionid_bridge::model::{Channel, Consent, MessageState, Reason};
use unionid_bridge::sandbox::{Call, Event, Fault, Permission, Quirk, Sandbox};
use unionid_bridge::store::messages::ClaimPeriod;
use unionid_bridge::store::{self, accounts, consents, messages};

use crate::harness::{Backend, TestApp, calling_back, new_message, new_route, queue};

/// Returns the consents of a message's recipient in the message's account.
async fn consents_of(
    app: &TestApp,
    id: &unionid_bridge::model::MessageId,
) -> Vec<consents::ConsentRecord> {
    let route = app.message(id).await.route;
    consents::list(app.app.store.reader(), route.account, &route.openid).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn a_message_to_a_non_follower_fails_and_marks_the_follower(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.main().leave([3]);
    let _checks = app.run_profile_checks();
    let _worker = app.worker();
    let id = app.queue(&world.main(), [3]).await.remove(0);
    let message = app.wait_for_state(&id, MessageState::Failed).await;
    assert_eq!(message.reason.as_deref(), Some("unfollowed"));
    assert_eq!(message.attempts[0].errcode, Some(43004));
    assert!(message.attempts[0].errmsg.as_ref().unwrap().starts_with("require subscribe"));
    assert!(message.attempts[0].rid.is_some() && message.finished_at.is_some());
    app.assert_mirrors(&world).await;
    // The profile is checked in case WeChat is wrong, and the unionid is kept.
    crate::harness::until("the check", || world.requests(Call::UserInfo) == 1).await;
    app.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_follower_wrongly_reported_as_unfollowed_is_restored(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.fail(Call::TemplateSend, 1, Fault::Errcode(43004));
    let _worker = app.worker();
    let id = app.queue(&world.main(), [3]).await.remove(0);
    app.wait_for_state(&id, MessageState::Failed).await;
    let person = world.main().person(3);
    app.wait_for_follower(&person.openid, Some((person.unionid.clone(), false))).await;
    let _checks = app.run_profile_checks();
    app.wait_for_follower(&person.openid, Some((person.unionid, true))).await;
}

#[rstest]
#[tokio::test]
async fn an_unfollowed_refusal_does_not_override_a_newer_event(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.fail(Call::TemplateSend, 1, Fault::Errcode(43004));
    // By WeChat's clock, the person follows shortly after the message was sent.
    let later = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed() + 60;
    app.receive_event(&world.main(), Event::subscribe(3).at(later)).await;
    let _worker = app.worker();
    let id = app.queue(&world.main(), [3]).await.remove(0);
    app.wait_for_state(&id, MessageState::Failed).await;
    app.assert_mirrors(&world).await;
}

#[rstest]
#[case::unfollowed(false)]
#[case::templates_refused(true)]
#[tokio::test]
async fn an_unreachable_user_gets_the_message_by_its_fallback(
    #[case] refuses: bool,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(10).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (main, program) = (world.main(), world.mini_program().unwrap());
    program.grant(3, &program.template_ids()[0], Permission::Times(1));
    match refuses {
        true => main.quirk([3], Quirk::RefusesTemplates),
        false => assert_eq!(main.leave([3]), 1),
    }
    let _worker = app.worker();
    let id = app.queue_with_fallback(&main, &program, 3).await;
    let message = app.wait_for_state(&id, MessageState::Sent).await;
    assert_eq!((message.route.channel, message.fallback), (Channel::Subscribe, None));
    assert_eq!(message.route.openid.as_str(), program.person(3).openid);
    let attempts: Vec<_> =
        message.attempts.iter().map(|made| (made.outcome.as_str(), made.channel)).collect();
    let why = if refuses { "refused_by_user" } else { "unfollowed" };
    let expected = vec![(why, Some(Channel::Template)), ("accepted", None)];
    assert_eq!((attempts, message.reason), (expected, None));
    let sent = world.sent_messages();
    assert_eq!(
        (sent.len(), sent[0].call, Some(sent[0].msgid)),
        (1, Call::SubscribeSend, message.msgid)
    );
}

#[rstest]
#[tokio::test]
async fn a_refusal_by_the_user_is_recorded_for_the_template(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(10).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    world.main().quirk([3], Quirk::RefusesTemplates);
    let _worker = app.worker();
    let program = world.mini_program().unwrap();
    let both = [
        app.queue(&world.main(), [3]).await.remove(0),
        // The user never accepted this template.
        app.queue(&program, [3]).await.remove(0),
    ];
    for id in &both {
        let message = app.wait_for_state(id, MessageState::Failed).await;
        assert_eq!(message.reason.as_deref(), Some("refused_by_user"));
        assert_eq!(message.attempts[0].errcode, Some(43101));
        let consents = consents_of(&app, id).await;
        assert_eq!((consents.len(), consents[0].consent), (1, Consent::Refused));
        assert_eq!(consents[0].template_id, message.route.template_id);
    }
    assert!(world.sent_messages().is_empty());
}

#[rstest]
#[tokio::test]
async fn a_banned_template_is_stopped_alone_until_one_message_succeeds(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(20).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let store = &app.app.store;
    let main = world.main();
    let templates = main.template_ids();
    main.ban_template(&templates[0], 43107);
    let _worker = app.worker();
    let first = app.queue(&main, [0]).await.remove(0);
    let message = app.wait_for_state(&first, MessageState::Failed).await;
    assert_eq!(message.reason.as_deref(), Some("template_banned"));

    let banned = app.queue(&main, 1..10).await;
    let mut others = Vec::new();
    for person in 10..20 {
        let mut route = new_route(store, &main, person).await;
        route.template_id = templates[1].parse().unwrap();
        let text = |key: &str, value: &str| {
            (key.to_owned(), unionid_bridge::model::Text { value: value.to_owned(), color: None })
        };
        route.content.data =
            [text("thing1", "体检"), text("time2", "2026-01-01 12:00"), text("phrase3", "成功")]
                .into();
        others.push(new_message(route, None));
    }
    for id in &queue(store, &others).await {
        app.wait_for_state(id, MessageState::Sent).await;
    }
    for id in &banned[1..] {
        app.wait_for_message(id, |message| message.reason.as_deref() == Some("template_stopped"))
            .await;
    }
    assert_eq!(world.sent_messages().len(), 10);
    main.lift_ban(&templates[0]);
    let mut sent = 0;
    for id in &banned {
        let message = app.wait_for_message(id, |message| message.due_at.is_none()).await;
        sent += usize::from(message.state == MessageState::Sent);
    }
    // Some messages may have been tried before the ban was lifted.
    let tried = world.stats().errors(Call::TemplateSend, 43107) as usize;
    assert_eq!(sent, banned.len() + 1 - tried);
    let account = accounts::find(store.reader(), &app.account.appid).await.unwrap().unwrap();
    let stops = unionid_bridge::store::template_stops::list(store.reader(), account).await.unwrap();
    assert!(stops.is_empty(), "{stops:?}");
}

#[rstest]
#[case::invalid_data(
    Quirk::Remark(unionid_bridge::sandbox::Dirt::BareQuote),
    "一一一一一一一一一一一一一一一一一一一一一",
    "data_invalid",
    47003,
    1
)]
#[case::blacklisted(Quirk::Blacklisted, "雨伞", "user_blocked", 43019, 1)]
#[case::invalid_openid(Quirk::Poison, "雨伞", "openid_unknown", 40003, 2)]
#[tokio::test]
async fn a_refused_message_fails_with_its_reason(
    #[case] quirk: Quirk,
    #[case] thing: &str,
    #[case] reason: &str,
    #[case] errcode: i64,
    #[case] attempts: usize,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(10).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    world.main().quirk([3], quirk);
    let mut route = new_route(&app.app.store, &world.main(), 3).await;
    route.content.data.get_mut("thing2").unwrap().value = thing.to_owned();
    let id = queue(&app.app.store, &[new_message(route, None)]).await.remove(0);
    let _worker = app.worker();
    let message = app.wait_for_state(&id, MessageState::Failed).await;
    assert_eq!(message.reason.as_deref(), Some(reason));
    assert_eq!(message.attempts.len(), attempts);
    let last = message.attempts.last().unwrap();
    assert_eq!((last.outcome.as_str(), last.errcode), (reason, Some(errcode)));
    let names_field = last.errmsg.as_ref().unwrap().contains("thing2");
    assert_eq!(names_field, reason == "data_invalid", "{last:?}");
    assert!(world.sent_messages().is_empty());
}

#[rstest]
#[case(43117, "too_frequent")]
#[case(40037, "tried_once_more")]
#[case(1_119_003, "tried_once_more")]
#[case(43108, "wechat_busy")]
#[tokio::test]
async fn a_temporary_refusal_is_retried(#[case] errcode: i64, #[case] reason: &str) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let app = TestApp::against(&world).await;
    world.fail(Call::TemplateSend, 1, Fault::Errcode(errcode));
    let id = app.queue(&world.main(), [0]).await.remove(0);
    let _worker = app.worker();
    let message = app.wait_for_state(&id, MessageState::Sent).await;
    assert_eq!(message.attempts[0].outcome, reason);
    assert_eq!((message.attempts.len(), world.sent_messages().len()), (2, 1));
}

#[rstest]
#[tokio::test]
async fn a_user_limit_postpones_the_users_due_messages_and_no_claimed_one(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(10).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let store = &app.app.store;
    let ids = app.queue(&world.main(), [3, 3, 3, 4]).await;
    let route = new_route(store, &world.main(), 3).await;
    let transaction = store.begin().await.unwrap();
    let now = store::now(&transaction).await.unwrap();
    messages::lock_due(&transaction, &ids[..1], now).await.unwrap();
    let claim = ClaimPeriod { now, until: now + 20_000, is_sending: false };
    messages::claim(&transaction, &ids[..1], claim).await.unwrap();
    let (account, times, reason) = (route.account, (now, now + 300_000), Reason::TooFrequent);
    messages::postpone_user(&transaction, account, &route.openid, times, reason).await.unwrap();
    transaction.commit().await.unwrap();
    let mut due = Vec::new();
    for id in &ids {
        let message = messages::find(store.reader(), id).await.unwrap().unwrap();
        due.push((message.due_at.unwrap() - now, message.reason));
    }
    let waits = (300_000, Some("too_frequent".to_owned()));
    assert_eq!(due[..3], [(20_000, None), waits.clone(), waits]);
    assert!(due[3].0 <= 0);
}

#[rstest]
#[case(45103)]
#[case(46101)]
#[case(45109)]
#[tokio::test]
async fn a_retired_api_fails_the_message_as_retired(#[case] errcode: i64) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let app = TestApp::against(&world).await;
    world.fail(Call::TemplateSend, 1, Fault::Errcode(errcode));
    let id = app.queue(&world.main(), [0]).await.remove(0);
    let _worker = app.worker();
    let message = app.wait_for_state(&id, MessageState::Failed).await;
    assert_eq!(message.reason.as_deref(), Some("retired"));
    assert!(message.attempts[0].errmsg.as_ref().unwrap().contains("withdrew"), "{message:?}");
    assert_eq!(world.requests(Call::TemplateSend), 1);
}

#[tokio::test]
async fn a_deleted_message_is_not_sent_and_blocks_no_other() {
    let world = Sandbox::with_followers(2).await.unwrap();
    let app = TestApp::against(&world).await;
    let ids = app.queue(&world.main(), 0..2).await;
    app.execute(&format!("DELETE FROM message WHERE id = '{}'", ids[0])).await;
    let _worker = app.worker();
    app.wait_for_state(&ids[1], MessageState::Sent).await;
    let gone = messages::find(app.app.store.reader(), &ids[0]).await.unwrap();
    assert_eq!((gone, world.sent_messages().len()), (None, 1));
}
