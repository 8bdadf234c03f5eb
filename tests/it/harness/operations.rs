//! The operations of the OpenAPI document, for tests that cover all of them.

use serde_json::Value;
use unionid_bridge::http;
use unionid_bridge::model::Scope;

/// An operation of the OpenAPI document.
#[derive(Debug, Clone)]
pub struct Operation {
    /// In upper case.
    pub method: String,
    /// The path as in the document, with `{variables}`.
    pub template: String,
    /// The scope that the API key needs.
    pub scope: Option<Scope>,
    /// The operation object.
    pub document: Value,
}

/// Returns all operations.
pub fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&http::document()).unwrap();
    let mut found = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let scope = operation["security"][0]["api_key"][0].as_str();
            found.push(Operation {
                method: method.to_uppercase(),
                template: template.clone(),
                scope: scope.map(|scope| scope.parse().unwrap()),
                document: operation.clone(),
            });
        }
    }
    found
}

/// Returns the operations with a JSON body.
pub fn with_json() -> Vec<Operation> {
    let found: Vec<_> = operations().into_iter().filter(Operation::takes_json).collect();
    assert!(found.len() >= 4, "{found:?}");
    found
}

impl Operation {
    /// Whether a path matches the template.
    pub fn is_at(&self, path: &str) -> bool {
        let (ours, theirs) = (self.template.split('/'), path.split('/'));
        ours.clone().count() == theirs.clone().count()
            && ours.zip(theirs).all(|(ours, theirs)| ours.starts_with('{') || ours == theirs)
    }

    /// Returns the path with `variable` in place of each variable.
    pub fn path(&self, variable: &str) -> String {
        let part = |part: &str| if part.starts_with('{') { variable } else { part }.to_owned();
        self.template.split('/').map(part).collect::<Vec<_>>().join("/")
    }

    /// Returns the names of the parameters in this location: `query` or `path`.
    pub fn parameters(&self, location: &str) -> Vec<&str> {
        let all = self.document["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let matching = all.iter().filter(|parameter| parameter["in"] == location);
        matching.map(|parameter| parameter["name"].as_str().unwrap()).collect()
    }

    /// Whether the operation takes a JSON body.
    pub fn takes_json(&self) -> bool {
        self.document["requestBody"]["content"]["application/json"].is_object()
    }

    /// Whether the document lists this status.
    pub fn may_answer(&self, status: u16) -> bool {
        self.document["responses"][status.to_string()].is_object()
    }
}
