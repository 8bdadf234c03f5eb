//! unionid-bridge: knows that an Official Account follower and a Mini Program user are one person.

pub mod clock;
pub mod config;
pub mod model;
pub mod telemetry;
