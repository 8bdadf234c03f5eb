//! The resources of the API, one file or folder each, and what they share: how requests name users and
//! accounts, and single-line texts.

mod access_tokens;
mod accounts;
mod callbacks;
mod consents;
mod followers;
mod identities;
mod login;
mod message_counts;
mod messages;
mod resolve;
mod single_line;
mod stats;
mod sync_runs;
mod templates;
mod user;

use utoipa_axum::router::OpenApiRouter;

pub use messages::MessageResponse;
pub use resolve::ResolveResponse;
pub use templates::{
    CategoryResponse, IndustryResponse, KeywordResponse, LibraryTemplate,
    SubscribeTemplateResponse, TemplateResponse,
};

use super::Context;

/// The routes of all resources.
pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
        .merge(access_tokens::router())
        .merge(callbacks::router())
        .merge(consents::router())
        .merge(followers::router())
        .merge(identities::router())
        .merge(login::router())
        .merge(message_counts::router())
        .merge(messages::router())
        .merge(resolve::router())
        .merge(stats::router())
        .merge(sync_runs::router())
        .merge(templates::router())
}
