//! The API's resources, one file each.

use utoipa_axum::router::OpenApiRouter;

use super::Context;

/// Every resource.
pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
}
