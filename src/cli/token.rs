//! `token`: prints or refreshes an account's access token.

use clap::{Args, Subcommand};

use super::{Exit, Failure, Global, context, output};
use crate::token::TokenStatus;

/// Show or refresh an account's access token
#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Print the token, and fetch one if none is stored
    Show {
        /// The account, by name or AppID
        account: String,
    },
    /// Fetch the token from WeChat again
    Refresh {
        /// The account, by name or AppID
        account: String,
        /// Make WeChat issue a new token and invalidate the current one immediately for all its users,
        /// for use after a leak. WeChat allows this 20 times a day
        #[arg(long)]
        force: bool,
    },
}

impl Token {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::open_app(global).await?;
        let status = match self.command {
            TokenCommand::Show { account } => {
                app.tokens.show(&context::account(&app.config, &account)?).await?
            }
            TokenCommand::Refresh { account, force } => {
                app.tokens.refresh(&context::account(&app.config, &account)?, force).await?
            }
        };
        print(&status, global.json);
        Ok(Exit::Done)
    }
}

fn print(status: &TokenStatus, json: bool) {
    if json {
        return output::json(status);
    }
    output::data(&status.access_token);
    let until = status.expires_at.format("%Y-%m-%d %H:%M:%S UTC");
    output::message(format_args!("expires in {} s, at {until}", status.expires_in));
}
