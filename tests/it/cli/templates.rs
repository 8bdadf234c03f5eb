//! `templates` and `industry` on the command line, with the same JSON as the API.

use serde_json::Value;
use unionid_bridge::sandbox::{Options, Sandbox};

use crate::harness::{Bridge, ServeProcess, stderr};

#[tokio::test]
async fn templates_of_both_kinds_of_account_are_listed_added_and_deleted() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let official = ["templates", "add", "43216", "--keyword", "订单号", "--keyword", "商品"];
    let program = ["templates", "--app", "shop", "add", "2001"];
    let program =
        [&program[..], &["--keyword-id", "1", "--keyword-id", "2", "--scene", "x"]].concat();
    for (add, app) in [(&official[..], "main"), (&program, "shop")] {
        let list = ["templates", "list", "--app", app];
        let before = bridge.json(&list).await.as_array().unwrap().len();
        let added = bridge.json(add).await;
        let id = added["template_id"].as_str().unwrap_or_else(|| panic!("{added}"));
        let listed = bridge.run(&list).await;
        assert!(String::from_utf8(listed.stdout).unwrap().contains(id));
        let gone = bridge.run(&["templates", "delete", id, "--app", app]).await;
        assert_eq!(gone.status.code(), Some(0), "{}", stderr(&gone));
        assert_eq!(bridge.json(&list).await.as_array().unwrap().len(), before);
    }
}

#[tokio::test]
async fn template_json_matches_the_http_api() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let key = bridge.key("templates").await;
    let serving = ServeProcess::start(&bridge).await;
    let (main, shop) = (world.main(), world.mini_program().unwrap());
    let (main, shop) = (
        format!("/v1/official-accounts/{}", main.appid()),
        format!("/v1/mini-programs/{}", shop.appid()),
    );
    let program =
        async |rest: &[&str]| bridge.json(&[&["templates", "--app", "shop"], rest].concat()).await;
    let categories = program(&["categories"]).await;
    let numbers: Vec<_> = categories.as_array().unwrap().iter().collect();
    let numbers: Vec<_> = numbers.iter().map(|it| it["category_id"].to_string()).collect();
    let library = program(&["library"]).await;
    let tid = library["data"][0]["tid"].as_str().unwrap();
    for (shown, path) in [
        (bridge.json(&["templates", "list"]).await, format!("{main}/templates")),
        (program(&["list"]).await, format!("{shop}/templates")),
        (categories, format!("{shop}/categories")),
        (program(&["keywords", tid]).await, format!("{shop}/template-library/{tid}/keywords")),
        (
            library["data"].clone(),
            format!("{shop}/template-library?categories={}", numbers.join(",")),
        ),
    ] {
        let answer = serving.call("GET", &path).key(&key).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(shown.as_array().is_some_and(|entries| !entries.is_empty()), "{path}: {shown}");
        assert_eq!(shown, answer.json()["data"], "{path}");
    }
    let shown = bridge.json(&["industry", "show"]).await;
    let answer = serving.call("GET", &format!("{main}/industry")).key(&key).send().await.json();
    assert!(shown["primary_industry"]["first_class"].is_string(), "{shown}");
    assert_eq!(shown, answer);
}

#[tokio::test]
async fn options_of_another_template_kind_are_wrong_usage() {
    let mut options = Options::with_followers(1);
    options.legacy_templates = true;
    let world = Sandbox::start(options).await.unwrap();
    let bridge = Bridge::against(&world, "");
    for (arguments, option) in [
        (&["add", "43216", "--keyword-id", "1"][..], "--keyword-id"),
        (&["add", "43216", "--keyword", "商品", "--scene", "x"], "--scene"),
        (&["--app", "shop", "add", "2001", "--keyword", "商品"], "--keyword"),
        (&["--legacy", "add", "AT0002", "--keyword", "商品"], "--keyword"),
        (&["--legacy", "add", "AT0002", "--keyword-id", "1", "--scene", "x"], "--scene"),
        (&["--legacy", "library", "--category", "1"], "--category"),
        (&["categories"], "categories"),
        (&["library"], "titles"),
        (&["--legacy", "categories"], "categories"),
    ] {
        let refused = bridge.run(&[&["templates"], arguments].concat()).await;
        let text = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(option) && text.contains("hint: "), "{arguments:?}: {text}");
    }
    // No template was added.
    let added = bridge.json(&["templates", "--legacy", "list"]).await;
    assert_eq!(added, Value::Array(Vec::new()));
}

#[tokio::test]
async fn legacy_templates_have_the_same_json_members() {
    let mut options = Options::with_followers(1);
    options.legacy_templates = true;
    let world = Sandbox::start(options).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let legacy =
        async |rest: &[&str]| bridge.json(&[&["templates", "--legacy"], rest].concat()).await;
    let library = legacy(&["library"]).await;
    let tid = library["data"][0]["tid"].as_str().unwrap_or_else(|| panic!("{library}"));
    assert!(library["total"].is_u64(), "{library}");
    let keywords = legacy(&["keywords", tid]).await;
    let number = keywords[0]["keyword_id"].to_string();
    let added = legacy(&["add", tid, "--keyword-id", &number]).await;
    let listed = legacy(&["list"]).await;
    assert_eq!(listed[0]["template_id"], added["template_id"], "{listed}");
    assert!(listed[0]["keys"].is_array(), "{listed}");
}

#[tokio::test]
async fn industries_are_shown_and_set_once_a_month() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let shown = bridge.run(&["industry", "show"]).await;
    assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
    let set = bridge.json(&["industry", "set", "2", "16"]).await;
    assert!(set["primary_industry"]["first_class"].is_string(), "{set}");
    let again = bridge.run(&["industry", "set", "1", "4"]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stderr(&again).contains("43100") && stderr(&again).contains("month"),
        "{}",
        stderr(&again)
    );
}
