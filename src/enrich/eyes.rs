//! What is to be seen (engine to come).
use std::path::Path;

use super::question::{Answer, Found, See};
use crate::{error::{Error, Result}, media::Limits, model::{Key, Looks}, stop::Stop, store::Store};

pub struct Eyes;
pub struct Task<'a> { pub see: &'a See, pub dir: &'a Path, pub limits: &'a Limits, pub stop: &'a Stop }
impl Eyes {
    pub fn open(_: Option<&Path>, _: Option<&Path>, _: Option<&Path>) -> Result<Self> { Ok(Self) }
    pub fn look(&mut self, _: &Task<'_>, _: &mut (dyn FnMut(Answer) + Send)) -> Result<(Vec<Found>, Option<Looks>)> { Err(Error::unsupported("not yet")) }
}
