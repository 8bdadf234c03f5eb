//! Quoting the caller's input in error texts.

/// The longest text that is sent back, in characters.
const MAX_CHARS: usize = 200;

/// Makes a text that may quote the caller's input safe to display: truncates it, and replaces control and
/// bidirectional formatting characters.
pub(in crate::http) fn sanitize(text: &str) -> String {
    let visible = |character: char| match character {
        c if c.is_control() || is_bidi_control(c) => '\u{fffd}',
        other => other,
    };
    let mut sanitized: String = text.chars().map(visible).take(MAX_CHARS).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        sanitized.push('…');
    }
    sanitized
}

/// Whether the character changes the reading direction, so that a text looks like another one.
pub(in crate::http) fn is_bidi_control(character: char) -> bool {
    matches!(
        character,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_input_is_truncated_and_stripped_of_control_characters() {
        assert_eq!(sanitize("unknown field `nmae`"), "unknown field `nmae`");
        assert_eq!(sanitize("a\n\0\u{202e}b"), "a\u{fffd}\u{fffd}\u{fffd}b");
        let long = sanitize(&"é".repeat(10_000));
        assert_eq!(long, format!("{}…", "é".repeat(MAX_CHARS)));
    }
}
