//! A certificate as one page without scripts or anything from elsewhere, for the screen and for A4.

use std::fmt::{self, Write as _};

use damctl::{
    digest::Digest,
    tend::certificate::{Certificate, Entry, moment},
};
use indicatif::{HumanBytes, HumanCount};

use super::text::facts;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6470; --paper: #fff; --line: #d5dae0; --good: #14703c;
  --bad: #b3261e; --tint: #f4f6f8; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #9aa4af; --paper: #15181c;
  --line: #343b43; --good: #5fce8f; --bad: #ff8a80; --tint: #1d2126; } }
* { box-sizing: border-box; }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1.25rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, 'Liberation Sans', Arial, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; break-after: avoid; }
.verdict { border: 2px solid var(--good); border-left-width: .6rem; border-radius: .25rem; padding: .75rem 1rem;
  margin: 1rem 0; }
.verdict strong { display: block; font-size: 1.15rem; color: var(--good); }
.verdict.bad { border-color: var(--bad); } .verdict.bad strong, .bad td:first-child { color: var(--bad); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.25rem; margin: 1rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; color: var(--soft); border-bottom: 2px solid var(--line); }
th, td { padding: .35rem .6rem .35rem 0; vertical-align: top; }
td { border-bottom: 1px solid var(--line); }
td:first-child { white-space: nowrap; } .n { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.totals { width: auto; min-width: 24rem; }
bdi { overflow-wrap: anywhere; font-weight: 600; }
.why { color: var(--soft); }
.sum { display: block; color: var(--soft); font: .78rem/1.35 ui-monospace, 'Liberation Mono', monospace;
  overflow-wrap: anywhere; }
tr { break-inside: avoid; } thead { display: table-header-group; }
@page { size: A4; margin: 16mm 14mm; }
@media print { body { margin: 0; max-width: none; padding: 0; font-size: 9.5pt; } .sum { font-size: 7pt; }
  .verdict { break-inside: avoid; } }
";

/// Text in which nothing is markup.
struct Plain<T>(T);

impl<T: fmt::Display> fmt::Display for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

pub fn render(certificate: &Certificate, record: &Digest) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    write(certificate, record, &mut page).unwrap_or_default();
    page
}

fn write(certificate: &Certificate, record: &Digest, page: &mut String) -> fmt::Result {
    let head = &certificate.head;
    let title = format!("Certificate of the drive “{}”", head.drive.label);
    let (class, result) = if head.complete { ("", "Complete") } else { (" bad", "Not complete") };
    write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <div class=\"verdict{class}\"><strong>{result}</strong>{}</div>\n",
        Plain(&head.statement),
        title = Plain(&title),
    )?;
    page.push_str("<table class=\"totals\">\n<thead><tr><th>Outcome</th><th class=\"n\">Files</th>");
    page.push_str("<th class=\"n\">Bytes</th><th></th></tr></thead>\n<tbody>\n");
    let gone = (head.gone.files > 0).then_some(("gone from the drive", head.gone, false));
    let totals = head.totals.iter().map(|t| (t.outcome.words(), t.sum, t.outcome.is_problem()));
    for (words, sum, is_bad) in totals.chain(gone) {
        let class = if is_bad { " class=\"bad\"" } else { "" };
        writeln!(
            page,
            "<tr{class}><td>{words}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            HumanCount(sum.files),
            HumanCount(sum.bytes),
            HumanBytes(sum.bytes)
        )?;
    }
    page.push_str("</tbody>\n</table>\n");
    if certificate.problems().next().is_some() {
        page.push_str("<h2>Not safe in the archive</h2>\n");
        table(certificate.problems(), " class=\"bad\"", page)?;
    }
    page.push_str("<h2>The drive and this certificate</h2>\n<dl>\n");
    for (name, value) in facts(certificate, record) {
        writeln!(page, "<dt>{}</dt><dd>{}</dd>", Plain(name), Plain(value))?;
    }
    page.push_str("</dl>\n<h2>Every path</h2>\n");
    table(certificate.paths.iter().filter(|e| !e.outcome.is_problem()), "", page)?;
    page.push_str("</body>\n</html>\n");
    Ok(())
}

fn table<'e>(entries: impl Iterator<Item = &'e Entry>, class: &str, page: &mut String) -> fmt::Result {
    page.push_str(
        "<table>\n<thead><tr><th>Outcome</th><th>Path</th><th class=\"n\">Bytes</th></tr></thead>\n<tbody>\n",
    );
    for e in entries {
        write!(page, "<tr{class}><td>{}</td><td><bdi>{}</bdi>", e.outcome.words(), Plain(&e.path))?;
        if e.gone {
            page.push_str(" <span class=\"why\">not on the drive any more</span>");
        }
        if let Some(detail) = &e.detail {
            write!(page, " <span class=\"why\">{}</span>", Plain(detail))?;
        }
        if let Some(sha256) = e.sha256 {
            write!(page, "<span class=\"sum\">SHA-256 {sha256}</span>")?;
        }
        if let (Some(asset), Some(key)) = (e.asset, &e.key) {
            let confirmed = e.confirmed.map(|t| format!(", confirmed {}", moment(t))).unwrap_or_default();
            write!(page, "<span class=\"sum\">asset {asset}{confirmed}<br>{}</span>", Plain(key))?;
        }
        writeln!(page, "</td><td class=\"n\">{}</td></tr>", HumanCount(e.bytes))?;
    }
    page.push_str("</tbody>\n</table>\n");
    Ok(())
}
