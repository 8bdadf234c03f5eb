//! Reads source text and returns every path in it that leaves its module.
//!
//! Works on tokens, which exclude comments and strings but include macro calls.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A use of a path.
#[derive(Debug, PartialEq)]
pub(crate) struct Use {
    /// The module that contains the line.
    pub(crate) from: String,
    /// `file:line`.
    pub(crate) place: String,
    /// Whether the path begins at our crate's root. `path` does not contain the root.
    pub(crate) ours: bool,
    /// The path's segments.
    pub(crate) path: Vec<String>,
}

impl Use {
    /// Returns the using and the used module, if both are ours and differ.
    pub(crate) fn arrow(&self) -> Option<(&str, &str)> {
        let to = self.path.first()?;
        (self.ours && *to != self.from).then_some((&self.from, to))
    }
}

/// Returns every use in the Rust files below the folders.
pub(crate) fn read(folders: &[&str]) -> Vec<Use> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut uses = Vec::new();
    for folder in folders {
        let mut files = Vec::new();
        list(&root.join(folder), &mut files);
        for file in files {
            let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
            uses.extend(scan(&name, &text));
        }
    }
    uses
}

/// Adds the Rust files in the folder, without tests.
fn list(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            list(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Returns every use in one file. `file` is its path in the workspace.
pub(crate) fn scan(file: &str, text: &str) -> Vec<Use> {
    let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
    let module = module_of(file);
    let from = match (file.split('/').next(), module.first()) {
        (Some("src"), Some(first)) => first.clone(),
        (Some("src"), None) => file.trim_start_matches("src/").trim_end_matches(".rs").to_owned(),
        (other, _) => other.unwrap_or_default().to_owned(),
    };
    let mut reader = Reader { file, from, module, uses: Vec::new() };
    reader.walk(tokens);
    // Spans are looked up among all files read before, which would slow down each further file.
    proc_macro2::extra::invalidate_current_thread_spans();
    reader.uses
}

/// `src/sync/pages.rs` gives `["sync", "pages"]`; crate roots give `[]`.
fn module_of(file: &str) -> Vec<String> {
    let inner = file.split_once("src/").map_or(file, |(_, inner)| inner);
    let mut parts: Vec<String> =
        inner.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

struct Reader<'f> {
    file: &'f str,
    from: String,
    module: Vec<String>,
    uses: Vec<Use>,
}

impl Reader<'_> {
    fn walk(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at = self.step(&tokens, at);
        }
    }

    /// Processes the item at `at` and returns the index of the next one.
    fn step(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        if is_cfg_test(tokens, at) {
            return after_item(tokens, at + 2);
        }
        match &tokens[at] {
            TokenTree::Group(group) => self.walk(group.stream()),
            TokenTree::Ident(word) if word == "mod" => return self.inline_module(tokens, at),
            TokenTree::Ident(_) if !continues_a_path(tokens, at) => {
                let mut paths = Vec::new();
                let next = branches(tokens, at, &[], &mut paths);
                for (path, line) in paths {
                    self.record(path, line);
                }
                return next;
            }
            _ => {}
        }
        at + 1
    }

    fn inline_module(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
            (tokens.get(at + 1), tokens.get(at + 2))
        {
            self.module.push(name.to_string());
            self.walk(body.stream());
            self.module.pop();
        }
        at + 3
    }

    /// Records the path. Strips `crate`, `self` and `super` from our own paths.
    fn record(&mut self, mut path: Vec<String>, line: usize) {
        let mut depth = match path.first().map(String::as_str) {
            Some("crate" | "unionid_bridge") => 0,
            Some("self" | "super") => self.module.len(),
            _ => usize::MAX,
        };
        let ours = depth != usize::MAX;
        if ours {
            while let Some("crate" | "unionid_bridge" | "self" | "super") =
                path.first().map(String::as_str)
            {
                depth = if path[0] == "super" { depth.saturating_sub(1) } else { depth };
                path.remove(0);
            }
        }
        // A path within the same module needs no arrow.
        if !ours || depth == 0 {
            let (from, place) = (self.from.clone(), format!("{}:{line}", self.file));
            self.uses.push(Use { from, place, ours, path });
        }
    }
}

/// Reads the path at `at`, with each branch of `{…}` as a separate path. Returns the index after it.
fn branches(
    tokens: &[TokenTree],
    mut at: usize,
    before: &[String],
    found: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let mut path = before.to_vec();
    let mut line = 0;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => path.push("*".to_owned()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inner.split(is_comma).filter(|branch| !branch.is_empty()) {
                    branches(branch, 0, &path, found);
                }
                return at + 1;
            }
            // A turbofish or macro syntax: the path ends here.
            _ => {
                found.push((path, line));
                return at;
            }
        }
        line = tokens[at].span().start().line;
        at += 1;
        if !is_colons(tokens, at) {
            found.push((path, line));
            return at;
        }
        at += 2;
    }
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(comma) if comma.as_char() == ',')
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let colon =
        |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(at) && colon(at + 1)
}

/// Whether the preceding tokens are `something::` or `.`. A leading `::name` is a crate.
fn continues_a_path(tokens: &[TokenTree], at: usize) -> bool {
    let punct =
        |at: usize, sign: char| matches!(&tokens[at], TokenTree::Punct(p) if p.as_char() == sign);
    let after_colons = at >= 3 && is_colons(tokens, at - 2);
    let named = after_colons
        && (matches!(&tokens[at - 3], TokenTree::Ident(word) if word != "use")
            || punct(at - 3, '>'));
    named || (at >= 1 && punct(at - 1, '.'))
}

fn is_cfg_test(tokens: &[TokenTree], at: usize) -> bool {
    let [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] = &tokens[at..] else {
        return false;
    };
    let written: String = attribute.stream().to_string().split_whitespace().collect();
    hash.as_char() == '#' && written == "cfg(test)"
}

/// Returns the index after the item at `at`, which ends with its body or a semicolon.
fn after_item(tokens: &[TokenTree], at: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(sign) => sign.as_char() == ';',
        _ => false,
    };
    tokens[at..].iter().position(ends).map_or(tokens.len(), |length| at + length + 1)
}
