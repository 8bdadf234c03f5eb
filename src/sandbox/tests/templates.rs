//! The templates and industries of an Official Account.

use std::time::Duration;

use chrono::DateTime;
use serde_json::json;

use super::*;
use crate::clock::Clock;

fn path(token: &str, name: &str) -> String {
    format!("/cgi-bin/template/{name}?access_token={token}")
}

#[tokio::test]
async fn templates_can_be_added_and_deleted() {
    let (sandbox, token) = small_world(10).await;
    let path = |name| path(&token, name);
    let body = json!({"template_id_short": "42", "keyword_name_list": ["订单编号", "支付金额"]});
    let added = post(&sandbox, &path("api_add_template"), &body).await;
    let list = get(&sandbox, &path("get_all_private_template")).await;
    assert_eq!(list["template_list"].as_array().unwrap().len(), 3);
    let expected = json!({
        "template_id": added["template_id"],
        "title": "42",
        "primary_industry": "",
        "deputy_industry": "",
        "content": "订单编号:{{character_string1.DATA}}\n支付金额:{{amount2.DATA}}\n",
        "example": "订单编号:A20260101-7\n支付金额:¥12.50\n",
    });
    assert_eq!(list["template_list"][2], expected);
    let removal = json!({"template_id": added["template_id"]});
    assert_eq!(post(&sandbox, &path("del_private_template"), &removal).await["errcode"], 0);
    assert_eq!(post(&sandbox, &path("del_private_template"), &removal).await["errcode"], 40037);
}

#[tokio::test]
async fn a_template_that_cannot_be_added_returns_its_errcode() {
    let (sandbox, token) = small_world(10).await;
    let add = async |id: &str, names: &[&str]| {
        let body = json!({"template_id_short": id, "keyword_name_list": names});
        post(&sandbox, &path(&token, "api_add_template"), &body).await["errcode"].clone()
    };
    for (id, names, expected) in [
        ("", &["商品"][..], 40037),
        ("unknown", &["商品"], 40037),
        ("42", &[], 40246),
        ("42", &["商品", "missing"], 40246),
        ("OPENTM9001", &[], 45027),
    ] {
        assert_eq!(add(id, names).await, expected, "{id:?} {names:?}");
    }
    for _ in 0..23 {
        assert_eq!(add("TM00015", &[]).await, 0);
    }
    assert_eq!(add("TM00015", &[]).await, 45026);
}

#[tokio::test]
async fn industries_can_be_changed_once_a_month() {
    let clock = Clock::manual(DateTime::from_timestamp_secs(1_767_225_600).unwrap());
    let options = Options { clock: clock.clone(), ..Options::with_followers(10) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let set = async |ids: [&str; 2]| {
        let token = stable_token(&sandbox, &sandbox.main()).await;
        let body = json!({"industry_id1": ids[0], "industry_id2": ids[1]});
        post(&sandbox, &path(&token, "api_set_industry"), &body).await["errcode"].clone()
    };
    assert_eq!(set(["1", "42"]).await, 40102);
    assert_eq!(set(["2", "3"]).await, 0);
    assert_eq!(set(["5", "6"]).await, 43100);
    let token = stable_token(&sandbox, &sandbox.main()).await;
    let industry = get(&sandbox, &path(&token, "get_industry")).await;
    assert_eq!(industry["secondary_industry"]["second_class"], "3");
    clock.advance(Duration::from_secs(31 * 86_400));
    assert_eq!(set(["5", "6"]).await, 0);
}
