//! Faults, as an HTTP client sees them.

use std::time::Duration;

use super::*;
use crate::sandbox::{Call, Fault, Target, When};

async fn raw_page(sandbox: &Sandbox, token: &str) -> std::io::Result<Response> {
    let head = format!("GET /cgi-bin/user/get?access_token={token} HTTP/1.1\r\nhost: x");
    send(sandbox, &head, "").await
}

#[tokio::test]
async fn a_fault_for_the_second_call_resets_only_that_call() {
    let (sandbox, token) = small_world(250).await;
    let rule = sandbox.fail(Call::UserGet, 2, Fault::Disconnect);
    assert!(raw_page(&sandbox, &token).await.is_ok());
    let error = raw_page(&sandbox, &token).await.err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(raw_page(&sandbox, &token).await.is_ok());
    assert_eq!(sandbox.hits(rule), 1);
    assert_eq!(sandbox.requests(Call::UserGet), 3);
}

#[tokio::test]
async fn a_response_can_be_cut_in_the_middle() {
    let (sandbox, token) = small_world(250).await;
    sandbox.fail(Call::UserGet, When::Always, Fault::Cut);
    let mut stream = TcpStream::connect(sandbox.address()).await.unwrap();
    let request = format!("GET /cgi-bin/user/get?access_token={token} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(bytes.starts_with(b"HTTP/1.1 200") && !bytes.ends_with(b"}"));
}

#[tokio::test]
async fn a_lost_response_still_consumes_the_login_code() {
    let (sandbox, _) = small_world(10).await;
    let program = sandbox.mini_program().unwrap();
    let code = program.mint_code(3);
    let (appid, secret) = (program.appid(), program.secret());
    let path = format!(
        "/sns/jscode2session?appid={appid}&secret={secret}&js_code={code}\
         &grant_type=authorization_code"
    );
    sandbox.fail(Call::Jscode2session, 1, Fault::AnswerLost);
    let head = format!("GET {path} HTTP/1.1\r\nhost: x");
    assert!(send(&sandbox, &head, "").await.is_err());
    assert_eq!(get(&sandbox, &path).await["errcode"], 40163);
}

#[tokio::test]
async fn response_bodies_can_be_corrupted() {
    let (sandbox, token) = small_world(250).await;
    sandbox.fail(Call::UserGet, 1, Fault::HttpStatus(502));
    sandbox.fail(Call::UserGet, 2, Fault::Html);
    sandbox.fail(Call::UserGet, 3, Fault::EmptyBody);
    sandbox.fail(Call::UserGet, 4, Fault::Truncated);
    sandbox.fail(Call::UserGet, 5, Fault::OneByteChunks);
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(raw_page(&sandbox, &token).await.unwrap());
    }
    assert_eq!(answers[0].status, 502);
    assert!(answers[1].status == 200 && answers[1].body.starts_with(b"<html>"));
    assert!(answers[2].status == 200 && answers[2].body.is_empty());
    assert!(answers[3].body.starts_with(b"{\"total\":250") && !answers[3].body.ends_with(b"}"));
    assert!(answers[4].head.contains("chunked") && answers[4].body.starts_with(b"1\r\n{\r\n1\r\n"));
}

#[tokio::test]
async fn pages_can_be_inconsistent() {
    let (sandbox, token) = small_world(250).await;
    let faults = [
        Fault::CountOff(-1),
        Fault::NoData,
        Fault::BlankOpenid,
        Fault::Total(7),
        Fault::Short(3),
        Fault::Loop,
    ];
    for (nth, fault) in (1..).zip(faults) {
        sandbox.fail(Call::UserGet, nth, fault);
    }
    let mut pages = Vec::new();
    for _ in 0..5 {
        pages.push(page(&sandbox, &token, "").await);
    }
    let ids = |page: &Value| page["data"]["openid"].as_array().map_or(0, Vec::len);
    assert_eq!((pages[0]["count"].clone(), ids(&pages[0])), (99.into(), 100));
    assert_eq!((pages[1]["count"].clone(), ids(&pages[1])), (100.into(), 0));
    assert_eq!(pages[2]["data"]["openid"][0], "");
    assert_eq!(pages[3]["total"], 7);
    assert_eq!((ids(&pages[4]), pages[4]["next_openid"].clone()), (3, "".into()));
    let cursor = pages[3]["next_openid"].as_str().unwrap();
    assert_eq!(page(&sandbox, &token, cursor).await["next_openid"], cursor);
}

