//! Forgetting people, and keeping them forgotten.

mod departed;
mod messages;
mod people;
mod races;
mod tables;
