//! Writes a person's profile as JSON.
//!
//! A crawl reads a million profiles, so they are written directly as bytes, without intermediate values.

use std::io::Write;

use crate::sandbox::fault::{Dirt, Quirk};
use crate::sandbox::world::{Account, Id, State};

/// The initial buffer capacity per profile, in bytes.
pub(super) const PROFILE_BYTES: usize = 448;

const SCENES: &[&str] = &[
    "ADD_SCENE_SEARCH",
    "ADD_SCENE_QR_CODE",
    "ADD_SCENE_QR_CODE",
    "ADD_SCENE_PROFILE_CARD",
    "ADD_SCENE_PAID",
    "ADD_SCENE_WECHAT_ADVERTISEMENT",
    "ADD_SCENE_OTHERS",
    "ADD_SCENE_CHANNELS",
];

const REMARKS: &[&str] = &["老客户", "VIP 会员", "请周一联系", "returns often"];

/// Writes the profile of a person with this unionid.
pub(super) fn write(
    out: &mut Vec<u8>,
    account: &Account,
    state: &State,
    person: u64,
    language: &str,
    unionid: Option<Id>,
) {
    let openid = account.openids.encode(person);
    if !state.population.follows(person) || state.population.has(person, Quirk::ListedButGone) {
        return write_non_follower(out, &openid);
    }
    let writer = Writer {
        bits: state.population.profile_bits(person),
        quirks: state.population.quirks(person),
    };
    out.extend_from_slice(b"{\"subscribe\":");
    writer.number(out, 1);
    out.extend_from_slice(b",\"openid\":\"");
    out.extend_from_slice(openid.as_bytes());
    out.extend_from_slice(b"\",\"nickname\":\"\",\"sex\":");
    writer.number(out, 0);
    out.extend_from_slice(b",\"language\":\"");
    out.extend_from_slice(language.as_bytes());
    out.extend_from_slice(
        b"\",\"city\":\"\",\"province\":\"\",\"country\":\"\",\"headimgurl\":\"\",\"subscribe_time\":",
    );
    writer.number(out, state.population.followed_at(person));
    if let Some(unionid) = unionid {
        out.extend_from_slice(b",\"unionid\":\"");
        out.extend_from_slice(unionid.as_bytes());
        out.push(b'"');
    }
    writer.operator_fields(out);
    out.push(b'}');
}

/// Writes the profile of a person who does not follow: no unionid, no time, no remark.
fn write_non_follower(out: &mut Vec<u8>, openid: &Id) {
    out.extend_from_slice(b"{\"subscribe\":0,\"openid\":\"");
    out.extend_from_slice(openid.as_bytes());
    out.extend_from_slice(
        b"\",\"nickname\":\"\",\"sex\":0,\"language\":\"\",\"city\":\"\",\"province\":\"\",\
          \"country\":\"\",\"headimgurl\":\"\",\"tagid_list\":[]}",
    );
}

/// Writes the parts of one person's profile.
struct Writer<'a> {
    /// Pseudo-random bits that determine the profile.
    bits: u64,
    quirks: &'a [Quirk],
}

impl Writer<'_> {
    fn number(&self, out: &mut Vec<u8>, number: i64) {
        let quoted = self.quirks.contains(&Quirk::NumericStrings);
        let quote = if quoted { "\"" } else { "" };
        // Writing to a vector cannot fail.
        _ = write!(out, "{quote}{number}{quote}");
    }

    /// Writes the fields that the operator maintains (remark, group, tags) and how the person joined.
    fn operator_fields(&self, out: &mut Vec<u8>) {
        let tag = self.bits.is_multiple_of(4).then_some((100 + self.bits % 7) as i64);
        out.extend_from_slice(b",\"remark\":\"");
        out.extend_from_slice(self.remark());
        out.extend_from_slice(b"\",\"groupid\":");
        self.number(out, tag.unwrap_or_default());
        out.extend_from_slice(b",\"tagid_list\":[");
        if let Some(tag) = tag {
            self.number(out, tag);
        }
        out.extend_from_slice(b"],\"subscribe_scene\":\"");
        out.extend_from_slice(pick(SCENES, self.bits >> 8).as_bytes());
        out.extend_from_slice(b"\",\"qr_scene\":");
        self.number(out, 0);
        out.extend_from_slice(b",\"qr_scene_str\":\"\"");
    }

    fn remark(&self) -> &'static [u8] {
        let dirt = self.quirks.iter().find_map(|quirk| match quirk {
            Quirk::Remark(dirt) => Some(Dirt::bytes(*dirt)),
            _ => None,
        });
        match dirt {
            Some(bytes) => bytes,
            None if (self.bits >> 16).is_multiple_of(50) => {
                pick(REMARKS, self.bits >> 24).as_bytes()
            }
            None => b"",
        }
    }
}

fn pick(from: &'static [&'static str], random: u64) -> &'static str {
    from[(random % from.len() as u64) as usize]
}
