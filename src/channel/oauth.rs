//! Access by OAuth 2: how somebody lets damctl into an account (RFC 6749 with PKCE, RFC 7636, by a loopback redirect, RFC
//! 8252; or by a device code, RFC 8628), and how a token is made fresh.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::LazyLock,
    time::{Duration, Instant},
};

use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DeviceAuthorizationUrl,
    DeviceCodeErrorResponseType, HttpRequest, HttpResponse, PkceCodeChallenge, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, StandardDeviceAuthorizationResponse, TokenResponse, TokenUrl,
    basic::{BasicClient, BasicErrorResponseType, BasicTokenResponse},
    url::{Url, form_urlencoded},
};
use serde::Deserialize;

use super::{
    Account,
    http::{Http, Request},
};
use crate::{
    digest::Digest,
    error::{Doing, Error, Kind, Result},
    profile::channels::Place,
    secret::{Fields, Secret},
    stop::Stop,
};

/// How long somebody has to say yes in a browser.
const PATIENCE: Duration = Duration::from_secs(600);

/// Whom to ask for access, as `providers.yaml` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What people call it.
    pub name: String,
    /// The page that says so.
    pub docs: String,
    /// When that was looked at.
    pub as_of: String,
    /// Where somebody says yes.
    pub authorize: String,
    /// Where tokens come from.
    pub token: String,
    /// Where a device code comes from.
    #[serde(default)]
    pub device: Option<String>,
    /// What the client's id is called there.
    #[serde(default = "client_id")]
    client_parameter: String,
    #[serde(default)]
    client_auth: ClientAuth,
    /// What stands between scopes.
    #[serde(default = "space")]
    separator: String,
    /// How the digest of a verifier is written.
    #[serde(default)]
    challenge: Challenge,
    #[serde(default)]
    renewal: Renewal,
    #[serde(default)]
    extra: BTreeMap<String, String>,
    /// Scopes, by the kind of place.
    pub places: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ClientAuth {
    #[default]
    Body,
    Basic,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Challenge {
    #[default]
    Base64,
    Hex,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Renewal {
    /// By a refresh token.
    #[default]
    RefreshToken,
    /// By giving the token itself for a longer one.
    FbExchangeToken,
}

fn client_id() -> String {
    "client_id".to_owned()
}

fn space() -> String {
    " ".to_owned()
}

/// All of them, by their words.
pub fn providers() -> Result<&'static BTreeMap<String, Provider>> {
    static ALL: LazyLock<Result<BTreeMap<String, Provider>, String>> =
        LazyLock::new(|| serde_saphyr::from_str(include_str!("providers.yaml")).map_err(|e| e.to_string()));
    ALL.as_ref().map_err(|e| Error::internal(format!("providers.yaml: {e}")))
}

/// Who gives access to a kind of place, and the scopes that publishing there takes.
///
/// Errors: `Invalid` for places that are entered in another way.
pub fn provider_of(place: &Place) -> Result<(&'static str, &'static Provider, &'static [String])> {
    let kind = place.kind();
    let found = providers()?
        .iter()
        .find_map(|(word, provider)| Some((word.as_str(), provider, provider.places.get(kind)?.as_slice())));
    found.ok_or_else(|| {
        Error::invalid(format!("nobody logs in to a place of the kind '{kind}' in a browser"))
            .hint("'damctl secret set ACCOUNT FIELD' keeps what it takes: a password, a key, a token")
    })
}

/// A login that somebody has to agree to.
pub struct Login<'a> {
    /// By which word the provider is kept with the tokens.
    pub word: &'a str,
    /// Whom to ask.
    pub provider: &'a Provider,
    /// For what.
    pub scopes: &'a [String],
    /// Whose tokens these are; it has `client_id`, and `client_secret` where the provider gave one.
    pub account: &'a Account,
    /// The port of the redirect's address on 127.0.0.1; 0: any that is free.
    pub port: u16,
    /// Ends the wait.
    pub stop: &'a Stop,
}

