//! The follower list and profiles.

use std::collections::HashSet;

use super::*;
use crate::sandbox::{Drift, LastPage, OfficialAccount, Quirk};

async fn crawl(sandbox: &Sandbox, token: &str) -> (Vec<String>, u32) {
    let (mut seen, mut next, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = page(sandbox, token, &next).await;
        pages += 1;
        let ids = page["data"]["openid"].as_array().cloned().unwrap_or_default();
        assert_eq!(page["count"], ids.len());
        seen.extend(ids.iter().map(|id| id.as_str().unwrap().to_owned()));
        next = page["next_openid"].as_str().unwrap().to_owned();
        if next.is_empty() {
            return (seen, pages);
        }
    }
}

#[tokio::test]
async fn each_follower_is_listed_once_however_the_list_ends() {
    let (sandbox, token) = small_world(250).await;
    sandbox.main().leave(0..20);
    let (seen, pages) = crawl(&sandbox, &token).await;
    assert_eq!(pages, 4, "the last page has a next_openid, and an empty page follows");
    let expected: HashSet<String> =
        sandbox.main().followers().map(|person| person.openid).collect();
    assert_eq!(seen.len(), 230);
    assert_eq!(seen.iter().cloned().collect::<HashSet<_>>(), expected);
    sandbox.main().set_last_page(LastPage::EndsTheList);
    assert_eq!(crawl(&sandbox, &token).await, (seen, 3));
}

#[tokio::test]
async fn the_page_of_an_empty_account_has_no_data() {
    let (sandbox, token) = small_world(0).await;
    let page = page(&sandbox, &token, "").await;
    assert_eq!(page, serde_json::json!({"total": 0, "count": 0, "next_openid": ""}));
}

#[tokio::test]
async fn a_foreign_cursor_is_refused_and_a_departed_one_only_if_enabled() {
    let (sandbox, token) = small_world(250).await;
    let foreign = sandbox.mini_program().unwrap().person(1).openid;
    assert_eq!(page(&sandbox, &token, &foreign).await["errcode"], 40003);
    let gone = sandbox.main().person(1).openid;
    sandbox.main().leave([1]);
    assert!(page(&sandbox, &token, &gone).await["errcode"].is_null());
    sandbox.main().refuse_departed_cursors(true);
    assert_eq!(page(&sandbox, &token, &gone).await["errcode"], 40003);
}

#[tokio::test]
async fn followers_can_join_and_leave_during_listing() {
    let (sandbox, token) = small_world(250).await;
    sandbox.main().set_drift(Drift { leave: 3, join: 5, cursor_leaves: true });
    let first = page(&sandbox, &token, "").await;
    assert_eq!(sandbox.main().follower_count(), 250 + 5 - 4);
    assert!(!sandbox.main().is_follower(first["next_openid"].as_str().unwrap()));
}

#[tokio::test]
async fn a_profile_has_wechats_fields_and_no_errcode() {
    let (sandbox, token) = small_world(50).await;
    let person = sandbox.main().person(7);
    let path = format!("/cgi-bin/user/info?access_token={token}&openid={}", person.openid);
    let profile = get(&sandbox, &path).await;
    assert_eq!(profile["subscribe"], 1);
    assert_eq!(profile["openid"], person.openid);
    assert_eq!(profile["unionid"].as_str(), person.unionid.as_deref());
    let fields: Vec<_> = profile.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "city country groupid headimgurl language nickname openid province qr_scene \
                    qr_scene_str remark sex subscribe subscribe_scene subscribe_time tagid_list \
                    unionid";
    assert_eq!(fields.join(" "), expected);
}

#[tokio::test]
async fn a_non_followers_profile_has_no_unionid() {
    let (sandbox, token) = small_world(50).await;
    sandbox.main().leave([7]);
    let rows = batch(&sandbox, &token, &openids(&sandbox, 6..9)).await;
    let rows = rows["user_info_list"].as_array().unwrap();
    assert_eq!(rows[1]["subscribe"], 0);
    for absent in ["unionid", "subscribe_time", "remark", "groupid", "subscribe_scene"] {
        assert!(rows[1][absent].is_null() && !rows[0][absent].is_null(), "{absent}");
    }
}

#[tokio::test]
async fn a_user_has_one_unionid_in_all_bound_accounts() {
    let mut options = Options::with_followers(50);
    let second = OfficialAccount::new("second", "wx0a00000000000002", "secret", 10);
    options.official_accounts.push(second);
    let sandbox = Sandbox::start(options).await.unwrap();
    let second = sandbox.account("wx0a00000000000002").unwrap();
    let program = sandbox.mini_program().unwrap();
    let [a, b, c] = [&sandbox.main(), &second, &program].map(|account| account.person(3));
    assert_ne!(a.openid, b.openid);
    assert_eq!((&a.unionid, &a.unionid), (&b.unionid, &c.unionid));
    second.rebind();
    assert_ne!(second.person(3).unionid, a.unionid);
    assert_eq!(sandbox.main().person(3).unionid, a.unionid);
    sandbox.rebind();
    assert_ne!(sandbox.main().person(3).unionid, a.unionid);
    assert_eq!(sandbox.main().person(3).unionid, program.person(3).unionid);
}

