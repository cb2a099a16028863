//! What is printed for Kubernetes: by its schemas, by the rules that no schema holds, and by running a pod's command line
//! as the manifest gives it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    fanout::{archive_with, clip, jobs, of_state, wait_for},
    harness::{self, Archive, DAMCTL, Ran, damctl, picture, repository, scratch},
};

const IMAGE: [&str; 2] = ["--image", "registry.example/news/damctl:0.1.0"];

fn fan(archive: &Archive, words: &[&str]) -> Ran {
    archive.run([&["fanout", "k8s", "--stage", "transcode"], &IMAGE[..], words].concat())
}

/// The documents of a manifest.
fn parse(manifest: &str) -> Vec<Value> {
    let each = |text: &str| serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    manifest.split("\n---\n").map(each).collect()
}

/// An archive with pictures that wait, whose store pods would reach in a bucket.
fn in_a_bucket(pictures: u8) -> Archive {
    let (archive, drive) = (archive_with(None), scratch());
    for seed in 0..pictures {
        picture(&drive.path().join(format!("picture {seed}.png")), seed);
    }
    archive.ingest(drive.path()).0.ends(0);
    let settings = "store: s3://news/archive\ns3_endpoint: http://gate.example:7480\ns3_region: 'no'\n";
    std::fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    archive
}

/// The same of what a profile of one's own wants to be known.
fn learn(archive: &Archive, words: &[&str]) -> Ran {
    let profile = archive.root().join("learn.yaml");
    std::fs::write(&profile, "enrich:\n  looks: {}\n").unwrap();
    let mut command = archive.command([&["fanout", "k8s", "--stage", "enrich"], &IMAGE[..], words].concat());
    command.env("DAMCTL_PROFILE", profile).output().unwrap().into()
}

/// Every form that is printed, by name.
fn forms() -> Vec<(&'static str, String)> {
    let archive = in_a_bucket(9);
    let print = |words: &[&str]| fan(&archive, words).ends(0).stdout;
    vec![
        ("job", print(&["--workers", "2"])),
        ("many", print(&["--workers", "9", "--jobs-per-worker", "1", "--in-flight", "2", "--claim", "archive"])),
        ("gpu", print(&["--gpus", "1", "--pool", "ai", "--namespace", "news", "--kueue", "night", "--memory", "64G"])),
        ("scaled", print(&["--scaled", "--workers", "40", "--queue", "interactive"])),
        ("anywhere", print(&["--any-node", "--cpus", "8", "--time", "30m", "--scratch", "2T"])),
        ("learn", learn(&archive, &["--models-claim", "models", "--profile-map", "profile"]).ends(0).stdout),
        ("policy", std::fs::read_to_string(repository("deploy/k8s-jobs/networkpolicy.yaml")).unwrap()),
    ]
}

#[test]
fn manifests_are_what_the_schemas_of_kubernetes_say() {
    let dir = scratch();
    let mut files = Vec::new();
    for (name, text) in forms() {
        files.push(dir.path().join(format!("{name}.yaml")));
        std::fs::write(files.last().unwrap(), text).unwrap();
    }
    let check = |files: &[PathBuf]| {
        let mut python = Command::new("python3");
        python.arg(repository("tests/manifests")).args(files).env("PYTHONPATH", repository("target/test-tools"));
        let ran: Option<Ran> = python.output().ok().map(Ran::from);
        ran.filter(|ran| ran.code != 77)
    };
    let Some(ran) = check(&files) else {
        eprintln!("skipped: the schemas of Kubernetes are not here ('scripts/setup test' brings kubernetes-validate)");
        return;
    };
    ran.ends(0).says("12 checked, 0 wrong");
    // The check is one: it finds what is wrong.
    let wrong =
        std::fs::read_to_string(&files[0]).unwrap().replace("backoffLimitPerIndex: 3", "backoffLimitPerIndex: x");
    std::fs::write(&files[0], wrong).unwrap();
    check(&files[..1]).unwrap().ends(1).says("2 wrong");
}

