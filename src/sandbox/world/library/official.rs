//! Keywords of an Official Account's templates. The caller who adds a template names its keywords, and
//! here the kind is derived from the name. WeChat's own tables are long and differ per category.

use crate::sandbox::world::Line;

/// Part of a keyword's name, kind, example. The first entry whose part the name contains applies.
const KINDS: &[(&str, &str, &str)] = &[
    ("时间", "time", "2026年1月1日 12:00"),
    ("日期", "time", "2026年1月1日"),
    ("金额", "amount", "¥12.50"),
    ("价", "amount", "¥12.50"),
    ("电话", "phone_number", "020-88886666"),
    ("状态", "phrase", "已完成"),
    ("编号", "character_string", "A20260101-7"),
    ("单号", "character_string", "A20260101-7"),
    ("数量", "number", "2"),
];

/// Returns the lines of a template with keywords of these names.
pub(crate) fn lines(names: &[&str]) -> Vec<Line> {
    let line = |(nth, name): (u32, &&str)| {
        let kind = KINDS.iter().find(|(part, ..)| name.contains(part));
        let (_, kind, example) = kind.unwrap_or(&("", "thing", "示例"));
        let (name, example) = ((*name).to_owned(), (*example).to_owned());
        Line { key: format!("{kind}{nth}"), name, example }
    };
    (1..).zip(names).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_an_official_account_keyword_follows_from_its_name() {
        let lines = lines(&["订单编号", "商品", "支付金额"]);
        let keys: Vec<_> = lines.iter().map(|line| line.key.as_str()).collect();
        assert_eq!(keys, ["character_string1", "thing2", "amount3"]);
    }
}
