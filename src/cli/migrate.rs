//! `migrate`: applies, lists and reverts schema migrations.

use clap::{Args, Subcommand};

use super::{Exit, Failure, Global, context, output};
use crate::app;
use crate::store::schema;

/// Manage the database's schema
#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(subcommand)]
    command: MigrateCommand,
}

#[derive(Debug, Subcommand)]
enum MigrateCommand {
    /// Apply all pending migrations
    Up,
    /// List migrations, and which of them are applied
    Status,
    /// Revert migrations; this deletes the data in their tables
    Down {
        /// Number of migrations to revert, newest first
        #[arg(long, default_value_t = 1)]
        steps: u32,
        /// Confirm that the data is deleted
        #[arg(long)]
        yes: bool,
    },
}

impl Migrate {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let store = app::connect(&context::load_config(global)?).await?;
        match self.command {
            MigrateCommand::Up => {
                let applied = schema::migrate_up(&store).await?;
                output::message(format_args!("applied migrations: {applied}"));
            }
            MigrateCommand::Status => {}
            MigrateCommand::Down { yes: false, .. } => {
                let error = anyhow::anyhow!(
                    "this would delete the data in the tables of the reverted migrations"
                );
                let hint = Some("add --yes to do it anyway".to_owned());
                return Err(Failure::new(Exit::Failed, error, hint));
            }
            MigrateCommand::Down { steps, yes: true } => {
                schema::migrate_down(&store, steps).await?;
            }
        }
        let steps = schema::status(&store).await?;
        if global.json {
            output::json(&steps);
        } else {
            let rows: Vec<_> = steps
                .into_iter()
                .map(|step| [step.name, if step.applied { "applied" } else { "missing" }.into()])
                .collect();
            output::table(["MIGRATION", "STATE"], &rows);
        }
        store.close().await?;
        Ok(Exit::Done)
    }
}
