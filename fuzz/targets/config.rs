//! A configuration: a file, then environment variables, each after a NUL.
//!
//! Paths in the input are opened, as in the service. Run it where no device or pipe blocks a reader.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unionid_bridge::config::{Sources, load};

const PREFIX: &str = "UNIONID_BRIDGE__";

fuzz_target!(|input: &[u8]| {
    let Ok(input) = std::str::from_utf8(input) else {
        return;
    };
    let mut parts = input.split('\0');
    let file = parts.next().unwrap_or_default();
    let variables: Vec<(String, &str)> = parts
        .filter_map(|variable| variable.split_once('='))
        .map(|(key, value)| (format!("{PREFIX}{key}"), value))
        .collect();
    let variables = variables.iter().map(|(name, value)| (name.as_str(), *value));
    match load(&Sources::defaults().with_text("fuzz.toml", file).with_environment(variables)) {
        Ok(loaded) => {
            let _ = format!("{:?} {:?}", loaded.config, loaded.warnings);
            let _ = loaded.settings.to_table();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
