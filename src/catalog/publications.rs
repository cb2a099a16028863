//! What is published where. A publication is planned once, sent under a job's lease, and ends with the job.

use serde_json::{Map, Value, json};

use super::{
    Catalog, Lease, Posted,
    assets::to_json,
    db::{Row, Tx, Value as Given, values},
    events::{News, append},
    jobs::fence,
};
use crate::{
    digest::Digest,
    error::{Error, Result},
    model::{
        Approval, AssetId, Publication, PublicationId, PublicationState, Rate, Receipt, Words,
        job::Failure,
        rate::{release, reserve},
    },
};

/// Longest time that an account is left in peace after failures.
const CAP_MS: i64 = 300_000;
/// How long whoever refreshes a token may take.
const REFRESH_MS: i64 = 180_000;
/// How soon an account that has its hands full is looked at again.
const SOON_MS: i64 = 500;

const COLUMNS: &str =
    "id, asset, generation, entry, channel, outlet, again, state, not_before, approval, words, session,
     posting, receipt, error, sent, tried_at, actor, created_at, updated_at, content";

/// A publication that somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPublication {
    /// The asset.
    pub asset: AssetId,
    /// Its generation.
    pub generation: i64,
    /// The profile entry.
    pub entry: String,
    /// The channel.
    pub channel: String,
    /// The kind of place and the account there: `youtube/main`.
    pub outlet: String,
    /// How often it has been published before, by a person's word.
    pub again: i64,
    /// Not before this time (ms).
    pub not_before: i64,
    /// Whether somebody has to agree first.
    pub needs_approval: bool,
    /// What it is, by the digests of its files.
    pub content: Digest,
    /// What a person wants said.
    pub words: Words,
    /// Who wants it.
    pub actor: String,
}

impl NewPublication {
    /// Its identity.
    pub fn id(&self) -> PublicationId {
        PublicationId::new(self.asset, self.generation, &self.entry, &self.channel, &self.outlet, self.again)
    }
}

/// Whether it is somebody's turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// It may be sent.
    Now(Box<Publication>),
    /// Not before this time (ms).
    At(i64),
    /// It is not to be sent any more.
    Never,
}

/// How a job leaves a publication.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which.
    pub id: PublicationId,
    /// How far it has come.
    pub state: PublicationState,
    /// The place's confirmation.
    pub receipt: Option<Receipt>,
    /// Why not further.
    pub error: Option<Failure>,
    /// The session to go on with.
    pub session: Option<Value>,
    /// A new time (ms) before which it is not to be sent.
    pub not_before: Option<i64>,
    /// The place has said that nothing of it is there: what was written down of it is of no use any more.
    pub is_settled: bool,
    /// How its account fares.
    pub outlet: Fares,
}

impl Step {
    /// It is in this state now, and there is nothing more to say.
    pub fn to(id: PublicationId, state: PublicationState) -> Self {
        Self {
            id,
            state,
            receipt: None,
            error: None,
            session: None,
            not_before: None,
            is_settled: false,
            outlet: Fares::Unsaid,
        }
    }
}

/// How an account fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fares {
    /// Nothing was heard of it.
    Unsaid,
    /// It was served.
    Well,
    /// It was not, and is to be left in peace: 2 s, doubled each time up to 5 minutes, or for as long as it asks (ms).
    Badly(Option<i64>),
}

