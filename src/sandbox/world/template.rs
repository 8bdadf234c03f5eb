//! The templates of each account, and which of them are banned.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::sandbox::errcode::Refusal;
use crate::sandbox::locks::lock;
use crate::sandbox::random::{derive, mix};

/// The maximum number of templates per account and kind.
const MAX_TEMPLATES: usize = 25;

/// The kinds of templates. Each has its own list and its own API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TemplateKind {
    /// An Official Account's templates.
    Official,
    /// A Mini Program's templates for subscribe messages.
    Subscribe,
    /// A Mini Program's templates of the API that WeChat retired in 2020.
    Legacy,
}

/// A line of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The key in the `data` of a message, such as `thing2`.
    pub(crate) key: String,
    /// The label that the user sees before the value.
    pub(crate) name: String,
    pub(crate) example: String,
}

/// A template of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) lines: Vec<Line>,
    /// Whether one consent is valid until it is revoked.
    pub(crate) lasting: bool,
}

impl Template {
    /// Returns the keys that the `data` of a message must contain.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.key.as_str())
    }

    /// Returns the text with `{{key.DATA}}` in place of the values. `colon` is written after each name.
    pub(crate) fn content(&self, colon: &str) -> String {
        let line = |Line { key, name, .. }: &Line| format!("{name}{colon}{{{{{key}.DATA}}}}\n");
        self.lines.iter().map(line).collect()
    }

    /// Returns the text with an example for each value.
    pub(crate) fn example(&self) -> String {
        self.lines.iter().map(|line| format!("{}:{}\n", line.name, line.example)).collect()
    }
}

/// All templates of the world.
#[derive(Debug)]
pub(crate) struct Templates {
    seed: u64,
    store: Mutex<TemplateStore>,
}

#[derive(Debug, Default)]
struct TemplateStore {
    templates: HashMap<(usize, TemplateKind), Vec<Template>>,
    /// Account and template id → the errcode that messages are refused with.
    bans: HashMap<(usize, String), i64>,
    added: u64,
}

impl Templates {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, store: Mutex::default() }
    }

    pub(crate) fn list(&self, account: usize, kind: TemplateKind) -> Vec<Template> {
        lock(&self.store).templates.get(&(account, kind)).cloned().unwrap_or_default()
    }

    /// Returns the template. Refuses an unknown template with 40037 and a banned one with its errcode.
    pub(crate) fn find(
        &self,
        account: usize,
        kind: TemplateKind,
        id: &str,
    ) -> Result<Template, Refusal> {
        let store = lock(&self.store);
        let templates =
            store.templates.get(&(account, kind)).map(Vec::as_slice).unwrap_or_default();
        let found = templates.iter().find(|template| template.id == id);
        let found = found.ok_or_else(|| Refusal::of(40037))?;
        match store.bans.get(&(account, id.to_owned())) {
            Some(errcode) => Err(Refusal::of(*errcode)),
            None => Ok(found.clone()),
        }
    }

    /// Adds a template and returns its id. Returns `None` if the account already has [`MAX_TEMPLATES`].
    pub(crate) fn add(
        &self,
        account: usize,
        kind: TemplateKind,
        (title, lasting): (&str, bool),
        lines: Vec<Line>,
    ) -> Option<String> {
        let mut store = lock(&self.store);
        store.added += 1;
        let id = id(derive(self.seed ^ store.added, title));
        let templates = store.templates.entry((account, kind)).or_default();
        let template = Template { id: id.clone(), title: title.to_owned(), lines, lasting };
        (templates.len() < MAX_TEMPLATES).then(|| templates.push(template)).map(|()| id)
    }

    /// Deletes a template. Returns whether it existed.
    pub(crate) fn delete(&self, account: usize, kind: TemplateKind, id: &str) -> bool {
        let mut store = lock(&self.store);
        let templates = store.templates.entry((account, kind)).or_default();
        let before = templates.len();
        templates.retain(|template| template.id != id);
        templates.len() < before
    }

    /// Refuses messages with the template with this errcode; `None` lifts the ban.
    pub(crate) fn ban(&self, account: usize, id: &str, errcode: Option<i64>) {
        let bans = &mut lock(&self.store).bans;
        let key = (account, id.to_owned());
        match errcode {
            Some(errcode) => bans.insert(key, errcode),
            None => bans.remove(&key),
        };
    }
}

/// Returns a template id of 43 characters.
fn id(key: u64) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let bytes: Vec<u8> = (0..4).flat_map(|n| mix(key ^ n).to_le_bytes()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key: &str) -> Line {
        Line { key: key.to_owned(), name: "名称".to_owned(), example: "咖啡".to_owned() }
    }

    #[test]
    fn a_templates_content_has_one_line_per_keyword() {
        let templates = Templates::new(1);
        let lines = vec![line("thing1"), line("time2")];
        let id = templates.add(0, TemplateKind::Subscribe, ("title", false), lines).unwrap();
        let template = templates.find(0, TemplateKind::Subscribe, &id).unwrap();
        assert_eq!(template.id.len(), 43);
        assert_eq!(template.keys().collect::<Vec<_>>(), ["thing1", "time2"]);
        assert_eq!(template.content(":"), "名称:{{thing1.DATA}}\n名称:{{time2.DATA}}\n");
        assert_eq!(template.example(), "名称:咖啡\n名称:咖啡\n");
    }

    #[test]
    fn an_account_holds_at_most_25_templates_of_a_kind() {
        let templates = Templates::new(1);
        let add = |kind| templates.add(0, kind, ("title", false), Vec::new());
        let ids: std::collections::HashSet<_> =
            (0..MAX_TEMPLATES).map(|_| add(TemplateKind::Legacy).unwrap()).collect();
        assert_eq!(ids.len(), MAX_TEMPLATES);
        assert_eq!(add(TemplateKind::Legacy), None);
        assert!(add(TemplateKind::Subscribe).is_some());
    }

    #[test]
    fn a_ban_affects_one_accounts_template_and_can_be_lifted() {
        let templates = Templates::new(1);
        let id = templates.add(0, TemplateKind::Official, ("title", false), Vec::new()).unwrap();
        let errcode =
            || templates.find(0, TemplateKind::Official, &id).map_err(|refusal| refusal.errcode);
        templates.ban(1, &id, Some(43107));
        assert!(errcode().is_ok());
        templates.ban(0, &id, Some(43116));
        assert_eq!(errcode(), Err(43116));
        templates.ban(0, &id, None);
        assert!(errcode().is_ok());
        let elsewhere = templates.find(0, TemplateKind::Subscribe, &id);
        assert_eq!(elsewhere, Err(Refusal::of(40037)));
    }
}
