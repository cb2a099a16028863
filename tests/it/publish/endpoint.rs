//! Publications that editors ask the endpoint for.

use serde_json::{Value, json};

use super::Desk;
use crate::{
    search::{bearer, token},
    serve::Server,
};

const CHANNELS: &str = "channels:
  web:
    to: { delivery: { folder: web } }
    send: [web_720p]
  later:
    to: { delivery: { folder: later } }
    send: [web_720p]
    needs_approval: true
  tall:
    to: { delivery: { folder: tall } }
    send: [reel_9x16]
";

#[test]
fn an_editor_plans_publications_and_the_next_run_sends_them() {
    let desk = Desk::new(CHANNELS);
    let server = Server::start(&desk.archive);
    let ana = bearer(&token(&desk.archive, &["Ana", "--role", "editor"]));
    let ask = |who: &str, body: &Value| {
        let reply = server.send("POST", "/api/v1/distribution", who, body);
        (reply.status, serde_json::from_slice::<Value>(&reply.body).unwrap())
    };
    let order = json!({"asset": desk.asset, "to": ["web", "later", "tall"], "title": "Puerto"});
    assert_eq!(ask("", &order).0, 403, "a viewer publishes nothing");
    let (status, planned) = ask(&ana, &order);
    assert_eq!(status, 202, "{planned}");
    let channels: Vec<&str> =
        planned["publications"].as_array().unwrap().iter().map(|p| p["channel"].as_str().unwrap()).collect();
    assert_eq!(channels, ["web", "later"]);
    assert_eq!(planned["refused"][0]["reasons"], json!(["'reel_9x16' is not there"]));
    // Asked again, it is the same.
    assert_eq!(ask(&ana, &json!({"asset": desk.asset, "to": ["web", "later"]})).0, 202);
    assert_eq!(desk.states(), ["planned", "planned"]);
    let refused = [
        (400, json!({"asset": desk.asset, "to": ["radio"]})),
        (404, json!({"asset": "018f0000-0000-7000-8000-000000000000", "to": ["web"]})),
        (409, json!({"asset": desk.asset, "to": ["tall"]})),
        (400, json!({"asset": desk.asset, "to": []})),
        (400, json!({"asset": desk.asset, "to": ["web"], "at": "soon"})),
        (422, json!({"asset": desk.asset, "channels": ["web"]})),
    ];
    for (status, body) in refused {
        let (found, problem) = ask(&ana, &body);
        assert_eq!(found, status, "{body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|d| !d.is_empty()), "{problem}");
    }
    desk.run(&["publish"]).ends(0);
    let reply = server.get_with(&format!("/api/v1/distribution/{}", desk.asset), &ana);
    let there: Value = serde_json::from_slice(&reply.body).unwrap();
    let state = |channel: &str| {
        let all = there["publications"].as_array().unwrap();
        all.iter().find(|p| p["channel"] == channel).unwrap()["state"].clone()
    };
    assert_eq!((state("web"), state("later")), (json!("published"), json!("planned")), "{there}");
    // Somebody has to agree: what an editor asks for goes past nobody.
    let actors = desk
        .archive
        .rows("SELECT DISTINCT json_extract(detail, '$.actor') FROM events WHERE kind = 'publication.planned'");
    assert_eq!(actors, ["Ana (127.0.0.1)"]);
}
