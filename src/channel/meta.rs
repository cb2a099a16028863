//! What Meta's places share: the Graph API, its errors, and what it says of a video.

use std::time::Duration;

use serde_json::Value;

use super::{
    Account,
    http::{Http, Reply, Request},
};
use crate::error::{Error, Result};

/// The version that the requests are written for.
pub(super) const VERSION: &str = "v23.0";

/// The Graph API with an account's token.
pub(super) struct Graph {
    pub(super) http: Http,
    account: Account,
    endpoint: String,
}

impl Graph {
    pub(super) fn new(endpoint: String, account: Account) -> Result<Self> {
        Ok(Self { http: Http::new(&account)?, account, endpoint })
    }

    pub(super) fn place(&self) -> &str {
        self.http.place()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{VERSION}/{path}", self.endpoint)
    }

    /// The account's token, for addresses that want it in another form.
    pub(super) fn token(&self) -> Result<crate::secret::Secret> {
        self.account.token()
    }

    /// Asks; whatever is answered, but what the API says of itself: that it is called too often, that a session has ended.
    pub(super) fn ask(&self, mut request: impl FnMut() -> Result<Request<'static>>) -> Result<Reply> {
        let reply = self.http.ask_as(&self.account, &mut request)?;
        if reply.status < 400 {
            return Ok(reply);
        }
        let place = self.place();
        let code = reply.text("/error/code").and_then(|c| c.parse::<i64>().ok());
        let coded = |e: Error| e.code(format!("HTTP {} code {}", reply.status, code.unwrap_or(0)));
        match code {
            Some(190 | 102 | 463 | 467) => Err(coded(
                Error::invalid(format!("{place}: the session has expired: reconnect the account"))
                    .hint(format!("damctl channel login {place}")),
            )),
            // Of the app, of the account, of the page; and what Meta itself calls temporary.
            Some(4 | 17 | 32 | 613 | 9 | 80001..=80014) => {
                let wait = reply.wait().unwrap_or(Duration::from_secs(300));
                Err(coded(Error::unavailable(format!("{place} asks for fewer requests")).after(wait)))
            }
            Some(1 | 2) => Err(coded(Error::unavailable(format!("{place} is not well")))),
            _ => Ok(reply),
        }
    }

    /// The same when anything but success is an error.
    pub(super) fn get(&self, path: &str, fields: &str) -> Result<Value> {
        let url = self.url(path);
        Ok(self.ask(|| Ok(Request::get(&url).query(&[("fields", fields)])))?.accepted(self.place())?.json())
    }

    /// Posts fields; the answer.
    pub(super) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Result<Value> {
        let url = self.url(path);
        Ok(self.ask(|| Ok(Request::post(&url).form(fields)))?.accepted(self.place())?.json())
    }

    /// A text that an answer has to have.
    pub(super) fn told(&self, answer: &Value, name: &str) -> Result<String> {
        match &answer[name] {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(Error::unavailable(format!("{} did not say the {name}", self.place()))),
        }
    }
}
