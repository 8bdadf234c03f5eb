use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Option<u64> {
    Cursor::<'r'>::try_from(text.to_owned()).ok().map(Cursor::row)
}

#[test]
fn only_a_correctly_encoded_cursor_is_accepted() {
    let text = String::from(Cursor::<'r'>::after(1_000_000));
    assert_eq!((text.as_str(), read(&text)), ("r00000000000f4240", Some(1_000_000)));
    assert_eq!(read("r7fffffffffffffff"), Some(i64::MAX as u64));
    for strange in [
        "",
        "r",
        "f00000000000f4240",
        "r00000000000F4240",
        "r+0000000000f4240",
        "r8000000000000000",
        "r00000000000f424",
        "r00000000000f42400",
        "r00000000000f424\0",
        "r00000000000f424%",
        "\u{202e}",
        &"r".repeat(1_000_000),
    ] {
        assert_eq!(read(strange), None, "{strange:.40?}");
    }
}

proptest! {
    #[test]
    fn cursors_round_trip_and_no_text_panics(text in ".*", row: u64) {
        if let Some(row) = read(&text) {
            prop_assert_eq!(String::from(Cursor::<'r'>::after(row)), text);
        }
        let cursor = Cursor::<'r'>::after(row);
        prop_assert_eq!(read(&String::from(cursor)), Some(cursor.row()));
    }
}

#[test]
fn a_message_cursor_contains_exactly_one_message_id() {
    let read = |text: &str| MessageCursor::try_from(text.to_owned());
    let id = MessageId::new(1_700_000_000_000, [7; 10]);
    let text = String::from(MessageCursor::after(id.clone()));
    assert_eq!(read(&text).unwrap().id(), &id);
    for strange in ["", "m", &text[1..], &text[..32], &format!("{text}0"), &text.to_uppercase()] {
        assert!(read(strange).is_err(), "{strange}");
    }
}

#[test]
fn an_in_memory_list_is_paged_completely_at_any_page_size() {
    for size in 1..=6 {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let limit = Limit::try_from(size).ok();
            let page = Page::slice((0..5).collect(), limit, cursor, |entry: u64| entry);
            assert!(page.data.len() as u64 <= size && !page.data.is_empty());
            seen.extend(page.data);
            let Some(next) = page.next_cursor else { break };
            cursor = Some(Position::try_from(next).unwrap());
        }
        assert_eq!(seen, [0, 1, 2, 3, 4], "{size}");
    }
    let past = Page::slice(vec![1], None, Some(Position::after(u64::MAX)), |entry| entry);
    assert_eq!((past.data.len(), past.next_cursor), (0, None));
    let many = Page::slice(vec![0; 101], None, None, |entry| entry);
    assert_eq!((many.data.len(), many.next_cursor.is_some()), (100, true));
}

#[test]
fn a_page_limit_is_between_one_and_its_maximum() {
    let read = |limit| Limit::<100>::try_from(limit).ok().map(Limit::get);
    assert_eq!([0, 1, 100, 101].map(read), [None, Some(1), Some(100), None]);
}
