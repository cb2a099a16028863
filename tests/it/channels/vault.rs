//! Vault, against a fake of its HTTP API as its documentation has it: KV version 2, AppRole, Kubernetes, tokens that end.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use damctl::{
    error::Kind,
    secret::{Fields, Secret, Secrets, Vault, VaultAuth, VaultConfig},
};
use serde_json::{Value, json};

use super::fake::{self, Answer, Asked, json as told};

/// What the fake holds and counts.
#[derive(Default)]
struct Held {
    secrets: BTreeMap<String, (u64, Value)>,
    tokens: BTreeMap<String, Instant>,
    logins: usize,
    renewals: usize,
    /// How long a token is good, and how often it can be renewed.
    lease: u64,
    renewable: usize,
    /// What everything is answered with.
    fails: Option<(u16, &'static str)>,
    /// Somebody else writes before us, so many times.
    rivals: usize,
    namespaces: Vec<String>,
}

fn refused(status: u16, words: &str) -> Answer {
    let errors: Vec<&str> = if words.is_empty() { Vec::new() } else { vec![words] };
    told(status, json!({ "errors": errors }))
}

fn answer(held: &mut Held, asked: &Asked) -> Answer {
    held.namespaces.push(asked.header("x-vault-namespace").to_owned());
    if let Some((status, words)) = held.fails {
        return refused(status, words);
    }
    let lease = held.lease;
    let auth = |token: &str, left: usize| {
        let auth = json!({"client_token": token, "lease_duration": lease, "renewable": left > 0});
        told(200, json!({ "auth": auth }))
    };
    let body = asked.json();
    let good = match asked.path.as_str() {
        "/v1/auth/approle/login" => Some(body["role_id"] == "role-1" && body["secret_id"] == "s3cret-id"),
        "/v1/auth/kubernetes/login" => Some(body["role"] == "damctl" && body["jwt"] == "a.jwt.token"),
        _ => None,
    };
    match good {
        Some(false) => return refused(400, "invalid role or secret ID"),
        Some(true) => {
            held.logins += 1;
            let token = format!("hvs.{}", held.logins);
            held.tokens.insert(token.clone(), Instant::now() + Duration::from_secs(lease));
            return auth(&token, held.renewable);
        }
        None => {}
    }
    let token = asked.header("x-vault-token").to_owned();
    if held.tokens.get(&token).is_none_or(|until| *until <= Instant::now()) {
        return refused(403, "permission denied");
    }
    match asked.path.as_str() {
        "/v1/auth/token/lookup-self" => told(200, json!({"data": {"ttl": lease, "renewable": held.renewable > 0}})),
        "/v1/auth/token/renew-self" if held.renewable == 0 => refused(400, "lease is not renewable"),
        "/v1/auth/token/renew-self" => {
            held.renewals += 1;
            held.renewable -= 1;
            held.tokens.insert(token.clone(), Instant::now() + Duration::from_secs(lease));
            auth(&token, held.renewable)
        }
        path => match path.strip_prefix("/v1/secret/") {
            Some(path) => kv(held, asked, path),
            None => refused(404, &format!("no handler for route {path:?}")),
        },
    }
}

fn kv(held: &mut Held, asked: &Asked, path: &str) -> Answer {
    if asked.method == "LIST" {
        let keys: Vec<&str> = held.secrets.keys().map(|k| k.rsplit('/').next().unwrap()).collect();
        assert_eq!(path, "metadata/news/damctl/");
        return if keys.is_empty() { refused(404, "") } else { told(200, json!({"data": {"keys": keys}})) };
    }
    if let Some(name) = path.strip_prefix("metadata/") {
        assert_eq!(asked.method, "DELETE");
        held.secrets.remove(name);
        return fake::empty(204);
    }
    let name = path.strip_prefix("data/").unwrap().to_owned();
    if asked.method == "GET" {
        return match held.secrets.get(&name) {
            Some((version, data)) => told(200, json!({"data": {"data": data, "metadata": {"version": version}}})),
            None => refused(404, ""),
        };
    }
    assert_eq!(asked.method, "POST");
    let body = asked.json();
    let entry = held.secrets.entry(name).or_insert((0, json!({})));
    if held.rivals > 0 {
        held.rivals -= 1;
        entry.0 += 1;
        entry.1[format!("rival_{}", held.rivals)] = json!("was faster");
    }
    if body["options"]["cas"].as_u64() != Some(entry.0) {
        return refused(400, "check-and-set parameter did not match the current version");
    }
    *entry = (entry.0 + 1, body["data"].clone());
    told(200, json!({"data": {"version": entry.0}}))
}

fn start(held: Held) -> (String, Arc<Mutex<Held>>) {
    let held = Arc::new(Mutex::new(held));
    let holds = Arc::clone(&held);
    (fake::start(move |asked| answer(&mut holds.lock().unwrap(), &asked)), held)
}

fn vault(url: &str, auth: VaultAuth) -> Vault {
    let place = format!("{url}/secret/news/damctl");
    Vault::new(VaultConfig { place, auth, namespace: Some("newsroom".to_owned()), ca: None }).unwrap()
}

fn fields(all: &[(&str, &str)]) -> Fields {
    all.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()
}

fn app_role(dir: &std::path::Path) -> VaultAuth {
    let secret_id = dir.join("secret-id");
    std::fs::write(&secret_id, "s3cret-id\n").unwrap();
    VaultAuth::AppRole { role: "role-1".to_owned(), secret_id }
}

#[test]
fn vault_keeps_every_field_though_others_write_and_forgets_what_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let (url, held) = start(Held { lease: 3600, renewable: 9, rivals: 3, ..Held::default() });
    let vault = vault(&url, app_role(dir.path()));
    assert!(vault.get("tiktok").unwrap().is_empty() && vault.names().unwrap().is_empty());
    vault.put("tiktok", &fields(&[("access_token", "a1"), ("refresh_token", "r1")])).unwrap();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let vault = &vault;
            scope.spawn(move || vault.put("tiktok", &fields(&[(&format!("field_{n}"), "x")])).unwrap());
        }
    });
    let all = vault.get("tiktok").unwrap();
    assert_eq!((all.len(), all["refresh_token"].expose()), (2 + 3 + 4, "r1"));
    assert_eq!(vault.names().unwrap()["tiktok"].len(), 9);
    assert!(vault.remove("tiktok", Some("field_0")).unwrap() && !vault.remove("tiktok", Some("field_0")).unwrap());
    assert!(vault.remove("tiktok", None).unwrap() && !vault.remove("tiktok", None).unwrap());
    let held = held.lock().unwrap();
    assert_eq!((held.logins, held.secrets.len()), (1, 0));
    assert!(held.namespaces.iter().all(|n| n == "newsroom"));
}