fn publication(row: &Row) -> Result<Publication> {
    let approval = match row.maybe_text(9)? {
        None => Approval::NotNeeded,
        Some("") => Approval::Wanted,
        Some(who) => Approval::Given(who.to_owned()),
    };
    Ok(Publication {
        id: row.parse(0)?,
        asset: row.parse(1)?,
        generation: row.int(2)?,
        entry: row.text(3)?.to_owned(),
        channel: row.text(4)?.to_owned(),
        outlet: row.text(5)?.to_owned(),
        again: row.int(6)?,
        state: row.parse(7)?,
        not_before: row.int(8)?,
        approval,
        words: row.json(10)?,
        session: row.maybe_text(11)?.map(|_| row.json(11)).transpose()?,
        is_posting: row.int(12)? != 0,
        receipt: row.maybe_text(13)?.map(|_| row.json(13)).transpose()?,
        error: row.maybe_text(14)?.map(|_| row.json(14)).transpose()?,
        sent: row.int(15)?,
        tried_at: row.maybe_int(16)?,
        actor: row.text(17)?.to_owned(),
        created_at: row.int(18)?,
        updated_at: row.int(19)?,
        content: row.parse(20)?,
    })
}

fn told(p: &Publication, more: Value) -> Value {
    let mut told = json!({"publication": p.id, "channel": p.channel, "entry": p.entry, "generation": p.generation});
    if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
        told.extend(more);
    }
    told
}

fn row_of(tx: &mut dyn Tx, id: PublicationId) -> Result<Publication> {
    let sql = format!("SELECT {COLUMNS} FROM publications WHERE id = ?1");
    let rows = tx.query(&sql, values![id])?;
    rows.first().map(publication).transpose()?.ok_or_else(|| unknown(id))
}

fn unknown(id: PublicationId) -> Error {
    Error::not_found(format!("there is no publication {id}")).hint("'damctl publish status' lists them")
}

/// Takes a publication in as a record tells of it. What was not at its end then may have come to it since: nothing of it is
/// sent until somebody has said how it is.
pub(super) fn restore(tx: &mut dyn Tx, asset: AssetId, p: &Posted) -> Result<()> {
    let state = match p.state {
        PublicationState::Published | PublicationState::Retracted => p.state,
        _ => PublicationState::Unknown,
    };
    let receipt = p.place_id.clone().map(|id| Receipt { id, url: p.url.clone(), proof: Value::Null });
    let receipt = receipt.as_ref().map(to_json).transpose()?;
    let sql = "INSERT INTO publications (id, asset, generation, entry, channel, outlet, again, state, not_before, content,
                   reserved, words, posting, receipt, sent, actor, created_at, updated_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, 0, ?10, 0, ?11, 0, ?12, ?13, ?14) ON CONFLICT (id) DO NOTHING";
    let (entry, channel, outlet, actor) = (p.entry.as_str(), p.channel.as_str(), p.outlet.as_str(), p.actor.as_str());
    let words = to_json(&Words::default())?;
    let (created, updated) = p.at;
    tx.execute(
        sql,
        values![
            p.id,
            asset,
            p.generation,
            entry,
            channel,
            outlet,
            p.again,
            state.as_str(),
            p.content,
            words,
            receipt,
            actor,
            created,
            updated
        ],
    )
    .map(drop)
}

fn see_outlet(tx: &mut dyn Tx, name: &str, now: i64) -> Result<()> {
    let sql = "INSERT INTO outlets (name, failures, not_before, spent, refresh_until, updated_at)
               VALUES (?1, 0, 0, '{}', 0, ?2) ON CONFLICT (name) DO NOTHING";
    tx.execute(sql, values![name, now]).map(drop)
}

