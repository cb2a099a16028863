//! A voice above a film: a file that somebody spoke, or words and what speaks them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Gain, Interval, Piece, brand::gain_10};

/// Longest text that is spoken, in bytes: about two hours.
const LONGEST: usize = 100_000;

/// A voice above the film's own sound: either a `file`, or a `text` or `script` that `tts` speaks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Narration {
    /// A file with sound. Left out: it is spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Piece>,
    /// When it begins. Left out: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Interval>,
    /// How much the voice is turned up or down.
    #[serde(default)]
    pub gain: Gain,
    /// How much the film's own sound is turned down while it speaks.
    #[serde(default = "gain_10")]
    pub duck: Gain,
    /// What speaks the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tts: Option<Tts>,
    /// The words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A file of text that holds the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Piece>,
    /// Their language (BCP 47, such as `es` or `pt-BR`), for whatever speaks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// What makes speech of text: one of the two. `{language}` in either is the narration's language.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tts {
    /// A program and its arguments, started without a shell: text on its standard input, a WAV on its standard output, or in the
    /// file that an argument `{out}` names. `[espeak-ng, --stdin, --stdout, -v, '{language}']` is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// An address to which the text is posted and which answers with a WAV: `https://…`, or `http://` of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Narration {
    /// A file that is heard from the beginning on.
    pub fn of_file(file: Piece, duck: Gain) -> Self {
        let (at, tts, text, script, language) = (None, None, None, None, None);
        Self { file: Some(file), at, gain: Gain::default(), duck, tts, text, script, language }
    }

    /// Whether it still has to be spoken.
    pub fn is_silent(&self) -> bool {
        self.file.is_none()
    }

    /// Refuses what cannot work, saying what was expected.
    pub(super) fn check(&self) -> Result<(), String> {
        let given = (self.file.is_some(), self.text.is_some(), self.script.is_some());
        match (given, &self.tts) {
            // What was spoken has both.
            ((true, ..), Some(_)) | ((true, false, false), None) => {}
            ((true, ..), None) => return Err("narration: give 'file', or 'text' or 'script' with 'tts'".to_owned()),
            ((_, true, true) | (_, false, false), _) => {
                return Err("narration: expected one of 'file', 'text' and 'script'".to_owned());
            }
            (_, None) => {
                return Err("narration: what speaks its words? expected 'tts' with 'command' or 'url'".to_owned());
            }
            _ => {}
        }
        if self.text.as_ref().is_some_and(|text| text.trim().is_empty() || text.len() > LONGEST) {
            return Err(format!("narration: a text is 1 to {LONGEST} bytes"));
        }
        if let Some(language) = &self.language {
            check_language(language)?;
        }
        self.tts.as_ref().map_or(Ok(()), Tts::check)
    }
}

/// Refuses what is no tag of a language: it becomes part of arguments and addresses.
pub fn check_language(language: &str) -> Result<(), String> {
    let is_tag = !language.is_empty()
        && language.len() <= 35
        && language.split('-').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric()));
    match is_tag {
        true => Ok(()),
        false => Err(format!("language '{language}' was given, expected a tag such as es or pt-BR")),
    }
}

impl Tts {
    /// Refuses what cannot speak.
    pub fn check(&self) -> Result<(), String> {
        match (self.command.first(), &self.url) {
            (Some(program), None) if !program.trim().is_empty() => Ok(()),
            (None, Some(url)) => match is_private(url) {
                true => Ok(()),
                false => {
                    Err("tts: url: expected https://HOST/…, or http:// at 127.0.0.1, [::1] or localhost".to_owned())
                }
            },
            _ => Err("tts: expected either 'command', a program and its arguments, or 'url'".to_owned()),
        }
    }
}

/// Whether nobody on the way can read or change what is sent there.
fn is_private(url: &str) -> bool {
    if let Some(rest) = url.strip_prefix("https://") {
        return !rest.is_empty() && !authority(rest).contains('@');
    }
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let host = authority(rest);
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    matches!(host, "localhost" | "127.0.0.1" | "::1")
}

fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_speak_is_told() {
        for (yaml, why) in [
            ("{ text: Hello }", "what speaks its words?"),
            ("{ tts: { command: [espeak-ng] } }", "expected one of 'file', 'text' and 'script'"),
            ("{ file: a.wav, text: Hello }", "give 'file', or 'text'"),
            ("{ text: Hello, tts: {} }", "expected either 'command'"),
            ("{ text: Hello, tts: { command: [a], url: 'https://b/' } }", "expected either 'command'"),
            ("{ text: Hello, tts: { url: 'http://tts.example/' } }", "expected https://HOST/"),
            ("{ text: Hello, tts: { url: 'http://127.0.0.1@tts.example/' } }", "expected https://HOST/"),
            ("{ text: Hello, tts: { command: [a] }, language: '-v;x' }", "expected a tag such as es"),
            ("{ text: ' ', tts: { command: [a] } }", "a text is 1 to"),
        ] {
            let narration: Narration = serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"));
            let told = narration.check().err().unwrap_or_default();
            assert!(told.contains(why), "{yaml}: {told}");
        }
        for yaml in
            ["{ file: a.wav }", "{ text: Hola, language: es, tts: { url: 'http://localhost:5002/api?v={language}' } }"]
        {
            let narration: Narration = serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"));
            assert_eq!(narration.check(), Ok(()), "{yaml}");
        }
    }
}
