//! Mini Program users: who logged in.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mini_program_user")]
pub struct Model {
    /// Counted up by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The Mini Program.
    pub account_id: i32,
    /// The person in that program.
    pub openid: String,
    /// The person across accounts, once known; never blanked.
    pub unionid: Option<String>,
    /// The sealed session_key of the latest login, where it is to be stored.
    pub session_key: Option<String>,
    /// When the person first logged in.
    pub created_at: i64,
    /// When the person last logged in.
    pub login_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
