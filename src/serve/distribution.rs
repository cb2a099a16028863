//! Where assets are published: what editors ask for, and how far it has come. Sending is the work of `damctl publish`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Extension, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Served,
    assets::seen_by,
    guard::Caller,
    problem::{Answer, Body, Named, Problem},
    run,
};
use crate::{
    error::Error,
    model::{AssetId, Grade, Words, description::moment},
    profile::channels::Channels,
    publish::{self, Proposed},
};

/// Most channels of one request.
const MOST: usize = 50;

/// What is to be published where.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Order {
    /// The asset.
    asset: String,
    /// The channels, by their names in `channels.yaml`.
    to: Vec<String>,
    /// Not before this time: `2026-12-01T18:00+01:00`, or a day, whose beginning in UTC is meant.
    at: Option<String>,
    /// The profile entry that is sent, in place of the channel's own.
    entry: Option<String>,
    /// Whether somebody has to agree first.
    needs_approval: bool,
    /// The title, in place of the channel's template.
    title: Option<String>,
    /// The description, in place of the channel's template.
    description: Option<String>,
    /// Who may see it there: `public`, `unlisted` or `private`.
    privacy: Option<String>,
}

/// Plans publications: one that is there stays as it is, but for its time and words; one that failed is tried again. It is sent
/// by whoever runs `damctl publish`.
#[utoipa::path(post, path = "/api/v1/distribution", request_body = Order, tag = "assets",
    responses((status = 202, description = "What is planned, and what cannot be published", body = serde_json::Value),
              (status = 404, description = "There is no such asset"),
              (status = 409, description = "Nothing of it can be published: why"), (status = 403, description = "Editors may")))]
pub(super) async fn plan(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Body(order): Body<Order>,
) -> Answer<Response> {
    caller.at_least(Grade::Editor)?;
    let asset: AssetId = order.asset.parse()?;
    if order.to.is_empty() || order.to.len() > MOST {
        return Err(Error::invalid(format!("'to' has {} channels: expected 1 to {MOST}", order.to.len())).into());
    }
    let planned = run(move || {
        let catalog = &served.archive.catalog;
        seen_by(catalog, &caller, asset)?;
        let channels = match &served.archive.channels {
            Some(path) if path.exists() => Channels::read(path)?,
            _ => Channels::default(),
        };
        let is_other = [&order.at, &order.title, &order.description, &order.privacy].iter().any(|said| said.is_some());
        let request = publish::Request {
            assets: vec![asset],
            to: order.to,
            at: order.at.as_deref().map(moment).transpose()?,
            entry: order.entry,
            needs_approval: order.needs_approval,
            words: Words {
                title: order.title.unwrap_or_default(),
                description: order.description.unwrap_or_default(),
                privacy: order.privacy,
                ..Words::default()
            },
            again: false,
            actor: caller.actor(),
        };
        let (mut planned, mut refused) = (Vec::new(), Vec::new());
        for one in publish::propose(catalog, &channels, &request)? {
            match one {
                Proposed::Wanted(new) => {
                    planned.push(publish::order(catalog, &channels, &new, is_other || order.needs_approval)?);
                }
                Proposed::Refused(why) => refused.push(why),
            }
        }
        Ok((planned, refused))
    });
    let (planned, refused) = planned.await?;
    if planned.is_empty() {
        let why: Vec<String> = refused.iter().map(|r| format!("{}: {}", r.channel, r.reasons.join("; "))).collect();
        let error = Error::invalid(format!("nothing can be published: {}", why.join(". ")));
        let hint = refused.into_iter().find_map(|r| r.hint);
        return Err(Problem::new(StatusCode::CONFLICT, hint.into_iter().fold(error, Error::hint)));
    }
    Ok((StatusCode::ACCEPTED, Json(json!({"publications": planned, "refused": refused}))).into_response())
}

/// Where an asset is published, and how far that has come, the newest first.
#[utoipa::path(get, path = "/api/v1/distribution/{id}", params(("id" = String, Path, description = "The asset")), tag = "assets",
    responses((status = 200, description = "Publications", body = serde_json::Value), (status = 403, description = "Editors may")))]
pub(super) async fn of_asset(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named<String>,
) -> Answer<Response> {
    caller.at_least(Grade::Editor)?;
    let id: AssetId = id.parse()?;
    run(move || {
        seen_by(&served.archive.catalog, &caller, id)?;
        Ok(Json(json!({"publications": served.archive.catalog.publications_of(id)?})).into_response())
    })
    .await
}
