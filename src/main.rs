//! The `unionid-bridge` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    unionid_bridge::cli::main()
}
