//! The least processor time and the least memory that hold the users.

use crate::capacity::room::Room;
use crate::capacity::{Approach, Findings, Ladder, Level, Outcome, Survey, highest_held};
use crate::error::{Error, Result};

/// The distance between processor limits that are tried, in cores.
const CORES_STEP: f64 = 0.05;

/// The first limits that are tried are this much above what the server took without one.
const ROOM: f64 = 2.0;

/// Memory limits that are tried lie at least this far apart, in bytes.
const LEAST_MEMORY_STEP: u64 = 1 << 20;

/// Steps from no memory at all to what the server took: a fortieth is less than the headroom that is recommended.
const MEMORY_STEPS: u64 = 40;

impl Survey {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "processors are few"
    )]
    pub(super) async fn search_cores(
        &self,
        room: &Room,
        findings: &mut Findings,
        on_level: &mut impl FnMut(&Level),
    ) -> Result<()> {
        let Some(users) = findings.held_users.filter(|_| room.limits_cpu()) else { return Ok(()) };
        let needed = findings.held_level().and_then(Level::cores).unwrap_or(1.0);
        let rungs = (needed * ROOM / CORES_STEP).ceil().max(1.0) as usize;
        // The higher the rung, the fewer cores.
        let cores = |rung: usize| (rungs - rung) as f64 * CORES_STEP;
        let found = highest_held(self.bisection(rungs), async |rung| {
            room.limit_cpu(cores(rung)).await?;
            let before = room.periods()?;
            let mut level = self.measure(room, users).await?;
            let after = room.periods()?;
            level.limit_cores = Some(cores(rung));
            let (throttled, all) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
            level.throttled_periods = Some(throttled);
            level.throttled_share = Some(throttled as f64 / all.max(1) as f64);
            on_level(&level);
            let outcome = level.outcome;
            findings.limits.push(level);
            Ok::<_, Error>(outcome)
        })
        .await?;
        // What comes next is not to be throttled.
        room.limit_cpu(available_cores()).await?;
        findings.least_cores = found.rung.map(cores);
        findings.limit_cut_short = found.is_cut_short();
        Ok(())
    }

    /// Every probe begins with a server that was just started: memory that was once taken is seldom given back.
    pub(super) async fn search_memory(
        &self,
        room: &Room,
        findings: &mut Findings,
        on_level: &mut impl FnMut(&Level),
    ) -> Result<()> {
        let Some(users) = findings.held_users.filter(|_| room.limits_memory()) else { return Ok(()) };
        let Some(needed) = findings.held_level().and_then(|level| level.memory_bytes) else { return Ok(()) };
        let step = (needed / MEMORY_STEPS).next_multiple_of(LEAST_MEMORY_STEP).max(LEAST_MEMORY_STEP);
        let rungs = usize::try_from(2 * needed / step).unwrap_or(1).max(1);
        let bytes = |rung: usize| (rungs - rung) as u64 * step;
        let found = highest_held(self.bisection(rungs), async |rung| {
            let level = self.memory_level(room, users, bytes(rung)).await?;
            on_level(&level);
            let outcome = level.outcome;
            findings.memory_limits.push(level);
            Ok::<_, Error>(outcome)
        })
        .await?;
        room.recover().await?;
        self.wait_until_it_answers().await?;
        findings.least_memory_bytes = found.rung.map(bytes);
        findings.memory_cut_short = found.is_cut_short();
        Ok(())
    }

    async fn memory_level(&self, room: &Room, users: usize, bytes: u64) -> Result<Level> {
        let before = room.kills();
        let limited = room.restart_with_memory(bytes).await?;
        let mut level = if !limited {
            Level::broken(users, "the server took more memory than that before the first request".to_owned())
        } else if self.wait_until_it_answers().await.is_err() {
            Level::broken(users, "the server did not live long enough to answer".to_owned())
        } else {
            self.measure(room, users).await?
        };
        level.limit_memory_bytes = Some(bytes);
        if room.was_killed(before).await? {
            level.outcome = Outcome::Breaks;
            level.reasons = vec!["the kernel killed the server for want of memory".to_owned()];
        }
        Ok(level)
    }

    fn bisection(&self, rungs: usize) -> Ladder {
        Ladder { rungs, start: rungs / 2, repeats: self.repeats, approach: Approach::Bisect }
    }
}

#[expect(clippy::cast_precision_loss, reason = "processors are few")]
pub(super) fn available_cores() -> f64 {
    std::thread::available_parallelism().map_or(1, usize::from) as f64
}
