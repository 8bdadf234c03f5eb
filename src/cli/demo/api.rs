//! The demo's API part: a login, a resolve, a message with its receipt, and an unfollow.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::app::App;
use crate::cli::{Failure, output};
use crate::http::Client;
use crate::keys::NewKey;
use crate::model::Scope;
use crate::sandbox::{Account, Sandbox};

/// The actor that the audit trail records for the demo's key.
const ACTOR: &str = "demo";

/// Logs a follower in to the Mini Program, resolves their openid in the Official Account, sends them a
/// message, and resolves them again after they unfollowed. Returns the API key it created.
pub(super) async fn show(
    app: &App,
    sandbox: &Sandbox,
    address: SocketAddr,
) -> Result<SecretString, Failure> {
    let Some(program) = sandbox.mini_program() else { return Ok(SecretString::default()) };
    let new = NewKey { name: ACTOR.to_owned(), scopes: Scope::ALL.to_vec(), ..NewKey::default() };
    let key = app.keys.create(new, ACTOR).await?.text;
    let client = Client::new(address, key.clone());
    let Some(person) = sandbox.main().followers().next() else { return Ok(key) };

    output::message("\na follower opens the Mini Program; its backend exchanges the login code");
    let code = program.mint_code(person.number);
    output::data(format_args!(
        "curl -d '{{\"code\": \"{code}\"}}' -H 'Content-Type: application/json' \\\n     {}",
        with_key(&key, address, "/v1/login")
    ));
    output::json(&client.post("/v1/login", &json!({ "code": code })).await?);

    output::message("\na notifier resolves the user's openid in the Official Account");
    let path = resolve_path(&program, person.number);
    output::data(format_args!("curl {}", with_key(&key, address, &path)));
    output::json(&client.get(&path).await?);

    message(&client, &key, sandbox, &program, person.number).await?;

    output::message("\nthe user unfollows; WeChat sends a callback, and resolving fails at once");
    sandbox.push_follows(true);
    sandbox.main().leave([person.number]);
    sandbox.settled().await;
    output::json(&without_request_id(client.get(&path).await?));
    Ok(key)
}

/// Sends the follower a message, addressed by their Mini Program openid, and shows the receipt.
async fn message(
    client: &Client,
    key: &SecretString,
    sandbox: &Sandbox,
    program: &Account,
    person: u64,
) -> Result<(), Failure> {
    let Some(template_id) = sandbox.main().template_ids().into_iter().next() else { return Ok(()) };
    output::message(
        "\nan order is paid: the Official Account notifies the user, and a tap opens the Mini Program",
    );
    let order = json!({
        "to": { "appid": program.appid(), "openid": program.person(person).openid },
        "template_id": template_id,
        "data": { "character_string1": "A-2026-1122", "thing2": "雨伞", "time3": "2026-11-22 12:00" },
        "miniprogram": { "appid": program.appid(), "pagepath": "pages/order/order?id=1122" },
    });
    output::data(format_args!(
        "curl -d '{order}' -H 'Content-Type: application/json' -H 'Idempotency-Key: order-1122' \\\n     {}",
        with_key(key, client.address(), "/v1/messages?wait=true")
    ));
    let sent = client.post("/v1/messages?wait=true", &order).await?;
    output::json(&json!({ "id": sent["id"], "state": sent["state"], "msgid": sent["msgid"] }));

    output::message("\nWeChat's receipt arrived as an encrypted callback");
    sandbox.settled().await;
    let path = format!("/v1/messages/{}", sent["id"].as_str().unwrap_or_default());
    output::data(format_args!("curl {}", with_key(key, client.address(), &path)));
    output::json(&client.get(&path).await?);
    Ok(())
}

/// Prints requests to try while the demo keeps serving.
pub(super) fn invite(key: &SecretString, sandbox: &Sandbox, address: SocketAddr) {
    let world = sandbox.base_url();
    output::message(
        "\nserving until Ctrl-C; a login code for person 7, new followers, and data to look at:",
    );
    output::data(format_args!("curl -d '{{\"person\": 7}}' {world}/sandbox/login-codes"));
    output::data(format_args!("curl -d '{{\"join\": 1, \"leave\": 1}}' {world}/sandbox/followers"));
    output::data(format_args!("curl {world}/sandbox/people?limit=3"));
    output::data(format_args!("curl {world}/sandbox/messages"));
    output::data(format_args!("curl {}", with_key(key, address, "/metrics")));
    output::message(format_args!("API documentation, to try every route: http://{address}/docs"));
}

fn resolve_path(program: &Account, person: u64) -> String {
    let openid = program.person(person).openid;
    format!("/v1/resolve-openid?appid={}&openid={openid}", program.appid())
}

fn with_key(key: &SecretString, address: SocketAddr, path: &str) -> String {
    format!("-H 'Authorization: Bearer {}' 'http://{address}{path}'", key.expose_secret())
}

/// Removes the request id, which differs between runs.
fn without_request_id(mut problem: Value) -> Value {
    if let Some(members) = problem.as_object_mut() {
        members.remove("request_id");
    }
    problem
}