/// Writes how a job leaves a publication, in the transaction that ends the job.
pub(super) fn step(tx: &mut dyn Tx, now: i64, step: &Step, news: &mut News) -> Result<()> {
    let before = row_of(tx, step.id)?;
    let error = step.error.as_ref().map(to_json).transpose()?;
    let receipt = step.receipt.as_ref().map(to_json).transpose()?;
    let session = step.session.as_ref().map(Value::to_string);
    // What failed may have been begun: whoever takes it up again asks first what is there.
    let is_kept = !step.is_settled
        && matches!(step.state, PublicationState::Sending | PublicationState::Unknown | PublicationState::Failed);
    let sql = "UPDATE publications SET state = ?2, receipt = COALESCE(?3, receipt), error = ?4,
                   session = CASE WHEN CAST(?5 AS TEXT) IS NOT NULL THEN ?5 WHEN ?6 = 1 THEN session ELSE NULL END,
                   posting = CASE WHEN ?6 = 1 THEN posting ELSE 0 END, not_before = COALESCE(?7, not_before),
                   updated_at = ?8
               WHERE id = ?1";
    let state = step.state.as_str();
    tx.execute(sql, values![step.id, state, receipt, error, session, i64::from(is_kept), step.not_before, now])?;
    let wait = match step.outlet {
        Fares::Unsaid => None,
        Fares::Well => {
            let sql = "UPDATE outlets SET failures = 0, not_before = 0, updated_at = ?2 WHERE name = ?1";
            tx.execute(sql, values![before.outlet.as_str(), now])?;
            None
        }
        Fares::Badly(asked) => {
            see_outlet(tx, &before.outlet, now)?;
            let rows = tx.query("SELECT failures FROM outlets WHERE name = ?1", values![before.outlet.as_str()])?;
            let failures = rows.first().map(|r| r.int(0)).transpose()?.unwrap_or(0) + 1;
            let wait = (1000_i64 << failures.min(20)).min(CAP_MS).max(asked.unwrap_or(0));
            let sql = "UPDATE outlets SET failures = ?2, not_before = ?3, updated_at = ?4 WHERE name = ?1";
            tx.execute(sql, values![before.outlet.as_str(), failures, now + wait, now])?;
            Some(wait)
        }
    };
    if before.state != step.state || step.error.is_some() {
        let kind = match step.state {
            PublicationState::Planned => "publication.planned",
            PublicationState::Sending => "publication.sending",
            PublicationState::Published => "publication.published",
            PublicationState::Unknown => "publication.unknown",
            PublicationState::Failed => "publication.failed",
            PublicationState::Retracted => "publication.retracted",
        };
        let more = json!({"receipt": step.receipt, "error": step.error, "wait_ms": wait,
            "not_before": step.not_before});
        news.add(kind, before.asset, told(&before, more));
    }
    Ok(())
}

impl Catalog {
    /// The publications of these assets, whose list of parameters is given.
    pub(super) fn publications_among(&self, assets: &[Given], list: &str) -> Result<Vec<Publication>> {
        let sql = format!("SELECT {COLUMNS} FROM publications WHERE asset IN ({list}) ORDER BY id");
        self.db.query(&sql, assets)?.iter().map(publication).collect()
    }

