//! The API of Mini Programs' template messages that WeChat retired in 2020.

use serde_json::json;

use super::*;
use crate::sandbox::Call;

/// Starts a sandbox with or without the retired API. Returns it with a token of its Mini Program.
async fn world(legacy_templates: bool) -> (Sandbox, String) {
    let options = Options { legacy_templates, ..Options::with_followers(10) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let token = stable_token(&sandbox, &sandbox.mini_program().unwrap()).await;
    (sandbox, token)
}

async fn call((sandbox, token): &(Sandbox, String), name: &str, body: Value) -> Value {
    post(sandbox, &format!("/cgi-bin/{name}?access_token={token}"), &body).await
}

#[tokio::test]
async fn legacy_calls_are_refused_as_retired() {
    let world = world(false).await;
    for name in ["library/list", "library/get", "add", "list", "del"] {
        let refused = call(&world, &format!("wxopen/template/{name}"), json!({})).await;
        assert_eq!(refused["errcode"], 45103, "{name}");
    }
    assert_eq!(call(&world, "message/wxopen/template/send", json!({})).await["errcode"], 45103);
    let uniform = call(&world, "message/wxopen/template/uniform_send", json!({})).await;
    assert_eq!(uniform["errcode"], 45109);
    assert!(uniform["errmsg"].as_str().unwrap().contains("https://"));
    let official = stable_token(&world.0, &world.0.main()).await;
    let path = format!("/cgi-bin/wxopen/template/list?access_token={official}");
    assert_eq!(post(&world.0, &path, &json!({})).await["errcode"], 48001);
}

#[tokio::test]
async fn legacy_mode_lists_its_library_and_adds_templates() {
    let world = world(true).await;
    let library = call(&world, "wxopen/template/library/list", json!({"offset": 0, "count": 1}));
    let expected = json!({
        "errcode": 0, "errmsg": "ok", "total_count": 5,
        "list": [{"id": "AT0002", "title": "购买成功通知"}],
    });
    assert_eq!(library.await, expected);
    let keywords = call(&world, "wxopen/template/library/get", json!({"id": "AT0002"})).await;
    let keyword = json!({"keyword_id": 3, "name": "购买地点", "example": "TIT造舰厂"});
    assert_eq!(
        (&keywords["title"], &keywords["keyword_list"][0]),
        (&json!("购买成功通知"), &keyword)
    );
    let addition = json!({"id": "AT0002", "keyword_id_list": [3, 5]});
    let added = call(&world, "wxopen/template/add", addition).await;
    let list = call(&world, "wxopen/template/list", json!({"offset": 0, "count": 20})).await;
    let expected = json!([{
        "template_id": added["template_id"],
        "title": "购买成功通知",
        "content": "购买地点{{keyword1.DATA}}\n物品名称{{keyword2.DATA}}\n",
        "example": "购买地点:TIT造舰厂\n物品名称:咖啡\n",
    }]);
    assert_eq!(list["list"], expected);
    let list = call(&world, "wxopen/template/list", json!({"offset": 1, "count": 20})).await;
    assert_eq!(list["list"], json!([]));
    let removal = json!({"template_id": added["template_id"]});
    assert_eq!(call(&world, "wxopen/template/del", removal.clone()).await["errcode"], 0);
    assert_eq!(call(&world, "wxopen/template/del", removal).await["errcode"], 40037);
}

#[tokio::test]
async fn an_invalid_legacy_template_request_returns_its_errcode() {
    let world = world(true).await;
    for (name, body, expected) in [
        ("library/list", json!({}), 47001),
        ("library/get", json!({"id": "AT9"}), 40037),
        ("add", json!({"id": "AT9", "keyword_id_list": [1]}), 40037),
        ("add", json!({"id": "AT0002"}), 40097),
        ("add", json!({"id": "AT0002", "keyword_id_list": [3, 99]}), 40097),
        ("add", json!({"id": "AT0002", "keyword_id_list": vec![3; 11]}), 40097),
    ] {
        let refused = call(&world, &format!("wxopen/template/{name}"), body).await;
        assert_eq!(refused["errcode"], expected, "{name}");
    }
}

#[tokio::test]
async fn a_form_id_is_valid_for_one_message() {
    let world = world(true).await;
    let program = world.0.mini_program().unwrap();
    let addition = json!({"id": "AT0005", "keyword_id_list": [1, 2]});
    let template = call(&world, "wxopen/template/add", addition).await["template_id"].clone();
    let form = post(&world.0, "/sandbox/form-ids", &json!({"person": 3})).await["form_id"].clone();
    let message = |changes: Value| {
        let mut message = json!({
            "touser": program.person(3).openid,
            "template_id": template,
            "page": "index",
            "form_id": form,
            "data": {"keyword1": {"value": "12元", "color": "#173177"}},
            "emphasis_keyword": "keyword1.DATA",
        });
        let changes = changes.as_object().unwrap().clone();
        message.as_object_mut().unwrap().extend(changes);
        message
    };
    for (changes, expected) in [
        (json!({"touser": "nobody"}), 40003),
        (json!({"template_id": program.template_ids()[0]}), 40037),
        (json!({"page": "missing/index"}), 41030),
        (json!({"form_id": "unknown"}), 41028),
        (json!({"form_id": program.mint_form_id(4)}), 41028),
        (json!({}), 0),
        (json!({}), 41029),
        (json!({"form_id": "form-any-3"}), 0),
    ] {
        let answer = call(&world, "message/wxopen/template/send", message(changes.clone())).await;
        assert_eq!(answer["errcode"], expected, "{changes}");
    }
    let sent = world.0.sent_messages();
    assert_eq!((sent.len(), sent[0].call, sent[0].person), (2, Call::WxopenSend, 3));
    assert_eq!(sent[0].body["emphasis_keyword"], "keyword1.DATA");
}
