//! How a command ends: its exit code, and for a failure the error and hint to print.

use std::process::ExitCode;

use crate::error_chain::error_chain;
use crate::model::UnclearAccount;
use crate::{app, config, http, keys, push, scheduler, store, sync, telemetry, token};

/// How a command ended; each variant has an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// The command succeeded.
    Done,
    /// The work is paused and will resume.
    Paused,
    /// The command failed.
    Failed,
    /// The configuration, here or in WeChat's console, must be changed.
    Configuration,
    /// The command line's options do not fit together.
    Usage,
}

impl Exit {
    pub(super) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Paused => 75,
            Self::Configuration => 78,
        })
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    error: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    pub(super) fn new(exit: Exit, error: impl Into<anyhow::Error>, hint: Option<String>) -> Self {
        Self { exit, error: error.into(), hint }
    }

    /// Prints the error with its causes and the hint, and returns the exit code.
    pub(super) fn report(self) -> ExitCode {
        super::output::message(format_args!("error: {}", error_chain(self.error.as_ref())));
        if let Some(hint) = self.hint {
            super::output::message(format_args!("hint: {hint}"));
        }
        self.exit.code()
    }

    pub(super) fn exit(&self) -> Exit {
        self.exit
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::new(Exit::Configuration, error, None)
    }
}

impl From<config::UnknownAccount> for Failure {
    fn from(error: config::UnknownAccount) -> Self {
        Self::new(Exit::Configuration, error, None)
    }
}

impl From<UnclearAccount> for Failure {
    fn from(error: UnclearAccount) -> Self {
        let hint = Some(error.hint());
        Self::new(Exit::Configuration, error, hint)
    }
}

impl From<app::Error> for Failure {
    fn from(error: app::Error) -> Self {
        let exit = if error.is_configuration() { Exit::Configuration } else { Exit::Failed };
        let hint = error.hint();
        Self::new(exit, error, hint)
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        app::Error::from(error).into()
    }
}

impl From<sync::Error> for Failure {
    fn from(error: sync::Error) -> Self {
        let exit = match &error {
            sync::Error::LeaseHeld(_) | sync::Error::LeaseLost(_) | sync::Error::Stopped => {
                Exit::Paused
            }
            sync::Error::Store(error) if error.is_passing() => Exit::Paused,
            error if error.is_configuration() => Exit::Configuration,
            _ => Exit::Failed,
        };
        let hint = hint_of(&error);
        Self::new(exit, error, hint)
    }
}

/// Returns the operator's next step after a sync that stopped.
pub(super) fn hint_of(error: &sync::Error) -> Option<String> {
    match error {
        sync::Error::Store(error) => Some(error.hint().to_owned()),
        error => error.hint(),
    }
}

impl From<token::Error> for Failure {
    fn from(error: token::Error) -> Self {
        let hint = error.hint();
        let exit = if error.is_configuration() { Exit::Configuration } else { Exit::Failed };
        Self::new(exit, error, hint)
    }
}

impl From<push::Error> for Failure {
    fn from(error: push::Error) -> Self {
        let hint = error.hint();
        let exit = if error.is_configuration() { Exit::Configuration } else { Exit::Failed };
        Self::new(exit, error, hint)
    }
}

impl From<keys::Error> for Failure {
    fn from(error: keys::Error) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self::new(Exit::Failed, error, hint)
    }
}

impl From<http::ClientError> for Failure {
    fn from(error: http::ClientError) -> Self {
        Self::new(Exit::Failed, error, None)
    }
}

impl From<scheduler::Error> for Failure {
    fn from(error: scheduler::Error) -> Self {
        Self::new(Exit::Failed, error, None)
    }
}

impl From<telemetry::Error> for Failure {
    fn from(error: telemetry::Error) -> Self {
        Self::new(Exit::Failed, error, None)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, error, None)
    }
}

impl From<crate::sandbox::Error> for Failure {
    fn from(error: crate::sandbox::Error) -> Self {
        Self::new(Exit::Failed, error, None)
    }
}