#[test]
fn manifests_keep_the_rules_that_no_schema_holds() {
    for (name, text) in forms() {
        for document in parse(&text) {
            match document["kind"].as_str().unwrap() {
                "Job" => check_job(name, &document["spec"]),
                "ScaledJob" => check_scaled(name, &document),
                "TriggerAuthentication" => {
                    let secret = &document["spec"]["secretTargetRef"][0];
                    assert_eq!(secret, &json!({"parameter": "connection", "name": "damctl", "key": "catalog"}));
                }
                "NetworkPolicy" => {
                    assert_eq!(document["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
                    assert_eq!(document["spec"]["ingress"], json!([]), "nobody asks a worker");
                    let selected = &document["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"];
                    assert_eq!(selected, "damctl");
                }
                other => panic!("{name}: {other}"),
            }
        }
    }
}

fn check_job(name: &str, job: &Value) {
    assert_eq!(job["completionMode"], "Indexed", "{name}: backoffLimitPerIndex is an Indexed Job's");
    assert!(job["backoffLimitPerIndex"].as_u64().unwrap() > 0, "{name}");
    let (completions, parallelism) = (job["completions"].as_u64().unwrap(), job["parallelism"].as_u64().unwrap());
    assert!((1..=completions).contains(&parallelism), "{name}");
    assert!(job["maxFailedIndexes"].as_u64().unwrap() <= completions, "{name}");
    assert!(job["ttlSecondsAfterFinished"].as_u64().unwrap() > 0, "{name}");
    assert_eq!(job["podReplacementPolicy"], "Failed", "{name}: the only one beside a podFailurePolicy");
    check_failures(name, job, true);
    check_pod(name, &job["template"]);
}

fn check_scaled(name: &str, document: &Value) {
    let spec = &document["spec"];
    assert!(spec["maxReplicaCount"].as_u64().unwrap() > spec["minReplicaCount"].as_u64().unwrap(), "{name}");
    let trigger = &spec["triggers"][0];
    assert_eq!(trigger["type"], "postgresql");
    let metadata = trigger["metadata"].as_object().unwrap();
    assert!(metadata.values().all(Value::is_string), "{name}: KEDA takes text alone");
    let query = metadata["query"].as_str().unwrap();
    assert!(query.contains("stage = 'transcode'") && query.contains("priority BETWEEN 100 AND"), "{query}");
    assert!(metadata["targetQueryValue"].as_str().unwrap().parse::<f64>().unwrap() > 0.0);
    check_failures(name, &spec["jobTargetRef"], false);
    check_pod(name, &spec["jobTargetRef"]["template"]);
}

fn check_failures(name: &str, job: &Value, is_indexed: bool) {
    assert_eq!(job["template"]["spec"]["restartPolicy"], "Never", "{name}: podFailurePolicy wants it");
    for rule in job["podFailurePolicy"]["rules"].as_array().unwrap() {
        let action = rule["action"].as_str().unwrap();
        assert!(["FailJob", "FailIndex", "Ignore", "Count"].contains(&action), "{name}: {action}");
        assert!(action != "FailIndex" || is_indexed, "{name}: FailIndex wants backoffLimitPerIndex");
        assert_ne!(rule["onExitCodes"].is_null(), rule["onPodConditions"].is_null(), "{name}: one of the two");
        for condition in rule["onPodConditions"].as_array().into_iter().flatten() {
            assert_eq!(condition, &json!({"type": "DisruptionTarget", "status": "True"}));
        }
        if let Some(codes) = rule["onExitCodes"]["values"].as_array() {
            let codes: Vec<u64> = codes.iter().map(|c| c.as_u64().unwrap()).collect();
            assert!(!codes.contains(&0) && codes.is_sorted() && codes.len() < 256, "{name}: {codes:?}");
            assert_eq!(rule["onExitCodes"]["operator"], "In");
            let container = rule["onExitCodes"]["containerName"].as_str().unwrap();
            assert_eq!(job["template"]["spec"]["containers"][0]["name"], container);
        }
    }
    // What this program's exit codes come to.
    assert_eq!(
        [1, 2, 3, 137, 143].map(|code| action(job, code)),
        match is_indexed {
            true => ["FailIndex", "FailJob", "Ignore", "Count", "Ignore"],
            false => ["FailJob", "FailJob", "Ignore", "Count", "Ignore"],
        }
    );
}

/// What the Job does when its pod ends with this code.
fn action(job: &Value, code: i32) -> &str {
    let rules = job["podFailurePolicy"]["rules"].as_array().unwrap();
    let of_code = |r: &&Value| r["onExitCodes"]["values"].as_array().is_some_and(|v| v.contains(&json!(code)));
    rules.iter().find(of_code).map_or("Count", |r| r["action"].as_str().unwrap())
}

/// A quantity of Kubernetes, as far as these manifests use them.
fn quantity(value: &Value) -> f64 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit() && c != '.') {
        Some(at) => text.split_at(at),
        None => (text.as_str(), ""),
    };
    let scale = match unit {
        "" => 1.0,
        "m" => 0.001,
        "Mi" => f64::from(1 << 20),
        other => panic!("'{text}': {other} is no unit"),
    };
    digits.parse::<f64>().unwrap() * scale
}

