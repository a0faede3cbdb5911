//! The search for the last thing that still holds, whatever a thing is: users upwards, processors downwards.

use std::num::NonZeroUsize;

/// How often a probe that could not tell is repeated before the search looks elsewhere.
const SECOND_CHANCES: usize = 2;

/// What one probe found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The rung holds.
    Holds,
    /// It does not.
    Breaks,
    /// The probe cannot tell, for example because the generator was too slow itself.
    Unknown,
}

/// How a search goes on from a rung that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approach {
    /// To the next rung: a staircase, which also shows how things change from one to the next.
    Climb,
    /// To the middle of what is left: the fewest probes.
    Bisect,
}

/// Where a search may look: rungs 0 to `rungs - 1`, each harder to hold than the one before.
#[derive(Clone, Copy, Debug)]
pub struct Ladder {
    /// How many rungs there are.
    pub rungs: usize,
    /// The rung that is tried first, for example a prediction.
    pub start: usize,
    /// How often a rung has to hold, without ever breaking, before it is the answer.
    pub repeats: NonZeroUsize,
    /// How the search goes on from a rung that holds.
    pub approach: Approach,
}

/// What a search found out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The highest rung that held each time; `None` if not even the first did.
    pub rung: Option<usize>,
    /// Every probe in its order.
    pub tried: Vec<(usize, Outcome)>,
}

impl Found {
    /// Returns whether the rung above the answer is unknown, so that the answer is a lower bound only.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        let next = self.rung.map_or(0, |rung| rung + 1);
        let mut above = self.tried.iter().filter(|(rung, _)| *rung == next).map(|(_, outcome)| *outcome);
        above.clone().any(|outcome| outcome == Outcome::Unknown)
            && above.all(|outcome| outcome != Outcome::Breaks)
    }
}

/// Finds the highest rung that holds.
///
/// With an oracle that is monotone (all rungs up to some one hold, all above break) the answer is exact. With one
/// that is not, the answer is still a rung that held [`Ladder::repeats`] times and was never seen to break.
///
/// ```
/// use martello_load_test::capacity::{Approach, Ladder, Outcome, highest_held};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), std::convert::Infallible> {
/// let ladder = Ladder { rungs: 20, start: 10, repeats: 3.try_into().unwrap(), approach: Approach::Bisect };
/// let found = highest_held(ladder, async |rung| {
///     Ok::<_, std::convert::Infallible>(if rung <= 13 { Outcome::Holds } else { Outcome::Breaks })
/// }).await?;
/// assert_eq!(found.rung, Some(13));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The first error of `probe`, at once.
pub async fn highest_held<E>(
    ladder: Ladder,
    mut probe: impl AsyncFnMut(usize) -> Result<Outcome, E>,
) -> Result<Found, E> {
    let mut search = Search::new(ladder);
    while let Some(rung) = search.next() {
        let outcome = probe(rung).await?;
        search.learn(rung, outcome);
    }
    Ok(Found { rung: search.highest_unbroken(), tried: search.tried })
}

/// What is known so far.
#[derive(Debug)]
struct Search {
    ladder: Ladder,
    /// The lowest rung that broke or stayed unknown; no rung from here on is the answer.
    ceiling: usize,
    /// By rung: how often it held.
    held: Vec<usize>,
    /// By rung: how often it could not be told.
    unknown: Vec<usize>,
    tried: Vec<(usize, Outcome)>,
}

impl Search {
    fn new(ladder: Ladder) -> Self {
        let (held, unknown) = (vec![0; ladder.rungs], vec![0; ladder.rungs]);
        Self { ladder, ceiling: ladder.rungs, held, unknown, tried: Vec::new() }
    }

