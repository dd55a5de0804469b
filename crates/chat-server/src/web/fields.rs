//! The parameters of a request, a JSON object, each read as what it has to be.

use super::problem::Problem;
use serde_json::{Map, Value};

/// The longest name of a conversation.
const LONGEST_NAME: usize = 64;

/// A whole number that is written as a float, as `5.0`, within what floats hold exactly.
pub(super) fn whole(value: &Value) -> Option<i64> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
    (number.abs() <= (1i64 << 53) as f64).then_some(number as i64)
}

/// The parameters that were sent. Clients send null for what they leave out.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let body: Value = serde_json::from_slice(bytes)
            .map_err(|error| Problem::invalid(format!("the request is no JSON: {error}")))?;
        let Value::Object(mut body) = body else {
            return Err(Problem::invalid("the request is no JSON object"));
        };
        body.retain(|_, value| !value.is_null());
        Ok(Self(body))
    }

    /// Refuses parameters that are none of these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                let why = format!("there is no such parameter; there are {}", known.join(", "));
                Err(Problem::of(name, why))
            }
            None => Ok(()),
        }
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<f64>, Problem> {
        let read = |value: &Value| {
            value.as_f64().ok_or_else(|| Problem::of(name, format!("{value} is not a number")))
        };
        self.0.get(name).map(read).transpose()
    }

    pub(super) fn whole(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        let read = |value: &Value| {
            let fault =
                || Problem::of(name, format!("{value} is not a whole number of at least 0"));
            value.as_u64().or_else(|| whole(value)?.try_into().ok()).ok_or_else(fault)
        };
        self.0.get(name).map(read).transpose()
    }

    /// The name under which what is said is kept together.
    pub(super) fn conversation(&self) -> Result<Option<String>, Problem> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let named =
            |name: &String| (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(fine);
        let name = self.text("conversation")?;
        if name.as_ref().is_some_and(|name| !named(name)) {
            let why = format!("a name has 1 to {LONGEST_NAME} letters, digits, - and _");
            return Err(Problem::of("conversation", why));
        }
        Ok(name)
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        let read = |value: &Value| {
            value.as_bool().ok_or_else(|| Problem::of(name, "neither true nor false"))
        };
        self.0.get(name).map_or(Ok(false), read)
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, Problem> {
        let read = |value: &Value| {
            value.as_str().map(str::to_owned).ok_or_else(|| Problem::of(name, "a text is needed"))
        };
        self.0.get(name).map(read).transpose()
    }

    /// A list of texts; none where it was not sent.
    pub(super) fn texts(&self, name: &'static str) -> Result<Option<Vec<String>>, Problem> {
        let fault = || Problem::of(name, "a list of texts is needed");
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(fault);
        let read = |value: &Value| {
            value.as_array().ok_or_else(fault)?.iter().map(text).collect::<Result<Vec<_>, _>>()
        };
        self.0.get(name).map(read).transpose()
    }
}
