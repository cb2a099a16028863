//! OAuth 2, against a fake of an authorization server that checks everything it is sent.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use damctl::{
    channel::{
        Account,
        oauth::{Login, Provider, providers},
    },
    digest::Digest,
    error::{Error, Kind, Result},
    secret::{Fields, Secret},
    stop::Stop,
};
use serde_json::json;

use super::{
    account,
    fake::{self, Answer, Asked, json as told, pairs},
};

/// What the server knows.
#[derive(Default)]
struct Known {
    /// What a verifier has to hash to, and how that is written.
    challenge: String,
    is_hex: bool,
    /// The one refresh token that is good.
    refresh: String,
    refreshes: usize,
    polls: usize,
    /// Answers to polls of a device, before the token.
    device: Vec<&'static str>,
    device_time: u64,
    asked: Vec<HashMap<String, String>>,
    /// What a refresh is answered with instead.
    fails: Option<(u16, &'static str)>,
}

fn answer(known: &mut Known, asked: &Asked) -> Answer {
    let form = asked.form();
    known.asked.push(form.clone());
    let client = asked.header("authorization").to_owned();
    if asked.path == "/device" {
        let (url, time) = ("https://provider.example/device", known.device_time);
        let body = json!({"device_code": "dev-1", "user_code": "ABCD-EFGH", "verification_url": url, "expires_in": time, "interval": 0});
        return told(200, body);
    }
    assert_eq!(asked.path, "/token");
    let tokens = |n: usize, refresh: &str| {
        told(
            200,
            json!({"access_token": format!("access-{n}"), "token_type": "bearer", "expires_in": 3600, "refresh_token": refresh}),
        )
    };
    match form["grant_type"].as_str() {
        "authorization_code" => {
            let digest = Digest::of(&form["code_verifier"]);
            let made = match known.is_hex {
                true => digest.to_string(),
                false => url_safe(digest.as_bytes()),
            };
            let is_ours = form["code"] == "the-code" && made == known.challenge;
            let is_known = client.starts_with("Basic ") || form.get("client_secret").is_some_and(|s| s == "app-s3cret");
            assert!(is_ours && is_known && form["redirect_uri"].starts_with("http://127.0.0.1:"), "{form:?} {client}");
            tokens(0, &known.refresh)
        }
        "refresh_token" => {
            known.refreshes += 1;
            if let Some((status, words)) = known.fails {
                return told(status, json!({ "error": words }));
            }
            if form["refresh_token"] != known.refresh {
                return told(400, json!({"error": "invalid_grant", "error_description": "it was used"}));
            }
            // Time for others to come by.
            thread::sleep(Duration::from_millis(100));
            known.refresh = format!("refresh-{}", known.refreshes);
            tokens(known.refreshes, &known.refresh.clone())
        }
        "fb_exchange_token" => {
            assert!(form["client_id"] == "app-1" && form["client_secret"] == "app-s3cret");
            known.refreshes += 1;
            if let Some((status, words)) = known.fails {
                let error = json!({"message": words, "type": "OAuthException", "code": 190, "fbtrace_id": "A"});
                return told(status, json!({ "error": error }));
            }
            let token = format!("long-{}-for-{}", known.refreshes, form["fb_exchange_token"]);
            told(200, json!({"access_token": token, "token_type": "bearer", "expires_in": 5_184_000}))
        }
        "urn:ietf:params:oauth:grant-type:device_code" => {
            assert_eq!(form["device_code"], "dev-1");
            known.polls += 1;
            match known.device.get(known.polls - 1) {
                Some(word) => told(400, json!({ "error": word })),
                None => tokens(7, "refresh-device"),
            }
        }
        other => panic!("{other}"),
    }
}

/// Base64 as addresses have it (RFC 4648, 5), without its padding.
fn url_safe(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let three = |three: &[u8]| {
        let number = three.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - three.len()));
        let letter = move |n: usize| char::from(LETTERS[(number >> (18 - 6 * n)) as usize & 63]);
        (0..=three.len()).map(letter).collect::<String>()
    };
    bytes.chunks(3).map(three).collect()
}

fn start(known: Known) -> (String, Arc<Mutex<Known>>) {
    let known = Arc::new(Mutex::new(known));
    let knows = Arc::clone(&known);
    (fake::start(move |asked| answer(&mut knows.lock().unwrap(), &asked)), known)
}

fn provider(word: &str, url: &str) -> Provider {
    let mut own = providers().unwrap()[word].clone();
    own.authorize = "https://provider.example/authorize".to_owned();
    own.token = format!("{url}/token");
    own.device = own.device.map(|_| format!("{url}/device"));
    own
}

const APP: &[(&str, &str)] = &[("client_id", "app-1"), ("client_secret", "app-s3cret")];

fn login<'a>(word: &'a str, provider: &'a Provider, account: &'a Account, stop: &'a Stop) -> Login<'a> {
    let scopes = provider.places.values().next().unwrap();
    Login { word, provider, scopes, account, port: 0, stop }
}

