//! Answers of WeChat, valid or not, parsed as the answer of each call.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use unionid_bridge::wechat::fuzzing::{read_answer, repair_json};

/// An AppSecret that no error may contain.
const SECRET: &str = "0c5e7a91d4b84f3fa6e2d0937c1b58aa";

/// The maximum length of our own error texts, which do not quote the answer.
const LONGEST_PROBLEM: usize = 100;

fuzz_target!(|input: &[u8]| {
    for outcome in read_answer(input, SECRET) {
        match outcome {
            Ok(None) => {}
            Ok(Some(upstream)) => assert!(!format!("{upstream:?}").contains(SECRET)),
            Err(problem) => assert!(problem.len() <= LONGEST_PROBLEM, "{problem}"),
        }
    }
    let repaired = repair_json(input);
    if let Ok(value) = serde_json::from_slice::<Value>(input) {
        let again = serde_json::from_str::<Value>(&repaired);
        assert_eq!(again.ok(), Some(value), "the repair changed valid JSON");
    }
});
