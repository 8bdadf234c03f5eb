//! The library for subscribe messages: categories, titles, keywords.

use crate::sandbox::world::Line;

/// A keyword of a title.
#[derive(Debug)]
pub(crate) struct Keyword {
    /// The keyword's number within its title.
    pub(crate) kid: u32,
    pub(crate) name: &'static str,
    pub(crate) example: &'static str,
    /// The keyword's kind. Kind and number form the key: `thing` and 2 form `thing2`.
    pub(crate) rule: &'static str,
}

const fn keyword(
    kid: u32,
    name: &'static str,
    example: &'static str,
    rule: &'static str,
) -> Keyword {
    Keyword { kid, name, example, rule }
}

/// A title of a category.
#[derive(Debug)]
pub(crate) struct Title {
    pub(crate) tid: u32,
    pub(crate) title: &'static str,
    pub(crate) category: u32,
    /// Whether one consent is valid until it is revoked.
    pub(crate) lasting: bool,
    pub(crate) keywords: &'static [Keyword],
}

impl Title {
    /// Returns the lines of a template with these keywords, in the given order. Returns `None` if the title
    /// lacks one of the keywords.
    pub(crate) fn lines(&self, kids: &[u32]) -> Option<Vec<Line>> {
        let line = |kid: &u32| {
            let keyword = self.keywords.iter().find(|keyword| keyword.kid == *kid)?;
            let Keyword { rule, name, example, .. } = keyword;
            let (name, example) = ((*name).to_owned(), (*example).to_owned());
            Some(Line { key: format!("{rule}{kid}"), name, example })
        };
        kids.iter().map(line).collect()
    }
}

/// The categories of every Mini Program in the sandbox.
pub(crate) const CATEGORIES: &[(u32, &str)] = &[(307, "线下超市/便利店"), (616, "公交")];

/// "Order paid": every Mini Program starts with a template of this title.
pub(crate) const ORDER_PAID: u32 = 2001;

/// "Order ready for pickup": every Mini Program starts with a template of this title.
pub(crate) const ORDER_READY: u32 = 2003;

/// All titles.
pub(crate) const TITLES: &[Title] = &[
    Title {
        tid: ORDER_PAID,
        title: "订单支付成功通知",
        category: 307,
        lasting: false,
        keywords: &[
            keyword(1, "订单编号", "A20260101-7", "character_string"),
            keyword(2, "商品名称", "咖啡", "thing"),
            keyword(3, "支付金额", "¥12.50", "amount"),
            keyword(4, "支付时间", "2026年1月1日 12:00", "time"),
            keyword(5, "备注", "请凭订单编号取货", "thing"),
        ],
    },
    Title {
        tid: 2002,
        title: "订单发货通知",
        category: 307,
        lasting: false,
        keywords: &[
            keyword(1, "订单编号", "A20260101-7", "character_string"),
            keyword(2, "快递公司", "顺丰速运", "thing"),
            keyword(3, "快递单号", "SF1234567890", "character_string"),
            keyword(4, "发货日期", "2026年1月2日", "date"),
            keyword(5, "商品数量", "2", "number"),
            keyword(6, "收货人", "张三", "name"),
        ],
    },
    Title {
        tid: ORDER_READY,
        title: "取餐提醒",
        category: 307,
        lasting: false,
        keywords: &[
            keyword(1, "取餐码", "B017", "character_string"),
            keyword(2, "门店名称", "人民路店", "thing"),
            keyword(3, "订单状态", "待取餐", "phrase"),
            keyword(4, "门店电话", "020-88886666", "phone_number"),
        ],
    },
    Title {
        tid: 2004,
        title: "公交到站提醒",
        category: 616,
        lasting: true,
        keywords: &[
            keyword(1, "线路名称", "7路", "thing"),
            keyword(2, "车牌号", "粤A8Z888", "car_number"),
            keyword(3, "到站时间", "12:05", "time"),
            keyword(4, "剩余站数", "2", "number"),
        ],
    },
];

/// Returns the title with this number.
pub(crate) fn title(tid: u32) -> Option<&'static Title> {
    TITLES.iter().find(|title| title.tid == tid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_consists_of_the_keyword_kind_and_number() {
        let lines = title(ORDER_PAID).unwrap().lines(&[3, 1]).unwrap();
        let keys: Vec<_> = lines.iter().map(|line| line.key.as_str()).collect();
        assert_eq!(keys, ["amount3", "character_string1"]);
        assert_eq!(title(ORDER_PAID).unwrap().lines(&[1, 9]), None);
    }
}
