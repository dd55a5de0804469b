//! What is asked in OpenAI's shape. Parameters that would change the reply and cannot be heeded are
//! refused by name, unless their value is the one that changes nothing; unknown ones are ignored.

use super::super::app::{State, Wanted};
use super::super::fields::{Fields, whole};
use super::super::problem::Problem;
use crate::model::{Role, Turn};
use crate::sampling::{Asked, chosen, turns_fault};
use serde_json::{Map, Value};

/// A request that makes sense.
pub(super) struct Request {
    pub(super) wanted: Wanted,
    /// How many choices are given.
    pub(super) n: usize,
    pub(super) streamed: bool,
    /// Whether a stream ends with the number of tokens.
    pub(super) with_usage: bool,
}

/// Which values of a parameter change nothing.
enum Neutral {
    /// This number.
    Number(f64),
    /// `false`.
    False,
    /// An empty list or object.
    Empty,
    /// An empty object, or one of zeros alone.
    Zeros,
    /// One of these texts.
    Text(&'static [&'static str]),
    /// An object whose `type` is this.
    Type(&'static str),
    /// A list of this one text.
    Only(&'static str),
    /// None.
    Nothing,
}

impl Neutral {
    fn is(&self, value: &Value) -> bool {
        match self {
            Self::Number(number) => value.as_f64() == Some(*number),
            Self::False => value == &Value::Bool(false),
            Self::Empty => {
                value.as_array().is_some_and(Vec::is_empty)
                    || value.as_object().is_some_and(Map::is_empty)
            }
            Self::Zeros => value
                .as_object()
                .is_some_and(|biases| biases.values().all(|bias| bias.as_f64() == Some(0.0))),
            Self::Text(texts) => value.as_str().is_some_and(|text| texts.contains(&text)),
            Self::Type(name) => value["type"] == *name,
            Self::Only(text) => value.as_array().is_some_and(|list| list.iter().all(|v| v == text)),
            Self::Nothing => false,
        }
    }
}

const NO_TOOLS: &str = "the model calls no tools";
const TEXT_ALONE: &str = "the model writes plain text";
const OTHER_WAY: &str = "temperature, top_p and top_k say how words are chosen";

const OTHER_END: &str = "`stop` and max_tokens say where a reply ends";

/// Parameters of OpenAI's API, and of servers of the same shape, that would change the reply. What
/// only tunes one of them (such as `mirostat_tau`) is not here: it changes nothing by itself.
const REFUSED: &[(&str, Neutral, &str)] = &[
    ("tools", Neutral::Empty, NO_TOOLS),
    ("tool_choice", Neutral::Text(&["none", "auto"]), NO_TOOLS),
    ("functions", Neutral::Empty, NO_TOOLS),
    ("function_call", Neutral::Text(&["none", "auto"]), NO_TOOLS),
    ("web_search_options", Neutral::Nothing, NO_TOOLS),
    ("response_format", Neutral::Type("text"), TEXT_ALONE),
    ("modalities", Neutral::Only("text"), TEXT_ALONE),
    ("audio", Neutral::Nothing, TEXT_ALONE),
    ("grammar", Neutral::Text(&[""]), TEXT_ALONE),
    ("guided_json", Neutral::Nothing, TEXT_ALONE),
    ("guided_regex", Neutral::Nothing, TEXT_ALONE),
    ("guided_choice", Neutral::Nothing, TEXT_ALONE),
    ("guided_grammar", Neutral::Nothing, TEXT_ALONE),
    ("guided_decoding_backend", Neutral::Nothing, TEXT_ALONE),
    ("structured_outputs", Neutral::Nothing, TEXT_ALONE),
    ("structural_tag", Neutral::Nothing, TEXT_ALONE),
    ("json_schema", Neutral::Nothing, TEXT_ALONE),
    ("regex", Neutral::Nothing, TEXT_ALONE),
    ("ebnf", Neutral::Nothing, TEXT_ALONE),
    ("logprobs", Neutral::False, "scores of whole candidates are in `tutor`"),
    ("top_logprobs", Neutral::Number(0.0), "scores of whole candidates are in `tutor`"),
    ("logit_bias", Neutral::Zeros, OTHER_WAY),
    ("presence_penalty", Neutral::Number(0.0), OTHER_WAY),
    ("frequency_penalty", Neutral::Number(0.0), OTHER_WAY),
    ("repetition_penalty", Neutral::Number(1.0), OTHER_WAY),
    ("repeat_penalty", Neutral::Number(1.0), OTHER_WAY),
    ("min_p", Neutral::Number(0.0), OTHER_WAY),
    ("typical_p", Neutral::Number(1.0), OTHER_WAY),
    ("top_a", Neutral::Number(0.0), OTHER_WAY),
    ("tfs_z", Neutral::Number(1.0), OTHER_WAY),
    ("mirostat", Neutral::Number(0.0), OTHER_WAY),
    ("dry_multiplier", Neutral::Number(0.0), OTHER_WAY),
    ("xtc_probability", Neutral::Number(0.0), OTHER_WAY),
    ("dynatemp_range", Neutral::Number(0.0), OTHER_WAY),
    ("no_repeat_ngram_size", Neutral::Number(0.0), OTHER_WAY),
    ("length_penalty", Neutral::Number(1.0), OTHER_WAY),
    ("bad_words", Neutral::Empty, OTHER_WAY),
    ("allowed_token_ids", Neutral::Empty, OTHER_WAY),
    ("logits_processors", Neutral::Empty, OTHER_WAY),
    ("stop_token_ids", Neutral::Empty, OTHER_END),
    ("ignore_eos", Neutral::False, OTHER_END),
    ("include_stop_str_in_output", Neutral::False, OTHER_END),
    ("min_tokens", Neutral::Number(0.0), OTHER_END),
    ("best_of", Neutral::Number(1.0), "`candidates` says how many are drawn"),
    ("prediction", Neutral::Nothing, "leave it out"),
    ("prompt", Neutral::Nothing, "send `messages`"),
    ("reasoning_effort", Neutral::Text(&["none"]), "the model does not reason"),
    ("verbosity", Neutral::Nothing, OTHER_END),
    ("use_beam_search", Neutral::False, OTHER_WAY),
];

/// Reads a request.
pub(super) fn parse(app: &State, bytes: &[u8]) -> Result<Request, Problem> {
    let body = Fields::read(bytes)?;
    for (name, neutral, way_out) in REFUSED {
        if body.0.get(*name).is_some_and(|value| !neutral.is(value)) {
            return Err(Problem::unsupported(name, way_out));
        }
    }
    if let Some(model) = body.0.get("model") {
        let asked = model.as_str().ok_or_else(|| Problem::of("model", "a name is needed"))?;
        if asked != app.about.name {
            return Err(Problem::no_model(asked, &app.about.name));
        }
    }
    let n = body.whole("n")?.unwrap_or(1);
    if !(1..=app.limits.max_candidates as u64).contains(&n) {
        let why = format!("{n} is not from 1 to {}", app.limits.max_candidates);
        return Err(Problem::of("n", why));
    }
    let bound = |name| Ok::<_, Problem>(body.whole(name)?.map(|bound| (name, bound)));
    let bounds = [bound("max_completion_tokens")?, bound("max_tokens")?];
    let asked = Asked {
        candidates: body.whole("candidates")?,
        temperature: body.number("temperature")?,
        top_k: body.top_k()?,
        top_p: body.number("top_p")?,
        max_tokens: bounds.into_iter().flatten().min_by_key(|(_, bound)| *bound),
    };
    let mut sampling = chosen(&asked, &app.about, &app.limits)?;
    sampling.candidates = sampling.candidates.max(n as usize);
    let turns = turns(body.0.get("messages"), app.leave_out_system)?;
    if let Some(fault) = turns_fault(&turns, &app.about, &app.limits) {
        return Err(Problem::of("messages", fault));
    }
    let options = body.0.get("stream_options").unwrap_or(&Value::Null);
    Ok(Request {
        wanted: Wanted {
            turns,
            sampling,
            seed: body.seed()?,
            stops: body.stops()?,
            // OpenAI's clients may send something else of that name.
            conversation: body.conversation().ok().flatten(),
        },
        n: n as usize,
        streamed: body.flag("stream")?,
        with_usage: options["include_usage"] == Value::Bool(true),
    })
}

impl Fields {
    /// 0 and -1 ask for all tokens, as they do in llama.cpp and in vLLM.
    fn top_k(&self) -> Result<Option<Option<u64>>, Problem> {
        if self.0.get("top_k").and_then(whole) == Some(-1) {
            return Ok(Some(None));
        }
        Ok(self.whole("top_k")?.map(|k| Some(k).filter(|&k| k > 0)))
    }

    /// Seeds of OpenAI's API may be negative.
    fn seed(&self) -> Result<Option<u64>, Problem> {
        let read = |value: &Value| {
            let number = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
            let number = number.or_else(|| whole(value).map(i64::cast_unsigned));
            number.ok_or_else(|| Problem::of("seed", "no whole number of 64 bits"))
        };
        self.0.get("seed").map(read).transpose()
    }

    fn stops(&self) -> Result<Vec<String>, Problem> {
        let fault = || Problem::of("stop", "a text, or up to four of them, none of them empty");
        let text = |value: &Value| {
            value.as_str().filter(|text| !text.is_empty()).map(str::to_owned).ok_or_else(fault)
        };
        match self.0.get("stop") {
            None => Ok(vec![]),
            Some(Value::Array(list)) if list.len() <= 4 => list.iter().map(text).collect(),
            Some(Value::Array(_)) => Err(fault()),
            Some(one) => Ok(vec![text(one)?]),
        }
    }
}

/// What was said, oldest first.
fn turns(messages: Option<&Value>, leave_out_system: bool) -> Result<Vec<Turn>, Problem> {
    let Some(Value::Array(messages)) = messages else {
        return Err(Problem::of("messages", "a list of messages is needed"));
    };
    let mut turns = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let name = format!("messages[{index}]");
        let role = message["role"].as_str().unwrap_or_default();
        let role = match role {
            "system" | "developer" => None,
            "user" => Some(Role::User),
            "assistant" => Some(Role::Assistant),
            _ => {
                let why = "the roles here are user and assistant";
                return Err(Problem::of(format!("{name}.role"), why));
            }
        };
        let calls = |key: &str| {
            message.get(key).is_some_and(|value| !value.is_null() && value != &Value::Array(vec![]))
        };
        if calls("tool_calls") || calls("function_call") {
            return Err(Problem::of(format!("{name}.tool_calls"), NO_TOOLS));
        }
        let text = content(&message["content"], &format!("{name}.content"))?;
        let Some(role) = role else {
            if !leave_out_system && !text.trim().is_empty() {
                let way_out = "this model reads no instructions; a server that is started with \
                               --leave-out-system ignores them";
                return Err(Problem::of(format!("{name}.role"), way_out));
            }
            continue;
        };
        turns.push(Turn { text, role });
    }
    if turns.last().is_some_and(|turn| turn.role == Role::Assistant) {
        return Err(Problem::of("messages", "the last message has to be the user's"));
    }
    Ok(turns)
}