fn get(port: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Says yes in a browser, after others have come by.
fn browse(word: &'static str) -> (Account, Arc<Mutex<Known>>, Vec<String>) {
    let (url, known) = start(Known { refresh: "refresh-0".to_owned(), is_hex: word == "tiktok", ..Known::default() });
    let (provider, account, stop) = (provider(word, &url), account(APP), Stop::new());
    let (knows, pages) = (Arc::clone(&known), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&pages);
    let mut show = move |address: &str| {
        let (place, query) = address.split_once('?').unwrap();
        let asked = pairs(query);
        assert!(place == "https://provider.example/authorize" && asked["code_challenge_method"] == "S256", "{asked:?}");
        assert_eq!((asked["response_type"].as_str(), asked["state"].len() >= 16), ("code", true));
        match word {
            "tiktok" => assert!(
                asked["client_key"] == "app-1" && asked["scope"].contains(',') && !asked.contains_key("client_id")
            ),
            "google" => assert!(asked["client_id"] == "app-1" && asked["access_type"] == "offline"),
            "meta" => assert!(asked["client_id"] == "app-1" && asked["scope"].contains("pages_manage_posts")),
            _ => assert!(asked["client_id"] == "app-1" && asked["scope"].contains("offline.access")),
        }
        knows.lock().unwrap().challenge = asked["code_challenge"].clone();
        let redirect = asked["redirect_uri"].strip_prefix("http://127.0.0.1:").unwrap().to_owned();
        let (port, _) = redirect.split_once('/').unwrap();
        let (port, state, seen) = (port.to_owned(), asked["state"].clone(), Arc::clone(&seen));
        thread::spawn(move || {
            for path in [
                "/favicon.ico".to_owned(),
                "/callback?code=stolen&state=guessed".to_owned(),
                "/callback?code=stolen".to_owned(),
                format!("/callback?code=the-code&state={state}"),
            ] {
                let page = get(&port, &path);
                seen.lock().unwrap().push(page);
            }
        });
    };
    login(word, &provider, &account, &stop).by_browser(&mut show).unwrap();
    thread::sleep(Duration::from_millis(50));
    let pages = pages.lock().unwrap().clone();
    (account, known, pages)
}

#[test]
fn somebody_lets_damctl_in_by_a_browser_and_no_other_state_is_taken() {
    for word in ["x", "tiktok", "google"] {
        let (account, _, pages) = browse(word);
        let fields = account.fields().unwrap();
        assert_eq!((fields["access_token"].expose(), fields["refresh_token"].expose()), ("access-0", "refresh-0"));
        assert_eq!(fields["provider"].expose(), word);
        assert_eq!(account.token().unwrap().expose(), "access-0");
        let starts: Vec<&str> = pages.iter().map(|page| &page[9..12]).collect();
        assert_eq!(starts, ["404", "400", "400", "200"]);
        assert!(pages[3].contains("You can close this page") && !pages.concat().contains("access-0"), "{pages:?}");
    }
}

/// An account whose token has this long to go.
fn connected(url: &str, word: &str, time: &str) -> Account {
    let until = (jiff::Timestamp::now() + time.parse::<jiff::SignedDuration>().unwrap()).to_string();
    let token_url = format!("{url}/token");
    let own: [(&str, &str); 5] = [
        ("provider", word),
        ("token_url", &token_url),
        ("access_token", "access-old"),
        ("refresh_token", "refresh-0"),
        ("expires_at", &until),
    ];
    account(&[APP, &own].concat())
}

#[test]
fn fifty_who_want_a_token_at_once_refresh_it_once_and_rotation_is_kept() {
    let (url, known) = start(Known { refresh: "refresh-0".to_owned(), ..Known::default() });
    let account = connected(&url, "x", "90s");
    let all = || -> Vec<Result<Secret>> {
        thread::scope(|scope| {
            let each = (0..50).map(|_| scope.spawn(|| account.token())).collect::<Vec<_>>();
            each.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    };
    assert!(all().into_iter().all(|token| token.unwrap().expose() == "access-1"));
    assert_eq!(known.lock().unwrap().refreshes, 1);
    assert_eq!(account.secret("refresh_token").unwrap().expose(), "refresh-1");
    // The place refuses it before its time: once more, once for all who saw it refused.
    let stale = account.token().unwrap();
    let fresh = thread::scope(|scope| {
        let each = (0..50).map(|_| scope.spawn(|| account.renew(&stale).unwrap())).collect::<Vec<_>>();
        each.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(fresh.iter().all(|token| token.expose() == "access-2"));
    assert_eq!(known.lock().unwrap().refreshes, 2);
    // One that is good for long enough is left alone.
    account.secrets.put("playout", &Fields::from([("expires_at".to_owned(), Secret::new("never"))])).unwrap();
    assert_eq!((account.token().unwrap().expose(), known.lock().unwrap().refreshes), ("access-2", 2));
}

#[test]
fn metas_short_tokens_are_traded_for_long_ones_at_login_and_before_they_end() {
    let (account, known, _) = browse("meta");
    let fields = account.fields().unwrap();
    assert_eq!(fields["access_token"].expose(), "long-1-for-access-0");
    let until: jiff::Timestamp = fields["expires_at"].expose().parse().unwrap();
    let days = (until.as_second() - jiff::Timestamp::now().as_second()) as f64 / 86_400.0;
    assert!((59.9..60.1).contains(&days), "{days}");
    assert_eq!((account.token().unwrap(), known.lock().unwrap().refreshes), (Secret::new("long-1-for-access-0"), 1));

    let (url, known) = start(Known::default());
    let account = connected(&url, "meta", "90s");
    assert_eq!(account.token().unwrap().expose(), "long-1-for-access-old");
    assert_eq!(account.token().unwrap().expose(), "long-1-for-access-old");
    // One that the place refuses before its time is traded, too; where that is refused, somebody has to log in.
    let stale = account.token().unwrap();
    assert_eq!(account.renew(&stale).unwrap().expose(), "long-2-for-long-1-for-access-old");
    known.lock().unwrap().fails = Some((400, "Error validating access token: it was changed"));
    let e = account.renew(&account.token().unwrap()).unwrap_err();
    assert_eq!(e.kind(), Kind::Invalid);
    assert!(e.to_string().contains("Meta session expired: reconnect the account (damctl channel login"), "{e}");
    known.lock().unwrap().fails = Some((500, "wait"));
    assert!(!account.renew(&account.token().unwrap()).unwrap_err().to_string().contains("long-"));
}

#[test]
fn a_session_that_has_ended_says_how_to_reconnect_and_what_heals_is_told_apart() {
    let fails = |word: &str, fails: (u16, &'static str)| -> Error {
        let (url, _) = start(Known { fails: Some(fails), ..Known::default() });
        let error = connected(&url, word, "-5s").token().unwrap_err();
        let all = format!("{error:?}");
        assert!(!all.contains("refresh-0") && !all.contains("app-s3cret"), "{all}");
        error
    };
    // TikTok says so with a status that says that all is well.
    for status in [200, 400] {
        let ended = fails("tiktok", (status, "invalid_grant"));
        let words = "TikTok session expired: reconnect the account (damctl channel login playout)";
        assert_eq!((ended.kind(), ended.to_string().as_str()), (Kind::Invalid, words));
        assert_eq!(ended.code_text(), Some("invalid_grant"));
    }
    assert_eq!(fails("x", (400, "invalid_client")).kind(), Kind::Invalid);
    assert_eq!(fails("x", (503, "temporarily_unavailable")).kind(), Kind::Unavailable);
    let gone = connected("http://127.0.0.1:1", "x", "-5s").token().unwrap_err();
    assert_eq!(gone.kind(), Kind::Unavailable, "{gone:?}");
    let none = account(&[]).token().unwrap_err();
    assert!(none.kind() == Kind::Invalid && none.one_line().contains("has no access_token"), "{none:?}");
    // A token that somebody made by hand.
    assert_eq!(account(&[("access_token", "by hand")]).token().unwrap().expose(), "by hand");
}

#[test]
fn a_device_is_let_in_by_a_code_at_the_pace_that_is_asked_for() {
    let pending = vec!["authorization_pending", "slow_down"];
    let (url, known) = start(Known { device: pending, device_time: 600, ..Known::default() });
    let (google, account, stop) = (provider("google", &url), account(APP), Stop::new());
    let mut shown = Vec::new();
    login("google", &google, &account, &stop)
        .by_device(&mut |address, code| shown.push(format!("{address} {code}")))
        .unwrap();
    assert_eq!(shown, ["https://provider.example/device ABCD-EFGH"]);
    assert_eq!((known.lock().unwrap().polls, account.token().unwrap().expose()), (3, "access-7"));

    for (device, time, words) in
        [(vec!["access_denied"], 600, "access was not given"), (vec!["expired_token"], 600, "in time")]
    {
        let (url, _) = start(Known { device, device_time: time, ..Known::default() });
        let google = provider("google", &url);
        let error = login("google", &google, &account, &stop).by_device(&mut |_, _| {}).unwrap_err();
        assert!(error.kind() == Kind::Invalid && error.one_line().contains(words), "{error:?}");
    }
    let tiktok = provider("tiktok", &url);
    let error = login("tiktok", &tiktok, &account, &stop).by_device(&mut |_, _| {}).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);

    // Somebody ends the wait.
    let (url, _) = start(Known { device: vec!["authorization_pending"; 1000], device_time: 600, ..Known::default() });
    let google = provider("google", &url);
    let ends = stop.clone();
    let error = login("google", &google, &account, &stop).by_device(&mut |_, _| ends.trip()).unwrap_err();
    assert_eq!(error.kind(), Kind::Stopped);
}
