//! All lists have the same envelope and support pages of any size.

use rstest::rstest;
use serde_json::{Value, json};
use unionid_bridge::http;
use unionid_bridge::sandbox::{Callback, Event, Options};

use crate::harness::{Backend, Operation, READER, Sender, by_openid, operations, status_and_code};

/// Returns the members of an operation's 200 response, according to the document.
fn members(operation: &Operation) -> Vec<String> {
    let document: Value = serde_json::from_str(&http::document()).unwrap();
    let answer = &operation.document["responses"]["200"]["content"]["application/json"];
    let named = answer["schema"]["$ref"].as_str().unwrap_or_default();
    let schema = document.pointer(named.trim_start_matches('#')).unwrap_or(&Value::Null);
    schema["properties"]
        .as_object()
        .map_or_else(Vec::new, |members| members.keys().cloned().collect())
}

fn lists() -> Vec<Operation> {
    let is_list = |operation: &Operation| members(operation).contains(&"data".to_owned());
    operations().into_iter().filter(is_list).collect()
}

#[test]
fn every_list_is_documented_with_limit_cursor_and_next_cursor() {
    let lists = lists();
    assert!(lists.len() >= 9, "{lists:?}");
    for list in lists {
        let (path, members) = (&list.template, members(&list));
        assert!(members.contains(&"next_cursor".to_owned()), "{path}: {members:?}");
        let parameters = list.parameters("query");
        assert!(parameters.contains(&"limit") && parameters.contains(&"cursor"), "{path}");
    }
    for operation in operations() {
        let names = operation.parameters("query");
        assert!(!names.contains(&"account") && !names.contains(&"start"), "{operation:?}");
    }
}

#[rstest]
#[tokio::test]
async fn every_in_memory_list_is_paged_by_limit_and_cursor(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let options = Options::with_followers(30);
    let options = options.callbacks(|_, _| Some(Callback::plain("http://127.0.0.1:9/", "token")));
    let Some(sender) = Sender::in_world(options, backend).await else { return };
    let (main, program) = (sender.world.main(), sender.program());
    let choices: Vec<(String, &str)> = (1..=4).map(|n| (format!("t{n}"), "accept")).collect();
    let choices: Vec<_> =
        choices.iter().map(|(template, choice)| (template.as_str(), *choice)).collect();
    sender.app.receive_event(&main, Event::subscribe_msg_popup(READER, &choices)).await;
    for template in main.template_ids() {
        let mut message = sender.message(by_openid(&main, READER));
        message["template_id"] = json!(template);
        sender.send(message).await;
    }
    sender.send_accepted(json!({ "to": sender.user(7), "subscribe": sender.subscribe() })).await;
    let (official, mini) = (
        format!("/v1/official-accounts/{}", main.appid()),
        format!("/v1/mini-programs/{}", program.appid()),
    );
    let openid = main.person(READER).openid;
    let categories = sender.get(&format!("{mini}/categories")).await.json();
    let categories = categories["data"].as_array().unwrap().iter();
    let categories: Vec<_> = categories.map(|it| it["category_id"].to_string()).collect();
    for (path, min) in [
        (format!("{official}/templates?"), 2),
        (format!("{mini}/templates?"), 2),
        (format!("{mini}/categories?"), 2),
        (format!("{mini}/template-library/2001/keywords?"), 2),
        (format!("{mini}/template-library?categories={}&", categories.join(",")), 2),
        (format!("/v1/consents?appid={}&openid={openid}&", main.appid()), 4),
        ("/v1/message-counts?".to_owned(), 2),
    ] {
        let whole = sender.get(&path).await;
        assert_eq!(whole.status, 200, "{path}: {whole:?}");
        let whole = whole.json();
        let entries = whole["data"].as_array().unwrap();
        assert!(entries.len() >= min, "{path}: {whole}");
        assert_eq!(whole["next_cursor"], Value::Null, "{path}");
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = sender.get(&format!("{path}limit=1{cursor}")).await;
            assert_eq!(page.status, 200, "{path}: {page:?}");
            let page = page.json();
            seen.extend(page["data"].as_array().unwrap().clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(&seen, entries, "{path}");
        for query in ["limit=0", "limit=1001", "cursor=x", "cursor=f0000000000000001", "start=1"] {
            let answer = sender.get(&format!("{path}{query}")).await;
            assert_eq!(status_and_code(&answer), (400, "invalid_query".into()), "{path}{query}");
        }
    }
}
