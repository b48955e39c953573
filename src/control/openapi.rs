//! The control API as an OpenAPI document, for the package and for people who write a client.
//!
//! Promises: every request that the router knows is in it, and no other (a test compares them).
//! Answers are described by their types' names in [`wire`](super::wire); that file is the reference.

use serde_json::{Map, Value, json};

/// One request: method, path, what it does, its query or body, and the type of its answer.
type Request = (&'static str, &'static str, &'static str, &'static [&'static str], &'static str);

/// All requests.
pub const REQUESTS: &[Request] = &[
    ("get", "/v1/status", "How it stands, in one sentence and in numbers", &[], "Status"),
    ("get", "/v1/files", "Files, newest first", &["account", "state", "limit"], "Files"),
    ("get", "/v1/files/{id}", "One file and where its orders stand", &[], "FileDetail"),
    (
        "get",
        "/v1/queue",
        "Orders by state, a page at a time",
        &["account", "state", "code", "limit", "after"],
        "Jobs",
    ),
    ("get", "/v1/queue/{account}/{order}", "Where one order stands", &[], "JobDetail"),
    ("get", "/v1/hold", "What orders wait for", &["account", "code", "limit", "after"], "Held"),
    (
        "post",
        "/v1/hold/decide",
        "Accept Odoo's or the marketplace's values of conflicts",
        &[],
        "Moved",
    ),
    ("post", "/v1/hold/release", "Look at held orders again now", &[], "Moved"),
    (
        "get",
        "/v1/dead",
        "What Odoo refused for good",
        &["account", "code", "limit", "after"],
        "Jobs",
    ),
    ("get", "/v1/dead/{account}/{order}", "One of them, with Odoo's words", &[], "DeadJob"),
    ("post", "/v1/dead/requeue", "Try them again, with all attempts", &[], "Moved"),
    ("post", "/v1/dead/drop", "Give dead orders up for good", &[], "Moved"),
    ("post", "/v1/pause", "Pause an account, or all", &[], "PauseAnswer"),
    (
        "post",
        "/v1/resume",
        "Resume an account, or all; accept_deleted, for one account, believes that what is gone from Odoo was deleted",
        &[],
        "PauseAnswer",
    ),
    (
        "get",
        "/v1/attention",
        "What a person should look at",
        &["account", "limit"],
        "AttentionList",
    ),
    ("post", "/v1/attention/dismiss", "A person has looked at it", &[], "Dismissed"),
    ("get", "/v1/map/{account}/{order}", "Which record in Odoo an order is", &[], "MappingInfo"),
    (
        "post",
        "/v1/reconcile",
        "Go on after Odoo was restored, moved or copied",
        &[],
        "ReconcileReport",
    ),
    ("post", "/v1/rebuild", "Bring back what was known of lost accounts", &[], "RebuildReport"),
    ("get", "/v1/rebuild", "How far the rebuild is", &[], "RebuildReport"),
    ("post", "/v1/reload", "Read config.toml again", &[], "Reloaded"),
    ("get", "/v1/recipients", "What each account's files are sealed to", &[], "Recipients"),
    (
        "post",
        "/v1/process",
        "Hand a document over, or see what it would do",
        &["account", "dry_run", "name"],
        "ProcessReport",
    ),
];

/// The document.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for (method, path, summary, query, answer) in REQUESTS {
        let in_path = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')));
        let parameter = |name: &str, place: &str| {
            let required = place == "path";
            json!({ "name": name, "in": place, "required": required, "schema": { "type": "string" } })
        };
        let parameters: Vec<Value> = in_path
            .map(|name| parameter(name, "path"))
            .chain(query.iter().map(|name| parameter(name, "query")))
            .collect();
        let schema = json!({ "title": answer, "type": "object" });
        let content = |schema: &Value| json!({ "application/json": { "schema": schema } });
        let mut request = json!({
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "200": { "description": answer, "content": content(&schema) },
                "default": {
                    "description": "an error",
                    "content": content(&json!({ "$ref": "#/components/schemas/Error" })),
                },
            },
        });
        if *method == "post"
            && let Some(request) = request.as_object_mut()
        {
            let body = json!({ "content": content(&json!({ "type": "object" })) });
            request.insert("requestBody".to_owned(), body);
        }
        let entry = paths.entry((*path).to_owned()).or_insert_with(|| json!({}));
        if let Some(entry) = entry.as_object_mut() {
            entry.insert((*method).to_owned(), request);
        }
    }
    let text = || json!({ "type": "string" });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "odoo-spoold",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "HTTP/1.1 and JSON on the unix socket; the caller is known by its uid.",
        },
        "paths": paths,
        "components": { "schemas": { "Error": {
            "type": "object",
            "required": ["code", "message", "next_step"],
            "properties": { "code": text(), "message": text(), "next_step": text() },
        } } },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What `super::router` says, read from its source: axum does not tell its routes.
    fn routed() -> BTreeSet<(String, String)> {
        let source = include_str!("mod.rs");
        source
            .split(".route(")
            .skip(1)
            .flat_map(|rest| {
                let path = rest.split('"').nth(1).unwrap();
                let handler = rest.lines().next().unwrap().split_once(',').unwrap().1.trim();
                // `process` is built above, as a post.
                let posts = handler.contains("post(") || handler.starts_with("process");
                let methods = [("get", handler.contains("get(")), ("post", posts)];
                let methods = methods.into_iter().filter(|(_, there)| *there);
                methods.map(move |(method, _)| (method.to_owned(), format!("/v1{path}")))
            })
            .collect()
    }

    #[test]
    fn the_document_has_the_routers_requests() {
        let listed: BTreeSet<_> = REQUESTS
            .iter()
            .map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned()))
            .collect();
        assert_eq!(listed, routed());
        assert_eq!(listed.len(), REQUESTS.len());
        let document = document();
        for (method, path) in listed {
            assert!(document["paths"][&path][&method]["summary"].is_string(), "{method} {path}");
        }
    }

    #[test]
    fn every_answer_is_a_type_of_the_wire() {
        let wire = [
            include_str!("wire.rs"),
            include_str!("wire_decide.rs"),
            include_str!("wire/process.rs"),
            include_str!("wire/rebuild.rs"),
            include_str!("reconcile.rs"),
        ]
        .concat();
        for (.., answer) in REQUESTS {
            assert!(wire.contains(&format!("pub struct {answer} ")), "{answer}");
        }
    }
}