type Client<HasAuth, HasDevice, HasToken> = oauth2::Client<
    oauth2::basic::BasicErrorResponse,
    BasicTokenResponse,
    oauth2::basic::BasicTokenIntrospectionResponse,
    oauth2::StandardRevocableToken,
    oauth2::basic::BasicRevocationErrorResponse,
    HasAuth,
    HasDevice,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    HasToken,
>;
type Ready = Client<oauth2::EndpointSet, oauth2::EndpointNotSet, oauth2::EndpointSet>;

fn client(provider: &Provider, fields: &Fields, token_url: &str, account: &Account) -> Result<Ready> {
    let bad = |e: oauth2::url::ParseError| Error::invalid("the address of an authorization server").because(e);
    let id = fields.get("client_id").ok_or_else(|| {
        Error::invalid(format!("account '{}' has no client_id", account.name)).hint(format!(
            "register an app ({}), then: damctl secret set {} client_id; it is looked for in {}",
            provider.docs,
            account.name,
            account.secrets.place()
        ))
    })?;
    let mut client = BasicClient::new(ClientId::new(id.expose().to_owned()));
    if let Some(secret) = fields.get("client_secret") {
        client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
    }
    // Who has no secret has nothing to sign in with.
    let auth = match (provider.client_auth, fields.contains_key("client_secret")) {
        (ClientAuth::Basic, true) => AuthType::BasicAuth,
        _ => AuthType::RequestBody,
    };
    let authorize = AuthUrl::new(provider.authorize.clone()).map_err(bad)?;
    let token = TokenUrl::new(token_url.to_owned()).map_err(bad)?;
    Ok(client.set_auth_type(auth).set_auth_uri(authorize).set_token_uri(token))
}

/// Asks as the crate wants it asked, in the provider's own words.
fn ask(http: &Http, provider: &Provider, request: &HttpRequest) -> Result<HttpResponse> {
    let renamed = form_urlencoded::parse(request.body()).map(|(name, value)| match &*name {
        "client_id" => (provider.client_parameter.clone(), value.into_owned()),
        _ => (name.into_owned(), value.into_owned()),
    });
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(renamed).finish();
    let mut asking = Request::post(request.uri().to_string())
        .header("accept", "application/json")
        .bytes("application/x-www-form-urlencoded", body.into_bytes());
    if let Some(basic) = request.headers().get("authorization").and_then(|value| value.to_str().ok()) {
        asking = asking.header("authorization", basic);
    }
    let reply = http.ask(asking)?;
    // Some refuse with a status that says that all is well.
    let is_refused = reply.status == 200 && reply.text("/error").is_some() && reply.text("/access_token").is_none();
    let status = if is_refused { 400 } else { reply.status };
    let answer = oauth2::http::Response::builder().status(status).header("content-type", "application/json");
    answer.body(reply.body).map_err(|e| Error::internal("an answer that is none").because(e))
}

/// What an authorization server's refusal means.
fn refused(
    what: &str,
    account: &Account,
    provider: &Provider,
    error: RequestTokenError<Error, oauth2::basic::BasicErrorResponse>,
) -> Error {
    match error {
        RequestTokenError::Request(e) => e,
        RequestTokenError::ServerResponse(told) => {
            refusal(what, account, provider, told.error(), told.error_description())
        }
        RequestTokenError::Parse(_, body) if body.is_empty() => silent(provider, "nothing"),
        RequestTokenError::Parse(..) => silent(provider, "what is no token"),
        RequestTokenError::Other(words) => silent(provider, &words),
    }
}

/// A gateway's page, an answer that was cut: nobody knows what it means, so it is asked again.
fn silent(provider: &Provider, what: &str) -> Error {
    Error::unavailable(format!("{} answered {what}", provider.name))
}

