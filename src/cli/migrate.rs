//! `migrate`: the database's schema.

use clap::{Args, Subcommand};

use super::{Exit, Failure, Global, context, output};
use crate::app;
use crate::store::schema;

/// The database's schema.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(subcommand)]
    command: MigrateCommand,
}

#[derive(Debug, Subcommand)]
enum MigrateCommand {
    /// Apply what is missing
    Up,
    /// Say which migrations this database has
    Status,
    /// Take migrations back, and the data in their tables with them
    Down {
        /// How many, the newest first
        #[arg(long, default_value_t = 1)]
        steps: u32,
        /// Yes, the data too
        #[arg(long)]
        yes: bool,
    },
}

impl Migrate {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let store = app::connect(&context::configured(global)?).await?;
        match self.command {
            MigrateCommand::Up => {
                let applied = schema::migrate_up(&store).await?;
                output::talk(format_args!("{applied} migrations applied"));
            }
            MigrateCommand::Status => {}
            MigrateCommand::Down { yes: false, .. } => {
                let error = anyhow::anyhow!("this deletes followers, runs and tokens");
                let hint = Some("say --yes if that is meant".to_owned());
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
