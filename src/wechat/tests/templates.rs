//! Templates and industries: the requests, and how the answers are parsed.

use super::super::subscribe::SubscribeTemplate;
use super::super::template::{Industries, Industry, Template};
use super::super::{Account, Class, Error};
use super::account;
use super::server::{Reply, Server, json, status};
use crate::model::TemplateId;

pub(super) const ID: &str = "iPk5sOIt5X_flOVKn5GrTFpncEYTojx6ddbt8WYoV5s";
pub(super) const OK: &str = r#"{"errcode":0,"errmsg":"ok"}"#;

pub(super) fn id() -> TemplateId {
    ID.parse().unwrap()
}

/// An account at a server that gives these replies.
pub(super) async fn at(replies: impl IntoIterator<Item = Reply>) -> (Account, Server) {
    let server = Server::answering(replies).await;
    (account(&server.base_url), server)
}

/// The request line and the body of the only request to this server.
pub(super) fn request_to(server: &Server) -> (String, String) {
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
    (line.replace("?access_token=token", ""), body.to_owned())
}

pub(super) fn template(content: &str) -> Template {
    let (title, content) = ("t".to_owned(), content.to_owned());
    Template { id: id(), title, content, example: String::new() }
}

#[tokio::test]
async fn templates_are_decoded_with_their_content() {
    let answer = format!(
        r#"{{"template_list":[{{"template_id":"{ID}","title":"领取奖金提醒","primary_industry":"IT科技",
        "content":"{{{{result.DATA}}}}\n\n领奖金额:{{{{withdrawMoney.DATA}}}}","example":"a\n\u0007b"}},
        {{"title":"no id"}},{{"template_id":"has blanks in it"}},
        {{"template_id":" x ","title":7,"content":null,"example":[]}}]}}"#
    );
    let (account, server) = at([json(answer)]).await;
    let templates = account.templates().await.unwrap();
    let line = "GET /cgi-bin/template/get_all_private_template".to_owned();
    assert_eq!(request_to(&server), (line, String::new()));
    let content = "{{result.DATA}}\n\n领奖金额:{{withdrawMoney.DATA}}".to_owned();
    let (title, example) = ("领取奖金提醒".to_owned(), "a\nb".to_owned());
    assert_eq!(templates[0], Template { id: id(), title, content, example });
    assert_eq!(templates[0].keys(), ["result", "withdrawMoney"]);
    assert_eq!((templates.len(), templates[1].id.as_str()), (2, "x"));
    assert!(templates[1].title.is_empty() && templates[1].keys().is_empty());
}

