//! What replicas change: the same service with more and more of them.

use serde::Serialize;

use crate::capacity::{Hook, Level, Outcome, Scalability, Survey};
use crate::error::{Error, Result};
use crate::think_time::ThinkTime;

/// Users of each measurement of a sweep, who do not think: each replica of a small machine is busy with them.
const SWEEP_USERS: usize = 64;

/// The fewest numbers of replicas to which the law is fitted.
const FEWEST_POINTS: usize = 4;

/// What the replicas of a sweep may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// All of them together the same processor time: does splitting cost anything?
    Split,
    /// Each of them the same processor time: does adding help?
    Each,
    /// What the services at the given addresses have.
    Given,
}

/// Throughput by the number of replicas.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sweep {
    /// What each replica may use.
    pub share: Share,
    /// One probe for each number of replicas.
    pub levels: Vec<Level>,
    /// The law that they follow; `None` for fewer than four different numbers of replicas.
    pub law: Option<Scalability>,
}

/// How a survey gets replicas that it can count.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    pub(super) hook: Hook,
    pub(super) replicas: Vec<u32>,
    pub(super) cores: f64,
}

impl Scale {
    /// Calls `hook` for each number of `replicas`, with that number in `MARTELLO_REPLICAS` and the cores for each of them
    /// in `MARTELLO_CPUS`; `cores` is what all of them share, and what the most of them have together where each has the
    /// same.
    ///
    /// When the hook ends, or soon after, the service must answer at the address under test.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPlan`](crate::ErrorKind::InvalidPlan) for no replicas, or no cores.
    pub fn new(hook: Hook, replicas: impl Into<Vec<u32>>, cores: f64) -> Result<Self> {
        let replicas = replicas.into();
        if replicas.is_empty() || replicas.contains(&0) {
            return Err(Error::plan("a sweep needs numbers of replicas, each above 0"));
        }
        if !(cores > 0.0 && cores.is_finite()) {
            return Err(Error::plan(format!("{cores} cores are too few for any replica")));
        }
        Ok(Self { hook, replicas, cores })
    }

    /// The cores for each of so many replicas.
    fn cores_each(&self, share: Share, replicas: u32) -> f64 {
        let most = self.replicas.iter().copied().max().unwrap_or(1);
        self.cores / f64::from(if share == Share::Split { replicas } else { most })
    }
}

impl Survey {
    pub(super) async fn sweep(&self, on_level: &mut impl FnMut(&Level)) -> Result<Vec<Sweep>> {
        let mut sweeps = Vec::new();
        if !self.given.is_empty() {
            let mut levels = Vec::new();
            for (replicas, url) in &self.given {
                levels.push(self.sweep_level(Some(url), *replicas, on_level).await?);
            }
            sweeps.push(Sweep::of(Share::Given, levels)?);
        }
        let Some(scale) = &self.scale else { return Ok(sweeps) };
        for share in [Share::Split, Share::Each] {
            let mut levels = Vec::new();
            for replicas in &scale.replicas {
                let cores = scale.cores_each(share, *replicas);
                let variables =
                    [("MARTELLO_REPLICAS", replicas.to_string()), ("MARTELLO_CPUS", format!("{cores:.4}"))];
                scale.hook.run(&variables).await?;
                self.wait_until_it_answers().await?;
                let mut level = self.sweep_level(None, *replicas, on_level).await?;
                level.limit_cores = Some(cores);
                levels.push(level);
            }
            sweeps.push(Sweep::of(share, levels)?);
        }
        Ok(sweeps)
    }

    async fn sweep_level(
        &self,
        url: Option<&String>,
        replicas: u32,
        on_level: &mut impl FnMut(&Level),
    ) -> Result<Level> {
        let plan = self.plan.clone().think_time(ThinkTime::constant(0.0));
        let plan = url.map_or(plan.clone(), |url| plan.aimed_at(url));
        let mut level = self.measure_with(plan.unwatched(), SWEEP_USERS).await?;
        level.replicas = Some(replicas);
        if level.outcome == Outcome::Breaks && level.failures == 0 {
            // Without think time the server is meant to be saturated.
            (level.outcome, level.reasons) = (Outcome::Holds, Vec::new());
        }
        on_level(&level);
        Ok(level)
    }
}

impl Sweep {
    fn of(share: Share, levels: Vec<Level>) -> Result<Self> {
        let points: Vec<(u32, f64)> =
            levels.iter().filter_map(|level| Some((level.replicas?, level.requests_per_second))).collect();
        let mut distinct: Vec<u32> = points.iter().map(|(replicas, _)| *replicas).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let served = points.iter().all(|(_, rate)| *rate > 0.0);
        let law =
            (served && distinct.len() >= FEWEST_POINTS).then(|| Scalability::fit(&points)).transpose()?;
        Ok(Self { share, levels, law })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_sharing_agree_for_the_most_replicas() {
        let scale = Scale::new(Hook::shell("true"), [1, 2, 4], 1.0).unwrap();
        let cores = |share| [1, 2, 4].map(|replicas| scale.cores_each(share, replicas));
        assert_eq!(cores(Share::Split), [1.0, 0.5, 0.25]);
        assert_eq!(cores(Share::Each), [0.25, 0.25, 0.25]);
    }

    #[test]
    fn sweeps_over_nothing_are_refused() {
        let new = |replicas: &[u32], cores| Scale::new(Hook::shell("true"), replicas, cores);
        assert!(new(&[], 1.0).is_err() && new(&[0], 1.0).is_err());
        assert!(new(&[1], 0.0).is_err() && new(&[1], f64::NAN).is_err());
    }
}
