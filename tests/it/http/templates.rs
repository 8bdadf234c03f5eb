//! Templates and industries of accounts, with WeChat's answers and refusals passed through.

use rstest::rstest;
use serde_json::{Value, json};
use unionid_bridge::sandbox::{Call, Fault};

use crate::harness::{Answer, Backend, FOLLOWER, Sender, by_openid, status_and_code};

impl Sender {
    async fn delete(&self, path: &str) -> Answer {
        self.service.delete(path).key(&self.key).send().await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.service.call("PUT", path).json(body).key(&self.key).send().await
    }

    fn official(&self, rest: &str) -> String {
        format!("/v1/official-accounts/{}/{rest}", self.world.main().appid())
    }

    fn mini(&self, rest: &str) -> String {
        format!("/v1/mini-programs/{}/{rest}", self.program().appid())
    }
}

fn template_ids(list: &Answer) -> Vec<String> {
    assert_eq!(list.status, 200, "{list:?}");
    let list = list.json();
    let ids = list["data"].as_array().unwrap().iter();
    ids.map(|template| template["template_id"].as_str().unwrap().to_owned()).collect()
}

#[rstest]
#[tokio::test]
async fn an_official_accounts_templates_are_listed_added_used_and_deleted(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let (main, path) = (sender.world.main(), sender.official("templates"));
    let list = sender.get(&path).await;
    assert_eq!(template_ids(&list), main.template_ids());
    let first = &list.json()["data"][0];
    assert_eq!(first["keys"], json!(["character_string1", "thing2", "time3"]));
    assert!(first["content"].as_str().unwrap().contains("{{thing2.DATA}}"), "{first}");
    assert_eq!(first.as_object().unwrap().len(), 5);
    // The account's templates are cached now, but a new one can be used at once.
    sender.send_accepted(sender.message(by_openid(&main, FOLLOWER))).await;
    let body = json!({ "template_id_short": "43216", "keyword_name_list": ["商品", "支付时间"] });
    let added = sender.post(&path, body).await;
    assert_eq!(added.status, 201, "{added:?}");
    let id = added.json()["template_id"].as_str().unwrap().to_owned();
    assert!(main.template_ids().contains(&id));
    let mut message = sender.message(by_openid(&main, FOLLOWER));
    message["template_id"] = json!(id);
    let refusal = sender.send(message.clone()).await;
    assert_eq!(status_and_code(&refusal), (400, "data_invalid".into()));
    message["data"] = json!({ "thing1": "伞", "time2": "12:00" });
    sender.send_accepted(message.clone()).await;
    let old = sender.post(&path, json!({ "template_id_short": "TM00015" })).await;
    assert_eq!(old.status, 201, "{old:?}");

    let gone = sender.delete(&format!("{path}/{id}")).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert!(!template_ids(&sender.get(&path).await).contains(&id));
    assert_eq!(status_and_code(&sender.send(message).await), (404, "template_unknown".into()));
}

#[tokio::test]
async fn industries_are_shown_and_set() {
    let sender = Sender::on(Backend::Sqlite).await.unwrap();
    let path = sender.official("industry");
    let class = |id: &str| json!({ "first_class": "行业", "second_class": id });
    let shown = sender.get(&path).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let both = |first: &str, second: &str| json!({ "primary_industry": class(first), "secondary_industry": class(second) });
    assert_eq!(shown.json(), both("1", "4"));
    // WeChat writes these numbers as strings, other clients do not.
    let set = sender.put(&path, json!({ "industry_id1": "2", "industry_id2": 5 })).await;
    assert_eq!((set.status, set.text.as_str()), (204, ""), "{set:?}");
    assert_eq!(sender.get(&path).await.json(), both("2", "5"));
    let again = sender.put(&path, json!({ "industry_id1": "1", "industry_id2": "4" })).await;
    assert_eq!(status_and_code(&again), (422, "wechat_refused_request".into()));
    assert_eq!(again.json()["upstream"]["errcode"], 43_100);
    for number in [json!(""), json!("one"), json!(-1), json!(1.5), json!("123456789"), json!(null)]
    {
        let body = json!({ "industry_id1": number, "industry_id2": "1" });
        assert_eq!(status_and_code(&sender.put(&path, body).await), (400, "invalid_body".into()));
    }
}

