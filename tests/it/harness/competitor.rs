//! A rival process that takes over a run, and a WeChat server with answers that the sandbox never gives.

use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use sea_orm::EntityTrait;
use sea_orm::sea_query::Expr;
use unionid_bridge::lease::{Holder, Lease};
use unionid_bridge::model::{AppId, RunId};
use unionid_bridge::store::{Store, runs};
use unionid_bridge::sync;

/// Takes over the account's lease and run, as another process does after the lease expires.
pub async fn take_over(store: Store, appid: AppId, run: RunId) {
    use entity::lease::{Column, Entity};
    let ended = Entity::update_many().col_expr(Column::ExpiresAt, Expr::value(0_i64));
    ended.exec(store.writer()).await.unwrap();
    let (name, ttl) = (sync::lease_name(&appid), Duration::from_secs(60));
    let lease = Lease::try_acquire(&store, &name, &Holder::new(), ttl).await.unwrap().unwrap();
    assert!(runs::take_over(store.writer(), run, lease.fence()).await.unwrap());
    lease.release().await;
}

/// Starts a server with a fixed answer for each path, such as `/cgi-bin/user/get`. Returns its URL.
pub async fn serve_fixed(answers: &'static [(&'static str, &'static str)]) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = async move |uri: Uri| {
        let found = answers.iter().find(|(path, _)| *path == uri.path());
        found.map_or(r#"{"errcode":48001,"errmsg":"api unauthorized"}"#, |(_, body)| *body)
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    url
}
