//! The checksums that an endpoint verifies: found out, made use of, and kept to across an upload that was cut off.

use std::{fs, process::Command};

use crate::{
    harness::{self, Archive, Ran, outcome, picture, scratch},
    s3::large,
    strict::{self, Shared, Strict},
};

/// An archive in the buckets of a server of this process.
pub fn archive(strict: Strict) -> (Archive, Shared) {
    let (endpoint, shared) = strict::serve(strict);
    let archive = Archive::new();
    let settings = format!("store: s3://bucket/a\ns3_endpoint: {endpoint}\ns3_part_size: 5\ns3_in_flight: 2\n");
    fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    run(archive.command(["init", archive.root().to_str().unwrap()])).ends(0);
    (archive, shared)
}

pub fn run(mut command: Command) -> Ran {
    let command = command.env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s").env("AWS_REGION", "r");
    command.output().unwrap().into()
}

/// Checksum and size of the large object; all others carry the same, and nothing is left of the probe.
fn stored(shared: &Shared) -> (Option<&'static str>, usize) {
    let strict = shared.lock().unwrap();
    assert!(!strict.objects.keys().any(|k| k.contains("probe")), "{:?}", strict.objects.keys());
    assert!(strict.uploads.is_empty());
    let large = strict.objects.values().max_by_key(|o| o.bytes.len()).unwrap();
    let kinds: Vec<_> = strict.objects.values().map(|o| o.checksum.as_ref().map(|(a, _)| *a)).collect();
    let kind = large.checksum.as_ref().map(|(a, _)| *a);
    assert!(kinds.iter().all(|k| *k == kind), "{kinds:?}");
    (kind, large.bytes.len())
}

#[test]
fn the_best_checksum_that_a_server_verifies_goes_with_all_that_is_sent() {
    let words = "verifies the CRC64NVME of whole objects; never overwrites when it is told not to";
    let signed = "verifies the SHA-256 that a part is signed with; does not overwrite by a put";
    let none = "verifies the MD5 of parts; does not overwrite by a put";
    for (verifies, trusts, said, kind) in [
        (vec!["crc64nvme", "sha256"], false, words, Some("crc64nvme")),
        (vec!["sha256"], false, "verifies the SHA-256 of parts", Some("sha256")),
        (vec![], false, signed, None),
        (vec![], true, none, None),
    ] {
        let exclusive_complete = !verifies.is_empty();
        let (archive, shared) = archive(Strict { verifies, trusts, exclusive_complete, ..Strict::default() });
        run(archive.command(["doctor"])).says(said);
        let drive = scratch();
        picture(&drive.path().join("a.png"), 1);
        large(&drive.path().join("b.bin"), 21, 7);
        run(archive.command(["ingest", drive.path().to_str().unwrap()])).ends(0);
        run(archive.command(["verify"])).ends(0).says("2 sound, 0 not");
        assert_eq!(stored(&shared), (kind, 21 << 20));
    }
}

#[test]
fn an_upload_ends_with_the_checksum_that_it_began_with() {
    for (verifies, kind) in [(vec!["crc64nvme"], "crc64nvme"), (vec!["sha256"], "sha256")] {
        let (archive, shared) = archive(Strict { verifies, ..Strict::default() });
        let drive = scratch();
        large(&drive.path().join("long.bin"), 42, 5);
        let ingest = || archive.command(["ingest", drive.path().to_str().unwrap()]);
        let mut killed = ingest();
        killed.env("DAMCTL_CRASH_AT", "ingest.after-part:5");
        assert_eq!(run(killed).code, 128 + 9);
        // The server was found to do something else meanwhile.
        archive
            .catalog()
            .execute(
                r#"UPDATE stores SET abilities = '{"checksum":"md5","exclusive_put":true,"exclusive_complete":false}'"#,
                [],
            )
            .unwrap();
        run(ingest()).ends(0).says("of an upload that was cut off");
        run(archive.command(["verify"])).ends(0).says("1 sound, 0 not");
        let strict = shared.lock().unwrap();
        let long = strict.objects.values().max_by_key(|o| o.bytes.len()).unwrap();
        assert_eq!((long.checksum.as_ref().unwrap().0, long.bytes.len()), (kind, 42 << 20));
    }
}

