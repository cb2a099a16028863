//! What the child process gives up before it touches a hostile byte: memory, processor time, core files, the network,
//! every path that its order does not need, and a life of its own when the parent is gone.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr,
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
    limit(&order.limits, Resource::As)?;
    confine(order)
}

/// The same for a process that answers questions: it reads what is below these folders, writes into one, and may use the
/// machine's accelerators.
pub fn enter_for(reads: &[PathBuf], dir: &Path, limits: &Limits) -> Result<()> {
    // Drivers of graphics processors set far more addresses aside than they use: there, what is written to is bounded.
    let has_driver = cfg!(any(feature = "vulkan", feature = "onnx-cuda"));
    die_with_parent()?;
    limit(limits, if has_driver { Resource::Data } else { Resource::As })?;
    let mut fence = Fence::new()?;
    for path in reads {
        fence.allow_reading(path)?;
    }
    for device in devices() {
        fence.allow(&device, AccessFs::from_all(ABI_VERSION))?;
    }
    fence.allow(dir, AccessFs::from_all(ABI_VERSION))?;
    fence.close()
}

pub(super) fn die_with_parent() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| Error::internal("cannot tie the process to its parent").because(e))
}

fn limit(limits: &Limits, memory: Resource) -> Result<()> {
    let set = |resource, soft: u64, hard: u64| {
        setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) }).map_err(|e| {
            Error::invalid("cannot set the process's limits")
                .because(e)
                .hint("the limits are above what this process itself may use")
        })
    };
    set(memory, limits.memory_bytes, limits.memory_bytes)?;
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

/// The version of Landlock whose words are used.
const ABI_VERSION: ABI = ABI::V4;

/// Landlock, as far as the kernel has it (file system from 5.13, TCP from 6.7). On an older kernel the rest of the
/// limits still hold.
struct Fence(RulesetCreated);

impl Fence {
    /// What every child needs, and nothing else.
    fn new() -> Result<Self> {
        let all = AccessFs::from_all(ABI_VERSION);
        let rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)
            .and_then(|rules| rules.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp))
            .and_then(|rules| rules.create())
            .map_err(failed)?;
        let mut fence = Self(rules);
        for system in SYSTEM {
            fence.allow_reading(Path::new(system))?;
        }
        fence.allow(Path::new("/dev/null"), all)?;
        // The program itself, which may live anywhere, and the registry of GStreamer's plugins.
        if let Ok(exe) = std::env::current_exe() {
            fence.allow_reading(&exe)?;
        }
        for variable in ["GST_REGISTRY", "GST_PLUGIN_PATH", "LD_LIBRARY_PATH"] {
            for path in std::env::split_paths(&std::env::var_os(variable).unwrap_or_default()) {
                if !path.as_os_str().is_empty() {
                    fence.allow_reading(&path)?;
                }
            }
        }
        // The list of the system's fonts.
        fence.allow_reading(Path::new("/var/cache/fontconfig"))?;
        Ok(fence)
    }

    fn allow_reading(&mut self, path: &Path) -> Result<()> {
        self.allow(path, AccessFs::from_read(ABI_VERSION))
    }

    fn allow(&mut self, path: &Path, access: BitFlags<AccessFs>) -> Result<()> {
        // What is not there need not be allowed.
        let Ok(fd) = PathFd::new(path) else { return Ok(()) };
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(ABI_VERSION) };
        (&mut self.0).add_rule(PathBeneath::new(fd, access)).map(drop).map_err(failed)
    }

    fn close(self) -> Result<()> {
        self.0.restrict_self().map(drop).map_err(failed)
    }
}

fn failed(e: landlock::RulesetError) -> Error {
    Error::internal("cannot confine the process").because(e)
}

fn confine(order: &Order) -> Result<()> {
    let all = AccessFs::from_all(ABI_VERSION);
    let mut fence = Fence::new()?;
    if order.outputs.iter().any(|entry| entry.spec.may_use_hardware()) {
        for device in devices() {
            fence.allow(&device, all)?;
        }
    }
    for path in [&order.input].into_iter().chain(&order.reads) {
        fence.allow_reading(path)?;
    }
    // What its brands are made of.
    for piece in order.outputs.iter().flat_map(|entry| entry.pieces()) {
        fence.allow_reading(&piece.path)?;
    }
    for list in order.part.iter().flat_map(Part::lists) {
        fence.allow_reading(list)?;
        fence.allow_reading(&split::packets_beside(list))?;
    }
    fence.allow(&order.out_dir, all)?;
    fence.close()
}
