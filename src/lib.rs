//! unionid-bridge links the followers of WeChat Official Accounts to the users of Mini Programs.
//!
//! A WeChat user has a different openid in every Official Account and every Mini Program. Only the
//! *unionid* shows that two openids belong to the same person. This service keeps that link complete:
//! a nightly sync mirrors every Official Account's followers with their unionids, callbacks update the
//! mirror in between, and an HTTP API logs users in, resolves openids and sends messages.
//!
//! This page is the map: what each module is for, and how each flow runs through them.
//!
//! # Modules
//!
//! ```text
//! main → cli → http, scheduler, sandbox, doctor → app → features → wechat | store → model
//! ```
//!
//! A module may use only modules to the right of it. `tests/architecture.rs` lists every allowed
//! dependency and fails on any other.
//!
//! Entry points:
//!
//! - [`cli`]: the commands, one file each
//! - [`http`]: the API, health checks and metrics
//! - [`scheduler`]: starts syncs on schedule, and resumes interrupted ones
//! - [`doctor`]: checks everything that a sync or a login needs, and says how to fix what fails
//! - [`sandbox`]: a simulated WeChat for tests, the demo and development; shares no types with our client
//! - [`app`]: builds the features from the configuration
//!
//! Features, which know nothing of HTTP or of the command line:
//!
//! - [`sync`]: mirrors WeChat's list of followers into the database
//! - [`token`]: keeps the access token of each account, shared by all processes
//! - [`login`]: exchanges a Mini Program's login code for openid and unionid
//! - [`resolve`]: finds the openid of a user in an Official Account
//! - [`push`]: queues messages, sends them and tracks their state until WeChat's receipt
//! - [`inbox`]: processes WeChat's callbacks: follows, departures, receipts, withdrawn authorisations
//! - [`erasure`]: deletes a person's data, on request or after a retention period
//! - [`keys`]: API keys, their scopes and rate limits
//!
//! Foundations:
//!
//! - [`wechat`]: the typed client of WeChat's API. One function sends every request, one table
//!   classifies WeChat's errors
//! - [`store`]: the database, and the only module that uses SeaORM. It knows nothing of WeChat. The crates
//!   `entity/` (tables) and `migration/` (schema) belong to it
//! - [`lease`]: a lock in the database that expires, with a fencing number that rejects late writes
//! - [`seal`]: encryption at rest
//! - [`bucket`]: token buckets, for rate limits; [`error_chain`]: an error with its causes in one line
//! - [`config`]: the configuration; `config.default.toml` documents every key
//! - [`telemetry`]: logs and metrics, neither of which contains a secret
//! - [`clock`]: the current time, as an argument that tests control
//! - [`model`]: identifiers, followers, runs and messages, as plain data
//! - `failpoint`: places where a test build can kill or stop the process
//!
//! # A sync
//!
//! [`scheduler`], [`cli`] or [`http`] starts a run of [`sync`]. The run acquires the account's
//! [`lease`], then resumes an interrupted run or begins a new one. Four stages work concurrently, each
//! on a different page of followers:
//!
//! 1. List a page of openids (`user/get`).
//! 2. Compare it with the database: which followers are known and need no refresh?
//! 3. Fetch the profiles of the others, 100 per call (`user/info/batchget`).
//! 4. Write the rows and the checkpoint in one transaction, guarded by the lease's fencing number.
//!
//! A crash therefore repeats only the pages in flight, at most three. Known followers that were not listed
//! are marked as having left, but only after the list ended consistently and only if their profiles confirm
//! it. If suspiciously many left, the run is *held* until an operator confirms it.
//!
//! # An access token
//!
//! Every call to WeChat takes its token from a [`wechat::TokenSource`], implemented by
//! [`token::Keeper`]. The keeper looks in memory (compared with the database every few seconds), then in
//! the database, where tokens are encrypted. If neither has a valid token, one process fetches it under
//! a lease, and all others use the result. A token is renewed before it expires, while callers keep using
//! the old one.
//!
//! If WeChat rejects a token, the call passes the rejected token to the keeper. The keeper returns a newer
//! token if it has one and otherwise fetches one, and the call is repeated once. [`http`] offers the same
//! operation to the company's other programs.
//!
//! # A login
//!
//! [`http`] passes the code to [`login::Login`]. WeChat accepts a code once, so results are cached by the
//! code's digest for about a minute: concurrent requests with the same code wait for one exchange, and
//! later ones get its result. The exchange runs in its own task, so a caller that disconnects does not
//! cancel it, and it holds no database connection while it waits for WeChat. One transaction then stores
//! the user, ends an earlier erasure (logging in counts as acting again), and collects the person's openids
//! in the Official Accounts.
//!
//! # A resolve
//!
//! [`resolve::Resolver`] maps (AppID, openid) to a unionid and the unionid to an openid in the Official
//! Account, in one SQL statement over two indexes. "Not found" is a result with a reason, not an error.
//!
//! # A message
//!
//! [`push::Push`] validates a request before it stores anything: the texts against the template and
//! WeChat's rules, the recipient by [`resolve`]. A valid message becomes a row, in the same transaction as
//! its Idempotency-Key. Any process may claim the row, at the account's rate limit, and sends it with the
//! row's id as `client_msg_id`.
//!
//! Before the first byte of the request leaves, the row records that WeChat may have received the message.
//! If the process crashes then, the state is `unknown`, and the message is sent again only while WeChat
//! still suppresses duplicates by `client_msg_id`. WeChat's receipt, a callback, decides the final state. It
//! may arrive before the response to the request, late, or several times.
//!
//! # A callback
//!
//! [`http`] passes the raw request to [`inbox`], which verifies the signature before it parses anything.
//! The event's fingerprint is stored in the same transaction as its effect, so a repeated event has no
//! second effect, and `success` is answered after the commit. Receipts need no fingerprint, because only the
//! first one of a message takes effect; receipts that arrive together share a transaction. Profiles of new
//! followers are fetched later, by any process.
//!
//! # An erasure
//!
//! [`erasure`] deletes a person's rows in every account and leaves digests of their identifiers
//! ([`store::erasures`]). It locks all accounts first. Every transaction that writes followers or users holds
//! a shared lock on their account, so it either sees the digests or commits before the erasure, which then
//! deletes its rows. Until the person acts again, data from WeChat that matches a digest is not stored.

pub mod app;
pub mod bucket;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod erasure;
pub mod error_chain;
mod failpoint;
pub mod http;
pub mod inbox;
pub mod keys;
pub mod lease;
pub mod login;
pub mod model;
pub mod push;
pub mod resolve;
pub mod sandbox;
pub mod scheduler;
pub mod seal;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod token;
pub mod wechat;
