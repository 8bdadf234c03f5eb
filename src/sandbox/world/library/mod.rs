//! The vendor's public libraries of titles and keywords, from which accounts make templates.
//!
//! A few of each, with the shapes and the numbering of the real ones.

pub(crate) mod legacy;
pub(crate) mod official;
pub(crate) mod subscribe;
