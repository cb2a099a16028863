//! Bearer tokens. What is stored of one is its SHA-256: it has 256 random bits, so nothing slower is needed.

use super::{
    Catalog,
    assets::to_json,
    db::{Row, values},
    events::append,
};
use crate::{
    digest::Digest,
    error::{Error, Result},
    model::Token,
};

const COLUMNS: &str = "id, name, grade, collections, expires_at, revoked_at, created_at, territory";

fn token(row: &Row) -> Result<Token> {
    Ok(Token {
        id: row.text(0)?.to_owned(),
        name: row.text(1)?.to_owned(),
        grade: row.parse(2)?,
        collections: row.maybe_text(3)?.map(|_| row.json(3)).transpose()?,
        expires_at: row.maybe_int(4)?,
        revoked_at: row.maybe_int(5)?,
        created_at: row.int(6)?,
        territory: row.maybe_text(7)?.map(str::to_owned),
    })
}

impl Catalog {
    /// Keeps a token, of which the bearer has the text with this digest.
    pub fn keep_token(&self, t: &Token, digest: &Digest) -> Result<()> {
        let now = self.now()?;
        let collections = t.collections.as_ref().map(to_json).transpose()?;
        self.db.with_tx(&mut |tx| {
            let sql = "INSERT INTO tokens (id, name, grade, collections, digest, expires_at, created_at, territory)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            let (id, name) = (t.id.as_str(), t.name.as_str());
            let (collections, territory) = (collections.as_deref(), t.territory.as_deref());
            tx.execute(sql, values![id, name, t.grade.as_str(), collections, digest, t.expires_at, now, territory])?;
            let detail = serde_json::json!({"name": t.name, "role": t.grade, "collections": t.collections, "expires_at": t.expires_at});
            append(tx, now, "token.created", id, &detail)
        })
    }

    /// The token whose text has this digest, if it is good now.
    pub fn token_by_digest(&self, digest: &Digest) -> Result<Option<Token>> {
        let now = self.now()?;
        let sql = format!(
            "SELECT {COLUMNS} FROM tokens
             WHERE digest = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)"
        );
        self.db.query(&sql, values![digest, now])?.first().map(token).transpose()
    }

    /// All tokens, the newest first.
    pub fn tokens(&self) -> Result<Vec<Token>> {
        let sql = format!("SELECT {COLUMNS} FROM tokens ORDER BY created_at DESC, id");
        self.db.query(&sql, &[])?.iter().map(token).collect()
    }

    /// Takes a token back.
    pub fn revoke_token(&self, id: &str) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            let sql = "UPDATE tokens SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
            match tx.execute(sql, values![id, now])? {
                0 => Err(Error::not_found(format!("there is no token {id} that is good"))
                    .hint("'damctl token list' shows them")),
                _ => append(tx, now, "token.revoked", id, &serde_json::json!({})),
            }
        })
    }

    /// Writes down what somebody did with an asset that changes nothing: that it was looked at or taken.
    pub fn audit(&self, kind: &'static str, subject: &str, detail: &serde_json::Value) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| append(tx, now, kind, subject, detail))
    }

    /// Up to `limit` events of one subject, the newest first.
    pub fn history_of(&self, subject: &str, limit: i64) -> Result<Vec<super::Event>> {
        self.number_events()?;
        let sql = "SELECT seq, at, kind, subject, detail FROM events WHERE subject = ?1 ORDER BY seq DESC LIMIT ?2";
        self.db.query(sql, values![subject, limit])?.iter().map(super::events::event).collect()
    }
}
