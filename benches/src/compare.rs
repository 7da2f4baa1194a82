//! Comparisons in rounds: everyone once a round, the order turned round each time, so that what else
//! the machine does hits all alike. A figure is the median of the rounds' ratios.

use std::time::Duration;

/// Someone who takes part in a comparison.
pub struct Contender<'c> {
    name: String,
    run: Box<dyn FnMut() -> Duration + 'c>,
}

impl<'c> Contender<'c> {
    /// One who is timed by itself: whatever it prepares before does not count.
    pub fn new(name: &str, run: impl FnMut() -> Duration + 'c) -> Self {
        Self {
            name: name.to_owned(),
            run: Box::new(run),
        }
    }
}

/// The median, the least and the greatest of some measurements.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// The spread of at least one measurement.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        };
        Self {
            median,
            min: values[0],
            max: values[values.len() - 1],
        }
    }
}

/// Runs a comparison and prints it: for each contender its time, and the ratio of the first one's time to
/// it, round by round. A round before the first is thrown away.
pub fn compare(title: &str, rounds: usize, contenders: Vec<Contender<'_>>) {
    let mut contenders = contenders;
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        order.rotate_left(round / 2 % contenders.len());
        if round % 2 == 1 {
            order.reverse();
        }
        for place in order {
            let time = (contenders[place].run)();
            if round > 0 {
                times[place].push(time.as_secs_f64() * 1000.0);
            }
        }
    }
    println!("\n{title} ({rounds} rounds, order turned each time)");
    println!(
        "{:<28} {:>34}   {:>28}",
        "", "milliseconds: median (min … max)", "ratio: median (min … max)"
    );
    for (contender, own) in contenders.iter().zip(&times) {
        let time = Spread::of(own.clone());
        let ratios = times[0].iter().zip(own).map(|(a, b)| a / b).collect();
        let ratio = Spread::of(ratios);
        println!(
            "{:<28} {:>34}   {:>28}",
            contender.name,
            format!("{:.2} ({:.2} … {:.2})", time.median, time.min, time.max),
            format!("{:.3} ({:.3} … {:.3})", ratio.median, ratio.min, ratio.max),
        );
    }
}
