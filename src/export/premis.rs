//! PREMIS 3: an asset and its files as objects, what happened to them as events, and who did it as agents.

use std::collections::BTreeSet;

use super::{AGENT, format, time, xml::Xml};
use crate::{
    catalog::{Catalog, Event, Membership, Original},
    error::{Error, Result},
    model::AssetId,
};

const NAMESPACE: &str = "http://www.loc.gov/premis/v3";
const SCHEMA: &str = "http://www.loc.gov/premis/v3 https://www.loc.gov/standards/premis/premis.xsd";
/// More events of one asset than these are no history that a person or a program asks for.
const MOST: i64 = 1_000_000;

/// The document of an asset, with the files of all its generations.
pub fn premis(catalog: &Catalog, asset: AssetId) -> Result<String> {
    let missing = || Error::not_found(format!("there is no asset {asset}"));
    let record = catalog.records(&[asset])?.remove(&asset).ok_or_else(missing)?;
    let formats = format::formats()?;
    let mut xml = Xml::new()?;
    let root = [
        ("xmlns:premis", NAMESPACE),
        ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
        ("xsi:schemaLocation", SCHEMA),
        ("version", "3.0"),
    ];
    xml.open("premis:premis", &root)?;
    xml.open("premis:object", &[("xsi:type", "premis:intellectualEntity")])?;
    identifier(&mut xml, "object", &urn(asset))?;
    xml.leaf("premis:originalName", &[], &record.asset.title)?;
    for master in &record.masters {
        let leaves = [("premis:relationshipType", "structural"), ("premis:relationshipSubType", "has part")];
        related(&mut xml, &leaves, &file_id(master))?;
    }
    xml.close("premis:object")?;
    for master in &record.masters {
        let of = |m: &&Membership| m.digest == master.digest;
        let name = record.members.iter().find(of).map(|m| m.name.as_str()).filter(|n| !n.is_empty());
        file(&mut xml, master, name, format::identify(&formats, &master.facts), asset)?;
    }
    let mut agents = BTreeSet::new();
    let mut events = catalog.history_of(&asset.to_string(), MOST)?;
    events.reverse();
    for e in &events {
        event(&mut xml, e, asset, &record.masters, &mut agents)?;
    }
    for master in &record.masters {
        let mut looks = catalog.fixity_of(&master.key)?;
        looks.reverse();
        for look in looks {
            let id = format!("{}/fixity/{}", file_id(master), look.at);
            let detail = format!("{}; level {}", look.key, look.level);
            let is_sound = matches!(look.result.as_str(), "sound" | "repaired");
            let outcome = (if is_sound { "success" } else { "failure" }, look.detail.unwrap_or(look.result));
            let told = Told { id: &id, kind: "fixity check", at: look.at, detail: &detail, outcome, agent: None };
            write_event(&mut xml, &told, &file_id(master))?;
        }
    }
    xml.open("premis:agent", &[])?;
    identifier(&mut xml, "agent", AGENT)?;
    xml.leaf("premis:agentName", &[], "damctl")?;
    xml.leaf("premis:agentType", &[], "software")?;
    xml.leaf("premis:agentVersion", &[], env!("CARGO_PKG_VERSION"))?;
    xml.close("premis:agent")?;
    for agent in &agents {
        xml.open("premis:agent", &[])?;
        identifier(&mut xml, "agent", agent)?;
        xml.leaf("premis:agentName", &[], agent)?;
        xml.leaf("premis:agentType", &[], "person")?;
        xml.close("premis:agent")?;
    }
    xml.close("premis:premis")?;
    Ok(xml.finish())
}

fn urn(asset: AssetId) -> String {
    format!("urn:uuid:{asset}")
}

fn file_id(master: &Original) -> String {
    format!("urn:sha256:{}", master.digest)
}

/// An identifier of an object, event or agent.
fn identifier(xml: &mut Xml, of: &str, value: &str) -> Result<()> {
    let (kind, text) = (format!("premis:{of}IdentifierType"), format!("premis:{of}IdentifierValue"));
    let scheme = if value.starts_with("urn:") { "URI" } else { "local" };
    xml.group(&format!("premis:{of}Identifier"), &[(kind.as_str(), scheme), (text.as_str(), value)])
}

fn related(xml: &mut Xml, leaves: &[(&str, &str)], object: &str) -> Result<()> {
    xml.open("premis:relationship", &[])?;
    leaves.iter().try_for_each(|(name, text)| xml.leaf(name, &[], text))?;
    identifier(xml, "relatedObject", object)?;
    xml.close("premis:relationship")
}

