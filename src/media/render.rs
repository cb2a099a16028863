//! What the child process does with its order: measure, render, judge, report.

use std::{fs::File, io::Read, path::Path, time::Duration};

use rayon::prelude::*;

use super::{Clips, Order, Rendered, Renderer, Report, Work, gate, image, probe, sniff};
use crate::{
    error::{Doing, Error, Result},
    model::{AudioFacts, MediaFacts, MediaKind, job::Failure},
    profile::{Brand, Entry},
    stop::Stop,
};

/// How long a tool may take to measure or check one file.
const TOOL: Duration = Duration::from_secs(600);
/// The share of the work that is rendering; the rest is the gate's.
const JUDGED: f64 = 0.9;

/// Carries out an order in this process, which is best one that may die: `damctl render`. Each output's end is
/// reported; an error is everybody's.
pub fn carry_out(order: &Order, stop: &Stop, report: &mut dyn FnMut(Report)) -> Result<()> {
    let facts = match &order.facts {
        Some(facts) => facts.clone(),
        None => measure(&order.input, stop)?,
    };
    if order.outputs.is_empty() {
        report(Report::Probed { facts });
        return Ok(());
    }
    let (clips, failed) = Clips::measure(&order.outputs, stop);
    stop.check()?;
    for (name, e) in &failed {
        report(Report::Failed { output: Some(name.clone()), failure: Failure::from(e) });
    }
    let possible = order.outputs.iter().filter(|e| failed.iter().all(|(name, _)| *name != e.name));
    // What lays sound over a film that has none, or puts some around it, has silence to lay it over.
    let is_mute = facts.video.is_some() && facts.audio.is_empty();
    let has_sound = |b: &Brand| b.has_sound() || clips.have_sound(b);
    let is_over = |e: &&Entry| is_mute && e.spec.sound().is_some() && e.brand.as_ref().is_some_and(has_sound);
    let (over_silence, usual): (Vec<&Entry>, Vec<&Entry>) = possible.partition(is_over);
    if !over_silence.is_empty() {
        let facts = MediaFacts { audio: vec![AudioFacts::silence()], ..facts.clone() };
        render_all((order, &clips), &facts, over_silence, stop, report)?;
    }
    render_all((order, &clips), &facts, usual, stop, report)
}

/// Makes outputs of one input.
fn render_all(
    (order, clips): (&Order, &Clips),
    facts: &MediaFacts,
    mut left: Vec<&Entry>,
    stop: &Stop,
    report: &mut dyn FnMut(Report),
) -> Result<()> {
    for renderer in renderers() {
        let (mine, others): (Vec<&Entry>, Vec<&Entry>) = left.into_iter().partition(|e| renderer.accepts(facts, e));
        left = others;
        if !mine.is_empty() {
            render((order, clips), facts, &*renderer, mine, stop, report)?;
        }
    }
    for entry in left {
        let e = Error::unsupported(format!("nothing here makes '{}' of an {} file", entry.name, facts.mime))
            .hint("'damctl doctor' tells what is missing");
        report(Report::Failed { output: Some(entry.name.clone()), failure: Failure::from(&e) });
    }
    Ok(())
}

fn renderers() -> Vec<Box<dyn Renderer>> {
    vec![
        Box::new(image::ImageRenderer),
        #[cfg(feature = "gst")]
        Box::new(super::gst::GstRenderer),
    ]
}

fn render(
    (order, clips): (&Order, &Clips),
    facts: &MediaFacts,
    renderer: &dyn Renderer,
    outputs: Vec<&Entry>,
    stop: &Stop,
    report: &mut dyn FnMut(Report),
) -> Result<()> {
    let mut silent: Vec<&Entry> = outputs.clone();
    let (input, out_dir, limits) = (&order.input, &order.out_dir, &order.limits);
    let work = Work { input, facts, outputs, out_dir, limits, stop, part: order.part.as_ref(), clips };
    // Outputs are judged when all are written: the decoder is not kept waiting, and progress goes on meanwhile.
    let mut written: Vec<(&Entry, Result<Rendered>)> = Vec::new();
    let outcome = renderer.render(
        &work,
        &mut |name, result| {
            if let Some(at) = silent.iter().position(|e| e.name == name) {
                written.push((silent.swap_remove(at), result));
            }
        },
        &mut |done| report(Report::Progress { done: done * JUDGED }),
    );
    judge_all(order, facts, written, stop, report)?;
    let failure = match outcome {
        Ok(()) if silent.is_empty() => return Ok(()),
        Ok(()) => Error::internal("the renderer forgot this output"),
        Err(e) => e,
    };
    for entry in silent {
        report(Report::Failed { output: Some(entry.name.clone()), failure: Failure::from(&failure) });
    }
    Ok(())
}

/// What a judging thread tells the one that reports.
enum Word {
    Judged(f64),
    Ended(Box<Report>),
}

/// Judges what was written, as many outputs at a time as there are cores.
fn judge_all(
    order: &Order,
    master: &MediaFacts,
    written: Vec<(&Entry, Result<Rendered>)>,
    stop: &Stop,
    report: &mut dyn FnMut(Report),
) -> Result<()> {
    let mut shares = vec![0.0; written.len()];
    let (tell, heard) = std::sync::mpsc::channel::<(usize, Word)>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            written.into_par_iter().with_max_len(1).enumerate().for_each_with(tell, |tell, (i, (entry, result))| {
                let judged = result.and_then(|rendered| {
                    let told = |share| drop(tell.send((i, Word::Judged(share))));
                    let (out_dir, part) = (order.out_dir.as_path(), order.part.as_ref());
                    let case = gate::Case { out_dir, entry, master, part, timeout: TOOL, stop };
                    let facts = gate::accept(&case, &rendered, &told)?;
                    Ok(Report::Accepted { rendered: Box::new(rendered), facts })
                });
                let failed = |e| Report::Failed { output: Some(entry.name.clone()), failure: Failure::from(&e) };
                tell.send((i, Word::Ended(Box::new(judged.unwrap_or_else(failed))))).ok();
            });
        });
        for (i, word) in heard {
            match word {
                Word::Judged(share) => shares[i] = share,
                // A stop is nobody's failure.
                Word::Ended(_) if stop.is_tripped() => {}
                Word::Ended(ended) => {
                    shares[i] = 1.0;
                    report(*ended);
                }
            }
            let done = shares.iter().sum::<f64>() / shares.len() as f64;
            report(Report::Progress { done: JUDGED + (1.0 - JUDGED) * done });
        }
    });
    stop.check()
}

/// What the input is, when the order does not say.
pub(super) fn measure(input: &Path, stop: &Stop) -> Result<MediaFacts> {
    let mut head = Vec::new();
    let file = File::open(input).doing(|| format!("cannot open {}", input.display()))?;
    file.take(sniff::HEAD as u64).read_to_end(&mut head).doing(|| format!("cannot read {}", input.display()))?;
    let (kind, mime) = sniff::sniff(&head);
    match kind {
        MediaKind::Image | MediaKind::Animation => image::facts(input, mime),
        MediaKind::Video | MediaKind::Audio => probe::probe(input, mime, TOOL, stop),
        MediaKind::Sidecar | MediaKind::Other => Ok(MediaFacts::bare(kind, mime)),
    }
}
