//! The JSON Schema of `berth.yaml`, made from the types, and the check against it.

use std::sync::OnceLock;

use app::said::file as said;
use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use schemars::{
    Schema,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Value, json};

use super::{
    Problem,
    types::File,
    yaml::{At, Data, Node},
};

/// The JSON Schema of `berth.yaml`, as served under `/schema/berth.v1.json`.
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let generator = SchemaSettings::draft2020_12().with_transform(NoNull).into_generator();
        generator.into_root_schema_for::<File>().to_value()
    })
}

/// An absent key is absent; a key without a value is a mistake, not an absent one.
#[derive(Clone, Debug)]
struct NoNull;

impl Transform for NoNull {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if object.get("default").is_some_and(Value::is_null) {
            object.remove("default");
        }
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|kind| kind != "null");
            if let [one] = types.as_slice() {
                let one = one.clone();
                object.insert("type".into(), one);
            }
        }
        if let Some(Value::Array(mut choices)) = object.remove("anyOf") {
            choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
            match <[Value; 1]>::try_from(choices) {
                Ok([Value::Object(one)]) => object.extend(one),
                Ok([other]) => drop(object.insert("anyOf".into(), Value::Array(vec![other]))),
                Err(choices) => drop(object.insert("anyOf".into(), Value::Array(choices))),
            }
        }
    }
}

fn validator() -> Option<&'static Validator> {
    static VALIDATOR: OnceLock<Option<Validator>> = OnceLock::new();
    VALIDATOR.get_or_init(|| jsonschema::validator_for(schema()).ok()).as_ref()
}

/// What the schema has against the document.
pub(super) fn problems(root: &Node, value: &Value) -> Vec<Problem> {
    let Some(validator) = validator() else {
        return vec![root.problem(said::own_schema())];
    };
    validator.iter_errors(value).flat_map(|error| say(root, &error)).collect()
}

/// The path of a value in the document, its segments unescaped.
fn path_of(error: &ValidationError<'_>) -> Vec<String> {
    segments(error.instance_path().as_str())
}

fn segments(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

/// How the reader knows the value: the last key on the way to it.
fn label(path: &[String]) -> String {
    match path.iter().rposition(|part| part.parse::<usize>().is_err()) {
        None => said::the_file(),
        Some(last) if last + 1 < path.len() => said::item_of(&path[last]),
        Some(last) => format!("`{}`", path[last]),
    }
}

fn say(root: &Node, error: &ValidationError<'_>) -> Vec<Problem> {
    let path = path_of(error);
    let node = root.find(path.iter().map(String::as_str));
    let label = label(&path);
    let holder = holder(error);
    let one = |sentence: String| vec![node.problem(sentence)];
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected.iter().map(|key| unknown_key(node, key, &holder)).collect(),
        ValidationErrorKind::Required { property } => one(said::key_missing(property.as_str().unwrap_or_default(), title(&holder))),
        ValidationErrorKind::Type { kind } => one(wrong_type(&label, kind, node)),
        ValidationErrorKind::Enum { options } => one(not_an_option(&label, node, options)),
        ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::AnyOf { .. } => {
            one(not_an_option(&label, node, &constants(&holder)))
        }
        ValidationErrorKind::Constant { expected_value } => one(said::is_constant(label, expected_value)),
        ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => one(out_of_range(&label, node, &holder)),
        ValidationErrorKind::MinItems { .. } | ValidationErrorKind::MinProperties { .. } => one(said::names_none(label)),
        ValidationErrorKind::MinLength { .. } => one(said::is_empty(label)),
        ValidationErrorKind::Pattern { .. } => one(format!("`{}` {}", node.text().unwrap_or_default(), pattern_message(&holder))),
        ValidationErrorKind::PropertyNames { error } => {
            let key = error.instance().as_str().unwrap_or_default().to_owned();
            let names = holder.get("propertyNames").unwrap_or(&holder);
            let message = pattern_message(names);
            vec![key_at(node, &key).problem(format!("`{key}` {message}"))]
        }
        other => one(said::misfit(label, other.keyword())),
    }
}

/// The schema whose keyword refused the value.
fn holder(error: &ValidationError<'_>) -> Value {
    let pointer = error.schema_path().as_str();
    let parent = pointer.rfind('/').map_or("", |end| &pointer[..end]);
    schema().pointer(parent).cloned().unwrap_or_default()
}

fn title(holder: &Value) -> &str {
    holder["title"].as_str().unwrap_or("this map")
}

fn key_at(node: &Node, key: &str) -> At {
    node.key(key).map_or(node.at, |key| key.at)
}

fn unknown_key(node: &Node, key: &str, holder: &Value) -> Problem {
    let known: Vec<&str> = holder["properties"].as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default();
    let sentence = match nearest(key, &known) {
        Some(near) => said::key_near(key, title(holder), near),
        None => said::key_unknown(key, title(holder), said::listed(&known)),
    };
    key_at(node, key).problem(sentence)
}

/// The known name that is most likely meant.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = name.to_lowercase();
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn wrong_type(label: &str, kind: &TypeKind, node: &Node) -> String {
    let wanted = match kind {
        TypeKind::Single(one) => one.to_string(),
        TypeKind::Multiple(_) => String::new(),
    };
    match &node.data {
        Data::Null => said::no_value(label, kind_noun(&wanted)),
        Data::Number(number) if wanted == "string" => said::needs_quotes(label, number),
        Data::Bool(bool) if wanted == "string" => said::needs_quotes(label, bool),
        Data::Text(text) if wanted == "array" => said::takes_list(label, json!([text])),
        data => said::other_kind(label, kind_noun(&wanted), data_noun(data)),
    }
}

fn kind_noun(kind: &str) -> String {
    match kind {
        "string" => said::kind_text(),
        "integer" => said::kind_whole(),
        "number" => said::kind_number(),
        "boolean" => said::kind_bool(),
        "array" => said::kind_list(),
        "object" => said::kind_map(),
        _ => said::kind_other(),
    }
}

fn data_noun(data: &Data) -> String {
    match data {
        Data::Null => app::said::nothing(),
        Data::Bool(_) => said::kind_bool(),
        Data::Number(_) => said::kind_number(),
        Data::Text(_) => said::kind_text(),
        Data::List(_) => said::kind_list(),
        Data::Map(_) => said::kind_map(),
    }
}

/// The values of an enum whose variants carry documentation: one `const` each.
fn constants(holder: &Value) -> Value {
    let choices = holder["oneOf"].as_array().or_else(|| holder["anyOf"].as_array());
    choices.into_iter().flatten().filter_map(|choice| choice.get("const").cloned()).collect()
}

fn not_an_option(label: &str, node: &Node, options: &Value) -> String {
    let options: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(text) = node.text() else {
        return said::option_kind(label, said::listed(&options), data_noun(&node.data));
    };
    match nearest(text, &options) {
        Some(near) => said::option_near(label, text, near),
        None => said::option_unknown(label, text, said::choice(&options)),
    }
}

fn out_of_range(label: &str, node: &Node, holder: &Value) -> String {
    said::out_of_range(label, &holder["minimum"], &holder["maximum"], node.to_json())
}

fn pattern_message(holder: &Value) -> &str {
    holder["patternErrorMessage"].as_str().unwrap_or("does not have the right form.")
}
