//! Placeholders: each value of a template may hold `{{name}}`, which the job's parameters fill. It is read first and filled
//! then, so that what is filled in can never become structure, and every mistake is told with its place in the file.

use std::{borrow::Cow, collections::BTreeMap, marker::PhantomData};

use minijinja::{Environment, UndefinedBehavior};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

use crate::error::{Error, Result};

/// A value that may hold placeholders, and where it stands in its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Field<T> {
    written: Value,
    /// Line and column.
    at: (u64, u64),
    of: PhantomData<T>,
}

impl<T> Field<T> {
    /// Line and column.
    pub(super) fn at(&self) -> (u64, u64) {
        self.at
    }
}

impl<'de, T> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let spanned = serde_saphyr::Spanned::<Value>::deserialize(d)?;
        let at = (spanned.referenced.line(), spanned.referenced.column());
        Ok(Self { written: spanned.value, at, of: PhantomData })
    }
}

impl<T> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(s)
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Fillable{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let own = generator.subschema_for::<T>();
        schemars::json_schema!({
            "anyOf": [own, { "type": "string", "pattern": "\\{\\{", "description": "with {{name}} of a parameter" }],
        })
    }
}

/// What placeholders are filled with, and the file in which they stand.
pub(super) struct Fill {
    origin: String,
    parameters: BTreeMap<String, Value>,
}

impl Fill {
    pub(super) fn new(origin: String, parameters: BTreeMap<String, Value>) -> Self {
        Self { origin, parameters }
    }

    /// A value with its placeholders filled.
    pub(super) fn get<T: DeserializeOwned>(&self, field: &Field<T>) -> Result<T> {
        let filled = self.fill(&field.written).map_err(|why| self.wrong(field, &why))?;
        serde_json::from_value(filled).map_err(|e| self.wrong(field, &e.to_string()))
    }

    /// The same of what may be left out.
    pub(super) fn maybe<T: DeserializeOwned>(&self, field: &Option<Field<T>>) -> Result<Option<T>> {
        field.as_ref().map(|field| self.get(field)).transpose()
    }

    /// That something is wrong with a value.
    pub(super) fn wrong<T>(&self, field: &Field<T>, why: &str) -> Error {
        self.wrong_at(field.at, why)
    }

    /// That something is wrong at a line and column.
    pub(super) fn wrong_at(&self, at: (u64, u64), why: &str) -> Error {
        Error::invalid(format!("{}: {why}", self.place_of(at))).hint(super::HINT)
    }

    /// Where a value stands: file, line and column.
    pub(super) fn place<T>(&self, field: &Field<T>) -> String {
        self.place_of(field.at)
    }

    fn place_of(&self, (line, column): (u64, u64)) -> String {
        if line > 0 { format!("{}:{line}:{column}", self.origin) } else { self.origin.clone() }
    }

    fn fill(&self, value: &Value) -> std::result::Result<Value, String> {
        Ok(match value {
            Value::String(text) if text.contains("{{") || text.contains("{%") => Value::String(self.text(text)?),
            Value::Array(all) => Value::Array(all.iter().map(|v| self.fill(v)).collect::<std::result::Result<_, _>>()?),
            Value::Object(all) => {
                let each = all.iter().map(|(key, v)| Ok::<_, String>((key.clone(), self.fill(v)?)));
                Value::Object(each.collect::<std::result::Result<_, _>>()?)
            }
            other => other.clone(),
        })
    }

    fn text(&self, text: &str) -> std::result::Result<String, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        let in_words = |e: minijinja::Error| format!("'{text}' cannot be filled: {e}");
        let template = environment.template_from_str(text).map_err(in_words)?;
        let mut names: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        names.sort();
        if let Some(unknown) = names.iter().find(|name| !self.parameters.contains_key(*name)) {
            let known: Vec<&str> = self.parameters.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(format!("there is no parameter '{unknown}': the template has {known}"));
        }
        template.render(minijinja::value::Serde(&self.parameters)).map_err(in_words)
    }
}