#[tokio::test]
async fn a_malformed_template_list_is_not_an_empty_list() {
    for answer in ["{}", "[]", OK, r#"{"template_list":null}"#, r#"{"template_list":"x"}"#] {
        let (account, _server) = at([json(answer)]).await;
        let error = account.templates().await.unwrap_err();
        assert_eq!(error.class(), Class::Undecodable, "{answer}");
    }
    let (account, _server) = at([json(r#"{"template_list":[]}"#)]).await;
    assert_eq!(account.templates().await.unwrap(), []);
}

#[test]
fn template_keys_are_found_in_order() {
    for (content, keys) in [
        (
            "{{first.DATA}}\n订单:{{keyword1.DATA}}\n{{remark.DATA}}",
            vec!["first", "keyword1", "remark"],
        ),
        ("{ {result.DATA} } {{ time.DATA }} {{a .DATA\n}}", vec!["result", "time", "a"]),
        ("{{a.DATA}}{{b.DATA}}{{a.DATA}}", vec!["a", "b"]),
        ("{{a.DATA}{b.DATA}}", vec!["a", "b"]),
        ("购买地点{{keyword1.DATA}}n购买时间{{keyword2.DATA}}n", vec!["keyword1", "keyword2"]),
        (
            "{{character_string12.DATA}}: {{phone_number3.DATA}}",
            vec!["character_string12", "phone_number3"],
        ),
        ("", vec![]),
        (".DATA {{.DATA}} {{a.data}} {{a}} a.DATA}} {{a.DATA {{a b.DATA}} {{a.b.DATA}}", vec![]),
        ("{{{{{{.DATA.DATA}}中.DATA}}", vec![]),
    ] {
        assert_eq!(template(content).keys(), keys, "{content}");
    }
}

#[tokio::test]
async fn industries_are_decoded_if_they_are_set() {
    let industry = |first: &str, second: &str| {
        Some(Industry { first_class: first.to_owned(), second_class: second.to_owned() })
    };
    for (answer, primary, secondary) in [
        (
            r#"{"primary_industry":{"first_class":"运输与仓储","second_class":"快递"},
                "secondary_industry":{"first_class":"IT科技","second_class":"互联网|电子商务"}}"#,
            industry("运输与仓储", "快递"),
            industry("IT科技", "互联网|电子商务"),
        ),
        (r#"{"primary_industry":{"first_class":"","second_class":""},"new":1}"#, None, None),
        ("{}", None, None),
    ] {
        let (account, server) = at([json(answer)]).await;
        assert_eq!(account.industries().await.unwrap(), Industries { primary, secondary });
        assert_eq!(request_to(&server).0, "GET /cgi-bin/template/get_industry");
    }
}

#[tokio::test]
async fn official_account_templates_and_industries_are_changed() {
    let added = format!(r#"{{"errcode":0,"errmsg":"ok","template_id":"{ID}"}}"#);
    for (keywords, body) in [
        (vec![], r#"{"template_id_short":"TM00015"}"#),
        (
            vec!["时间".to_owned(), "地点".to_owned()],
            r#"{"template_id_short":"TM00015","keyword_name_list":["时间","地点"]}"#,
        ),
    ] {
        let (account, server) = at([json(&added)]).await;
        assert_eq!(account.add_template("TM00015", &keywords).await.unwrap(), id());
        let line = "POST /cgi-bin/template/api_add_template".to_owned();
        assert_eq!(request_to(&server), (line, body.to_owned()));
    }

    let (account, server) = at([json(OK)]).await;
    account.delete_template(&id()).await.unwrap();
    let line = "POST /cgi-bin/template/del_private_template".to_owned();
    assert_eq!(request_to(&server), (line, format!(r#"{{"template_id":"{ID}"}}"#)));

    let (account, server) = at([json(OK)]).await;
    account.set_industries("1", "4").await.unwrap();
    let line = "POST /cgi-bin/template/api_set_industry".to_owned();
    let body = r#"{"industry_id1":"1","industry_id2":"4"}"#.to_owned();
    assert_eq!(request_to(&server), (line, body));
}

#[tokio::test]
async fn mini_program_templates_are_decoded_even_without_content() {
    let answer = format!(
        r#"{{"errcode":0,"errmsg":"ok","data":[
        {{"priTmplId":"{ID}","title":"报名结果通知","content":"会议时间:{{{{date2.DATA}}}}\n","example":"会议时间:2016年\n",
          "type":2,"keywordEnumValueList":[]}},
        {{"priTmplId":"x","title":"同城配送","content":"","example":"","type":"3"}},
        {{"priTmplId":"","title":"none"}}]}}"#
    );
    let (account, server) = at([json(answer)]).await;
    let templates = account.subscribe_templates().await.unwrap();
    assert_eq!(request_to(&server).0, "GET /wxaapi/newtmpl/gettemplate");
    let (title, content) = ("报名结果通知".to_owned(), "会议时间:{{date2.DATA}}\n".to_owned());
    let example = "会议时间:2016年\n".to_owned();
    assert_eq!(templates[0], SubscribeTemplate { id: id(), title, content, example, kind: 2 });
    assert_eq!(templates[0].keys(), ["date2"]);
    assert_eq!((templates.len(), templates[1].kind), (2, 3));
    assert!(templates[1].keys().is_empty());
    assert_eq!(account.calls()["wxaapi/newtmpl/gettemplate"], 1);

    for (answer, is_empty) in [(r#"{"errcode":0,"data":[]}"#, true), (OK, true), ("{}", false)] {
        let (account, _server) = at([json(answer)]).await;
        assert_eq!(account.subscribe_templates().await.is_ok_and(|list| list.is_empty()), is_empty);
    }
}

#[tokio::test]
async fn a_failed_read_is_retried_and_a_failed_change_is_not() {
    let bad = || status("502 Bad Gateway");
    let (account, server) = at([bad(), json(r#"{"template_list":[]}"#)]).await;
    account.templates().await.unwrap();
    assert_eq!(server.requests().len(), 2);

    let (account, server) = at([bad()]).await;
    let changes: [Result<(), Error>; 7] = [
        account.add_template("TM1", &[]).await.map(drop),
        account.delete_template(&id()).await,
        account.set_industries("1", "2").await,
        account.add_subscribe_template("1", &[1, 2], "x").await.map(drop),
        account.delete_subscribe_template(&id()).await,
        account.add_legacy_template("AT1", &[1]).await.map(drop),
        account.delete_legacy_template(&id()).await,
    ];
    assert!(
        changes.into_iter().all(|outcome| outcome.is_err_and(|error| error.may_have_arrived()))
    );
    assert_eq!(server.requests().len(), 7);
}

#[tokio::test]
async fn a_retired_call_names_its_replacement() {
    for errcode in [45103, 46101, 45109] {
        let refusal = format!(r#"{{"errcode":{errcode},"errmsg":"unsupported"}}"#);
        let (account, _server) = at([json(refusal)]).await;
        let error = account.legacy_templates(0, 20).await.unwrap_err();
        assert_eq!(error.class(), Class::Retired);
        assert!(error.hint().unwrap().contains("/wxaapi/newtmpl"), "{errcode}");
    }
}
