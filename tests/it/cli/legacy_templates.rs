//! `templates --legacy`: the form_id templates that WeChat retired, and a gateway that still serves them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Bridge, call_at, stderr};

fn words(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn legacy_template_commands_report_the_withdrawal_and_the_replacement() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let bridge = Bridge::against(&world, "");
    for command in [&["list"][..], &["library"], &["keywords", "AT0002"], &["delete", "T1"]] {
        let refused = bridge.run(&[&["templates", "--legacy"], command].concat()).await;
        assert_eq!(refused.status.code(), Some(1), "{command:?}");
        let text = stderr(&refused);
        assert!(
            text.contains("45103") && text.contains("hint: ") && text.contains("subscribe"),
            "{text}"
        );
    }
}

/// Starts the `sandbox` command with legacy templates. Returns the process, its base URL, and the
/// configuration that it prints.
async fn legacy_world(bridge: &Bridge) -> (tokio::process::Child, String, String) {
    let listen = ["--listen", "127.0.0.1:0", "--followers", "5", "--legacy-templates"];
    let mut child = bridge.start(&[&["sandbox"][..], &listen].concat());
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let (mut base_url, mut toml) = (String::new(), String::new());
    while let Some(line) = log.next_line().await.unwrap() {
        if let Some(url) = line.strip_prefix("sandbox WeChat listening on ") {
            base_url = url.to_owned();
        }
        // This line follows the configuration.
        if line.starts_with("request counts") {
            break;
        }
    }
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
    let soon = Duration::from_millis(500);
    while let Ok(line) = tokio::time::timeout(soon, printed.next_line()).await {
        toml = format!("{toml}{}\n", line.unwrap().unwrap());
    }
    (child, base_url, toml)
}

/// Sends a request to the sandbox and returns the JSON.
async fn request(base_url: &str, method: &str, path: &str, body: Value) -> Value {
    let address = base_url.strip_prefix("http://").unwrap().parse().unwrap();
    call_at(address, method, path).json(body).send().await.json()
}

#[tokio::test]
async fn legacy_templates_work_end_to_end_with_a_gateway_that_serves_them() {
    let elsewhere = Sandbox::with_followers(1).await.unwrap();
    let bridge = Bridge::against(&elsewhere, "");
    let (_child, base_url, toml) = legacy_world(&bridge).await;
    std::fs::write(bridge.folder().join("unionid-bridge.toml"), toml).unwrap();
    let legacy = |words: &[&str]| -> Vec<String> {
        let words = ["templates", "--legacy"].iter().chain(words);
        words.map(|word| (*word).to_owned()).collect()
    };
    let json = async |arguments: &[&str]| bridge.json(&words(&legacy(arguments))).await;

    let library = json(&["library"]).await;
    assert_eq!((&library["total"], &library["data"][0]["tid"]), (&json!(5), &json!("AT0002")));
    let table = bridge.run(&words(&legacy(&["library"]))).await;
    assert!(String::from_utf8(table.stdout).unwrap().contains("购买成功通知"));
    let keywords = json(&["keywords", "AT0002"]).await;
    assert_eq!(keywords[0]["name"], "购买地点", "{keywords}");
    assert_eq!(keywords[0]["keyword_id"], 3, "{keywords}");

    let add = ["add", "AT0002", "--keyword-id", "3", "--keyword-id", "5"];
    let added = json(&add).await["template_id"].as_str().unwrap().to_owned();
    let listed = json(&["list"]).await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["template_id"]), (1, &json!(added)));
    let table = bridge.run(&words(&legacy(&["list"]))).await;
    assert!(String::from_utf8(table.stdout).unwrap().contains("keyword1 keyword2"));

    let form = request(&base_url, "POST", "/sandbox/form-ids", json!({ "person": 3 })).await;
    let form = form["form_id"].as_str().unwrap();
    // Both sandboxes use the same seed, so they have the same people.
    let openid = elsewhere.mini_program().unwrap().person(3).openid;
    let send = [
        "send",
        &added,
        "--openid",
        &openid,
        "--form-id",
        form,
        "--data",
        "keyword1=上海",
        "--data",
        "keyword2=咖啡",
        "--page",
        "index",
        "--emphasis",
        "keyword2.DATA",
    ];
    let sent = bridge.run(&words(&legacy(&send))).await;
    assert_eq!(sent.status.code(), Some(0), "{}", stderr(&sent));
    assert!(stderr(&sent).contains("accepted"), "{}", stderr(&sent));
    let messages = request(&base_url, "GET", "/sandbox/messages", json!({})).await;
    let body = &messages["messages"][0]["body"];
    assert_eq!(body["emphasis_keyword"], "keyword2.DATA");
    assert_eq!(
        (&body["page"], &body["data"]["keyword1"]["value"]),
        (&json!("index"), &json!("上海"))
    );
    let again = bridge.run(&words(&legacy(&send))).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("41029"), "{}", stderr(&again));

    let gone = bridge.run(&words(&legacy(&["delete", &added]))).await;
    assert_eq!(gone.status.code(), Some(0), "{}", stderr(&gone));
    assert_eq!(json(&["list"]).await, json!([]));
}