fn check_pod(name: &str, template: &Value) {
    let pod = &template["spec"];
    assert_eq!(template["metadata"]["labels"]["app.kubernetes.io/name"], "damctl", "{name}: the policy selects by it");
    let security = &pod["securityContext"];
    assert_eq!(security["runAsNonRoot"], true);
    assert!(security["runAsUser"].as_u64().unwrap() > 0);
    assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() >= 30);
    let containers = pod["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    let container = &containers[0];
    assert_eq!(
        container["securityContext"],
        json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
    );
    let (requests, limits) = (&container["resources"]["requests"], &container["resources"]["limits"]);
    assert!(quantity(&requests["cpu"]) >= 1.0, "{name}");
    for amount in ["memory", "ephemeral-storage"] {
        assert!(
            quantity(&requests[amount]) > 0.0 && quantity(&requests[amount]) <= quantity(&limits[amount]),
            "{name}"
        );
    }
    if name == "learn" {
        let env = container["env"].as_array().unwrap();
        for (variable, value) in [("DAMCTL_MODELS", "/models"), ("DAMCTL_PROFILE", "/profile/profile.yaml")] {
            assert!(env.contains(&json!({"name": variable, "value": value})), "{env:#?}");
        }
        for (volume, at) in [("models", "/models"), ("profile", "/profile")] {
            let mount = json!({"name": volume, "mountPath": at, "readOnly": true});
            assert!(container["volumeMounts"].as_array().unwrap().contains(&mount), "{container:#}");
        }
    }
    let scratch = pod["volumes"].as_array().unwrap().iter().find(|v| v["name"] == "scratch").unwrap();
    let size = quantity(&scratch["emptyDir"]["sizeLimit"]);
    assert!(size > 0.0 && size <= quantity(&limits["ephemeral-storage"]), "{name}");
    // Every mount has its volume, and nothing is written elsewhere.
    for mount in container["volumeMounts"].as_array().unwrap() {
        assert!(pod["volumes"].as_array().unwrap().iter().any(|v| v["name"] == mount["name"]), "{name}: {mount}");
    }
    let env = container["env"].as_array().unwrap();
    let names: Vec<&str> = env.iter().map(|v| v["name"].as_str().unwrap()).collect();
    let value = |name: &str| env.iter().find(|v| v["name"] == name).unwrap()["value"].as_str().unwrap().to_owned();
    for writable in ["DAMCTL_SCRATCH", "DAMCTL_QUARANTINE", "HOME", "TMPDIR"] {
        assert!(value(writable).starts_with("/scratch"), "{name}: {writable}");
    }
    assert!(
        f64::from(value("DAMCTL_MEMORY").parse::<u32>().unwrap()) * f64::from(1 << 20) < quantity(&limits["memory"])
    );
    // Secrets by reference alone, and each name once.
    for secret in ["DAMCTL_CATALOG", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        let variable = env.iter().find(|v| v["name"] == secret).unwrap();
        assert!(variable["value"].is_null() && variable["valueFrom"]["secretKeyRef"]["key"].is_string(), "{name}");
    }
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len(), "{name}: {names:?}");
    if let Some(pool) = pod["nodeSelector"]["damctl-pool"].as_str() {
        let tolerated = json!({"key": "damctl-pool", "operator": "Equal", "value": pool, "effect": "NoSchedule"});
        assert!(pod["tolerations"].as_array().unwrap().contains(&tolerated), "{name}");
    }
}

