//! The template library of the API that WeChat retired in 2020: titles have ids `AT…`, keywords have
//! numbers.

use crate::sandbox::world::Line;

/// A keyword of a title.
#[derive(Debug)]
pub(crate) struct Keyword {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) example: &'static str,
}

/// A title of the library.
#[derive(Debug)]
pub(crate) struct Title {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) keywords: &'static [Keyword],
}

impl Title {
    /// Returns the lines of a template with these keywords, with the keys `keyword1`, `keyword2` and so on in
    /// the given order. Returns `None` if the title lacks one of the keywords.
    pub(crate) fn lines(&self, ids: &[u32]) -> Option<Vec<Line>> {
        let line = |(nth, id): (u32, &u32)| {
            let keyword = self.keywords.iter().find(|keyword| keyword.id == *id)?;
            let (name, example) = (keyword.name.to_owned(), keyword.example.to_owned());
            Some(Line { key: format!("keyword{nth}"), name, example })
        };
        (1..).zip(ids).map(line).collect()
    }
}

const fn keyword(id: u32, name: &'static str, example: &'static str) -> Keyword {
    Keyword { id, name, example }
}

/// All titles.
pub(crate) const TITLES: &[Title] = &[
    Title {
        id: "AT0002",
        title: "购买成功通知",
        keywords: &[
            keyword(3, "购买地点", "TIT造舰厂"),
            keyword(4, "购买时间", "2016年6月6日"),
            keyword(5, "物品名称", "咖啡"),
            keyword(6, "交易单号", "2016060612345"),
            keyword(7, "购买价格", "12元"),
        ],
    },
    Title {
        id: "AT0003",
        title: "购买失败通知",
        keywords: &[keyword(1, "失败原因", "余额不足"), keyword(2, "物品名称", "咖啡")],
    },
    Title {
        id: "AT0004",
        title: "交易提醒",
        keywords: &[keyword(1, "交易时间", "2016年6月6日"), keyword(2, "交易类型", "消费")],
    },
    Title {
        id: "AT0005",
        title: "付款成功通知",
        keywords: &[
            keyword(1, "付款金额", "12元"),
            keyword(2, "付款时间", "2016年6月6日"),
            keyword(3, "订单号", "2016060612345"),
        ],
    },
    Title {
        id: "AT0006",
        title: "付款失败通知",
        keywords: &[keyword(1, "失败原因", "余额不足"), keyword(2, "订单号", "2016060612345")],
    },
];

/// Returns the title with this id.
pub(crate) fn title(id: &str) -> Option<&'static Title> {
    TITLES.iter().find(|title| title.id == id)
}
