//! `damctl presign`: where somebody else may send a file.

use std::time::Duration;

use anyhow::Result;
use damctl::{
    receive::{Announced, Presigned, presign},
    store::ocfl,
};
use serde_json::json;

use super::{Archive, Verdict, print};
use crate::cli::PresignArgs;

pub fn run(args: &PresignArgs, archive: &Archive) -> Result<Verdict> {
    let (catalog, store) = (archive.catalog()?, archive.store()?);
    let file = Announced {
        name: args.name.clone(),
        bytes: args.size,
        digest: args.sha256,
        collection: args.collection.clone(),
    };
    ocfl::declare_root(&*store)?;
    let valid = Duration::from_secs(u64::from(args.valid) * 3600);
    match presign(&catalog, &*store, &file, valid)? {
        Presigned::Present(asset) if args.json => print(json!({"asset": asset, "state": "present"})),
        Presigned::Present(asset) => print(format_args!("nothing to send: these bytes are asset {asset}")),
        Presigned::Expected(arrival, addresses) => {
            let expires = jiff::Timestamp::from_millisecond(arrival.expires_at).unwrap_or_default();
            let part = |i: usize| {
                let offset = i as u64 * arrival.part_bytes;
                (offset, arrival.part_bytes.min(arrival.bytes - offset))
            };
            if args.json {
                let each = |(i, url): (usize, &String)| {
                    let (offset, bytes) = part(i);
                    json!({"number": i + 1, "offset": offset, "bytes": bytes, "url": url})
                };
                let parts: Vec<_> = addresses.iter().enumerate().map(each).collect();
                print(json!({
                    "asset": arrival.asset, "state": arrival.state, "key": arrival.key, "expires": expires,
                    "part_bytes": arrival.part_bytes, "parts": parts,
                }));
                return Ok(Verdict::Done);
            }
            print(format_args!("asset {}, to be sent until {expires}", arrival.asset));
            for (i, url) in addresses.iter().enumerate() {
                let (offset, bytes) = part(i);
                print(format_args!("part {}: {bytes} bytes from {offset}: PUT {url}", i + 1));
            }
        }
    }
    Ok(Verdict::Done)
}
