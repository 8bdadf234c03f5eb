//! The API's resources, one file each.

mod callbacks;
mod identities;
mod login;
mod resolve;

use utoipa_axum::router::OpenApiRouter;

use super::Context;
use super::error;
use crate::login::Upstream;

/// Every resource.
pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
        .merge(callbacks::router())
        .merge(login::router())
        .merge(resolve::router())
        .merge(identities::router())
}

/// WeChat's words as a problem repeats them.
fn said_by_wechat(said: &Upstream) -> error::Upstream {
    let Upstream { errcode, errmsg, rid } = said.clone();
    error::Upstream { errcode, errmsg, rid }
}
