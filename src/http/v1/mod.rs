//! The API's resources, one file each.

mod access_tokens;
mod callbacks;
mod followers;
mod identities;
mod login;
mod resolve;
mod stats;
mod sync_runs;

use utoipa_axum::router::OpenApiRouter;

use super::Context;

/// Every resource.
pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
        .merge(access_tokens::router())
        .merge(callbacks::router())
        .merge(followers::router())
        .merge(identities::router())
        .merge(login::router())
        .merge(resolve::router())
        .merge(stats::router())
        .merge(sync_runs::router())
}
