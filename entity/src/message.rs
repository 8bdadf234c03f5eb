//! Messages: what was accepted, and what became of it.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub struct Model {
    /// 32 hex digits that rise with time; also the `client_msg_id` that WeChat is given.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The account that sends: an Official Account, or a Mini Program for subscribe messages.
    pub account_id: i32,
    /// `template` or `subscribe`.
    pub channel: String,
    /// `queued`, `sent`, `delivered`, `failed` or `unknown`.
    pub state: String,
    /// The person in the account that sends.
    pub openid: String,
    /// The person across accounts, where known.
    pub unionid: Option<String>,
    /// The template.
    pub template_id: String,
    /// What is sent, in JSON: data and where a tap leads.
    pub content: String,
    /// What is sent instead where the person does not follow, in JSON.
    pub fallback: Option<String>,
    /// The number WeChat gave it.
    pub msgid: Option<i64>,
    /// Why it failed or waits, in words.
    pub reason: Option<String>,
    /// How often it was taken up.
    pub attempt: i32,
    /// What came of each attempt, as a JSON array.
    pub attempts: Option<String>,
    /// When to take it up next, or when the claim on it ends; none where nothing is left to do.
    pub due_at: Option<i64>,
    /// Since when an answer of WeChat is owed.
    pub sending_at: Option<i64>,
    /// When WeChat may first have got it: repetitions with the same id are safe for ten minutes.
    pub first_sent_at: Option<i64>,
    /// When it was accepted here.
    pub accepted_at: i64,
    /// When WeChat accepted it.
    pub sent_at: Option<i64>,
    /// When its fate was known.
    pub finished_at: Option<i64>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
