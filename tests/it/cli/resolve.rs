//! `resolve` on the command line.

use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Bridge, run_sync, stderr};

#[tokio::test]
async fn resolve_prints_the_openid_or_the_reason() {
    let world = Sandbox::with_followers(20).await.unwrap();
    let bridge = Bridge::against(&world, "");
    run_sync(&bridge).await;
    let person = world.main().person(7);
    let unionid = person.unionid.unwrap();

    let found = bridge.run(&["resolve", "--unionid", &unionid]).await;
    assert_eq!(found.status.code(), Some(0), "{}", stderr(&found));
    assert_eq!(String::from_utf8(found.stdout).unwrap().trim(), person.openid);
    // By name or by AppID.
    for from in ["main", world.main().appid()] {
        let json = bridge.json(&["resolve", "--from", from, "--openid", &person.openid]).await;
        assert_eq!(json["status"], "resolved", "{json}");
        assert_eq!(json["openid"], person.openid.as_str());
        assert_eq!(json["unionid"], unionid.as_str());
        assert_eq!(json["official_account"], world.main().appid());
    }

    let stranger = ["resolve", "--from", "shop", "--openid", "oStranger", "--to", "main"];
    let unknown = bridge.run(&stranger).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.stdout.is_empty());
    assert!(stderr(&unknown).contains("user_unknown"), "{}", stderr(&unknown));
    let reason = bridge.json(&stranger).await;
    assert_eq!(
        (&reason["status"], &reason["code"]),
        (&"user_unknown".into(), &"user_unknown".into())
    );
    assert!(reason["detail"].is_string() && reason["hint"].is_string(), "{reason}");
}

#[tokio::test]
async fn resolve_rejects_invalid_arguments_with_a_hint() {
    let world = Sandbox::with_followers(20).await.unwrap();
    let bridge = Bridge::against(&world, "");
    for (arguments, exit, hint) in [
        (&["resolve"][..], 2, "--unionid"),
        (&["resolve", "--openid", "oA"], 2, "--from"),
        (&["resolve", "--from", "shop"], 2, "--openid"),
        (&["resolve", "--from", "shop", "--openid", "o'; --"], 2, "is not an openid"),
        (&["resolve", "--from", "stop", "--openid", "oA"], 78, "hint: "),
        (&["resolve", "--unionid", "oA", "--to", "shop"], 78, "main"),
    ] {
        let refused = bridge.run(arguments).await;
        assert_eq!(refused.status.code(), Some(exit), "{arguments:?}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(hint), "{arguments:?}: {}", stderr(&refused));
    }
}
