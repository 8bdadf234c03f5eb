//! What a caller sent, as far as it is repeated to them.

/// How much of it, in characters.
const LONGEST_QUOTE: usize = 200;

/// Words that may quote the caller, fit to be shown: short, on one line, and not turned around.
pub(in crate::http) fn fit(words: &str) -> String {
    let shown = |character: char| match character {
        c if c.is_control() || turns_around(c) => '\u{fffd}',
        other => other,
    };
    let mut fit: String = words.chars().map(shown).take(LONGEST_QUOTE).collect();
    if words.chars().nth(LONGEST_QUOTE).is_some() {
        fit.push('…');
    }
    fit
}

/// Whether it has a text read from its other side, so that it looks like another.
pub(in crate::http) fn turns_around(character: char) -> bool {
    matches!(
        character,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_sent_is_repeated_short_and_harmless() {
        assert_eq!(fit("unknown field `nmae`"), "unknown field `nmae`");
        assert_eq!(fit("a\n\0\u{202e}b"), "a\u{fffd}\u{fffd}\u{fffd}b");
        assert_eq!(fit(&"é".repeat(10_000)), format!("{}…", "é".repeat(LONGEST_QUOTE)));
    }
}
