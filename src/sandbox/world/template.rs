//! The templates of each account, and which of them the vendor has banned.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::sandbox::chance::{derive, mix};
use crate::sandbox::errcode::Refusal;
use crate::sandbox::locks::lock;

/// Templates that an account may have on a shelf.
const ROOM: usize = 25;

/// The kinds of templates, which live apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shelf {
    /// An Official Account's.
    Official,
    /// A Mini Program's, for subscribe messages.
    Subscribe,
    /// A Mini Program's of the years before 2020.
    Legacy,
}

/// A line of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// What the data of a message call it, such as `thing2`.
    pub(crate) key: String,
    /// What the person reads before the value.
    pub(crate) name: String,
    pub(crate) example: String,
}

/// A template of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) lines: Vec<Line>,
    /// One consent to it holds until it is taken back.
    pub(crate) lasting: bool,
}

impl Template {
    /// What the data of a message have to name.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.key.as_str())
    }

    /// Its text with `{{key.DATA}}` for the values; `colon` stands after each name.
    pub(crate) fn content(&self, colon: &str) -> String {
        let line = |Line { key, name, .. }: &Line| format!("{name}{colon}{{{{{key}.DATA}}}}\n");
        self.lines.iter().map(line).collect()
    }

    /// Its text with an example for each value.
    pub(crate) fn example(&self) -> String {
        self.lines.iter().map(|line| format!("{}:{}\n", line.name, line.example)).collect()
    }
}

/// All templates of the world.
#[derive(Debug)]
pub(crate) struct Templates {
    seed: u64,
    book: Mutex<TemplateStore>,
}

#[derive(Debug, Default)]
struct TemplateStore {
    shelves: HashMap<(usize, Shelf), Vec<Template>>,
    /// What a message with a banned template is refused with.
    bans: HashMap<(usize, String), i64>,
    added: u64,
}

impl Templates {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, book: Mutex::default() }
    }

    pub(crate) fn list(&self, account: usize, shelf: Shelf) -> Vec<Template> {
        lock(&self.book).shelves.get(&(account, shelf)).cloned().unwrap_or_default()
    }

    /// The template, if messages may be made of it.
    pub(crate) fn find(&self, account: usize, shelf: Shelf, id: &str) -> Result<Template, Refusal> {
        let book = lock(&self.book);
        let shelf = book.shelves.get(&(account, shelf)).map(Vec::as_slice).unwrap_or_default();
        let found = shelf.iter().find(|template| template.id == id);
        let found = found.ok_or_else(|| Refusal::of(40037))?;
        match book.bans.get(&(account, id.to_owned())) {
            Some(errcode) => Err(Refusal::of(*errcode)),
            None => Ok(found.clone()),
        }
    }

    /// Adds a template and gives its id; `None` where there is no room for another.
    pub(crate) fn add(
        &self,
        account: usize,
        shelf: Shelf,
        (title, lasting): (&str, bool),
        lines: Vec<Line>,
    ) -> Option<String> {
        let mut book = lock(&self.book);
        book.added += 1;
        let id = id(derive(self.seed ^ book.added, title));
        let shelf = book.shelves.entry((account, shelf)).or_default();
        let template = Template { id: id.clone(), title: title.to_owned(), lines, lasting };
        (shelf.len() < ROOM).then(|| shelf.push(template)).map(|()| id)
    }

    /// Whether there was such a template.
    pub(crate) fn delete(&self, account: usize, shelf: Shelf, id: &str) -> bool {
        let mut book = lock(&self.book);
        let shelf = book.shelves.entry((account, shelf)).or_default();
        let before = shelf.len();
        shelf.retain(|template| template.id != id);
        shelf.len() < before
    }

    /// Has messages with the template refused with that errcode; `None` lifts the ban.
    pub(crate) fn ban(&self, account: usize, id: &str, errcode: Option<i64>) {
        let bans = &mut lock(&self.book).bans;
        let key = (account, id.to_owned());
        match errcode {
            Some(errcode) => bans.insert(key, errcode),
            None => bans.remove(&key),
        };
    }
}

/// 43 characters.
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
    fn a_template_is_written_in_lines() {
        let templates = Templates::new(1);
        let lines = vec![line("thing1"), line("time2")];
        let id = templates.add(0, Shelf::Subscribe, ("title", false), lines).unwrap();
        let template = templates.find(0, Shelf::Subscribe, &id).unwrap();
        assert_eq!(template.id.len(), 43);
        assert_eq!(template.keys().collect::<Vec<_>>(), ["thing1", "time2"]);
        assert_eq!(template.content(":"), "名称:{{thing1.DATA}}\n名称:{{time2.DATA}}\n");
        assert_eq!(template.example(), "名称:咖啡\n名称:咖啡\n");
    }

    #[test]
    fn a_shelf_has_room_for_twenty_five() {
        let templates = Templates::new(1);
        let add = |shelf| templates.add(0, shelf, ("title", false), Vec::new());
        let ids: std::collections::HashSet<_> =
            (0..ROOM).map(|_| add(Shelf::Legacy).unwrap()).collect();
        assert_eq!(ids.len(), ROOM);
        assert_eq!(add(Shelf::Legacy), None);
        assert!(add(Shelf::Subscribe).is_some());
    }

    #[test]
    fn a_ban_is_of_one_accounts_template_and_can_be_lifted() {
        let templates = Templates::new(1);
        let id = templates.add(0, Shelf::Official, ("title", false), Vec::new()).unwrap();
        let errcode = || templates.find(0, Shelf::Official, &id).map_err(|refusal| refusal.errcode);
        templates.ban(1, &id, Some(43107));
        assert!(errcode().is_ok());
        templates.ban(0, &id, Some(43116));
        assert_eq!(errcode(), Err(43116));
        templates.ban(0, &id, None);
        assert!(errcode().is_ok());
        let elsewhere = templates.find(0, Shelf::Subscribe, &id);
        assert_eq!(elsewhere, Err(Refusal::of(40037)));
    }
}
