//! Consents to templates are stored once and in order.

use rstest::rstest;
use sea_orm::{EntityTrait, PaginatorTrait};
use unionid_bridge::model::Consent::{self, Accept, Ban, Filter, Reject};
use unionid_bridge::sandbox::{Account, Callback, CallbackFormat, Event, Options, Sandbox};
use unionid_bridge::store::{consents, erasures};

use crate::harness::{Backend, TestApp, account_id, calling_back, openid_of};

/// Returns the current time in seconds since 1970. The sandbox uses the system clock.
fn now() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed()
}

/// A sandbox that sends its callbacks in this format.
async fn with_format(format: CallbackFormat) -> Sandbox {
    let url = "http://127.0.0.1:9/v1/callbacks/{appid}";
    let callback = |appid: &str| Callback { format, ..Callback::made(url, 1, appid) };
    let options = Options::with_followers(10);
    Sandbox::start(options.callbacks(|appid, _| Some(callback(appid)))).await.unwrap()
}

impl TestApp {
    /// Returns a person's consents in an account: template, consent, and time in seconds.
    async fn consents(&self, account: &Account, person: u64) -> Vec<(String, Consent, i64)> {
        let number = account_id(&self.app.store, account).await;
        let openid = openid_of(account, person);
        let rows = consents::list(self.app.store.reader(), number, &openid).await.unwrap();
        let rows = rows.into_iter();
        rows.map(|row| (row.template_id.to_string(), row.consent, row.changed_at / 1_000)).collect()
    }
}

#[rstest]
#[tokio::test]
async fn consents_are_stored_by_account_user_and_template(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
    #[values(CallbackFormat::Xml, CallbackFormat::Json)] format: CallbackFormat,
    #[values(true, false)] in_mini_program: bool,
) {
    let world = with_format(format).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let account = if in_mini_program { world.mini_program().unwrap() } else { world.main() };
    let consent = |template: &str, value, at| (template.to_owned(), value, at);
    let at = now() - 100;
    app.receive_event(&account, Event::subscribe_msg_popup(3, &[("t1", "accept")]).at(at)).await;
    assert_eq!(app.consents(&account, 3).await, [consent("t1", Accept, at)]);

    let several = [("t4", "filter"), ("t1", "reject"), ("t3", "ban"), ("t2", "accept")];
    app.receive_event(&account, Event::subscribe_msg_popup(3, &several).at(at + 10)).await;
    let changed = [("t2", "reject"), ("not a template", "reject"), ("t5", "a new word")];
    app.receive_event(&account, Event::subscribe_msg_change(3, &changed).at(at + 20)).await;
    let expected = [
        consent("t1", Reject, at + 10),
        consent("t2", Reject, at + 20),
        consent("t3", Ban, at + 10),
        consent("t4", Filter, at + 10),
    ];
    assert_eq!(app.consents(&account, 3).await, expected);
    assert!(app.consents(&account, 4).await.is_empty());
    let other = if in_mini_program { world.main() } else { world.mini_program().unwrap() };
    assert!(app.consents(&other, 3).await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_late_or_repeated_consent_event_does_not_replace_a_newer_one(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (program, at) = (world.mini_program().unwrap(), now() - 100);
    let accepted = Event::subscribe_msg_popup(3, &[("t", "accept")]).at(at + 10);
    let rejected = Event::subscribe_msg_change(3, &[("t", "reject")]).at(at + 20);
    for event in [&rejected, &accepted, &rejected, &accepted, &accepted] {
        app.receive_event(&program, event.clone()).await;
        assert_eq!(app.consents(&program, 3).await, [("t".to_owned(), Reject, at + 20)]);
    }
    let seen = entity::callback_seen::Entity::find().count(app.app.store.reader()).await.unwrap();
    assert_eq!(seen, 2, "each event is claimed once");
}

#[rstest]
#[tokio::test]
async fn an_erased_user_is_readmitted_only_by_a_new_consent_answer(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let main = world.main();
    app.sync_true(&world).await;
    app.receive_event(&main, Event::user_authorization_cancellation(3)).await;
    let answered = |at| Event::subscribe_msg_popup(3, &[("t", "accept")]).at(at);
    app.receive_event(&main, answered(now() - 10)).await;
    app.receive_event(&main, Event::subscribe_msg_change(3, &[("t", "reject")]).at(now() + 1))
        .await;
    assert!(app.consents(&main, 3).await.is_empty());

    let at = now() + 1;
    app.receive_event(&main, answered(at)).await;
    assert_eq!(app.consents(&main, 3).await, [("t".to_owned(), Accept, at)]);
    let (number, openid) = (account_id(&app.app.store, &main).await, openid_of(&main, 3));
    let erased = erasures::find_erased_at(app.app.store.reader(), number, &openid).await.unwrap();
    assert_eq!(erased, None);
    app.sync_true(&world).await;
}
