//! `damctl doctor`: what is here, what each missing thing costs, and how to get it.

use anyhow::Result;
use damctl::tend;

use super::{Verdict, print};

pub fn run() -> Result<Verdict> {
    let mut sound = true;
    for check in tend::doctor() {
        match &check.found {
            Some(found) => print(format_args!("here     {}: {found}", check.what)),
            None => {
                sound &= !check.needed;
                print(format_args!("missing  {}: {}", check.what, check.cost));
                print(format_args!("         to get it: {}", check.get));
            }
        }
    }
    Ok(if sound { Verdict::Done } else { Verdict::SomeFailed })
}