#[tokio::test]
async fn a_misaligned_batch_gives_each_openid_the_next_unionid() {
    let (sandbox, token) = small_world(250).await;
    sandbox.fail(Call::UserInfoBatchget, 1, Fault::Misaligned(2));
    sandbox.fail(Call::UserInfoBatchget, 2, Fault::RowsMissing(1));
    sandbox.fail(Call::UserInfoBatchget, 3, Fault::RowsBlank(1));
    let requested = openids(&sandbox, 0..5);
    let rows = batch(&sandbox, &token, &requested).await;
    let returned = |row: usize| rows["user_info_list"][row]["unionid"].as_str().unwrap().to_owned();
    let expected = |person| sandbox.main().person(person).unionid.unwrap();
    assert_eq!([0, 1, 2, 3, 4].map(returned), [0, 1, 3, 4, 4].map(expected));
    assert_eq!(rows["user_info_list"][2]["openid"], requested[2]);
    let rows = batch(&sandbox, &token, &requested).await;
    assert_eq!(rows["user_info_list"].as_array().unwrap().len(), 4);
    let rows = batch(&sandbox, &token, &requested).await;
    assert!(rows["user_info_list"][0]["unionid"].is_null());
}

#[tokio::test]
async fn responses_can_be_delayed_and_concurrent_calls_are_counted() {
    let options = Options::with_followers(10).latency(Call::UserGet, Duration::from_millis(80));
    let sandbox = Sandbox::start(options).await.unwrap();
    let token = stable_token(&sandbox, &sandbox.main()).await;
    sandbox.fail(Call::UserGet, 1, Fault::Stall(Duration::from_millis(60)));
    let started = tokio::time::Instant::now();
    let (first, second) = tokio::join!(page(&sandbox, &token, ""), page(&sandbox, &token, ""));
    assert!(started.elapsed() >= Duration::from_millis(140));
    assert_eq!(first, second);
    assert_eq!(sandbox.stats().calls["user/get"].peak_in_flight, 2);
}

#[tokio::test]
async fn an_exhausted_quota_refuses_calls_until_it_is_reset() {
    let (sandbox, token) = small_world(250).await;
    sandbox.main().set_quota(Call::UserGet, Some(1));
    assert!(page(&sandbox, &token, "").await["errcode"].is_null());
    let refused = page(&sandbox, &token, "").await;
    assert_eq!(refused["errcode"], 45009);
    assert!(refused["errmsg"].as_str().unwrap().contains(" rid: "));
    assert_eq!(sandbox.stats().errors(Call::UserGet, 45009), 1);
    sandbox.reset_quotas();
    assert!(page(&sandbox, &token, "").await["errcode"].is_null());
}

#[tokio::test]
async fn a_fault_for_one_account_does_not_affect_another() {
    let (sandbox, token) = small_world(250).await;
    let appid = Some(sandbox.mini_program().unwrap().appid().to_owned());
    sandbox.fail(Target { call: None, appid }, When::Always, Fault::Errcode(-1));
    assert!(page(&sandbox, &token, "").await["errcode"].is_null());
    assert_eq!(get(&sandbox, "/sns/jscode2session?appid=wx3b00000000000001").await["errcode"], -1);
}

#[tokio::test]
async fn a_stopped_sandbox_frees_its_address() {
    let (sandbox, token) = small_world(10).await;
    let listen = sandbox.address();
    sandbox.stop().await;
    assert!(TcpStream::connect(listen).await.is_err());
    let again = Sandbox::start(Options { listen, ..Options::default() }).await.unwrap();
    assert_eq!(page(&again, &token, "").await["errcode"], 40001, "tokens do not outlive a world");
}

#[tokio::test]
async fn rules_in_the_options_apply_from_the_first_call() {
    let faults = ["user/get:1-2:errcode-text=45011", "user/get:3:loop-back", "person:5:poison"];
    let faults = faults.map(|rule| rule.parse().unwrap()).to_vec();
    let options = Options { faults, page_size: 100, ..Options::with_followers(250) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let token = stable_token(&sandbox, &sandbox.main()).await;
    for _ in 0..2 {
        assert_eq!(page(&sandbox, &token, "").await["errcode"], "45011");
    }
    let looping = page(&sandbox, &token, "").await;
    let first = page(&sandbox, &token, "").await;
    assert_eq!(looping["next_openid"], first["data"]["openid"][99]);
    assert_eq!(batch(&sandbox, &token, &openids(&sandbox, 5..6)).await["errcode"], 40003);
}

#[tokio::test]
async fn a_response_can_pause_in_the_middle_and_is_complete() {
    let (sandbox, token) = small_world(250).await;
    let whole = page(&sandbox, &token, "").await;
    sandbox.fail(Call::UserGet, 1, Fault::StallMid(Duration::from_millis(60)));
    let started = tokio::time::Instant::now();
    assert_eq!(page(&sandbox, &token, "").await, whole);
    assert!(started.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn a_rule_for_an_unknown_account_is_rejected() {
    let faults = vec!["person@wx00:5:poison".parse().unwrap()];
    let refused = Sandbox::start(Options { faults, ..Options::default() }).await.unwrap_err();
    assert_eq!(refused.to_string(), "no account of the sandbox has the AppID wx00");
}
