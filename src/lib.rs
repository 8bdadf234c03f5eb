//! unionid-bridge: knows that an Official Account follower and a Mini Program user are one person.

pub mod clock;
pub mod lease;
pub mod model;
pub mod seal;
pub mod store;
pub mod sync;
pub mod token;
pub mod wechat;
pub mod sandbox;
pub mod config;
pub mod model;
pub mod telemetry;
