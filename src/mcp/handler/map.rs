//! Our plain types in the protocol's.

use rmcp::model::{
    Annotations, MetaObject, Prompt, PromptArgument, Resource, ResourceContents, ResourceTemplate,
};
use serde_json::Value;

use crate::tools::{prompts, resources};

/// Under this key stands where a memory comes from.
const PROVENANCE: &str = "memgate/provenance";

pub(super) fn resource(listed: resources::Listed) -> Resource {
    let mut resource = Resource::new(listed.uri, listed.name)
        .with_title(listed.title)
        .with_description(listed.description)
        .with_mime_type(listed.mime_type);
    resource.size = listed.size_bytes.and_then(|size| u64::try_from(size).ok());
    resource.annotations = listed.modified.map(|at| {
        let mut annotations = Annotations::default();
        annotations.last_modified = Some(at.to_string());
        annotations
    });
    resource
}

pub(super) fn template(template: &resources::Template) -> ResourceTemplate {
    ResourceTemplate::new(template.uri_template, template.name)
        .with_title(template.title)
        .with_description(template.description)
        .with_mime_type(template.mime_type)
}

pub(super) fn body(body: resources::Body, uri: String) -> ResourceContents {
    let contents = ResourceContents::text(body.text, uri).with_mime_type(body.mime_type);
    let provenance = body.provenance.and_then(|p| serde_json::to_value(p).ok());
    match provenance {
        Some(Value::Object(provenance)) => {
            let mut meta = MetaObject::new();
            meta.insert(PROVENANCE.to_owned(), Value::Object(provenance));
            contents.with_meta(meta)
        }
        _ => contents,
    }
}

pub(super) fn prompt(prompt: &prompts::Prompt) -> Prompt {
    let argument = |argument: &prompts::Argument| {
        PromptArgument::new(argument.name)
            .with_description(argument.description)
            .with_required(false)
    };
    let arguments = prompt.arguments.iter().map(argument).collect();
    Prompt::new(prompt.name, Some(prompt.description), Some(arguments)).with_title(prompt.title)
}