#[test]
fn bytes_that_arrive_as_others_are_refused_and_sent_again() {
    let (archive, shared) = archive(Strict { verifies: vec!["crc64nvme"], ..Strict::default() });
    let drive = scratch();
    large(&drive.path().join("b.bin"), 21, 7);
    shared.lock().unwrap().damage = 1;
    run(archive.command(["ingest", drive.path().to_str().unwrap()])).ends(0);
    assert_eq!(shared.lock().unwrap().damage, 0);
    run(archive.command(["verify"])).ends(0).says("1 sound, 0 not");
}

#[test]
fn what_an_endpoint_does_is_found_out_once_and_again_on_request() {
    let (archive, shared) = archive(Strict { trusts: true, ..Strict::default() });
    run(archive.command(["doctor"])).says("verifies the MD5 of parts");
    shared.lock().unwrap().verifies = vec!["crc64nvme"];
    run(archive.command(["doctor"])).says("verifies the MD5 of parts");
    run(archive.command(["doctor", "--probe"])).says("verifies the CRC64NVME of whole objects");
    run(archive.command(["doctor"])).says("verifies the CRC64NVME of whole objects");
    Archive::new().run(["doctor", "--probe"]).ends(2).says("the archive's store is a folder");
}

#[test]
fn a_sample_reads_parts_and_what_looks_wrong_is_read_to_its_end() {
    let (archive, shared) = archive(Strict { verifies: vec!["crc64nvme"], ..Strict::default() });
    let drive = scratch();
    large(&drive.path().join("b.bin"), 42, 7);
    run(archive.command(["ingest", drive.path().to_str().unwrap()])).ends(0);
    let verify = |level: &str| run(archive.command(["verify", "--level", level]));
    let change = |how: &dyn Fn(&mut strict::Object)| {
        let mut strict = shared.lock().unwrap();
        how(strict.objects.values_mut().max_by_key(|o| o.bytes.len()).unwrap());
    };
    verify("head").ends(0).says("0 B read");
    // Nine parts of 5 MiB, the last of 2: three of them and the last.
    verify("sample").ends(0).says("17.00 MiB read").says("in some places: 1;");
    // A byte has rotted, and the server does not know.
    change(&|object| object.bytes[(40 << 20) + 9] ^= 1);
    verify("head").ends(0);
    verify("sample").ends(1).says("bytes 41943040 to 44040191 are not those that were stored");
    // It knows.
    change(&|object| object.checksum = Some(("crc64nvme", "AAAAAAAAAAA=".to_owned())));
    verify("head").ends(1).says("42.00 MiB read").says("SHA-256 is");
    // It is sound, but was copied from elsewhere.
    change(&|object| {
        object.bytes[(40 << 20) + 9] ^= 1;
        (object.checksum, object.etag) = (None, "00-3".to_owned());
    });
    verify("head").ends(0).says("read whole: 1;");
}

#[test]
fn a_real_gateway_is_found_to_do_what_it_does() {
    let Some(endpoint) = harness::s3_endpoint() else { return };
    let archive = Archive::new();
    let settings = format!("store: s3://suite/{}\ns3_endpoint: {endpoint}\n", uuid::Uuid::now_v7());
    fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    harness::damctl(["init", archive.root().to_str().unwrap()]).ends(0);
    let words =
        "verifies the SHA-256 that a part is signed with; does not overwrite by a put when it is told not to, but";
    archive.run(["doctor"]).says(words);
    let drive = scratch();
    picture(&drive.path().join("a.png"), 1);
    large(&drive.path().join("b.bin"), 21, 7);
    let (ran, report) = archive.ingest(drive.path());
    ran.ends(0);
    assert_eq!(outcome(&report, "a.png").0, "stored");
    archive.run(["verify", "--level", "head"]).ends(0).says("2 objects, 0 B read: 2 sound, 0 not");
    archive.run(["verify", "--level", "sample"]).ends(0).says("read whole: 1; in some places: 1; not read: 0;");
}