fn file(
    xml: &mut Xml,
    master: &Original,
    name: Option<&str>,
    format: Option<&format::Format>,
    asset: AssetId,
) -> Result<()> {
    xml.open("premis:object", &[("xsi:type", "premis:file")])?;
    identifier(xml, "object", &file_id(master))?;
    xml.open("premis:objectCharacteristics", &[])?;
    let digest = master.digest.to_string();
    let fixity = [
        ("premis:messageDigestAlgorithm", "SHA-256"),
        ("premis:messageDigest", digest.as_str()),
        ("premis:messageDigestOriginator", "damctl"),
    ];
    xml.group("premis:fixity", &fixity)?;
    xml.leaf("premis:size", &[], &master.bytes.to_string())?;
    xml.open("premis:format", &[])?;
    let known = format.map_or(master.facts.mime.as_str(), |f| f.name.as_str());
    xml.group("premis:formatDesignation", &[("premis:formatName", known)])?;
    if let Some(format) = format {
        let registry = [("premis:formatRegistryName", "PRONOM"), ("premis:formatRegistryKey", format.puid.as_str())];
        xml.group("premis:formatRegistry", &registry)?;
    }
    xml.leaf("premis:formatNote", &[], &format!("{}; by media type and container facts", master.facts.mime))?;
    xml.close("premis:format")?;
    xml.close("premis:objectCharacteristics")?;
    if let Some(name) = name {
        xml.leaf("premis:originalName", &[], name)?;
    }
    xml.open("premis:storage", &[])?;
    let place = [("premis:contentLocationType", "key"), ("premis:contentLocationValue", master.key.as_str())];
    xml.group("premis:contentLocation", &place)?;
    xml.close("premis:storage")?;
    let leaves = [("premis:relationshipType", "structural"), ("premis:relationshipSubType", "is part of")];
    related(xml, &leaves, &urn(asset))?;
    xml.close("premis:object")
}

/// An event as it is told.
struct Told<'t> {
    id: &'t str,
    kind: &'t str,
    at: i64,
    detail: &'t str,
    outcome: (&'t str, String),
    agent: Option<&'t str>,
}

/// The word of PREMIS's vocabulary of event types for one of ours; none: it is no event of preservation.
fn kind_of(kind: &str) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        "asset.stored" => ("ingestion", "success"),
        "asset.seen" => ("accession", "success"),
        "asset.replaced" => ("replacement", "success"),
        "asset.rolled_back" => ("replacement", "success"),
        "asset.replacement_given_up" => ("replacement", "failure"),
        "asset.described" => ("metadata modification", "success"),
        "asset.damaged" => ("fixity check", "failure"),
        "asset.repaired" => ("recovery", "success"),
        "asset.rebuilt" => ("metadata extraction", "success"),
        "rendition.ready" => ("creation", "success"),
        "rendition.damaged" => ("fixity check", "failure"),
        "rendition.lost" | "rendition.retired" => ("deletion", "success"),
        "findings.ready" => ("metadata extraction", "success"),
        "findings.removed" => ("deletion", "success"),
        _ => return None,
    })
}

fn event(xml: &mut Xml, e: &Event, asset: AssetId, masters: &[Original], agents: &mut BTreeSet<String>) -> Result<()> {
    let Some((kind, outcome)) = kind_of(&e.kind) else { return Ok(()) };
    let actor = e.detail["actor"].as_str();
    agents.extend(actor.map(str::to_owned));
    let digest = e.detail["digest"].as_str().unwrap_or_default();
    let of_file = masters.iter().find(|m| m.digest.to_string() == digest).map(file_id);
    let id = format!("{}/event/{}", urn(asset), e.seq);
    let detail = format!("{} {}", e.kind, e.detail);
    let note = e.detail["detail"].as_str().unwrap_or_default().to_owned();
    let told = Told { id: &id, kind, at: e.at, detail: &detail, outcome: (outcome, note), agent: actor };
    write_event(xml, &told, &of_file.unwrap_or_else(|| urn(asset)))
}

fn write_event(xml: &mut Xml, told: &Told<'_>, object: &str) -> Result<()> {
    xml.open("premis:event", &[])?;
    identifier(xml, "event", told.id)?;
    xml.leaf("premis:eventType", &[], told.kind)?;
    xml.leaf("premis:eventDateTime", &[], &time(told.at))?;
    xml.group("premis:eventDetailInformation", &[("premis:eventDetail", told.detail)])?;
    xml.open("premis:eventOutcomeInformation", &[])?;
    xml.leaf("premis:eventOutcome", &[], told.outcome.0)?;
    if !told.outcome.1.is_empty() {
        xml.group("premis:eventOutcomeDetail", &[("premis:eventOutcomeDetailNote", told.outcome.1.as_str())])?;
    }
    xml.close("premis:eventOutcomeInformation")?;
    for (agent, role) in [(Some(AGENT), "executing program"), (told.agent, "implementer")] {
        let Some(agent) = agent else { continue };
        let leaves = [
            ("premis:linkingAgentIdentifierType", "local"),
            ("premis:linkingAgentIdentifierValue", agent),
            ("premis:linkingAgentRole", role),
        ];
        xml.group("premis:linkingAgentIdentifier", &leaves)?;
    }
    let leaves = [("premis:linkingObjectIdentifierType", "URI"), ("premis:linkingObjectIdentifierValue", object)];
    xml.group("premis:linkingObjectIdentifier", &leaves)?;
    xml.close("premis:event")
}
