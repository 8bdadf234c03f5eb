//! `token`: the central access token, for the operator's own eyes.

use clap::{Args, Subcommand};

use super::{Exit, Failure, Global, context, output};
use crate::token::TokenStatus;

/// An account's access token.
#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Print the token; it is fetched if there is none
    Show {
        /// The account, by name or AppID
        account: String,
    },
    /// Ask WeChat again
    Refresh {
        /// The account, by name or AppID
        account: String,
        /// Have WeChat make a new token and kill the present one at once, for all its users: for a
        /// leaked one. WeChat allows this 20 times a day
        #[arg(long)]
        force: bool,
    },
}

impl Token {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::opened(global).await?;
        let standing = match self.command {
            TokenCommand::Show { account } => {
                app.tokens.show(&context::account(&app.config, &account)?).await?
            }
            TokenCommand::Refresh { account, force } => {
                app.tokens.refresh(&context::account(&app.config, &account)?, force).await?
            }
        };
        print(&standing, global.json);
        Ok(Exit::Done)
    }
}

fn print(standing: &TokenStatus, json: bool) {
    if json {
        return output::json(standing);
    }
    output::data(&standing.access_token);
    let until = standing.expires_at.format("%Y-%m-%d %H:%M:%S UTC");
    output::talk(format_args!("expires in {} s, at {until}", standing.expires_in));
}
