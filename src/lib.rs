//! unionid-bridge: knows that an Official Account follower and a Mini Program user are one person.
//!
//! A WeChat user has another openid in each Official Account and each Mini Program; only the
//! unionid joins them. This service mirrors each Official Account's followers with their unionid,
//! every night, for years, without losing one.
//!
//! # The map
//!
//! ```text
//! main → cli → http, scheduler, sandbox, doctor → app → features → wechat | store → model
//! ```
//!
//! Arrows point down only; `tests/architecture.rs` holds the list and fails on any other.
//!
//! - [`model`]: the nouns — identifiers that cannot be mixed up, followers, runs
//! - [`clock`]: what time it is, as an argument
//! - [`config`]: what the operator decides; `config.default.toml` documents every key
//! - [`telemetry`]: logs and metrics, with no secret in either
//! - [`wechat`]: the typed client of WeChat's API; one function sends, one table classes errors
//! - [`store`]: the database, and the only place that knows SeaORM
//! - `failpoint`: places at which a test kills the process
//! - [`lease`]: one process at a time does a thing; [`seal`]: encryption at rest; [`bucket`]: how often
//!   a thing may be done
//! - features: [`token`], the one access token of each account; [`sync`], the follower crawl;
//!   [`login`], a Mini Program's code becomes a person; [`resolve`], a person's openid elsewhere;
//!   [`push`], a message to a person and its fate; [`inbox`], what WeChat tells as it happens; [`erasure`], people are forgotten; [`keys`], who may
//!   call the API
//! - [`app`]: the features put together from the configuration
//! - [`doctor`]: looks at all that a sync or a login needs, and says what to do
//! - [`scheduler`]: runs syncs at their ticks; [`http`]: the API; [`sandbox`]: a WeChat one can run;
//!   [`cli`]: the commands
//!
//! # How a sync flows
//!
//! [`scheduler`], [`cli`] or [`http`] ask [`sync`] for a run. Under the account's [`lease`] it resumes the
//! interrupted run or begins one. Then stages work at the same time: one walks the pages of
//! `user/get`, one looks up which of the listed people are known, one asks for the profiles of the
//! others a hundred at a time, one writes the page's rows and the checkpoint in one transaction that
//! carries the lease's fencing number. When the list ended consistently, who was known and not
//! listed has left, unless that looks wrong: then the run is held for an operator.
//!
//! # How a token flows
//!
//! Every call takes its token from a [`wechat::TokenSource`], which is [`token::Keeper`]: from
//! memory, which is compared with the database every few seconds, else from the database (sealed), else
//! by one refresh for everybody under a lease. Near its end it is renewed while everybody goes on with the
//! old one. When WeChat refuses a token the call hands in the one that failed: a newer one that is there
//! already is the answer, otherwise one refresh is made, and the call is repeated once. [`http`] offers the
//! same to the company's other programs.
//!
//! # How a login flows
//!
//! [`http`] gives the code to [`login::Login`], which remembers every code for a minute by its digest:
//! equal codes wait for one exchange, and what became of a code is answered without WeChat. The
//! exchange runs in a task of its own, so that no caller's patience ends it, and holds no database
//! connection while WeChat is asked. Then one transaction stores the user, takes an erasure back (a
//! login is an act), and gathers every Official Account openid known by the unionid.
//!
//! # How a look-up flows
//!
//! [`resolve::Resolver`] knows the accounts' numbers, so that (AppID, openid) → unionid → openid is one
//! statement over two indexes. Who is not found is an answer with its reason and no error.
//!
//! # How a message flows
//!
//! [`push::Push`] judges an order before anything is kept: the texts by the template's own keys and
//! WeChat's rules, the person by [`resolve`]. What can be sent becomes a row, in one transaction with
//! the Idempotency-Key that it came with. Any process claims it, at the account's pace, and sends it with
//! its id as `client_msg_id`. Before its first byte leaves it is committed that WeChat may have it, so that
//! whoever finds the row after a crash knows: it is `unknown`, and is sent again only while WeChat
//! suppresses repetitions. WeChat's receipt, by a callback, ends it, whether it comes before the answer,
//! late or three times.
//!
//! # How a callback flows
//!
//! [`http`] has nothing of it before [`inbox`] has checked the signature. The event is claimed by its
//! fingerprint in the transaction of its effect, and `success` is answered after the commit. Receipts
//! need no claim, since the first one stands; those that come together share a commit. Profiles are asked
//! for afterwards, by whichever process comes first.
//!
//! # How a person is forgotten
//!
//! [`store::erasures`] deletes the rows of a person in every account and leaves digests. It locks the
//! accounts first, and who writes people shares theirs, a crawl for a page or a callback for one person:
//! what is in flight sees the digests or is erased after them. Until the person acts again, whoever
//! writes what WeChat told of people leaves them out.

pub mod app;
pub mod bucket;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod erasure;
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
