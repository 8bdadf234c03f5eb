//! Message lists: pages, filters, and counts.

use chrono::{FixedOffset, TimeDelta, Utc};
use rstest::rstest;
use serde_json::{Value, json};
use unionid_bridge::model::MessageState;
use unionid_bridge::sandbox::Quirk;

use crate::harness::{
    Backend, FOLLOWER, READER, STRANGER, Sender, by_openid, ids, status_and_code,
};

#[rstest]
#[tokio::test]
async fn the_pages_list_every_message_once_newest_first(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let main = sender.world.main();
    let mut accepted = Vec::new();
    for person in 0..7 {
        accepted.insert(0, sender.send_accepted(sender.message(by_openid(&main, person))).await);
    }
    let (mut listed, mut query) = (Vec::new(), "limit=3".to_owned());
    let mut sizes = Vec::new();
    loop {
        let page = sender.get(&format!("/v1/messages?{query}")).await.json();
        listed.extend(ids(&page));
        sizes.push(ids(&page).len());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=3&cursor={cursor}");
    }
    // Ids are ordered by millisecond. Within a millisecond the order is random.
    let mut sorted = accepted.clone();
    sorted.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!((listed, sizes), (sorted.clone(), vec![3, 3, 1]));
    assert_eq!(sender.ids("").await, sorted);
    let exact = sender.get("/v1/messages?limit=7").await.json();
    assert_eq!((ids(&exact).len(), &exact["next_cursor"]), (7, &Value::Null));

    for query in [
        "limit=0",
        "limit=201",
        "cursor=f00000000000f4240",
        "cursor=m",
        "cursor=m0190%00",
        "state=done",
        "state=SENT",
        "template_id=%00",
        "openid=o'",
        "unionid=%E2%80%AEo",
        "appid=%",
        "account=wx1",
    ] {
        let answer = sender.get(&format!("/v1/messages?{query}")).await;
        assert_eq!(status_and_code(&answer), (400, "invalid_query".into()), "{query}");
    }
    for id in ["none-such", &"0".repeat(32)] {
        let answer = sender.get(&format!("/v1/messages/{id}")).await;
        assert_eq!(status_and_code(&answer), (404, "message_unknown".into()));
    }
    for id in ["%00", "a'b", "%E2%80%AE", &"x".repeat(65)] {
        let answer = sender.get(&format!("/v1/messages/{id}")).await;
        assert_eq!(status_and_code(&answer), (400, "invalid_path".into()));
    }
}

#[rstest]
#[tokio::test]
async fn messages_are_filtered_by_account_state_template_and_user_and_counted(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let (main, program) = (sender.world.main(), sender.program());
    main.quirk([READER], Quirk::Blacklisted);
    let sent = sender.send_accepted(sender.message(sender.user(FOLLOWER))).await;
    let failed = sender.send_accepted(sender.message(by_openid(&main, READER))).await;
    let worker = sender.app.worker();
    sender.app.wait_for_state(&sent.parse().unwrap(), MessageState::Sent).await;
    sender.app.wait_for_state(&failed.parse().unwrap(), MessageState::Failed).await;
    worker.stop().await;
    let subscribe = json!({ "to": sender.user(STRANGER), "subscribe": sender.subscribe() });
    let queued = sender.send_accepted(subscribe).await;
    let template = &main.template_ids()[0];
    let person = main.person(FOLLOWER);
    for (query, expected) in [
        (String::new(), vec![&queued, &failed, &sent]),
        (format!("appid={}", program.appid()), vec![&queued]),
        (format!("appid={}", main.appid()), vec![&failed, &sent]),
        ("state=sent".to_owned(), vec![&sent]),
        ("state=unknown".to_owned(), vec![]),
        (format!("template_id={template}"), vec![&failed, &sent]),
        (format!("template_id={template}&state=failed"), vec![&failed]),
        (format!("openid={}", main.person(READER).openid), vec![&failed]),
        (format!("unionid={}", person.unionid.unwrap()), vec![&sent]),
        (format!("openid={}", person.openid), vec![&sent]),
    ] {
        let mut listed = sender.ids(&query).await;
        listed.sort_unstable();
        let mut expected: Vec<_> = expected.into_iter().cloned().collect();
        expected.sort_unstable();
        assert_eq!(listed, expected, "{query}");
    }
    assert_eq!(sender.get_message(&failed).await["reason"], "user_blocked");

    let row = |appid: &str, template: &str, states: [u64; 5]| {
        let [queued, sent, delivered, failed, unknown] = states;
        json!({
            "appid": appid, "template_id": template, "queued": queued, "sent": sent,
            "delivered": delivered, "failed": failed, "unknown": unknown,
        })
    };
    let expected = [
        row(main.appid(), template, [0, 1, 0, 1, 0]),
        row(program.appid(), &program.template_ids()[0], [1, 0, 0, 0, 0]),
    ];
    let counts = async |query: &str| {
        let answer = sender.get(&format!("/v1/message-counts?{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut rows = answer.json()["data"].as_array().unwrap().clone();
        for row in &mut rows {
            let day = row.as_object_mut().unwrap().remove("day").unwrap();
            assert_eq!(day.as_str().unwrap().len(), "2026-01-31".len());
        }
        rows
    };
    assert_eq!(counts("").await, expected);
    assert_eq!(counts(&format!("appid={}", main.appid())).await, expected[..1]);
    let china = FixedOffset::east_opt(8 * 3_600).unwrap();
    let today = chrono::DateTime::<Utc>::from(
        std::time::SystemTime::UNIX_EPOCH + std::time::UNIX_EPOCH.elapsed().unwrap(),
    )
    .with_timezone(&china)
    .date_naive();
    let days = |before: i64| (today - TimeDelta::days(before)).to_string();
    // The day may change while this runs.
    assert_eq!(counts(&format!("from={}&to={}", days(1), days(-1))).await, expected);
    assert_eq!(counts(&format!("from={}&to={}", days(9), days(2))).await, [Value::Null; 0]);
    for query in [
        format!("from={}&to={}", days(0), days(1)),
        format!("from={}&to={}", days(92), days(0)),
        "from=yesterday".to_owned(),
        "to=2026-02-30".to_owned(),
        "from=".to_owned(),
        "day=2026-01-01".to_owned(),
    ] {
        let answer = sender.get(&format!("/v1/message-counts?{query}")).await;
        assert_eq!(status_and_code(&answer), (400, "invalid_query".into()), "{query}");
    }
}
