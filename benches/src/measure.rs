//! Paired runs: every side once, then every side again, so that what slows the machine down slows all of them; each time another one
//! begins, and every other time they run backwards, so that none always comes after the same one's traces.

use std::time::Instant;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// Several runs of one thing.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) runs: usize,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let half = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { at(half) } else { f64::midpoint(at(half.wrapping_sub(1)), at(half)) };
        Self { median, low: at(0), high: at(sorted.len().wrapping_sub(1)), runs: sorted.len() }
    }
}

/// A way to do the work; a run answers its seconds (or another cost).
pub(crate) struct Side<'a> {
    name: &'static str,
    run: Box<dyn FnMut() -> Result<f64> + 'a>,
}

/// Names a side.
pub(crate) fn side<'a>(name: &'static str, run: impl FnMut() -> Result<f64> + 'a) -> Side<'a> {
    Side { name, run: Box::new(run) }
}

/// What the runs of a side cost, or why it could not.
pub(crate) struct Runs {
    pub(crate) name: &'static str,
    pub(crate) costs: Result<Vec<f64>, String>,
}

/// The sides of a round: all of them, each round begins with another, and every other one is backwards.
pub(crate) fn in_turn(round: usize, sides: usize) -> impl Iterator<Item = usize> {
    let backwards = round % 2 == 1;
    (0..sides).map(move |at| (round + if backwards { sides - at } else { at }) % sides)
}

/// Runs every side once a round. A peer that fails is not run again and says why; if ours, the first, fails, all does.
pub(crate) fn paired(rounds: usize, mut sides: Vec<Side<'_>>) -> Result<Vec<Runs>> {
    let mut runs: Vec<Runs> =
        sides.iter().map(|side| Runs { name: side.name, costs: Ok(Vec::new()) }).collect();
    for round in 0..rounds.max(1) {
        for number in in_turn(round, sides.len()) {
            let (side, runs) = (&mut sides[number], &mut runs[number]);
            let Ok(costs) = &mut runs.costs else { continue };
            match (side.run)() {
                Ok(cost) => costs.push(cost),
                Err(error) if number == 0 => bail!("{}: {error:#}", side.name),
                Err(error) => {
                    eprintln!("bench: {}: {error:#}", side.name);
                    runs.costs = Err(format!("{error:#}"));
                }
            }
        }
    }
    Ok(runs)
}

/// The seconds that something takes.
pub(crate) fn seconds<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

/// A straight line through points: what nothing costs, what each costs, and how well that explains the points (1 is all).
pub(crate) fn line(points: &[(f64, f64)]) -> (f64, f64, f64) {
    let count = points.iter().fold(0.0, |count, _| count + 1.0);
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let (xx, yy): (f64, f64) =
        (points.iter().map(|p| (p.0 - x).powi(2)).sum(), points.iter().map(|p| (p.1 - y).powi(2)).sum());
    let slope = both / xx;
    (y - slope * x, slope, both * both / (xx * yy))
}

#[cfg(test)]
mod tests {
    use super::{Spread, line, paired, side};

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!((spread.median, spread.low, spread.high, spread.runs), (2.5, 1.0, 4.0, 4));
    }

    #[test]
    fn a_line_is_found_again() {
        let (start, slope, fit) = line(&[(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)]);
        assert!((start - 3.0).abs() < 1e-9 && (slope - 2.0).abs() < 1e-9 && (fit - 1.0).abs() < 1e-9);
    }

    #[test]
    fn sides_take_turns_and_a_peer_that_fails_is_named_and_left_out() {
        let order = std::cell::RefCell::new(String::new());
        let push = |letter| order.borrow_mut().push(letter);
        let runs = paired(
            2,
            vec![
                side("ours", || {
                    push('a');
                    Ok(1.0)
                }),
                side("absent", || {
                    push('b');
                    anyhow::bail!("no such program")
                }),
                side("peer", || {
                    push('c');
                    Ok(2.0)
                }),
            ],
        )
        .unwrap();
        assert_eq!(*order.borrow(), "abcac");
        assert_eq!(runs[1].costs, Err("no such program".to_owned()));
        assert_eq!(runs[2].costs, Ok(vec![2.0, 2.0]));
    }
}