    /// Plans publications: one that is there stays as it is. Each new one gets the first time that its account's limits
    /// leave; `rates` says which those are. Returns each as it is now, and whether it is new.
    pub fn plan_publications(
        &self,
        wanted: &[NewPublication],
        rates: &dyn Fn(&NewPublication) -> Vec<Rate>,
    ) -> Result<Vec<(Publication, bool)>> {
        let now = self.now()?;
        let mut out = Vec::new();
        for new in wanted {
            let id = new.id();
            let mut made = None;
            self.db.with_tx(&mut |tx| {
                tx.lock(&format!("outlet {}", new.outlet))?;
                let sql = format!("SELECT {COLUMNS} FROM publications WHERE id = ?1");
                if let Some(row) = tx.query(&sql, values![id])?.first() {
                    made = Some((publication(row)?, false));
                    return Ok(());
                }
                // What is for later takes its turn when its time has come.
                let is_now = new.not_before <= now;
                let at = match is_now {
                    true => spend(tx, now, &new.outlet, &rates(new), now)?,
                    false => new.not_before,
                };
                let approval = new.needs_approval.then_some("");
                let sql = "INSERT INTO publications (id, asset, generation, entry, channel, outlet, again, state,
                               not_before, approval, words, posting, sent, actor, created_at, updated_at, content, reserved)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'planned', ?8, ?9, ?10, 0, 0, ?11, ?12, ?12, ?13, ?14)";
                let words = to_json(&new.words)?;
                tx.execute(
                    sql,
                    values![
                        id,
                        new.asset,
                        new.generation,
                        new.entry.as_str(),
                        new.channel.as_str(),
                        new.outlet.as_str(),
                        new.again,
                        at,
                        approval,
                        words,
                        new.actor.as_str(),
                        now,
                        new.content,
                        i64::from(is_now)
                    ],
                )?;
                let row = row_of(tx, id)?;
                let more = json!({"not_before": at, "needs_approval": new.needs_approval, "actor": new.actor});
                append(tx, now, "publication.planned", &new.asset.to_string(), &told(&row, more))?;
                made = Some((row, true));
                Ok(())
            })?;
            out.extend(made);
        }
        Ok(out)
    }

    /// The number of an asset's active generation.
    pub fn active_generation(&self, asset: AssetId) -> Result<i64> {
        let rows = self.db.query("SELECT generation FROM assets WHERE id = ?1", values![asset])?;
        let row = rows.first().ok_or_else(|| Error::not_found(format!("there is no asset {asset}")))?;
        row.int(0)
    }

    /// A publication.
    pub fn publication(&self, id: PublicationId) -> Result<Publication> {
        let sql = format!("SELECT {COLUMNS} FROM publications WHERE id = ?1");
        let rows = self.db.query(&sql, values![id])?;
        rows.first().map(publication).transpose()?.ok_or_else(|| unknown(id))
    }

    /// The one whose id begins so.
    ///
    /// Errors: `NotFound` for none, `Invalid` for several.
    pub fn publication_like(&self, beginning: &str) -> Result<Publication> {
        let is_hex = (4..=64).contains(&beginning.len()) && beginning.chars().all(|c| c.is_ascii_hexdigit());
        if !is_hex {
            return Err(Error::invalid(format!("'{beginning}' is not the beginning of a publication's id")));
        }
        let sql = format!("SELECT {COLUMNS} FROM publications WHERE id LIKE ?1 ORDER BY id LIMIT 2");
        let rows = self.db.query(&sql, values![format!("{}%", beginning.to_ascii_lowercase())])?;
        match rows.as_slice() {
            [row] => publication(row),
            [] => Err(Error::not_found(format!("there is no publication {beginning}…"))
                .hint("'damctl publish status' lists them")),
            _ => Err(Error::invalid(format!("several publications begin with {beginning}: give more of it"))),
        }
    }

    /// An asset's publications, the newest first.
    pub fn publications_of(&self, asset: AssetId) -> Result<Vec<Publication>> {
        let sql = format!("SELECT {COLUMNS} FROM publications WHERE asset = ?1 ORDER BY created_at DESC, id");
        self.db.query(&sql, values![asset])?.iter().map(publication).collect()
    }

    /// All of them in this state, or in any, in the order of their ids: so many after one.
    pub fn publications_page(
        &self,
        state: Option<PublicationState>,
        after: Option<PublicationId>,
        most: i64,
    ) -> Result<Vec<Publication>> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let state = state.map(PublicationState::as_str);
        let sql = format!(
            "SELECT {COLUMNS} FROM publications
             WHERE id > ?1 AND (CAST(?2 AS TEXT) IS NULL OR state = ?2) ORDER BY id LIMIT ?3"
        );
        self.db.query(&sql, values![after, state, most])?.iter().map(publication).collect()
    }

    /// Those whose time has come, or comes before `until` (ms), with nobody's approval missing; and those that are on their
    /// way. The earliest first.
    pub fn due_publications(&self, until: i64) -> Result<Vec<Publication>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM publications
             WHERE state = 'sending' OR (state = 'planned' AND not_before <= ?1 AND COALESCE(approval, '-') <> '')
             ORDER BY not_before, created_at, id"
        );
        self.db.query(&sql, values![until])?.iter().map(publication).collect()
    }

    /// Begins to send under a job's lease, when it is its turn: it waits for nobody's approval, its account is not left in
    /// peace after a failure and has fewer than `most` on their way, and what its limits (`rates`) leave has come.
    ///
    /// Errors: `LeaseLost`.
    pub fn begin_publication(&self, lease: &Lease, id: PublicationId, most: i64, rates: &[Rate]) -> Result<Turn> {
        let now = self.now()?;
        let mut turn = None;
        self.db.with_tx(&mut |tx| {
            let outlet = row_of(tx, id)?.outlet;
            tx.lock(&format!("outlet {outlet}"))?;
            fence(tx, lease)?;
            // Somebody may have canceled or settled it since the job was planned.
            let found = row_of(tx, id)?;
            let is_open = matches!(
                found.state,
                PublicationState::Planned | PublicationState::Sending | PublicationState::Unknown
            );
            if !is_open || found.approval == Approval::Wanted {
                turn = Some(Turn::Never);
                return Ok(());
            }
            if found.state == PublicationState::Planned && found.not_before > now {
                turn = Some(Turn::At(found.not_before));
                return Ok(());
            }
            see_outlet(tx, &outlet, now)?;
            let rows = tx.query("SELECT not_before FROM outlets WHERE name = ?1", values![outlet.as_str()])?;
            let rest = rows.first().map(|r| r.int(0)).transpose()?.unwrap_or(0);
            if rest > now {
                turn = Some(Turn::At(rest));
                return Ok(());
            }
            let sql = "SELECT COUNT(*) FROM publications p JOIN jobs j ON j.id = p.job
                       WHERE p.outlet = ?1 AND p.id <> ?2 AND p.state IN ('sending', 'unknown')
                         AND j.state = 'leased' AND j.lease_until > ?3";
            let rows = tx.query(sql, values![outlet.as_str(), id, now])?;
            if rows.first().map(|r| r.int(0)).transpose()?.unwrap_or(0) >= most {
                turn = Some(Turn::At(now + SOON_MS));
                return Ok(());
            }
            let rows = tx.query("SELECT reserved FROM publications WHERE id = ?1", values![id])?;
            if rows.first().map(|r| r.int(0)).transpose()?.unwrap_or(1) == 0 {
                let at = spend(tx, now, &outlet, rates, now)?;
                let sql = "UPDATE publications SET reserved = 1, not_before = ?2 WHERE id = ?1";
                tx.execute(sql, values![id, at])?;
                if at > now {
                    turn = Some(Turn::At(at));
                    return Ok(());
                }
            }
            let sql =
                "UPDATE publications SET state = CASE WHEN state = 'planned' THEN 'sending' ELSE state END, job = ?2,
                           tried_at = COALESCE(tried_at, ?3), updated_at = ?3
                       WHERE id = ?1";
            tx.execute(sql, values![id, lease.job.id, now])?;
            let row = row_of(tx, id)?;
            if found.state == PublicationState::Planned {
                append(tx, now, "publication.sending", &row.asset.to_string(), &told(&row, Value::Null))?;
            }
            turn = Some(Turn::Now(Box::new(row)));
            Ok(())
        })?;
        turn.ok_or_else(|| Error::internal("a turn that was not told"))
    }

    /// Until when (ms) an account is left in peace after a failure.
    pub fn rest_of(&self, outlet: &str) -> Result<i64> {
        let rows = self.db.query("SELECT not_before FROM outlets WHERE name = ?1", values![outlet])?;
        Ok(rows.first().map(|row| row.int(0)).transpose()?.unwrap_or(0))
    }

    /// Writes down how far sending has come; `is_posting`: from here on, a lost reply may mean that it is published.
    ///
    /// Errors: `LeaseLost`.
    pub fn keep_session(
        &self,
        lease: &Lease,
        id: PublicationId,
        session: &Value,
        is_posting: bool,
        sent: i64,
    ) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            fence(tx, lease)?;
            let sql =
                "UPDATE publications SET session = ?2, posting = CASE WHEN ?3 = 1 THEN 1 ELSE posting END, sent = ?4,
                           updated_at = ?5
                       WHERE id = ?1";
            tx.execute(sql, values![id, session.to_string(), i64::from(is_posting), sent, now]).map(drop)
        })
    }

    /// Says that somebody agrees. Says whether that was still wanted.
    pub fn approve_publication(&self, id: PublicationId, who: &str) -> Result<bool> {
        self.amend(id, "publication.approved", json!({"actor": who}), &mut |tx, now| {
            let sql = "UPDATE publications SET approval = ?2, updated_at = ?3
                       WHERE id = ?1 AND approval = '' AND state = 'planned'";
            Ok(tx.execute(sql, values![id, who, now])? > 0)
        })
    }

    /// Takes back what was planned and not begun. Says whether it was so.
    pub fn cancel_publication(&self, id: PublicationId, rates: &[Rate], who: &str) -> Result<bool> {
        self.amend(id, "publication.canceled", json!({"actor": who}), &mut |tx, now| {
            give_back(tx, now, id, rates)?;
            let sql =
                "UPDATE publications SET state = 'retracted', updated_at = ?2 WHERE id = ?1 AND state = 'planned'";
            Ok(tx.execute(sql, values![id, now])? > 0)
        })
    }

    /// Plans anew, by a person's word, what failed, was canceled before it began, or is planned for another time. What was
    /// begun is known still, and asked for first. Says whether it was so.
    pub fn plan_again(&self, new: &NewPublication, rates: &[Rate]) -> Result<bool> {
        let (id, actor) = (new.id(), new.actor.as_str());
        let more = json!({"actor": actor, "not_before": new.not_before});
        self.amend(id, "publication.planned", more, &mut |tx, now| {
            give_back(tx, now, id, rates)?;
            // Other content begins from the beginning.
            let sql = "UPDATE publications SET state = 'planned', not_before = ?2, error = NULL, reserved = 0, tried_at = NULL,
                           sent = 0, updated_at = ?3, approval = CASE WHEN ?4 = 1 THEN '' ELSE approval END, words = ?5,
                           session = CASE WHEN content = ?6 OR posting = 1 THEN session ELSE NULL END, content = ?6
                       WHERE id = ?1 AND (state = 'failed' OR (state = 'retracted' AND receipt IS NULL)
                           OR (state = 'planned' AND session IS NULL))";
            let words = to_json(&new.words)?;
            let needs = i64::from(new.needs_approval);
            Ok(tx.execute(sql, values![id, new.not_before, now, needs, words.as_str(), new.content])? > 0)
        })
    }

    /// Says how one is whose reply was lost, as a person has seen: it is there, under this address or name, or it is not, and
    /// is planned anew. Says whether that was unknown.
    pub fn declare_publication(&self, id: PublicationId, there: Option<&str>, who: &str) -> Result<bool> {
        let Some(there) = there else {
            return self.amend(id, "publication.planned", json!({"actor": who}), &mut |tx, now| {
                let sql = "UPDATE publications SET state = 'planned', not_before = 0, error = NULL, session = NULL, posting = 0,
                               reserved = 0, tried_at = NULL, sent = 0, updated_at = ?2
                           WHERE id = ?1 AND state = 'unknown'";
                Ok(tx.execute(sql, values![id, now])? > 0)
            });
        };
        let receipt = Receipt {
            id: there.to_owned(),
            url: there.starts_with("https://").then(|| there.to_owned()),
            proof: json!({"said_by": who}),
        };
        let receipt = to_json(&receipt)?;
        self.amend(id, "publication.published", json!({"actor": who, "receipt": there}), &mut |tx, now| {
            let sql =
                "UPDATE publications SET state = 'published', receipt = ?2, error = NULL, session = NULL, posting = 0,
                           updated_at = ?3
                       WHERE id = ?1 AND state = 'unknown'";
            Ok(tx.execute(sql, values![id, receipt.as_str(), now])? > 0)
        })
    }

    fn amend(
        &self,
        id: PublicationId,
        kind: &str,
        more: Value,
        work: &mut dyn FnMut(&mut dyn Tx, i64) -> Result<bool>,
    ) -> Result<bool> {
        let now = self.now()?;
        let mut is_done = false;
        self.db.with_tx(&mut |tx| {
            is_done = work(tx, now)?;
            if is_done {
                let row = row_of(tx, id)?;
                append(tx, now, kind, &row.asset.to_string(), &told(&row, more.clone()))?;
            }
            Ok(())
        })?;
        Ok(is_done)
    }

    /// Takes the right to refresh an account's token, unless somebody else has it.
    pub fn take_refresh(&self, outlet: &str, who: &str) -> Result<bool> {
        let now = self.now()?;
        let mut is_mine = false;
        self.db.with_tx(&mut |tx| {
            see_outlet(tx, outlet, now)?;
            let sql = "UPDATE outlets SET refresher = ?2, refresh_until = ?3
                       WHERE name = ?1 AND (refresher IS NULL OR refresher = ?2 OR refresh_until < ?4)";
            is_mine = tx.execute(sql, values![outlet, who, now + REFRESH_MS, now])? > 0;
            Ok(())
        })?;
        Ok(is_mine)
    }

    /// Gives it back.
    pub fn end_refresh(&self, outlet: &str, who: &str) -> Result<()> {
        self.db.with_tx(&mut |tx| {
            let sql = "UPDATE outlets SET refresher = NULL, refresh_until = 0 WHERE name = ?1 AND refresher = ?2";
            tx.execute(sql, values![outlet, who]).map(drop)
        })
    }
}

