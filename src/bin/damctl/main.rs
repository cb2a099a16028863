//! The `damctl` program: parse, resolve, run, exit code.

use std::{
    io::Write,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::Parser;
use damctl::{
    error::{Error, Kind},
    stop::Stop,
};

mod cli;
mod generate;
mod report;
mod run;
mod settings;

/// Many threads that make and drop small things, as where an index is written, wait less for it than for the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let stop = Stop::new();
    let interrupted = match catch_signals(&stop) {
        Ok(interrupted) => interrupted,
        Err(e) => return fail(&e.into(), None),
    };
    let ended = run::run(cli, &stop).and_then(|verdict| Ok(run::printed().map(|()| verdict)?));
    match ended {
        Ok(run::Verdict::Done) => ExitCode::SUCCESS,
        Ok(run::Verdict::SomeFailed) => ExitCode::from(1),
        // What went away is no news to whoever has stopped it.
        Ok(run::Verdict::Paused(e)) if stop.is_tripped() => {
            print_error(&e.into());
            stopped(&interrupted)
        }
        Ok(run::Verdict::Paused(e)) => {
            print_error(&e.into());
            ExitCode::from(3)
        }
        Err(e) if stop.is_tripped() && e.downcast_ref::<Error>().is_some_and(|e| e.kind().is_retryable()) => {
            print_error(&e);
            stopped(&interrupted)
        }
        Ok(run::Verdict::Stopped) => stopped(&interrupted),
        Err(e) => fail(&e, Some(&interrupted)),
    }
}

/// Whether SIGINT was what stopped us; else it was SIGTERM.
type Interrupted = Arc<AtomicBool>;

/// The first ^C or SIGTERM asks to stop; the second ends the process at once.
fn catch_signals(stop: &Stop) -> Result<Interrupted, Error> {
    use signal_hook::{consts, flag};
    let failed = |e: std::io::Error| Error::internal("cannot catch signals").because(e);
    for (signal, code) in [(consts::SIGINT, 130), (consts::SIGTERM, 143)] {
        // In this order: the conditional one sees whether an earlier signal has set the flag.
        flag::register_conditional_shutdown(signal, code, stop.flag()).map_err(failed)?;
        flag::register(signal, stop.flag()).map_err(failed)?;
    }
    let interrupted = Interrupted::default();
    flag::register(consts::SIGINT, interrupted.clone()).map_err(failed)?;
    Ok(interrupted)
}

fn stopped(interrupted: &AtomicBool) -> ExitCode {
    writeln!(std::io::stderr(), "stopped; run the same command again to go on").ok();
    ExitCode::from(if interrupted.load(Ordering::SeqCst) { 130 } else { 143 })
}

fn fail(e: &anyhow::Error, interrupted: Option<&AtomicBool>) -> ExitCode {
    let kind = e.downcast_ref::<Error>().map_or(Kind::Internal, Error::kind);
    if let (Kind::Stopped, Some(interrupted)) = (kind, interrupted) {
        return stopped(interrupted);
    }
    print_error(e);
    ExitCode::from(match kind {
        Kind::Invalid | Kind::NotFound | Kind::Unsupported => 2,
        Kind::Unavailable | Kind::Paused | Kind::Archived => 3,
        Kind::Conflict | Kind::Corrupt | Kind::OutOfMemory | Kind::Stopped | Kind::LeaseLost | Kind::Internal => 1,
    })
}

fn print_error(e: &anyhow::Error) {
    let mut err = std::io::stderr().lock();
    writeln!(err, "error: {e}").ok();
    for cause in e.chain().skip(1) {
        writeln!(err, "caused by: {cause}").ok();
    }
    if let Some(hint) = e.downcast_ref::<Error>().and_then(Error::hint_text) {
        writeln!(err, "hint: {hint}").ok();
    }
}
