//! The description of all addresses (OpenAPI 3.1), made from what answers them.

use utoipa::OpenApi;

use super::{assets, collections, distribution, events, files, guard, look};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "damctl",
        description = "Finds assets by what is known of them and of what was said and shown in them, to the second; plays their renditions; changes what is said of them.",
        license(name = "Apache-2.0")
    ),
    paths(
        look::search,
        look::search_by_body,
        look::facets,
        look::suggest,
        assets::asset,
        assets::change,
        assets::similar,
        assets::history,
        distribution::plan,
        distribution::of_asset,
        assets::transcript,
        assets::announce,
        assets::complete,
        collections::list,
        collections::one,
        collections::change,
        files::rendition,
        files::file,
        events::events,
        super::health,
        super::ready,
        super::me,
        super::metrics,
        guard::begin_session,
        guard::end_session
    ),
    components(schemas(look::Wish, assets::Change, assets::Announcement, distribution::Order)),
    modifiers(&Bearer),
    tags(
        (name = "search", description = "Questions"),
        (name = "assets", description = "One asset"),
        (name = "collections", description = "What may be done with the assets of a collection"),
        (name = "uploads", description = "Files that are sent in parts, straight to the store"),
        (name = "events", description = "What happens"),
        (name = "service", description = "The endpoint itself")
    )
)]
struct Api;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        api.components.get_or_insert_default().add_security_scheme("bearer", scheme);
        // Where nobody needs to say who they are, a token may be left out.
        api.security =
            Some(vec![SecurityRequirement::default(), SecurityRequirement::new("bearer", Vec::<String>::new())]);
    }
}

/// The description as JSON.
pub fn document() -> serde_json::Value {
    serde_json::to_value(Api::openapi()).unwrap_or_default()
}
