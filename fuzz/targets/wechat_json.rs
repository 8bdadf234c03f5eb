//! What WeChat answers, broken or not, read as the answer of each call.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use unionid_bridge::wechat::fuzzing::{mend, read_answer};

/// An AppSecret, which no error may repeat.
const SECRET: &str = "0c5e7a91d4b84f3fa6e2d0937c1b58aa";

/// Enough for each sentence of our own about an answer, which quotes nothing of it.
const LONGEST_PROBLEM: usize = 100;

fuzz_target!(|input: &[u8]| {
    for outcome in read_answer(input, SECRET) {
        match outcome {
            Ok(None) => {}
            Ok(Some(upstream)) => assert!(!format!("{upstream:?}").contains(SECRET)),
            Err(problem) => assert!(problem.len() <= LONGEST_PROBLEM, "{problem}"),
        }
    }
    let mended = mend(input);
    if let Ok(value) = serde_json::from_slice::<Value>(input) {
        let again = serde_json::from_str::<Value>(&mended);
        assert_eq!(again.ok(), Some(value), "mending changed proper JSON");
    }
});