/// Gives what a publication that has not begun has taken of its account's limits (`rates`) back.
fn give_back(tx: &mut dyn Tx, now: i64, id: PublicationId, rates: &[Rate]) -> Result<()> {
    let outlet = row_of(tx, id)?.outlet;
    tx.lock(&format!("outlet {outlet}"))?;
    let sql = "SELECT not_before FROM publications
               WHERE id = ?1 AND reserved = 1 AND state = 'planned' AND session IS NULL";
    let rows = tx.query(sql, values![id])?;
    let Some(at) = rows.first().map(|row| row.int(0)).transpose()? else { return Ok(()) };
    let rows = tx.query("SELECT spent FROM outlets WHERE name = ?1", values![outlet.as_str()])?;
    let mut spent: Map<String, Value> = rows.first().map(|row| row.json(0)).transpose()?.unwrap_or_default();
    release(&mut spent, rates, at)?;
    let sql = "UPDATE outlets SET spent = ?2, updated_at = ?3 WHERE name = ?1";
    tx.execute(sql, values![outlet.as_str(), Value::Object(spent).to_string(), now])?;
    tx.execute("UPDATE publications SET reserved = 0 WHERE id = ?1", values![id]).map(drop)
}

/// Takes the first time out of what an account's limits leave.
fn spend(tx: &mut dyn Tx, now: i64, outlet: &str, rates: &[Rate], from: i64) -> Result<i64> {
    see_outlet(tx, outlet, now)?;
    if rates.is_empty() {
        return Ok(from);
    }
    let rows = tx.query("SELECT spent FROM outlets WHERE name = ?1", values![outlet])?;
    let mut spent: Map<String, Value> = rows.first().map(|row| row.json(0)).transpose()?.unwrap_or_default();
    let at = reserve(&mut spent, rates, from)?;
    let sql = "UPDATE outlets SET spent = ?2, updated_at = ?3 WHERE name = ?1";
    tx.execute(sql, values![outlet, Value::Object(spent).to_string(), now])?;
    Ok(at)
}
