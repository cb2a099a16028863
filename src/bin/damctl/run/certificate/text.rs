//! A certificate for reading on a terminal: the result first, what is wrong next, then every path.

use std::fmt::Write as _;

use damctl::{
    digest::Digest,
    tend::certificate::{Certificate, Entry, moment},
};
use indicatif::{HumanBytes, HumanCount};

/// What is said of the drive and of the document: names and values.
pub fn facts(certificate: &Certificate, record: &Digest) -> Vec<(&'static str, String)> {
    let (head, drive) = (&certificate.head, &certificate.head.drive);
    let mut facts = vec![("drive", drive.label.clone()), ("id", drive.id.to_string())];
    facts.push(("identity", drive.identity.clone()));
    facts.extend(drive.fs_uuid.clone().map(|uuid| ("file system", uuid)));
    facts.extend(drive.serial.clone().map(|serial| ("serial number", serial)));
    facts.extend(drive.bytes.map(|b| ("size", size(b))));
    facts.push(("root", format!("/{}", drive.root.to_string().trim_start_matches('/'))));
    facts.push(("archive", head.archive.clone()));
    facts.push(("issued", format!("{} by {}", moment(head.issued), head.issuer)));
    facts.push(("store", asked(certificate)));
    facts.push(("covers", head.covers.clone()));
    facts.push(("record", format!("SHA-256 {record} (this certificate as JSON)")));
    facts.extend(head.signer.map(|key| ("signing key", format!("SHA-256 {key} (public key, DER)"))));
    facts
}

/// When the store said that it has what is called stored.
fn asked(certificate: &Certificate) -> String {
    if let Some(check) = &certificate.head.store_check {
        let told = match check.missing {
            0 => "it has all of them".to_owned(),
            n => format!("it lacks {n} of them"),
        };
        return format!("asked for {} object(s) and their sizes at {}: {told}", check.objects, moment(check.at));
    }
    let times = || certificate.paths.iter().filter_map(|e| e.confirmed);
    match (times().min(), times().max()) {
        (Some(first), Some(last)) if first == last => {
            format!("confirmed every object at {}; not asked again", moment(first))
        }
        (Some(first), Some(last)) => {
            let (first, last) = (moment(first), moment(last));
            format!("confirmed each object when it was last asked, {first} to {last}; not asked again")
        }
        _ => "has confirmed no object".to_owned(),
    }
}

/// A size for people, and exactly.
pub fn size(bytes: u64) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{} ({} bytes)", HumanBytes(bytes), HumanCount(bytes)) }
}

pub fn render(certificate: &Certificate, record: &Digest) -> String {
    let head = &certificate.head;
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").unwrap_or_default();
    line(format_args!("{}: {}", if head.complete { "COMPLETE" } else { "NOT COMPLETE" }, head.statement));
    line(format_args!(""));
    for (name, value) in facts(certificate, record) {
        line(format_args!("{name:<14} {value}"));
    }
    line(format_args!(""));
    for t in &head.totals {
        line(format_args!("{:>8} {:<12} {}", t.sum.files, t.outcome.words(), size(t.sum.bytes)));
    }
    if head.gone.files > 0 {
        line(format_args!("{:>8} {:<12} {}", head.gone.files, "gone", size(head.gone.bytes)));
    }
    let problems: Vec<&Entry> = certificate.problems().collect();
    if !problems.is_empty() {
        line(format_args!("\nNot safe in the archive:"));
        problems.iter().for_each(|e| entry(e, &mut line));
    }
    line(format_args!("\nEvery path:"));
    certificate.paths.iter().filter(|e| !e.outcome.is_problem()).for_each(|e| entry(e, &mut line));
    out
}

fn entry(e: &Entry, line: &mut dyn FnMut(std::fmt::Arguments<'_>)) {
    let gone = if e.gone { " (not on the drive any more)" } else { "" };
    let detail = e.detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default();
    line(format_args!("{:<12} {}{gone}{detail}", e.outcome.words(), e.path));
    if let Some(sha256) = e.sha256 {
        line(format_args!("{:<12} SHA-256 {sha256}, {} bytes", "", e.bytes));
    }
    if let (Some(asset), Some(key)) = (e.asset, &e.key) {
        let confirmed = e.confirmed.map(|t| format!(", confirmed {}", moment(t))).unwrap_or_default();
        line(format_args!("{:<12} asset {asset} at {key}{confirmed}", ""));
    }
}