    /// The rung to try next; `None` once the answer is known.
    fn next(&self) -> Option<usize> {
        let floor = self.highest_unbroken();
        // The first rung that is open: everything below is settled as soon as one above it holds.
        let first = floor.map_or(0, |rung| rung + 1);
        if first < self.ceiling {
            let nothing_broke = self.ceiling == self.ladder.rungs;
            return Some(match self.ladder.approach {
                _ if self.tried.is_empty() => self.ladder.start.min(self.ceiling - 1),
                Approach::Climb if nothing_broke => first,
                _ => first + (self.ceiling - first) / 2,
            });
        }
        floor.filter(|rung| self.held[*rung] < self.ladder.repeats.get())
    }

    fn learn(&mut self, rung: usize, outcome: Outcome) {
        self.tried.push((rung, outcome));
        match outcome {
            Outcome::Holds => self.held[rung] += 1,
            Outcome::Breaks => self.ceiling = self.ceiling.min(rung),
            Outcome::Unknown => {
                self.unknown[rung] += 1;
                if self.unknown[rung] > SECOND_CHANCES {
                    self.ceiling = self.ceiling.min(rung);
                }
            }
        }
    }

    /// The highest rung below the ceiling that held; a rung that ever broke is at the ceiling or above.
    fn highest_unbroken(&self) -> Option<usize> {
        (0..self.ceiling).rev().find(|rung| self.held[*rung] > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;
    use rand::{Rng, SeedableRng, rngs::SmallRng};

    use super::*;

    fn search(ladder: Ladder, mut oracle: impl FnMut(usize) -> Outcome) -> Found {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(highest_held(ladder, async |rung| Ok::<_, Infallible>(oracle(rung)))).unwrap()
    }

    fn ladder(rungs: usize, start: usize, repeats: usize, climb: bool) -> Ladder {
        let approach = if climb { Approach::Climb } else { Approach::Bisect };
        Ladder { rungs, start, repeats: repeats.try_into().unwrap(), approach }
    }

    fn outcome(holds: bool) -> Outcome {
        if holds { Outcome::Holds } else { Outcome::Breaks }
    }

    proptest! {
        #[test]
        fn a_monotone_oracle_gives_the_exact_answer(
            rungs in 0_usize..200, start in 0_usize..250, limit in 0_usize..200, repeats in 1_usize..5, climb: bool
        ) {
            let limit = limit.min(rungs);
            let found = search(ladder(rungs, start, repeats, climb), |rung| outcome(rung < limit));
            prop_assert_eq!(found.rung, limit.checked_sub(1));
        }

        #[test]
        fn bisecting_needs_few_probes(rungs in 1_usize..5_000, start in 0_usize..5_000, limit in 0_usize..5_000) {
            let found = search(ladder(rungs, start, 3, false), |rung| outcome(rung < limit));
            prop_assert!(found.tried.len() <= 16, "{}", found.tried.len());
        }

        #[test]
        fn a_noisy_oracle_never_gives_a_rung_that_was_seen_to_break(
            rungs in 1_usize..60, start in 0_usize..60, limit in 0.0..60.0_f64, noise in 0.1..20.0_f64,
            repeats in 1_usize..5, seed: u64, climb: bool, doubt in 0.0..0.5_f64
        ) {
            let mut random = SmallRng::seed_from_u64(seed);
            let found = search(ladder(rungs, start, repeats, climb), |rung| {
                if random.gen_bool(doubt) {
                    return Outcome::Unknown;
                }
                outcome(rung as f64 + noise * (random.r#gen::<f64>() - 0.5) < limit)
            });
            if let Some(answer) = found.rung {
                let seen = |wanted| found.tried.iter().filter(|one| **one == (answer, wanted)).count();
                prop_assert!(seen(Outcome::Holds) >= repeats);
                prop_assert_eq!(seen(Outcome::Breaks), 0);
            }
        }
    }

    #[test]
    fn an_answer_below_a_rung_that_nobody_could_judge_is_a_lower_bound() {
        let found =
            search(ladder(10, 0, 1, true), |rung| if rung < 4 { Outcome::Holds } else { Outcome::Unknown });
        assert_eq!(found.rung, Some(3));
        assert!(found.is_cut_short());
        assert!(!search(ladder(10, 0, 1, true), |rung| outcome(rung < 4)).is_cut_short());
    }
}