#[rstest]
#[tokio::test]
async fn mini_program_templates_are_added_from_wechats_library(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let categories = sender.get(&sender.mini("categories")).await;
    assert_eq!(categories.status, 200, "{categories:?}");
    let categories = categories.json()["data"].as_array().unwrap().clone();
    let numbers: Vec<_> = categories.iter().map(|it| it["category_id"].to_string()).collect();
    assert!(numbers.len() == 2 && categories[0]["name"].is_string(), "{categories:?}");
    let library = sender.mini(&format!("template-library?categories={}", numbers.join(",")));
    let all = sender.get(&library).await;
    assert_eq!(all.status, 200, "{all:?}");
    let all = all.json();
    let titles = all["data"].as_array().unwrap();
    assert_eq!(all["total"], titles.len());
    let (tid, kinds) = (&titles[0]["tid"], titles.iter().map(|title| title["kind"].clone()));
    let kinds: Vec<_> = kinds.collect();
    assert!(kinds.contains(&json!("one_time")) && kinds.contains(&json!("long_term")), "{kinds:?}");
    assert_eq!(titles[0]["category_id"].to_string(), numbers[0]);
    let first = sender.get(&format!("{library}&limit=1")).await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = sender.get(&format!("{library}&cursor={cursor}")).await.json();
    let rest = json!({ "data": titles[1..], "total": titles.len(), "next_cursor": null });
    assert_eq!((&first["data"][0], &second), (&titles[0], &rest));
    let tid = tid.as_str().unwrap();
    let keywords = sender.get(&sender.mini(&format!("template-library/{tid}/keywords"))).await;
    assert_eq!(keywords.status, 200, "{keywords:?}");
    let keywords = keywords.json()["data"].as_array().unwrap().clone();
    let keyword = &keywords[1];
    assert!(["name", "example", "rule"].iter().all(|it| keyword[it].is_string()), "{keyword}");

    let path = sender.mini("templates");
    let ids = [&keywords[1]["keyword_id"], &keywords[0]["keyword_id"]];
    let body = json!({ "tid": tid, "keyword_ids": ids, "scene": "付款之后" });
    let added = sender.post(&path, body).await;
    assert_eq!(added.status, 201, "{added:?}");
    let id = added.json()["template_id"].as_str().unwrap().to_owned();
    let list = sender.get(&path).await;
    assert_eq!(template_ids(&list), sender.program().template_ids());
    let list = list.json();
    let template = list["data"].as_array().unwrap().iter().find(|it| it["template_id"] == id);
    let template = template.unwrap();
    assert_eq!((&template["kind"], template.as_object().unwrap().len()), (&json!("one_time"), 6));
    assert_eq!(template["keys"].as_array().unwrap().len(), 2);
    assert_eq!(sender.delete(&format!("{path}/{id}")).await.status, 204);
    assert!(!template_ids(&sender.get(&path).await).contains(&id));

    for query in [
        "",
        "categories=",
        "categories=1,",
        "categories=-1",
        "categories=1&limit=31",
        "categories=1&start=1",
        "categories=1&cursor=x",
    ] {
        let answer = sender.get(&sender.mini(&format!("template-library?{query}"))).await;
        assert_eq!(status_and_code(&answer), (400, "invalid_query".into()), "{query}");
    }
    for body in [
        json!({ "tid": 2001, "keyword_ids": [1, 2], "scene": "x" }),
        json!({ "tid": "2001", "keyword_ids": ["1"], "scene": "x" }),
        json!({ "tid": "2001", "keyword_ids": [1, 2], "scene": "x".repeat(16) }),
        json!({ "tid": "2001", "keyword_ids": [1, 2], "scene": "\u{202e}x" }),
        json!({ "tid": "20 01", "keyword_ids": [1, 2], "scene": "x" }),
        json!({ "tid": "2001", "kidList": [1, 2], "scene": "x" }),
    ] {
        let answer = sender.post(&path, body.clone()).await;
        assert_eq!(status_and_code(&answer), (400, "invalid_body".into()), "{body}");
    }
}

#[tokio::test]
async fn a_wechat_rejection_is_returned_with_its_errcode_and_rid() {
    let sender = Sender::on(Backend::Sqlite).await.unwrap();
    let (templates, programs) = (sender.official("templates"), sender.mini("templates"));
    let no_keywords = json!({ "template_id_short": "43216" });
    let no_title = json!({ "tid": "1", "keyword_ids": [1, 2], "scene": "x" });
    let one_keyword = json!({ "tid": "2001", "keyword_ids": [1], "scene": "x" });
    for (answer, errcode) in [
        (sender.post(&templates, no_keywords).await, 40_246),
        (sender.post(&templates, json!({ "template_id_short": "x-1" })).await, 40_037),
        (sender.post(&templates, json!({ "template_id_short": "TM90001" })).await, 45_027),
        (sender.delete(&format!("{templates}/none-such")).await, 40_037),
        (sender.post(&programs, no_title).await, 200_014),
        (sender.post(&programs, one_keyword).await, 200_020),
        (sender.get(&sender.mini("template-library?categories=9")).await, 200_019),
        (sender.get(&sender.mini("template-library/1/keywords")).await, 200_014),
    ] {
        assert_eq!(status_and_code(&answer), (422, "wechat_refused_request".into()));
        assert_eq!(answer.json()["upstream"]["errcode"], errcode, "{answer:?}");
        assert!(answer.json()["upstream"]["rid"].is_string(), "{answer:?}");
    }
    for (fault, expected) in [
        (Fault::Errcode(48_001), (502, "wechat_refused")),
        (Fault::Html, (502, "wechat_not_understood")),
        (Fault::Errcode(-1), (503, "wechat_busy")),
        (Fault::Errcode(45_009), (503, "wechat_quota_spent")),
    ] {
        sender.world.fail(Call::TemplateList, 1..=u64::MAX, fault);
        let answer = sender.get(&templates).await;
        assert_eq!(status_and_code(&answer), (expected.0, expected.1.into()));
        if expected.0 == 503 {
            assert!(!answer.header("retry-after").is_empty());
        }
        sender.world.clear_faults();
    }
    let some = sender.key_for(&["wx0a00000000000009"]).await;
    for path in [&templates, &programs, &sender.official("industry"), &sender.mini("categories")] {
        let answer = sender.service.get(path).key(&some).send().await;
        assert_eq!(status_and_code(&answer), (403, "app_not_allowed".into()), "{path}");
    }
    for (path, code) in [
        ("/v1/official-accounts/wx0/templates", "official_account_unknown"),
        ("/v1/official-accounts/wx0/industry", "official_account_unknown"),
        ("/v1/mini-programs/wx0/templates", "mini_program_unknown"),
        ("/v1/mini-programs/wx0/categories", "mini_program_unknown"),
    ] {
        assert_eq!(status_and_code(&sender.get(path).await), (404, code.into()));
    }
    let crossed = format!("/v1/mini-programs/{}/templates", sender.world.main().appid());
    assert_eq!(status_and_code(&sender.get(&crossed).await), (404, "mini_program_unknown".into()));
}
