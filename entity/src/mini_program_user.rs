//! Users who logged in to a Mini Program.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mini_program_user")]
pub struct Model {
    /// Assigned by the database, in increasing order.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The Mini Program.
    pub account_id: i32,
    /// The user's openid in that Mini Program.
    pub openid: String,
    /// The user's unionid, if known. A known unionid is never removed.
    pub unionid: Option<String>,
    /// The sealed session_key of the latest login, if it is to be stored.
    pub session_key: Option<String>,
    /// When the user first logged in, in ms.
    pub created_at: i64,
    /// When the user last logged in, in ms.
    pub login_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
