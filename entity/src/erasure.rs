//! Who was erased, as digests: so that a crawl does not bring them back.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erasure")]
pub struct Model {
    /// The account of the openid; 0 for a unionid.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i32,
    /// A digest of the openid or the unionid.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// One digest for all erasures of a person: who acts again takes them back together.
    pub person: String,
    /// When.
    pub erased_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
