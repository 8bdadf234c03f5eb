//! Snapshots of `--help` for every command.

use rstest::rstest;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::Bridge;

#[rstest]
#[case("")]
#[case("demo")]
#[case("serve")]
#[case("sync")]
#[case("runs")]
#[case("runs list")]
#[case("resolve")]
#[case("send")]
#[case("templates")]
#[case("templates add")]
#[case("industry")]
#[case("token refresh")]
#[case("keys")]
#[case("keys create")]
#[case("keys roll")]
#[case("doctor")]
#[case("health")]
#[case("migrate")]
#[case("migrate down")]
#[case("sandbox")]
#[case("config")]
#[case("completions")]
#[tokio::test]
async fn help_matches_its_snapshot(#[case] command: &str) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let arguments: Vec<_> = command.split_whitespace().chain(["--help"]).collect();
    let mut help = bridge.command(&arguments);
    // The terminal's width and the environment must not affect the output.
    help.env_remove("COLUMNS").env_remove("UNIONID_BRIDGE_CONFIG");
    let output = help.output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    let name = format!("help {command}").trim().replace(' ', "_");
    insta::assert_snapshot!(name, String::from_utf8(output.stdout).unwrap());
}