fn refusal(
    what: &str,
    account: &Account,
    provider: &Provider,
    error: &BasicErrorResponseType,
    description: Option<&String>,
) -> Error {
    let name = &provider.name;
    let said =
        description.map(|d| format!(": {}", d.chars().filter(|c| !c.is_control()).take(200).collect::<String>()));
    let said = said.unwrap_or_default();
    let code = error.as_ref();
    let told = match code {
        "invalid_grant" if what == "refresh" => Error::invalid(format!(
            "{name} session expired: reconnect the account (damctl channel login {})",
            account.channel
        )),
        "invalid_client" | "unauthorized_client" => {
            Error::invalid(format!("{name} does not know the app of account '{}'{said}", account.name))
                .hint("check its client_id and client_secret")
        }
        "access_denied" => Error::invalid(format!("{name}: access was not given")),
        "temporarily_unavailable" | "server_error" => Error::unavailable(format!("{name} is not well{said}")),
        _ => Error::invalid(format!("{name} refused the {what}{said}")),
    };
    told.code(code)
}

/// What is kept of an answer.
fn kept(token: &BasicTokenResponse) -> Fields {
    let mut fields = Fields::new();
    fields.insert("access_token".to_owned(), Secret::new(token.access_token().secret().as_str()));
    if let Some(refresh) = token.refresh_token() {
        fields.insert("refresh_token".to_owned(), Secret::new(refresh.secret().as_str()));
    }
    let until = token.expires_in().and_then(|time| jiff::SignedDuration::try_from(time).ok());
    // No time: nobody has said that it ends.
    let until = until.map_or_else(|| "never".to_owned(), |time| (jiff::Timestamp::now() + time).to_string());
    fields.insert("expires_at".to_owned(), Secret::new(until));
    fields
}

