//! Invalid openids in the list.

use rstest::rstest;
use unionid_bridge::model::RunState;
use unionid_bridge::sync;

use crate::harness::{Backend, TestApp, paged_world, serve_fixed};

const LIST: &str = "/cgi-bin/user/get";
const PROFILES: &str = "/cgi-bin/user/info/batchget";

const TWO_PROFILES: &str = r#"{"user_info_list":[
    {"subscribe":1,"openid":"oFirst","unionid":"uFirst","subscribe_time":1500000000},
    {"subscribe":1,"openid":"oSecond","unionid":"uSecond","subscribe_time":1500000000}]}"#;

const LIST_WITH_NUL: &str = r#"{"total":3,"count":3,"data":{"openid":
    ["oFirst","a\u0000b","oSecond"]},"next_openid":""}"#;

#[rstest]
#[tokio::test]
async fn an_openid_with_a_nul_character_is_quarantined(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 1).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let url = serve_fixed(&[(LIST, LIST_WITH_NUL), (PROFILES, TWO_PROFILES)]).await;
    for night in 0..2 {
        let outcome = app.sync_from(url.clone()).await;
        assert_eq!(outcome.run.state, RunState::Succeeded, "night {night}: {outcome:?}");
        let counts = outcome.run.counts;
        assert_eq!((counts.listed, counts.quarantined), (3, 1));
        assert!(app.mirror().await.into_keys().eq(["oFirst", "oSecond"]));
        let quarantine = app.quarantine().await;
        assert_eq!(quarantine.len(), 1, "{quarantine:?}");
        let kept = quarantine.into_keys().next().unwrap();
        assert!(kept.starts_with('a') && kept.ends_with('b'), "{kept:?}");
    }
}

#[rstest]
#[case::with_a_space(
    r#"{"total":2,"count":1,"data":{"openid":["oFirst"]},"next_openid":"no openid"}"#
)]
#[case::with_a_nul(
    r#"{"total":2,"count":1,"data":{"openid":["oFirst"]},"next_openid":"a\u0000b"}"#
)]
#[tokio::test]
async fn an_invalid_next_openid_makes_the_page_inconsistent(
    #[case] list: &'static str,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 1).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let answers = Box::leak(Box::new([(LIST, list), (PROFILES, TWO_PROFILES)]));
    let outcome = app.sync_from(serve_fixed(answers).await).await;
    assert!(
        matches!(outcome.error, Some(sync::Error::Inconsistent { page: 1, .. })),
        "{outcome:?}"
    );
    assert_eq!(outcome.run.state, RunState::Failed);
    assert!(app.mirror().await.is_empty());
}
