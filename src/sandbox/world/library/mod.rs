//! WeChat's public libraries of titles and keywords, from which accounts create templates.
//!
//! Each has a few entries, with the structure and numbering of the real library.

pub(crate) mod legacy;
pub(crate) mod official;
pub(crate) mod subscribe;
