//! The `unionid-bridge` binary; see [`unionid_bridge::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    unionid_bridge::cli::main()
}
