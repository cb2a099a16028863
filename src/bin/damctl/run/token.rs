//! `damctl token`: who may ask over HTTP.

use anyhow::Result;
use damctl::{
    digest::Digest,
    error::Error,
    model::{Token, description},
};
use serde_json::json;

use super::{Archive, Verdict, print};
use crate::cli::{TokenCommand, TokenCreateArgs};

pub fn run(command: &TokenCommand, archive: &Archive) -> Result<Verdict> {
    match command {
        TokenCommand::Create(args) => create(args, archive),
        TokenCommand::List { json } => list(*json, archive),
        TokenCommand::Revoke { id } => {
            archive.catalog()?.revoke_token(id)?;
            print(format_args!("{id} is not good any more"));
            Ok(Verdict::Done)
        }
    }
}

fn create(args: &TokenCreateArgs, archive: &Archive) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let now = catalog.now()?;
    let expires_at = match args.expires.as_deref() {
        None | Some("never") => None,
        Some(text) => Some(match text.parse::<jiff::SignedDuration>() {
            Ok(time) => now.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)),
            Err(_) => match text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok()) {
                Some(days) => now.saturating_add(days.saturating_mul(86_400_000)),
                None => description::moment(text)?,
            },
        }),
    };
    if expires_at.is_some_and(|at| at <= now) {
        return Err(Error::invalid("a token that has ended already is good for nothing").into());
    }
    if args.name.trim().is_empty() || args.name.len() > 200 || args.name.chars().any(char::is_control) {
        return Err(Error::invalid("a name has 1 to 200 bytes and no control characters").into());
    }
    let mut bytes = [0; 40];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    anyhow::ensure!(filled == bytes.len(), "the system gave too few random numbers");
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let (id, secret) = hex.split_at(16);
    let text = format!("{}{secret}", Token::PREFIX);
    let collections = (!args.collection.is_empty()).then(|| args.collection.clone());
    let token = Token {
        id: id.to_owned(),
        name: args.name.clone(),
        grade: args.role,
        collections,
        territory: args.territory.clone(),
        expires_at,
        revoked_at: None,
        created_at: now,
    };
    catalog.keep_token(&token, &Digest::of(text.as_bytes()))?;
    if args.json {
        print(json!({"id": token.id, "token": text, "name": token.name, "role": token.grade}));
    } else {
        print(&text);
    }
    Ok(Verdict::Done)
}

fn list(json: bool, archive: &Archive) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let (all, now) = (catalog.tokens()?, catalog.now()?);
    if json {
        print(serde_json::to_string(&all)?);
        return Ok(Verdict::Done);
    }
    let day = |ms: i64| jiff::Timestamp::from_millisecond(ms).map(|t| t.to_string()).unwrap_or_default();
    for t in &all {
        let state = match (t.revoked_at, t.expires_at) {
            (Some(at), _) => format!("taken back {}", day(at)),
            (None, Some(at)) if at <= now => format!("ended {}", day(at)),
            (None, Some(at)) => format!("until {}", day(at)),
            (None, None) => "without end".to_owned(),
        };
        let of = t.collections.as_ref().map_or("all collections".to_owned(), |c| c.join(", "));
        print(format_args!("{}  {:<8}  {}  {of}  {state}", t.id, t.grade.as_str(), t.name));
    }
    if all.is_empty() {
        print("there are no tokens");
    }
    Ok(Verdict::Done)
}
