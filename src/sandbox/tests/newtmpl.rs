//! A Mini Program's templates for subscribe messages.

use serde_json::json;

use super::*;

struct Client {
    sandbox: Sandbox,
    token: String,
}

impl Client {
    async fn start() -> Self {
        let sandbox = Sandbox::with_followers(10).await.unwrap();
        let token = stable_token(&sandbox, &sandbox.mini_program().unwrap()).await;
        Self { sandbox, token }
    }

    fn path(&self, name: &str) -> String {
        format!("/wxaapi/newtmpl/{name}?access_token={}", self.token)
    }

    async fn get(&self, name: &str, query: &str) -> Value {
        get(&self.sandbox, &format!("{}{query}", self.path(name))).await
    }

    async fn post(&self, name: &str, body: &str) -> Value {
        let head = format!("POST {} HTTP/1.1\r\nhost: x", self.path(name));
        send(&self.sandbox, &head, body).await.unwrap().json()
    }
}

#[tokio::test]
async fn the_library_lists_categories_titles_and_keywords() {
    let client = Client::start().await;
    let categories = client.get("getcategory", "").await;
    assert_eq!(categories["data"][1], json!({"id": 616, "name": "公交"}));
    let titles = client.get("getpubtemplatetitles", "&ids=307,616&start=1&limit=30").await;
    assert_eq!((&titles["count"], titles["data"].as_array().unwrap().len()), (&json!(4), 3));
    let bus = json!({"tid": 2004, "title": "公交到站提醒", "type": 3, "categoryId": "616"});
    assert_eq!(titles["data"][2], bus);
    let keywords = client.get("getpubtemplatekeywords", "&tid=2001").await;
    assert_eq!(keywords["count"], 5);
    let amount = json!({"kid": 3, "name": "支付金额", "example": "¥12.50", "rule": "amount"});
    assert_eq!(keywords["data"][2], amount);
}

#[tokio::test]
async fn an_invalid_parameter_returns_its_errcode() {
    let client = Client::start().await;
    for (query, expected) in [
        ("&start=0&limit=1", 200018),
        ("&ids=1&start=0&limit=1", 200019),
        ("&ids=307&start=-1&limit=1", 200016),
        ("&ids=307&limit=1", 200016),
        ("&ids=307&start=0&limit=31", 200017),
        ("&ids=307&start=0", 200017),
    ] {
        let refused = client.get("getpubtemplatetitles", query).await;
        assert_eq!(refused["errcode"], expected, "{query}");
    }
    assert_eq!(client.get("getpubtemplatekeywords", "&tid=7").await["errcode"], 200014);
    for (body, expected) in [
        (json!({"tid": "7", "kidList": [1, 2]}), 200014),
        (json!({"tid": "2001", "kidList": [1]}), 200020),
        (json!({"tid": "2001", "kidList": [1, 9]}), 200020),
        (json!({"tid": "2001", "kidList": [1, 2], "sceneDesc": "一".repeat(16)}), 200021),
        (json!([]), 47001),
    ] {
        let refused = client.post("addtemplate", &body.to_string()).await;
        assert_eq!(refused["errcode"], expected, "{body}");
    }
}

#[tokio::test]
async fn a_template_is_added_as_json_or_form_and_deleted() {
    let client = Client::start().await;
    let body = json!({"tid": 2001, "kidList": [3, 1], "sceneDesc": "付款"}).to_string();
    let added = client.post("addtemplate", &body).await;
    let form = "tid=2004&kidList=1&kidList=3&sceneDesc=%E5%85%AC%E4%BA%A4";
    let other = client.post("addtemplate", form).await;
    let list = client.get("gettemplate", "").await;
    let templates = list["data"].as_array().unwrap();
    assert_eq!(templates.len(), 4);
    let expected = json!({
        "priTmplId": added["priTmplId"],
        "title": "订单支付成功通知",
        "content": "支付金额:{{amount3.DATA}}\n订单编号:{{character_string1.DATA}}\n",
        "example": "支付金额:¥12.50\n订单编号:A20260101-7\n",
        "type": 2,
        "keywordEnumValueList": [],
    });
    assert_eq!(templates[2], expected);
    assert_eq!(
        (&templates[3]["priTmplId"], &templates[3]["type"]),
        (&other["priTmplId"], &json!(3))
    );
    let removal = json!({"priTmplId": added["priTmplId"]}).to_string();
    assert_eq!(client.post("deltemplate", &removal).await["errcode"], 0);
    assert_eq!(client.post("deltemplate", &removal).await["errcode"], 40037);
}

#[tokio::test]
async fn a_mini_program_holds_at_most_25_templates() {
    let client = Client::start().await;
    let mut errcodes = Vec::new();
    for _ in 0..24 {
        errcodes.push(
            client.post("addtemplate", "tid=2001&kidList=1&kidList=2").await["errcode"].clone(),
        );
    }
    assert_eq!(errcodes.iter().filter(|errcode| **errcode == 0).count(), 23);
    assert_eq!(errcodes[23], 200012);
}
