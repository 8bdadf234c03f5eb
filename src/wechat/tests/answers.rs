//! Answers in all forms that WeChat has used over the years.

use super::super::{Class, FollowerPage, Quota, RateLimit};
use super::account;
use super::server::{Server, json};
use crate::model::{OpenId, Profile};

async fn list(body: &str) -> Result<FollowerPage, Class> {
    let server = Server::answering([json(body)]).await;
    account(&server.base_url).list_followers(None).await.map_err(|error| error.class())
}

async fn batch(body: &[u8]) -> Vec<Profile> {
    let server = Server::answering([json(body)]).await;
    let openids: [OpenId; 1] = ["oTESTopenid01".parse().unwrap()];
    account(&server.base_url).profiles(&openids).await.unwrap()
}

#[tokio::test]
async fn a_page_of_followers_is_decoded() {
    let page = list(
        r#"{"total":3,"count":"3","data":{"openid":["", " oA1 ","oB2"]},"next_openid":"oB2","errcode":0}"#,
    );
    let page = page.await.unwrap();
    assert_eq!((page.total, page.count, page.next_openid.as_str()), (3, 3, "oB2"));
    assert_eq!(page.openids.unwrap(), ["", "oA1", "oB2"]);
}

#[tokio::test]
async fn a_page_without_data_has_no_openids() {
    for body in [
        r#"{"total":3,"count":0,"next_openid":""}"#,
        r#"{"total":3,"count":0}"#,
        r#"{"total":3,"count":0,"data":null,"next_openid":null}"#,
    ] {
        let page = list(body).await.unwrap();
        let empty = FollowerPage { total: 3, count: 0, openids: None, next_openid: String::new() };
        assert_eq!(page, empty, "{body}");
    }
}

#[tokio::test]
async fn a_malformed_page_is_not_an_empty_account() {
    for body in ["{}", "[]", r#"{"total":3,"count":3,"data":{"openid":"oA1"}}"#, r#"{"total":-1}"#]
    {
        assert_eq!(list(body).await.unwrap_err(), Class::Undecodable, "{body}");
    }
}

#[tokio::test]
async fn the_cursor_is_sent_only_if_it_is_not_empty() {
    let server = Server::answering([json(r#"{"total":0,"count":0}"#)]).await;
    let account = account(&server.base_url);
    account.list_followers(Some("oA_1-")).await.unwrap();
    account.list_followers(Some("")).await.unwrap();
    let requests = server.requests();
    assert!(requests[0].starts_with("GET /cgi-bin/user/get?access_token=token&next_openid=oA_1- "));
    assert!(requests[1].starts_with("GET /cgi-bin/user/get?access_token=token HTTP"));
}

#[tokio::test]
async fn a_profile_is_decoded_with_old_and_new_fields() {
    let body = r#"{"subscribe":1,"openid":"oTESTopenid01","nickname":"某","sex":"1","language":"zh_CN",
        "city":"","headimgurl":"http:\/\/example.com\/0","subscribe_time":1700000000,
        "unionid":" uTESTunion01","remark":"常客","groupid":0,"tagid_list":[128,2],
        "subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":98765,"qr_scene_str":"","privilege":[]}"#;
    let server = Server::answering([json(body)]).await;
    let openid: OpenId = "oTESTopenid01".parse().unwrap();
    let profile = account(&server.base_url).profile(&openid).await.unwrap();
    let expected = Profile {
        openid,
        subscribed: true,
        unionid: Some("uTESTunion01".parse().unwrap()),
        subscribed_at: Some(1_700_000_000),
        subscribe_scene: Some("ADD_SCENE_QR_CODE".into()),
        language: Some("zh_CN".into()),
        remark: Some("常客".into()),
        tag_ids: vec![128, 2],
        qr_scene: Some(98765),
        qr_scene_text: None,
    };
    assert_eq!(profile, expected);
}

#[tokio::test]
async fn an_invalid_profile_field_is_dropped_and_the_profile_kept() {
    let rows = batch(
        br#"{"user_info_list":[
            {"openid":"oA","subscribe":true,"unionid":"","remark":5,"subscribe_time":"1700000000","tagid_list":null,"qr_scene":"0"},
            {"openid":"oB","subscribe":"0","unionid":"u B","tagid_list":["7",{}],"qr_scene":"12"},
            {"openid":"oC","subscribe":null,"unionid":["x"],"language":{"a":[1]},"subscribe_time":null},
            {"openid":"o'D","subscribe":1}, {"subscribe":1}, null, "oE", [1]
        ]}"#,
    )
    .await;
    let openids: Vec<&str> = rows.iter().map(|row| row.openid.as_str()).collect();
    assert_eq!(openids, ["oA", "oB", "oC"]);
    assert_eq!([rows[0].subscribed, rows[1].subscribed, rows[2].subscribed], [true, false, true]);
    assert!(rows.iter().all(|row| row.unionid.is_none() && row.remark.is_none()));
    assert_eq!((rows[0].subscribed_at, rows[0].qr_scene), (Some(1_700_000_000), None));
    assert_eq!((rows[1].tag_ids.as_slice(), rows[1].qr_scene), ([7].as_slice(), Some(12)));
}

#[tokio::test]
async fn one_broken_remark_does_not_lose_the_other_profiles() {
    let rows = batch(
        b"{\"user_info_list\":[{\"openid\":\"oA\",\"remark\":\"a\x07\xff\\d\\\",\"subscribe\":1},\
          {\"openid\":\"oB\",\"unionid\":\"uB\"}]}",
    )
    .await;
    assert_eq!(rows[0].remark.as_deref(), Some("a\u{FFFD}d\\"));
    assert_eq!(rows[1].unionid, Some("uB".parse().unwrap()));
}

#[tokio::test]
async fn an_empty_profile_batch_makes_no_call() {
    assert!(account("http://127.0.0.1:1").profiles(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_quota_is_decoded_with_missing_fields() {
    let body = r#"{"errcode":0,"errmsg":"ok","quota":{"daily_limit":500,"used":"3","remain":497},
        "rate_limit":{"call_count":100,"refresh_second":60},"component_rate_limit":{}}"#;
    let server = Server::answering([json(body), json(r#"{"errcode":0}"#)]).await;
    let account = account(&server.base_url);
    let quota = account.quota("/cgi-bin/user/get").await.unwrap();
    let rate_limit = Some(RateLimit { call_count: 100, refresh_seconds: 60 });
    let expected = Quota { daily_limit: Some(500), used: Some(3), remain: Some(497), rate_limit };
    assert_eq!(quota, expected);
    let none = Quota { daily_limit: None, used: None, remain: None, rate_limit: None };
    assert_eq!(account.quota("/cgi-bin/user/get").await.unwrap(), none);
    assert!(server.requests()[0].ends_with(r#"{"cgi_path":"/cgi-bin/user/get"}"#));
    assert_eq!(account.calls()["openapi/quota/get"], 2);
}