#[tokio::test]
async fn one_invalid_openid_fails_the_whole_batch() {
    let (sandbox, token) = small_world(250).await;
    sandbox.main().quirk([42], Quirk::Poison);
    let poisoned = batch(&sandbox, &token, &openids(&sandbox, 0..100)).await;
    assert_eq!(poisoned["errcode"], 40003);
    let path = format!("/cgi-bin/user/info?access_token={token}&openid=");
    let alone = get(&sandbox, &(path + &sandbox.main().person(42).openid)).await;
    assert_eq!(alone["errcode"], 40003);
    let rest = batch(&sandbox, &token, &openids(&sandbox, 43..143)).await;
    assert_eq!(rest["user_info_list"].as_array().unwrap().len(), 100);
    let mut altered = openids(&sandbox, 0..2);
    altered[1] = altered[1].to_uppercase();
    assert_eq!(batch(&sandbox, &token, &altered).await["errcode"], 40003);
}

#[tokio::test]
async fn a_batch_has_one_to_a_hundred_openids() {
    let (sandbox, token) = small_world(250).await;
    for people in [0..0, 0..101] {
        let refused = batch(&sandbox, &token, &openids(&sandbox, people)).await;
        assert_eq!(refused["errcode"], 40032);
    }
    let path = format!("POST /cgi-bin/user/info/batchget?access_token={token} HTTP/1.1\r\nhost: x");
    assert_eq!(send(&sandbox, &path, "user_list=1").await.unwrap().json()["errcode"], 47001);
}

#[tokio::test]
async fn unionids_can_be_missing_only_in_batches() {
    let (sandbox, token) = small_world(50).await;
    let main = sandbox.main();
    main.without_unionid([1]);
    main.quirk([2], Quirk::NoUnionidInBatch);
    main.quirk([3], Quirk::UnionidInBatchOf(9));
    let rows = batch(&sandbox, &token, &openids(&sandbox, 0..4)).await;
    let rows = &rows["user_info_list"];
    assert_eq!(rows[0]["unionid"].as_str(), main.person(0).unionid.as_deref());
    assert!(rows[1]["unionid"].is_null() && rows[2]["unionid"].is_null());
    assert_eq!(rows[3]["unionid"].as_str(), main.person(9).unionid.as_deref());
    assert_eq!(main.person(1).unionid, None);
    let path = format!("/cgi-bin/user/info?access_token={token}&openid=");
    let alone = get(&sandbox, &(path + &main.person(2).openid)).await;
    assert_eq!(alone["unionid"].as_str(), main.person(2).unionid.as_deref());
}

#[tokio::test]
async fn a_remark_can_make_a_body_invalid_json() {
    use crate::sandbox::Dirt::*;
    for dirt in [ControlCharacters, InvalidUtf8, BareQuote, StrayBackslash] {
        let (sandbox, token) = small_world(50).await;
        sandbox.main().quirk([5], Quirk::Remark(dirt));
        let openid = sandbox.main().person(5).openid;
        let head = format!("GET /cgi-bin/user/info?access_token={token}&openid={openid} HTTP/1.1");
        let response = send(&sandbox, &format!("{head}\r\nhost: x"), "").await.unwrap();
        assert!(serde_json::from_slice::<Value>(&response.body).is_err(), "{dirt:?}");
    }
}

#[tokio::test]
async fn numbers_can_be_sent_as_strings() {
    let (sandbox, token) = small_world(50).await;
    sandbox.main().quirk([5], Quirk::NumericStrings);
    let rows = batch(&sandbox, &token, &openids(&sandbox, 5..6)).await;
    assert_eq!(rows["user_info_list"][0]["subscribe"], "1");
}

#[tokio::test]
async fn followers_of_an_account_can_be_selected_to_leave() {
    let (sandbox, _) = small_world(50).await;
    let main = sandbox.main();
    let odd_numbers = main.followers().map(|person| person.number).filter(|number| number % 2 == 1);
    assert_eq!(main.leave(odd_numbers), 25);
    main.without_unionid(main.followers().map(|person| person.number));
    assert!(main.followers().all(|person| person.unionid.is_none()));
    main.clear_quirks(main.followers().map(|person| person.number));
    assert!(main.followers().all(|person| person.unionid.is_some()));
    assert_eq!(main.rejoin([1, 3, 60]), 2);
    assert_eq!(main.join(3), 50..53);
    assert_eq!((main.follower_count(), main.leave_any(100)), (30, 30));
    assert!(!main.is_follower(&main.person(2).openid));
}

#[tokio::test]
async fn equal_seeds_produce_equal_sandboxes() {
    let world = async |seed| Sandbox::start(Options { seed, ..Options::default() }).await.unwrap();
    let [a, b, c] = [world(7).await, world(7).await, world(8).await];
    let first = |sandbox: &Sandbox| sandbox.main().followers().next().unwrap();
    assert_eq!(first(&a), first(&b));
    assert_ne!(first(&a).openid, first(&c).openid);
    assert_ne!(first(&a).unionid, first(&c).unionid);
}
