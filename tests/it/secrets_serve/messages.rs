//! Messages that are sent, refused, lost, and listed.

use serde_json::{Value, json};
use unionid_bridge::sandbox::{Call, Fault, OFFICIAL_ACCOUNT, Quirk};

use super::Scenario;

/// A text of a message that must not appear in any log.
pub const TEXT: &str = "CanaryText07";

impl Scenario {
    pub async fn messages(&mut self) {
        let refused = self.send(1, json!({ "thing2": { "value": TEXT, "colour": "x" } })).await;
        assert_eq!(refused.0, 400);
        let refused = self.send(1, json!({ "thing2": format!("{TEXT}{TEXT}") })).await;
        assert_eq!(refused.0, 400);
        let data = json!({ "character_string1": TEXT, "thing2": TEXT, "time3": "12:00" });
        assert_eq!(self.send(1, data.clone()).await.0, 200);
        self.world.main().quirk([2], Quirk::RefusesTemplates);
        for (person, fault) in [
            (2, None),
            (3, Some(Fault::Errcode(47003))),
            (4, Some(Fault::Errcode(40001))),
            (5, Some(Fault::AnswerLost)),
            (6, Some(Fault::Html)),
        ] {
            if let Some(fault) = fault {
                self.world.fail(Call::TemplateSend, 1.., fault);
            }
            let (status, id) = self.send(person, data.clone()).await;
            assert!([200, 202].contains(&status), "{status}");
            self.world.clear_faults();
            let path = format!("/v1/messages/{id}");
            assert_eq!(self.request("GET", &path, None).await.status, 200);
        }
        for (path, status) in [
            ("/v1/messages".to_owned(), 200),
            (format!("/v1/messages/{}", "0".repeat(32)), 404),
            ("/v1/message-counts".to_owned(), 200),
            (format!("/v1/official-accounts/{OFFICIAL_ACCOUNT}/templates"), 200),
        ] {
            assert_eq!(self.request("GET", &path, None).await.status, status, "{path}");
        }
    }

    async fn send(&mut self, person: u64, data: Value) -> (u16, String) {
        let (main, program) = (self.world.main(), self.program());
        let body = json!({
            "to": { "appid": main.appid(), "openid": main.person(person).openid },
            "template_id": main.template_ids()[0],
            "data": data,
            "url": format!("https://example.com/?{TEXT}"),
            "miniprogram": { "appid": program.appid(), "pagepath": format!("pages/{TEXT}") },
        });
        let answer = self.request("POST", "/v1/messages?wait=true", Some(body)).await;
        (answer.status, answer.json()["id"].as_str().unwrap_or_default().to_owned())
    }
}
