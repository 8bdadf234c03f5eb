//! A user as `user/info` and `user/info/batchget` return it.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::decode::lenient::{Integer, Integers, Text, absent};
use crate::model::Profile;

/// A row of an answer; `None` if it is not a JSON object or has no valid openid.
#[derive(Debug, Default)]
pub(super) struct Row(pub(super) Option<Profile>);

#[derive(Deserialize, Default)]
#[serde(default)]
struct Fields<'a> {
    #[serde(borrow)]
    openid: Text<'a>,
    subscribe: Integer,
    #[serde(borrow)]
    unionid: Text<'a>,
    subscribe_time: Integer,
    #[serde(borrow)]
    subscribe_scene: Text<'a>,
    #[serde(borrow)]
    language: Text<'a>,
    #[serde(borrow)]
    remark: Text<'a>,
    tagid_list: Integers,
    qr_scene: Integer,
    #[serde(borrow)]
    qr_scene_str: Text<'a>,
}

impl Fields<'_> {
    fn into_profile(self) -> Option<Profile> {
        Some(Profile {
            openid: self.openid.parse()?,
            // Only an explicit 0 means that the user unfollowed. A missing field does not.
            subscribed: self.subscribe.0 != Some(0),
            unionid: self.unionid.parse(),
            subscribed_at: self.subscribe_time.0.filter(|&seconds| seconds > 0),
            subscribe_scene: self.subscribe_scene.into_printable(),
            language: self.language.into_printable(),
            remark: self.remark.into_printable(),
            tag_ids: self.tagid_list.0,
            qr_scene: self.qr_scene.0.filter(|&scene| scene != 0),
            qr_scene_text: self.qr_scene_str.into_printable(),
        })
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Row, A::Error> {
        let fields = Fields::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Row(fields.into_profile()))
    }

    absent!(bool i64 u64 f64 str unit seq);
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowVisitor)
    }
}
