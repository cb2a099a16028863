//! What buckets are asked to do by themselves, and what an archive takes.

use std::fs;

use crate::harness::{Archive, picture, scratch};

#[test]
fn buckets_are_shown_as_they_are_and_made_what_they_are_to_be() {
    // Versions and rules are the bucket's: one of its own.
    let bucket = format!("policy-{}", uuid::Uuid::now_v7());
    let Some(endpoint) = crate::harness::s3_endpoint() else { return };
    let archive = Archive::new();
    let settings = format!("store: s3://{bucket}/news\ns3_endpoint: {endpoint}\n");
    fs::write(archive.root().join("damctl.yaml"), &settings).unwrap();
    crate::harness::damctl([std::ffi::OsStr::new("init"), archive.root().as_os_str()]).ends(0);
    let drive = scratch();
    picture(&drive.path().join("a.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    let ran = archive.run(["store", "policy"]).ends(0).says("versioning: off -> on").says("7 difference(s)");
    let rule = "below news/renditions/: unfinished uploads are given up after 7 days, earlier versions go after 7 days";
    assert!(
        ran.stdout.contains(rule) && ran.stdout.contains("below news/masters/: unfinished uploads"),
        "{}",
        ran.stdout
    );
    archive.run(["store", "policy"]).ends(0).says("7 difference(s)");
    archive.run(["store", "policy", "--apply"]).ends(0).says("7 of 7 difference(s) set");
    archive.run(["store", "policy"]).ends(0).says("nothing to do");
    // Another archive of the same bucket has rules of its own, and those of the first stay.
    fs::write(archive.root().join("damctl.yaml"), settings.replace("/news", "/sports")).unwrap();
    archive.run(["store", "policy", "--apply"]).ends(0).says("6 of 6 difference(s) set");
    fs::write(archive.root().join("damctl.yaml"), &settings).unwrap();
    archive.run(["store", "policy"]).ends(0).says("nothing to do");
    // Of delivery, what lies in a folder goes after its days; one that is named no more has no rule.
    let rule = "below news/delivery/web/: what lies there goes after 60 days";
    let fewer = format!("{settings}delivery_expires: web 30d, tv 365d\n");
    fs::write(archive.root().join("damctl.yaml"), &fewer).unwrap();
    let ran = archive.run(["store", "policy"]).ends(0).says("2 difference(s)");
    assert!(ran.stdout.contains(rule) && ran.stdout.contains("goes after 90 days -> none"), "{}", ran.stdout);
    archive.run(["store", "policy", "--apply"]).ends(0).says("2 of 2 difference(s) set");
    archive.run(["store", "policy"]).ends(0).says("nothing to do");
    fs::write(archive.root().join("damctl.yaml"), &settings).unwrap();
    archive.run(["store", "policy", "--apply"]).ends(0).says("2 of 2 difference(s) set");
    // Once there are versions, a rewritten inventory leaves one, and all goes on.
    let asset = archive.rows("SELECT id FROM assets")[0].clone();
    for seed in [2, 3] {
        let file = drive.path().join(format!("{seed}.png"));
        picture(&file, seed);
        archive.run(["replace".as_ref(), asset.as_ref(), file.as_os_str()]).ends(0);
    }
    archive.run(["verify"]).ends(0).says(" 0 not");
    // A lock is chosen when a bucket is made.
    fs::write(archive.root().join("damctl.yaml"), format!("{settings}s3_masters_lock: governance 1d\n")).unwrap();
    archive.run(["store", "policy"]).ends(0).says("lock: none -> governance 1d");
    archive.run(["store", "policy", "--apply"]).ends(2).says("takes no lock").says("make one with object lock");
    fs::write(archive.root().join("damctl.yaml"), format!("{settings}s3_masters_lock: for ever\n")).unwrap();
    archive.run(["store", "policy"]).ends(2).says("'for ever' is no lock");
}

#[test]
fn a_bucket_that_is_made_for_it_keeps_masters_from_being_removed() {
    let bucket = format!("locked-{}", uuid::Uuid::now_v7());
    let Some(endpoint) = crate::harness::s3_endpoint() else { return };
    let archive = Archive::new();
    let lines = format!("store: s3://{bucket}/news\ns3_endpoint: {endpoint}\ns3_masters_lock: governance 1d\n");
    fs::write(archive.root().join("damctl.yaml"), &lines).unwrap();
    crate::harness::damctl([std::ffi::OsStr::new("init"), archive.root().as_os_str()]).ends(0);
    archive.run(["store", "policy", "--apply"]).ends(0).says("lock: none -> governance 1d");
    archive.run(["store", "policy"]).ends(0).says("nothing to do");
    let drive = scratch();
    for seed in [1, 2] {
        picture(&drive.path().join(format!("{seed}.png")), seed);
    }
    archive.ingest(&drive.path().join("1.png")).0.ends(0);
    // An object of several versions and a rewritten inventory are as they should be, and the lock is real.
    let asset = archive.rows("SELECT id FROM assets")[0].clone();
    archive.run(["replace".as_ref(), asset.as_ref(), drive.path().join("2.png").as_os_str()]).ends(0);
    archive.run(["verify"]).ends(0).says(" 0 not");
    let key = archive.rows("SELECT key FROM masters LIMIT 1")[0].clone();
    assert_eq!(removal(&endpoint, &bucket, &format!("news/{key}")), Err("AccessDenied".to_owned()));
}

/// What a server says when the only version of an object is to be removed.
fn removal(endpoint: &str, bucket: &str, name: &str) -> Result<(), String> {
    use aws_sdk_s3::{config, error::ProvideErrorMetadata};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let credentials = config::Credentials::new("testkey", "testsecret", None, None, "the suite");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(config::BehaviorVersion::latest())
            .region(config::Region::new("us-east-1"))
            .endpoint_url(endpoint)
            .force_path_style(true)
            .credentials_provider(credentials)
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        let client = aws_sdk_s3::Client::from_conf(config.build());
        let versions = client.list_object_versions().bucket(bucket).prefix(name).send().await.unwrap();
        let [version] = versions.versions() else { panic!("{versions:?}") };
        let removed = client.delete_object().bucket(bucket).key(name).version_id(version.version_id().unwrap());
        removed.send().await.map(drop).map_err(|e| e.code().unwrap_or_default().to_owned())
    })
}

#[test]
fn a_folder_has_no_policy_and_what_an_archive_takes_adds_up() {
    let archive = Archive::finished();
    archive.run(["store", "policy"]).ends(2).says("is a folder");
    let all = archive.run(["store", "usage", "--json"]).ends(0).stdout;
    let all: Vec<serde_json::Value> = all.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let sum = |area: &str, what: &str| -> u64 {
        all.iter().filter(|l| l["area"] == area).map(|l| l[what].as_u64().unwrap()).sum()
    };
    let masters = archive.rows("SELECT COUNT(*) || '|' || SUM(bytes) FROM masters")[0].clone();
    assert_eq!(masters, format!("{}|{}", sum("masters", "objects"), sum("masters", "bytes")));
    let files =
        "SELECT COUNT(*) || '|' || SUM(json_extract(f.value, '$.bytes')) FROM renditions r, json_each(r.files) f";
    assert_eq!(archive.rows(files)[0], format!("{}|{}", sum("renditions", "objects"), sum("renditions", "bytes")));
    assert!(all.iter().all(|l| l["collection"] == "demo" && l["month"].as_str().unwrap().len() == 7), "{all:?}");
    let table = archive.run(["store", "usage"]).ends(0).stdout;
    assert!(table.contains("entry       thumb_300") && table.contains("collection  demo"), "{table}");
}
