//! WeChat's template libraries, and a Mini Program's own templates composed from them.

use super::super::form_template::{LegacyKeyword, LegacyLibraryTemplate, LegacyTitle};
use super::super::subscribe::{Category, Keyword, LibraryTitle};
use super::server::json;
use super::templates::{ID, OK, at, id, request_to, template};

#[tokio::test]
async fn the_subscribe_template_library_is_decoded() {
    let (account, server) =
        at([json(r#"{"errcode":0,"data":[{"id":616,"name":"公交"},{"name":"?"}]}"#)]).await;
    let category = Category { id: 616, name: "公交".to_owned() };
    assert_eq!(account.subscribe_categories().await.unwrap(), [category]);
    assert_eq!(request_to(&server).0, "GET /wxaapi/newtmpl/getcategory");

    let titles = r#"{"errcode":0,"count":55,"data":[{"tid":99,"title":"付款成功通知","type":2,"categoryId":"616"}]}"#;
    let (account, server) = at([json(titles)]).await;
    let (titles, count) = account.subscribe_library(&[2, 616], 0, 30).await.unwrap();
    let (tid, title) = ("99".to_owned(), "付款成功通知".to_owned());
    assert_eq!(titles, [LibraryTitle { tid, title, kind: 2, category_id: Some(616) }]);
    assert_eq!(count, 55);
    let line = "GET /wxaapi/newtmpl/getpubtemplatetitles&ids=2%2C616&start=0&limit=30";
    assert_eq!(request_to(&server).0, line);

    let keywords = r#"{"errcode":0,"count":1,"data":[{"kid":1,"name":"物品名称","example":"名称","rule":"thing"}]}"#;
    let (account, server) = at([json(keywords)]).await;
    let [name, example, rule] = ["物品名称", "名称", "thing"].map(str::to_owned);
    let keyword = Keyword { kid: 1, name, example, rule };
    assert_eq!(account.subscribe_keywords("99").await.unwrap(), [keyword]);
    assert_eq!(request_to(&server).0, "GET /wxaapi/newtmpl/getpubtemplatekeywords&tid=99");
}

#[tokio::test]
async fn mini_program_templates_are_added_and_deleted() {
    let (account, server) =
        at([json(format!(r#"{{"errcode":0,"errmsg":"ok","priTmplId":"{ID}"}}"#))]).await;
    assert_eq!(account.add_subscribe_template("401", &[1, 2], "测试数据").await.unwrap(), id());
    let line = "POST /wxaapi/newtmpl/addtemplate".to_owned();
    let body = r#"{"tid":"401","kidList":[1,2],"sceneDesc":"测试数据"}"#.to_owned();
    assert_eq!(request_to(&server), (line, body));

    let (account, server) = at([json(OK)]).await;
    account.delete_subscribe_template(&id()).await.unwrap();
    let line = "POST /wxaapi/newtmpl/deltemplate".to_owned();
    assert_eq!(request_to(&server), (line, format!(r#"{{"priTmplId":"{ID}"}}"#)));
}

#[tokio::test]
async fn the_form_id_template_library_is_decoded() {
    let titles = r#"{"errcode":0,"errmsg":"ok","list":[{"id":"AT0002","title":"购买成功通知"}],"total_count":599}"#;
    let (account, server) = at([json(titles)]).await;
    let title = LegacyTitle { id: "AT0002".to_owned(), title: "购买成功通知".to_owned() };
    assert_eq!(account.legacy_library(0, 5).await.unwrap(), (vec![title], 599));
    let line = "POST /cgi-bin/wxopen/template/library/list".to_owned();
    assert_eq!(request_to(&server), (line, r#"{"offset":0,"count":5}"#.to_owned()));

    let found = r#"{"errcode":0,"id":"AT0002","title":"购买成功通知",
        "keyword_list":[{"keyword_id":3,"name":"购买地点","example":"TIT造舰厂"}]}"#;
    let (account, server) = at([json(found)]).await;
    let keyword =
        LegacyKeyword {
            id: 3, name: "购买地点".to_owned(), example: "TIT造舰厂".to_owned()
        };
    let (id, title) = ("AT0002".to_owned(), "购买成功通知".to_owned());
    let expected = LegacyLibraryTemplate { id, title, keywords: vec![keyword] };
    assert_eq!(account.legacy_library_template("AT0002").await.unwrap(), expected);
    let line = "POST /cgi-bin/wxopen/template/library/get".to_owned();
    assert_eq!(request_to(&server), (line, r#"{"id":"AT0002"}"#.to_owned()));
}

#[tokio::test]
async fn form_id_templates_are_added_listed_and_deleted() {
    let (account, server) =
        at([json(format!(r#"{{"errcode":0,"errmsg":"ok","template_id":"{ID}"}}"#))]).await;
    assert_eq!(account.add_legacy_template("AT0002", &[3, 4, 5]).await.unwrap(), id());
    let line = "POST /cgi-bin/wxopen/template/add".to_owned();
    let body = r#"{"id":"AT0002","keyword_id_list":[3,4,5]}"#.to_owned();
    assert_eq!(request_to(&server), (line, body));

    let list = format!(
        r#"{{"errcode":0,"list":[{{"template_id":"{ID}","title":"t","content":"a{{{{keyword1.DATA}}}}"}}]}}"#
    );
    let (account, server) = at([json(list)]).await;
    assert_eq!(account.legacy_templates(0, 1).await.unwrap(), [template("a{{keyword1.DATA}}")]);
    let line = "POST /cgi-bin/wxopen/template/list".to_owned();
    assert_eq!(request_to(&server), (line, r#"{"offset":0,"count":1}"#.to_owned()));

    let (account, server) = at([json(OK)]).await;
    account.delete_legacy_template(&id()).await.unwrap();
    let line = "POST /cgi-bin/wxopen/template/del".to_owned();
    assert_eq!(request_to(&server), (line, format!(r#"{{"template_id":"{ID}"}}"#)));
}
