//! Held runs: they end when a newer run begins, and half a list is held even for a small account.

use rstest::rstest;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use unionid_bridge::model::{Run, RunState};
use unionid_bridge::sandbox::{Call, Fault, Sandbox, When};
use unionid_bridge::sync;

use crate::harness::{Backend, TestApp, manual, paged_world};

/// An account whose newest run is held because its first hundred followers left.
async fn held(world: &Sandbox, backend: Backend) -> Option<(TestApp, Run)> {
    let app = TestApp::on(world, backend).await?;
    app.sync_true(world).await;
    world.main().leave(0..100);
    let run = app.sync().await.run;
    assert_eq!(run.state, RunState::Held, "{run:?}");
    Some((app, run))
}

/// Sets the state of a run directly in the database.
async fn set_state(app: &TestApp, run: &Run, state: RunState) {
    use entity::sync_run::{Column, Entity};
    let update = Entity::update_many().col_expr(Column::State, Expr::value(state.as_str()));
    update.filter(Column::Id.eq(run.id)).exec(app.app.store.writer()).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_held_run_is_not_confirmed_once_a_newer_run_exists(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 600).await;
    let Some((app, run)) = held(&world, backend).await else { return };
    world.main().rejoin(0..100);
    // As if the newer run had begun without cancelling the held one.
    set_state(&app, &run, RunState::Failed).await;
    app.sync_true(&world).await;
    set_state(&app, &run, RunState::Held).await;
    let confirmed = sync::confirm(&app.job(Default::default()).await, run.id).await;
    assert!(confirmed.is_err(), "{confirmed:?}");
    app.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_held_run_is_cancelled_when_a_newer_run_begins(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 600).await;
    let Some((app, run)) = held(&world, backend).await else { return };
    let newer = app.sync_stopped_after(1).await.run;
    let runs = app.runs().await;
    assert_eq!((runs[0].id, runs[1].id), (newer.id, run.id));
    assert_eq!(runs[1].state, RunState::Cancelled);
    assert!(runs[1].error.as_ref().unwrap().contains(&format!("run {}", newer.id)));
}

#[tokio::test]
async fn no_newer_run_begins_if_the_held_run_cannot_be_cancelled() {
    let world = paged_world(100, 600).await;
    let (app, run) = held(&world, Backend::Sqlite).await.unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE OF state ON sync_run \
                  WHEN NEW.state = 'cancelled' BEGIN SELECT RAISE(ABORT, 'not now'); END";
    app.app.store.writer().execute_unprepared(refuse).await.unwrap();
    let result = app.try_sync(manual()).await;
    assert!(result.is_err(), "{result:?}");
    let newest = app.runs().await.remove(0);
    assert_eq!((newest.id, newest.state), (run.id, RunState::Held));
}

#[rstest]
#[case::half_of_a_small_account(99, 50)]
#[case::less_than_half(60, 15)]
#[case::nobody(40, 0)]
#[tokio::test]
async fn a_partial_list_of_a_small_account_marks_nobody_as_unfollowed(
    #[case] followers: u64,
    #[case] listed: usize,
) {
    let world = paged_world(100, followers).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    world.fail(Call::UserGet, 1, Fault::Short(listed));
    world.fail(Call::UserGet, When::from(2..), Fault::Short(0));
    let run = app.sync().await.run;
    assert_eq!(run.counts.unfollowed, 0, "{run:?}");
    assert_ne!(run.state, RunState::Succeeded, "{run:?}");
    if listed * 2 > followers as usize {
        assert_eq!(run.state, RunState::Held, "{run:?}");
    }
    app.assert_mirrors(&world).await;
    world.clear_faults();
    app.sync_true(&world).await;
}
