//! What the child process gives up before it touches a hostile byte: memory, processor time, core files, the network,
//! every path that its order does not need, and a life of its own when the parent is gone.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr,
};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

use super::{
    Limits, Order,
    split::{self, Part},
};
use crate::error::{Error, Result};

/// System folders that decoders, their plugins and their tools are read from.
const SYSTEM: [&str; 8] = ["/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/sys", "/dev"];

/// Applies the order's limits to this process and all that it starts. Cannot be undone.
pub fn enter(order: &Order) -> Result<()> {
    die_with_parent()?;
    limit(&order.limits)?;
    confine(order)
}

fn die_with_parent() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| Error::internal("cannot tie the process to its parent").because(e))
}

fn limit(limits: &Limits) -> Result<()> {
    let set = |resource, soft: u64, hard: u64| {
        setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) }).map_err(|e| {
            Error::invalid("cannot set the process's limits")
                .because(e)
                .hint("the limits are above what this process itself may use")
        })
    };
    set(Resource::As, limits.memory_bytes, limits.memory_bytes)?;
    // The hard limit comes later, so that the soft one's signal (SIGXCPU) tells what happened.
    set(Resource::Cpu, limits.cpu_seconds, limits.cpu_seconds + 5)?;
    set(Resource::Core, 0, 0)
}

/// What encoders in hardware are reached by: NVIDIA's devices, render nodes, and codecs of Video4Linux.
fn devices() -> Vec<PathBuf> {
    let named = |folder: &str, prefix: &str| {
        let all = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let is = |e: &std::fs::DirEntry| e.file_name().to_string_lossy().starts_with(prefix);
        all.filter(is).map(|e| e.path()).collect::<Vec<_>>()
    };
    [named("/dev", "nvidia"), named("/dev/dri", "renderD"), named("/dev", "video")].concat()
}

/// Landlock, as far as the kernel has it (file system from 5.13, TCP from 6.7). On an older kernel the rest of the
/// limits still hold.
fn confine(order: &Order) -> Result<()> {
    let abi = ABI::V4;
    let read = AccessFs::from_read(abi);
    let all = AccessFs::from_all(abi);
    let failed = |e: landlock::RulesetError| Error::internal("cannot confine the process").because(e);
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .map_err(failed)?
        .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)
        .map_err(failed)?
        .create()
        .map_err(failed)?;
    let mut allow = |path: &Path, access| -> Result<()> {
        // What is not there need not be allowed.
        let Ok(fd) = PathFd::new(path) else { return Ok(()) };
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(abi) };
        (&mut rules).add_rule(PathBeneath::new(fd, access)).map(drop).map_err(failed)
    };
    for system in SYSTEM {
        allow(Path::new(system), read)?;
    }
    allow(Path::new("/dev/null"), all)?;
    if order.outputs.iter().any(|entry| entry.spec.may_use_hardware()) {
        for device in devices() {
            allow(&device, all)?;
        }
    }
    // The program itself, which may live anywhere, and the registry of GStreamer's plugins.
    if let Ok(exe) = std::env::current_exe() {
        allow(&exe, read)?;
    }
    for variable in ["GST_REGISTRY", "GST_PLUGIN_PATH", "LD_LIBRARY_PATH"] {
        for path in std::env::split_paths(&std::env::var_os(variable).unwrap_or_default()) {
            if !path.as_os_str().is_empty() {
                allow(&path, read)?;
            }
        }
    }
    for path in [&order.input].into_iter().chain(&order.reads) {
        allow(path, read)?;
    }
    // What its brands are made of, and the list of the system's fonts.
    for piece in order.outputs.iter().filter_map(|e| e.brand.as_ref()).flat_map(|b| b.pieces()) {
        allow(&piece.path, read)?;
    }
    allow(Path::new("/var/cache/fontconfig"), read)?;
    for list in order.part.iter().flat_map(Part::lists) {
        allow(list, read)?;
        allow(&split::packets_beside(list), read)?;
    }
    allow(&order.out_dir, all)?;
    rules.restrict_self().map(drop).map_err(failed)
}
