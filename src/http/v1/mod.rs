//! The API's resources, one file each.

mod callbacks;

use utoipa_axum::router::OpenApiRouter;

use super::Context;

/// Every resource.
pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().merge(callbacks::router())
}
