//! Digests of erased users, so that a crawl does not store them again.

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
    /// A digest shared by all records of a user, so that they are deleted together when the user acts again.
    pub person: String,
    /// When the user was erased, in ms.
    pub erased_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
