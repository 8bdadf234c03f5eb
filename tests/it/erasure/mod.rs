//! Erasing people, and keeping them erased.

mod departed;
mod messages;
mod people;
mod races;
mod tables;