/// The text of a message: a text, or a list of parts that are texts, each a line of its own.
fn content(content: &Value, name: &str) -> Result<String, Problem> {
    let part = |part: &Value| match (part["type"].as_str(), part["text"].as_str()) {
        (Some("text"), Some(text)) => Ok(text.to_owned()),
        (Some("refusal"), _) => Ok(part["refusal"].as_str().unwrap_or_default().to_owned()),
        _ => Err(Problem::of(name, "the model reads plain text")),
    };
    match content {
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            Ok(parts.iter().map(part).collect::<Result<Vec<_>, _>>()?.join("\n"))
        }
        Value::Null => Ok(String::new()),
        _ => Err(Problem::of(name, "a text is needed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(messages: &Value) -> Result<Vec<String>, String> {
        match turns(Some(messages), false) {
            Ok(turns) => Ok(turns.into_iter().map(|turn| turn.text).collect()),
            Err(problem) => {
                Err(problem.object()["error"]["message"].as_str().unwrap_or_default().to_owned())
            }
        }
    }

    #[test]
    fn messages_become_turns() {
        let user = |content: Value| json!({ "role": "user", "content": content });
        let parts = json!([{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }]);
        let messages = json!([
            { "role": "system", "content": "" },
            user(json!("Hi")),
            { "role": "assistant", "content": "Hello", "tool_calls": [], "refusal": null },
            user(parts),
        ]);
        assert_eq!(said(&messages).expect("turns"), ["Hi", "Hello", "a\nb"]);
        let with_image = user(json!([{ "type": "image_url", "image_url": { "url": "data:," } }]));
        for (messages, fault) in [
            (
                json!([{ "role": "system", "content": "Be kind" }, user(json!("Hi"))]),
                "messages[0].role",
            ),
            (json!([user(json!("Hi")), { "role": "assistant", "content": "H" }]), "the user's"),
            (json!([{ "role": "tool", "content": "1" }]), "messages[0].role"),
            (json!([with_image]), "messages[0].content"),
            (json!([user(json!(1))]), "messages[0].content"),
            (json!(["Hi"]), "messages[0].role"),
            (json!("Hi"), "a list"),
        ] {
            let error = said(&messages).expect_err(fault);
            assert!(error.contains(fault), "{error}");
        }
        let system = json!([{ "role": "developer", "content": "Be kind" }, user(json!("Hi"))]);
        let said = turns(Some(&system), true).expect("without it");
        assert_eq!(said, [Turn { text: "Hi".to_owned(), role: Role::User }]);
    }

    #[test]
    fn whole_numbers_may_be_written_as_floats() {
        let fields = |body: Value| Fields(body.as_object().expect("an object").clone());
        let all = Some(None);
        for (k, wanted) in [(json!(-1), all), (json!(0), all), (json!(-1.0), all)] {
            assert_eq!(fields(json!({ "top_k": k })).top_k().expect("all"), wanted);
        }
        assert_eq!(fields(json!({})).top_k().expect("nothing"), None);
        let body = fields(json!({
            "top_k": 5.0, "max_tokens": 5.0, "seed": -2.0, "conversation": "a-1", "n": 1.5,
        }));
        assert_eq!(body.top_k().expect("five"), Some(Some(5)));
        assert_eq!(body.whole("max_tokens").expect("five"), Some(5));
        assert_eq!(body.seed().expect("a seed"), Some((-2i64).cast_unsigned()));
        assert_eq!(body.conversation().expect("a name").as_deref(), Some("a-1"));
        assert!(body.whole("n").is_err());
        let odd = fields(json!({ "top_k": -2, "conversation": "a b", "seed": 0.5, "n": 1e300 }));
        assert!(odd.top_k().is_err() && odd.conversation().is_err());
        assert!(odd.seed().is_err() && odd.whole("n").is_err());
    }

    #[test]
    fn values_that_change_nothing_are_let_through() {
        let body = json!({
            "tools": [], "tool_choice": "none", "response_format": { "type": "text" },
            "modalities": ["text"], "logprobs": false, "logit_bias": {}, "presence_penalty": 0,
            "frequency_penalty": 0.0, "repetition_penalty": 1.0, "bad_words": [],
            "stop_token_ids": [], "ignore_eos": false, "length_penalty": 1.0,
            "include_stop_str_in_output": false, "dry_multiplier": 0.0, "xtc_probability": 0,
        });
        let odd = json!({
            "tools": [{}], "tool_choice": "required", "response_format": { "type": "json_object" },
            "modalities": ["text", "audio"], "logprobs": true, "logit_bias": { "5": 1 },
            "presence_penalty": 0.5, "frequency_penalty": "0", "repetition_penalty": 1.1,
            "bad_words": ["no"], "stop_token_ids": [2], "ignore_eos": true, "length_penalty": 1.5,
            "include_stop_str_in_output": true, "dry_multiplier": 0.8, "xtc_probability": 0.5,
        });
        for (name, value) in body.as_object().expect("an object") {
            let known = REFUSED.iter().find(|(refused, ..)| refused == name);
            let (_, neutral, _) = known.expect("a parameter that is refused");
            assert!(neutral.is(value), "{name}");
            assert!(!neutral.is(&odd[name]), "{name}");
        }
        for (bias, changes_nothing) in
            [(json!({ "5": 0, "6": 0.0 }), true), (json!({ "5": 0, "6": -1 }), false)]
        {
            assert_eq!(Neutral::Zeros.is(&bias), changes_nothing, "{bias}");
        }
        let names: std::collections::BTreeSet<&str> = REFUSED.iter().map(|one| one.0).collect();
        assert_eq!(names.len(), REFUSED.len(), "none is there twice");
    }
}