#[test]
fn vaults_token_is_renewed_before_its_end_and_got_anew_when_it_cannot_be() {
    let dir = tempfile::tempdir().unwrap();
    let jwt = dir.path().join("jwt");
    std::fs::write(&jwt, "a.jwt.token").unwrap();
    let (url, held) = start(Held { lease: 1, renewable: 2, ..Held::default() });
    let vault = vault(&url, VaultAuth::Kubernetes { role: "damctl".to_owned(), token: Some(jwt) });
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(3500) {
        assert!(vault.get("x").unwrap().is_empty());
        std::thread::sleep(Duration::from_millis(50));
    }
    {
        let held = held.lock().unwrap();
        assert!(held.renewals == 2 && held.logins >= 2, "{} renewals, {} logins", held.renewals, held.logins);
    }
    // One that was taken back.
    held.lock().unwrap().lease = 3600;
    std::thread::sleep(Duration::from_millis(1100));
    vault.get("x").unwrap();
    held.lock().unwrap().tokens.clear();
    vault.get("x").unwrap();
}

#[test]
fn what_is_wrong_with_vault_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let (url, held) = start(Held { lease: 3600, ..Held::default() });
    let sound = vault(&url, app_role(dir.path()));
    sound.get("x").unwrap();
    let cases = [
        ((503, "Vault is sealed"), Kind::Unavailable, "is sealed"),
        ((429, "request path rate limit exceeded"), Kind::Unavailable, "rate limit"),
        ((500, "internal error"), Kind::Unavailable, "internal error"),
        ((403, "permission denied"), Kind::Invalid, "permission denied"),
        ((404, "no handler for route \"secret/data/x\""), Kind::Invalid, "no handler"),
    ];
    for (fails, kind, words) in cases {
        held.lock().unwrap().fails = Some(fails);
        let error = sound.get("x").unwrap_err();
        assert!(error.kind() == kind && error.one_line().contains(words), "{error:?}");
        assert!(!format!("{error:?}").contains("hvs."), "{error:?}");
    }
    held.lock().unwrap().fails = None;
    std::fs::write(dir.path().join("secret-id"), "another").unwrap();
    let wrong = VaultAuth::AppRole { role: "role-1".to_owned(), secret_id: dir.path().join("secret-id") };
    let error = vault(&url, wrong).get("x").unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.one_line().contains("invalid role or secret ID"), "{error:?}");
    let error = vault(&url, VaultAuth::Token(Secret::new("hvs.unknown"))).get("x").unwrap_err();
    assert!(error.kind() == Kind::Invalid && !format!("{error:?}").contains("hvs.unknown"), "{error:?}");
    let error = vault("http://127.0.0.1:1", VaultAuth::Token(Secret::new("hvs.1"))).get("x").unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");

    for place in
        ["http://vault.example/secret", "https://u:p@vault.example/secret", "https://vault.example/", "nonsense"]
    {
        let config = VaultConfig {
            place: place.to_owned(),
            auth: VaultAuth::Token(Secret::new("t")),
            namespace: None,
            ca: None,
        };
        assert_eq!(Vault::new(config).err().unwrap().kind(), Kind::Invalid, "{place}");
    }
}