impl Login<'_> {
    /// Has somebody say yes in a browser, which comes back to this machine. `show` is told the address to open.
    ///
    /// Errors: `Unavailable` when nobody came back in ten minutes.
    pub fn by_browser(&self, show: &mut dyn FnMut(&str)) -> Result<()> {
        let fields = self.account.fields()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))
            .doing(|| format!("cannot listen on 127.0.0.1:{}", self.port))?;
        let port = listener.local_addr().doing(|| "cannot listen on 127.0.0.1")?.port();
        let redirect = RedirectUrl::new(format!("http://127.0.0.1:{port}/callback"))
            .map_err(|e| Error::internal(e.to_string()))?;
        let client = client(self.provider, &fields, &self.provider.token, self.account)?.set_redirect_uri(redirect);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client.authorize_url(CsrfToken::new_random).set_pkce_challenge(challenge);
        request = self.provider.extra.iter().fold(request, |r, (name, value)| r.add_extra_param(name, value));
        let (url, state) = request.url();
        show(self.own_words(url, verifier.secret()).as_str());
        let code = self.wait(&listener, state.secret())?;
        let http = Http::new(self.account)?;
        let asked = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
        let token = asked.request(&|request: HttpRequest| ask(&http, self.provider, &request));
        let token = token.map_err(|e| refused("code", self.account, self.provider, e))?;
        self.keep(&http, &fields, &token)
    }

    /// The address as this provider wants it.
    fn own_words(&self, url: Url, verifier: &str) -> Url {
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let mut own = url;
        let mut query = own.query_pairs_mut();
        query.clear();
        for (name, value) in pairs {
            match name.as_str() {
                "client_id" => query.append_pair(&self.provider.client_parameter, &value),
                "code_challenge" if self.provider.challenge == Challenge::Hex => {
                    query.append_pair(&name, &Digest::of(verifier).to_string())
                }
                _ => query.append_pair(&name, &value),
            };
        }
        query.append_pair("scope", &self.scopes.join(&self.provider.separator));
        drop(query);
        own
    }

    /// Waits for whoever comes back with this state; nobody else is listened to.
    fn wait(&self, listener: &TcpListener, state: &str) -> Result<String> {
        listener.set_nonblocking(true).doing(|| "cannot wait for the browser")?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.stop.is_tripped() {
                return Err(Error::stopped());
            }
            match listener.accept() {
                Ok((stream, _)) => match self.answer(stream, state) {
                    Some(answer) => return answer,
                    None => continue,
                },
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        Err(Error::unavailable("nobody came back from the browser in ten minutes")
            .hint("run it again; '--device' needs no browser on this machine, where the provider has that"))
    }

    /// `None`: it was somebody else, or nothing.
    fn answer(&self, stream: TcpStream, state: &str) -> Option<Result<String>> {
        stream.set_nonblocking(false).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.set_write_timeout(Some(Duration::from_secs(5))).ok()?;
        let mut line = String::new();
        BufReader::new((&stream).take(16 << 10)).read_line(&mut line).ok()?;
        let path = line.strip_prefix("GET ")?.split(' ').next()?;
        let url = Url::parse("http://127.0.0.1").ok()?.join(path).ok()?;
        let pairs: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let (status, words, answer) = match (url.path(), pairs.get("state"), pairs.get("code"), pairs.get("error")) {
            ("/callback", Some(theirs), code, error) if theirs == state => match (code, error) {
                (Some(code), None) => {
                    ("200 OK", "damctl has the account. You can close this page.", Some(Ok(code.clone())))
                }
                (_, error) => {
                    let word = error.map_or("access_denied", String::as_str);
                    let kind = BasicErrorResponseType::Extension(word.to_owned());
                    let told = refusal("login", self.account, self.provider, &kind, pairs.get("error_description"));
                    ("200 OK", "Access was not given. You can close this page.", Some(Err(told)))
                }
            },
            ("/callback", ..) => ("400 Bad Request", "This is no answer to what damctl has asked.", None),
            _ => ("404 Not Found", "There is nothing here.", None),
        };
        let page = format!("<!doctype html><meta charset=utf-8><title>damctl</title><p>{words}</p>\n");
        let head = "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer";
        let length = page.len();
        write!(&stream, "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}")
            .ok();
        answer
    }

    /// Has somebody type a code on another machine. `show` is told the address and the code.
    ///
    /// Errors: `Unsupported` where the provider has no such way.
    pub fn by_device(&self, show: &mut dyn FnMut(&str, &str)) -> Result<()> {
        let name = &self.provider.name;
        let device = self.provider.device.clone().ok_or_else(|| {
            Error::unsupported(format!("{name} has no login by a code")).hint("log in without '--device'")
        })?;
        let fields = self.account.fields()?;
        let device = DeviceAuthorizationUrl::new(device).map_err(|e| Error::internal(e.to_string()))?;
        let client =
            client(self.provider, &fields, &self.provider.token, self.account)?.set_device_authorization_url(device);
        let http = Http::new(self.account)?;
        let asks = |request: HttpRequest| match self.stop.is_tripped() {
            false => ask(&http, self.provider, &request),
            // The one answer that ends the crate's loop.
            true => oauth2::http::Response::builder()
                .status(400)
                .header("content-type", "application/json")
                .body(br#"{"error":"access_denied"}"#.to_vec())
                .map_err(|e| Error::internal(e.to_string())),
        };
        let scopes = self.scopes.iter().cloned().map(Scope::new);
        let details: StandardDeviceAuthorizationResponse = client
            .exchange_device_code()
            .add_scopes(scopes)
            .request(&asks)
            .map_err(|e| refused("code", self.account, self.provider, e))?;
        show(details.verification_uri(), details.user_code().secret());
        let sleep = |time: Duration| {
            let began = Instant::now();
            while began.elapsed() < time && !self.stop.is_tripped() {
                std::thread::sleep(Duration::from_millis(50).min(time));
            }
        };
        let token = client.exchange_device_access_token(&details).request(&asks, sleep, None);
        let token = token.map_err(|e| match e {
            _ if self.stop.is_tripped() => Error::stopped(),
            RequestTokenError::ServerResponse(told) => match told.error() {
                DeviceCodeErrorResponseType::ExpiredToken => {
                    Error::invalid(format!("{name}: the code was not typed in time")).hint("run it again")
                }
                DeviceCodeErrorResponseType::Basic(basic) => {
                    refusal("code", self.account, self.provider, basic, told.error_description())
                }
                other => {
                    let kind = BasicErrorResponseType::Extension(other.to_string());
                    refusal("code", self.account, self.provider, &kind, told.error_description())
                }
            },
            RequestTokenError::Request(e) => e,
            _ => silent(self.provider, "what is no token"),
        })?;
        self.keep(&http, &fields, &token)
    }

    fn keep(&self, http: &Http, had: &Fields, token: &BasicTokenResponse) -> Result<()> {
        let mut fields = kept(token);
        if self.provider.renewal == Renewal::FbExchangeToken {
            let longer = exchange(http, self.provider, &self.provider.token, had, token.access_token().secret());
            fields = kept(
                &longer.map_err(|e| e.within(format!("{} gave a token, and none that lasts", self.provider.name)))?,
            );
        }
        fields.insert("provider".to_owned(), Secret::new(self.word));
        fields.insert("token_url".to_owned(), Secret::new(self.provider.token.as_str()));
        self.account.secrets.put(&self.account.name, &fields)
    }
}

/// A token for a longer one, which lives for about 60 days.
fn exchange(http: &Http, provider: &Provider, url: &str, fields: &Fields, token: &str) -> Result<BasicTokenResponse> {
    let field = |name: &str| fields.get(name).map_or("", Secret::expose);
    let reply = http.ask(Request::post(url).header("accept", "application/json").form(&[
        ("grant_type", "fb_exchange_token"),
        ("client_id", field("client_id")),
        ("client_secret", field("client_secret")),
        ("fb_exchange_token", token),
    ]))?;
    if reply.status == 200 {
        return serde_json::from_slice(&reply.body).map_err(|_| silent(provider, "what is no token"));
    }
    // OAuthException: the token has ended, or the password was changed.
    match reply.text("/error/code").as_deref() {
        Some("190" | "102") => Err(Error::new(Kind::Invalid, "session expired").code("OAuthException 190")),
        _ => Err(reply.refusal(&provider.name)),
    }
}

/// A fresh access token for what is kept of an account, and what else is to be kept.
pub(super) fn refresh(account: &Account, fields: &Fields) -> Result<Fields> {
    let expired = |name: &str| {
        Error::invalid(format!(
            "{name} session expired: reconnect the account (damctl channel login {})",
            account.channel
        ))
    };
    let word = fields.get("provider").map_or("", Secret::expose);
    let Some(provider) = providers()?.get(word) else { return Err(expired(&account.channel)) };
    let token_url = fields.get("token_url").map_or(provider.token.as_str(), Secret::expose);
    let http = Http::new(account)?;
    if provider.renewal == Renewal::FbExchangeToken {
        let held = fields.get("access_token").ok_or_else(|| expired(&provider.name))?;
        let longer = exchange(&http, provider, token_url, fields, held.expose());
        return longer.map(|token| kept(&token)).map_err(|e| match e.code_text() {
            Some("OAuthException 190") => expired(&provider.name).code("OAuthException 190"),
            _ => e,
        });
    }
    let held = fields.get("refresh_token").ok_or_else(|| expired(&provider.name))?;
    let held = RefreshToken::new(held.expose().to_owned());
    let client = client(provider, fields, token_url, account)?;
    let token = client.exchange_refresh_token(&held).request(&|request: HttpRequest| ask(&http, provider, &request));
    token.map(|token| kept(&token)).map_err(|e| refused("refresh", account, provider, e))
}
