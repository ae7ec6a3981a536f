//! `kmeans-anomaly`: how far a vector of features lies outside the clusters it should lie in.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{boxed::Box, format, vec, vec::Vec};

use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! { "../block.toml", "run" => KmeansAnomaly }

/// Indices of the arguments in `block.toml`.
const CLUSTERS: usize = 0;
const MEAN: usize = 1;
const SCALE: usize = 2;

/// An instance.
#[derive(Debug)]
pub struct KmeansAnomaly {
    /// The centroids one after the other, in the units of the features.
    centroids: Box<[f32]>,
    radii: Box<[f32]>,
    /// Per feature, what its distances count.
    weights: Box<[f32]>,
}

impl Block for KmeansAnomaly {
    type Inputs = f32;
    type Outputs = f32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let features = setup.input(0).len();
        if features == 0 {
            return Err("there are no features".into());
        }
        let mean = per_feature(setup.numbers(MEAN, "--mean")?, "mean", features, 0.0)?;
        let scale = per_feature(setup.numbers(SCALE, "--scale")?, "scale", features, 1.0)?;
        if let Some(bad) = scale.iter().find(|s| **s <= 0.0) {
            return Err(format!("`--scale` has {bad}, but a scale is above 0").into());
        }
        let mut centroids = Vec::new();
        let mut radii = Vec::new();
        for (line, text) in (1..).zip(setup.text(CLUSTERS)?.lines()) {
            let text = text.split('#').next().unwrap_or_default();
            let at = format!("line {line} of `--clusters`");
            let mut cluster = numbers(text, &at)?;
            let Some(radius) = cluster.pop() else {
                continue;
            };
            if cluster.len() != features {
                return Err(format!(
                    "{at} has {} numbers, but a centroid of {features} features and its radius are {}",
                    cluster.len() + 1,
                    features + 1
                )
                .into());
            }
            let units = mean.iter().zip(&scale);
            let raw = cluster
                .iter()
                .zip(units)
                .map(|(c, (m, s))| (m + s * c) as f32);
            centroids.extend(raw);
            radii.push(radius as f32);
        }
        if radii.is_empty() {
            return Err("`--clusters` has no cluster".into());
        }
        let weights: Vec<f32> = scale.iter().map(|s| (1.0 / s) as f32).collect();
        if !centroids
            .iter()
            .chain(&radii)
            .chain(&weights)
            .all(|x| x.is_finite())
        {
            return Err("a centroid, radius or scale does not fit an f32".into());
        }
        Ok(Self {
            centroids: centroids.into(),
            radii: radii.into(),
            weights: weights.into(),
        })
    }

    fn run(&self, features: &[f32], score: &mut [f32], _: &mut Call<'_>) -> Result<Flow, Fault> {
        let mut least = f32::INFINITY;
        let centroids = self.centroids.chunks_exact(self.weights.len());
        for (centroid, radius) in centroids.zip(&self.radii) {
            let mut sum = 0.0;
            for ((x, c), weight) in features.iter().zip(centroid).zip(&self.weights) {
                let d = (x - c) * weight;
                sum += d * d;
            }
            // NaN is not less, and stays infinite.
            let outside = libm::sqrtf(sum) - radius;
            if outside < least {
                least = outside;
            }
        }
        score[0] = least;
        Ok(Flow::Output)
    }
}

/// The numbers of a text.
fn numbers(text: &str, place: &str) -> Result<Vec<f64>, Refusal> {
    let words = text.split([' ', '\t', ',', '\r', '\n']);
    words
        .filter(|word| !word.is_empty())
        .map(|word| match word.parse() {
            Ok(number) if f64::is_finite(number) => Ok(number),
            _ => Err(format!("{place}: `{word}` is no finite number").into()),
        })
        .collect()
}

/// A number per feature, `default` for each if none is given.
fn per_feature(
    given: Vec<f64>,
    name: &str,
    features: usize,
    default: f64,
) -> Result<Vec<f64>, Refusal> {
    match given.len() {
        0 => Ok(vec![default; features]),
        n if n == features => Ok(given),
        n => Err(format!("`--{name}` has {n} numbers, but there are {features} features").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::{Instance, Value};

    const TWO: &str = "0, 0, 1 # at rest\n\n3 4\t0.5\r\n";

    fn make(
        clusters: &str,
        mean: &[&str],
        scale: &[&str],
    ) -> Result<Instance<KmeansAnomaly>, Refusal> {
        let args = [clusters.into(), Value::Texts(mean), Value::Texts(scale)];
        Instance::new(&args, &[&[2]], &[&[1]])
    }

    fn score(block: &mut Instance<KmeansAnomaly>, features: [f32; 2]) -> f32 {
        let mut score = [0.0];
        block.run(&features, &mut score).unwrap();
        score[0]
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn is_the_distance_to_the_nearest_border() {
        let mut block = make(TWO, &[], &[]).unwrap();
        assert_eq!(score(&mut block, [0.0, 0.0]), -1.0);
        assert_eq!(score(&mut block, [3.0, 4.0]), -0.5);
        assert_eq!(score(&mut block, [0.0, -3.0]), 2.0);
        assert_eq!(score(&mut block, [6.0, 8.0]), 4.5);
    }

    #[test]
    fn features_are_standardised() {
        let mut block = make("1 1 0.25", &["10", "-10"], &["2", "4"]).unwrap();
        assert_eq!(score(&mut block, [12.0, -6.0]), -0.25);
        assert_eq!(score(&mut block, [14.0, -6.0]), 0.75);
    }

    #[test]
    fn what_is_no_number_is_most_anomalous() {
        let mut block = make(TWO, &[], &[]).unwrap();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
            assert_eq!(score(&mut block, [0.0, bad]), f32::INFINITY);
        }
    }

    #[test]
    fn bad_clusters_are_refused_in_their_line() {
        let none: &[&str] = &[];
        for (clusters, mean, scale, message) in [
            ("# none\n", none, none, "`--clusters` has no cluster"),
            (
                "0 0 1\n1 2",
                none,
                none,
                "line 2 of `--clusters` has 2 numbers, but a centroid of 2 features and its radius are 3",
            ),
            (
                "0 x 1",
                none,
                none,
                "line 1 of `--clusters`: `x` is no finite number",
            ),
            (
                "0 inf 1",
                none,
                none,
                "line 1 of `--clusters`: `inf` is no finite number",
            ),
            (
                TWO,
                &["1"],
                none,
                "`--mean` has 1 numbers, but there are 2 features",
            ),
            (
                TWO,
                none,
                &["1", "0"],
                "`--scale` has 0, but a scale is above 0",
            ),
            (
                "0 1e300 1",
                none,
                none,
                "a centroid, radius or scale does not fit an f32",
            ),
        ] {
            assert_eq!(make(clusters, mean, scale).unwrap_err().message(), message);
        }
    }
}