#[test]
fn a_job_has_the_size_and_the_settings_that_are_wanted() {
    let archive = in_a_bucket(9);
    let manifest = fan(&archive, &["--workers", "2", "--in-flight", "1"]).ends(0).stdout;
    let told = manifest.replace(env!("CARGO_PKG_VERSION"), "[version]");
    insta::assert_snapshot!("job", told);
    let pods = |words: &[&str]| parse(&fan(&archive, words).ends(0).stdout).remove(0)["spec"]["completions"].clone();
    assert_eq!(
        (pods(&[]), pods(&["--jobs-per-worker", "1"]), pods(&["--jobs-per-worker", "100"])),
        (3.into(), 8.into(), 1.into())
    );
    // A text that YAML would take for a truth is still a text.
    let env = parse(&manifest).remove(0)["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    assert!(env.as_array().unwrap().contains(&json!({"name": "DAMCTL_S3_REGION", "value": "no"})), "{env:#}");
}

#[test]
fn what_cannot_be_submitted_is_told_in_words() {
    let archive = in_a_bucket(1);
    for (words, told) in [
        (["--namespace", "a\nb"], "is no name of an object of Kubernetes"),
        (["--secret", "x: {}"], "is no name of an object of Kubernetes"),
        (["--pool", "; rm -rf /"], "is no name of an object of Kubernetes"),
        (["--memory", "fivehundred"], "is no amount"),
        (["--image", "a b"], "is no container image"),
    ] {
        archive.run([&["fanout", "k8s", "--stage", "transcode"], &words[..]].concat()).ends(2).says(told);
    }
    archive.run([&["fanout", "k8s", "--stage", "index"], &IMAGE[..]].concat()).ends(2).says("pods do not share");
    learn(&archive, &[]).ends(2).says("pods have no models").says("--models-claim");
    learn(&archive, &["--models-claim", "models"]).ends(2).says("pods do not have the profile").says("--profile-map");
    let empty = scratch();
    let submit = |path: &Path| -> Ran {
        let words = [&["fanout", "k8s", "--stage", "transcode", "--submit"], &IMAGE[..]].concat();
        archive.command(words).env("PATH", path).env("KUBECONFIG", "/nonexistent").output().unwrap().into()
    };
    submit(empty.path()).ends(2).says("kubectl is not here").says("leave --submit out");
    // One that answers as the real one does when there is no cluster.
    let kubectl = empty.path().join("kubectl");
    let complaint = "error: error validating \"STDIN\": error validating data: failed to download openapi: Get \
                     \"http://localhost:8080/openapi/v2?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused";
    std::fs::write(&kubectl, format!("#!/bin/sh\necho '{complaint}' >&2\nexit 1\n")).unwrap();
    harness::tool("chmod", ["+x".as_ref(), kubectl.as_os_str()]);
    submit(empty.path()).ends(3).says("the cluster does not answer");
    std::fs::write(
        &kubectl,
        "#!/bin/sh\n/bin/cat >/dev/null\necho job.batch/damctl-transcode-batch-x created \"$@\"\n",
    )
    .unwrap();
    submit(empty.path()).ends(0).says("job.batch/damctl-transcode-batch-x created create --filename -");
    let folder = Archive::new();
    fan(&folder, &[]).ends(2).says("pods do not reach the store").says("--claim");
    fan(&folder, &["--claim", "archive"]).ends(0).says("nothing to do");
}

/// The pod's command as its manifest gives it, in an environment of its own: what would be mounted lies in these folders.
fn pod(manifest: &str, secret: &BTreeMap<&str, String>, mounts: &[(&str, &Path)]) -> Command {
    let container = parse(manifest).remove(0)["spec"]["template"]["spec"]["containers"][0].clone();
    let mut command = Command::new(DAMCTL);
    command.args(container["args"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).stdin(Stdio::null());
    for variable in container["env"].as_array().unwrap() {
        let from = &variable["valueFrom"]["secretKeyRef"];
        let value = match variable["value"].as_str() {
            Some(value) => mounts.iter().fold(value.to_owned(), |v, (at, dir)| match v.strip_prefix(at) {
                Some(rest) => format!("{}{rest}", dir.display()),
                None => v,
            }),
            None => match secret.get(from["key"].as_str().unwrap()) {
                Some(value) => value.clone(),
                None if from["optional"] == true => continue,
                None => panic!("the pod would wait for {from}"),
            },
        };
        command.env(variable["name"].as_str().unwrap(), value);
    }
    command
}

#[test]
fn a_pods_command_does_the_jobs_and_its_exit_code_says_so() {
    let (archive, drive, scratch_dir) = (archive_with(None), scratch(), scratch());
    for seed in 0..3 {
        picture(&drive.path().join(format!("picture {seed}.png")), seed);
    }
    archive.ingest(drive.path()).0.ends(0);
    let manifest = fan(&archive, &["--claim", "archive"]).ends(0).stdout;
    let catalog = archive.root().join("catalog.sqlite").display().to_string();
    let secret = BTreeMap::from([("catalog", catalog)]);
    let mounts = [("/scratch", scratch_dir.path()), ("/archive", archive.root())];
    let run = |secret: &BTreeMap<&str, String>| Ran::from(pod(&manifest, secret, &mounts).output().unwrap());
    run(&secret).ends(0).says("3 master(s) rendered; 0 wait");
    assert_eq!(of_state(&jobs(&archive), "done").len(), 3);
    run(&secret).ends(0).says("nothing to do");
    let job = parse(&manifest).remove(0)["spec"].clone();
    let away = BTreeMap::from([("catalog", "/no/such/catalog".to_owned())]);
    assert_eq!(action(&job, run(&away).code), "FailJob");
    // A damaged master is one index's failure.
    std::fs::write(drive.path().join("cut.png"), &std::fs::read(drive.path().join("picture 1.png")).unwrap()[..90])
        .unwrap();
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode", "--enqueue"]).ends(0);
    assert_eq!(action(&job, run(&secret).code), "FailIndex");
}

#[test]
fn a_pod_that_is_told_to_end_gives_its_job_back_in_time() {
    let (archive, drive, scratch_dir) = (archive_with(None), scratch(), scratch());
    clip(&drive.path().join("long.mp4"), 60, 1);
    archive.ingest(drive.path()).0.ends(0);
    let manifest = fan(&archive, &["--claim", "archive"]).ends(0).stdout;
    let secret = BTreeMap::from([("catalog", archive.root().join("catalog.sqlite").display().to_string())]);
    let mounts = [("/scratch", scratch_dir.path()), ("/archive", archive.root())];
    let mut child = pod(&manifest, &secret, &mounts).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the job's start", 30, || (!of_state(&jobs(&archive), "leased").is_empty()).then_some(()));
    let told = Instant::now();
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), Signal::TERM).unwrap();
    let code = child.wait().unwrap().code().unwrap();
    let spec = parse(&manifest).remove(0)["spec"].clone();
    let grace = spec["template"]["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(told.elapsed() < Duration::from_secs(grace / 2), "{:?}", told.elapsed());
    assert_eq!((code, action(&spec, code)), (143, "Ignore"));
    let jobs = jobs(&archive);
    assert_eq!((jobs[0]["state"].as_str(), jobs[0]["error"].is_null()), (Some("ready"), true), "{jobs:#?}");
    // Nothing of it is left in the scratch.
    let left: Vec<String> = harness::tree(scratch_dir.path()).into_iter().filter(|f| f.contains("transcode")).collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn a_pods_command_does_the_jobs_of_a_bucket() {
    let Some(endpoint) = harness::s3_endpoint() else { return };
    let (archive, drive) = (archive_with(None), scratch());
    let settings = format!("store: s3://suite/{}\ns3_endpoint: {endpoint}\n", uuid::Uuid::now_v7());
    std::fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    damctl(["init".as_ref(), archive.root().as_os_str()]).ends(0);
    picture(&drive.path().join("a.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    let manifest = fan(&archive, &[]).ends(0).stdout;
    // The image's own archive: an empty configuration, and no way to write there.
    let (image, scratch_dir) = (scratch(), scratch());
    std::fs::write(image.path().join("damctl.yaml"), "# All settings come from the environment.\n").unwrap();
    let secret = BTreeMap::from([
        ("catalog", archive.root().join("catalog.sqlite").display().to_string()),
        ("access-key", std::env::var("AWS_ACCESS_KEY_ID").unwrap()),
        ("secret-key", std::env::var("AWS_SECRET_ACCESS_KEY").unwrap()),
    ]);
    let mounts = [("/scratch", scratch_dir.path()), ("/archive", image.path())];
    let ran = Ran::from(pod(&manifest, &secret, &mounts).output().unwrap());
    ran.ends(0).says("1 master(s) rendered; 0 wait");
    assert_eq!(harness::tree(image.path()).len(), 1, "nothing was written beside the configuration");
    archive.run(["verify"]).ends(0);
}

/// A read-only root, two folders that can be written, a user without rights: what the manifest grants.
const CONFINED: &str = r#"set -e
mount --make-rprivate /
root="$1" archive="$2" scratch="$3" && shift 3
mount --rbind / "$root"
mount -o remount,ro,bind "$root"
mount --bind "$archive" "$root$archive"
mount --bind "$scratch" "$root$scratch"
exec chroot "$root" "$@""#;

#[test]
fn a_pod_needs_no_more_rights_than_its_manifest_grants() {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: only root can confine a process as a cluster does");
        return;
    }
    let (archive, drive, scratch_dir, root) = (archive_with(None), scratch(), scratch(), scratch());
    clip(&drive.path().join("short.mp4"), 2, 1);
    picture(&drive.path().join("picture.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    let manifest = fan(&archive, &["--claim", "archive"]).ends(0).stdout;
    let secret = BTreeMap::from([("catalog", archive.root().join("catalog.sqlite").display().to_string())]);
    let mounts = [("/scratch", scratch_dir.path()), ("/archive", archive.root())];
    let pod = pod(&manifest, &secret, &mounts);
    let spec = parse(&manifest).remove(0)["spec"]["template"]["spec"].clone();
    let user = spec["securityContext"]["runAsUser"].to_string();
    // The program may lie where only its owner gets; the volumes are the pod's group's.
    let (program, root_dir) = (archive.root().join("damctl"), root.path());
    std::fs::copy(DAMCTL, &program).unwrap();
    for dir in [archive.root(), scratch_dir.path()] {
        harness::tool("chown", ["-R", &format!("{user}:{user}"), dir.to_str().unwrap()]);
    }
    let mut confined = Command::new("unshare");
    confined.args(["--mount", "sh", "-c", CONFINED, "sh"]).args([root_dir, archive.root(), scratch_dir.path()]);
    confined.args(["env", "-i"]).args(pod.get_envs().filter_map(|(name, value)| {
        let mut pair = name.to_owned();
        pair.push("=");
        pair.push(value?);
        Some(pair)
    }));
    confined.args(["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "--no-new-privs"]);
    confined.args(["--bounding-set", "-all", "--inh-caps", "-all"]).arg(&program).args(pod.get_args());
    Ran::from(confined.output().unwrap()).ends(0).says("2 master(s) rendered; 0 wait");
}
