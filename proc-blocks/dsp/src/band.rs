//! Which frequencies a filter lets pass, as the arguments of a Runefile say it.

use alloc::{format, string::String};

/// Frequencies that pass. An edge is a fraction of half the sample rate, inside 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Band {
    /// Those below the edge.
    Low(f64),
    /// Those above it.
    High(f64),
    /// Those between two edges, the lower first.
    Pass(f64, f64),
    /// All but those.
    Stop(f64, f64),
}

/// Edges as given, in hertz; 0 is one that is not given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edges {
    /// `--cutoff`.
    pub cutoff: f64,
    /// `--low`.
    pub low: f64,
    /// `--high`.
    pub high: f64,
    /// `--hz`, samples per second.
    pub hz: f64,
}

impl Edges {
    /// Whether nothing is given.
    pub fn absent(self) -> bool {
        let Self {
            cutoff,
            low,
            high,
            hz,
        } = self;
        [cutoff, low, high, hz] == [0.0; 4]
    }

    /// An edge as a fraction of half the sample rate.
    fn fraction(self, name: &str, edge: f64) -> Result<f64, String> {
        let fraction = 2.0 * edge / self.hz;
        if fraction > 0.0 && fraction < 1.0 {
            Ok(fraction)
        } else {
            Err(format!(
                "`--{name}` is {edge} Hz, but it must lie between 0 and {} Hz, half of `--hz`",
                self.hz / 2.0
            ))
        }
    }
}

impl Band {
    /// The band of `kind`: `low`, `high`, `band` or anything else for `stop`.
    ///
    /// # Errors
    /// Which edge is missing, too many, or outside 0 to half the sample rate.
    pub fn new(kind: &str, edges: Edges) -> Result<Self, String> {
        let Edges {
            cutoff,
            low,
            high,
            hz,
        } = edges;
        if hz <= 0.0 {
            return Err("give `--hz`, the samples per second".into());
        }
        if matches!(kind, "low" | "high") {
            if (low, high) != (0.0, 0.0) {
                return Err(format!(
                    "`--kind {kind}` has one edge, `--cutoff`; `--low` and `--high` are those of band and stop"
                ));
            }
            let edge = edges.fraction("cutoff", cutoff)?;
            return Ok(if kind == "low" {
                Self::Low(edge)
            } else {
                Self::High(edge)
            });
        }
        if cutoff != 0.0 {
            return Err(format!(
                "`--kind {kind}` has two edges, `--low` and `--high`, and no `--cutoff`"
            ));
        }
        let (from, to) = (edges.fraction("low", low)?, edges.fraction("high", high)?);
        if from >= to {
            return Err(format!(
                "`--low` is {low} Hz, but it must be less than `--high`, {high} Hz"
            ));
        }
        Ok(if kind == "band" {
            Self::Pass(from, to)
        } else {
            Self::Stop(from, to)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Edges = Edges {
        cutoff: 0.0,
        low: 0.0,
        high: 0.0,
        hz: 100.0,
    };

    #[test]
    fn edges_are_fractions_of_half_the_rate() {
        let one = Edges {
            cutoff: 40.0,
            ..NONE
        };
        let two = Edges {
            low: 10.0,
            high: 25.0,
            ..NONE
        };
        assert_eq!(Band::new("low", one), Ok(Band::Low(0.8)));
        assert_eq!(Band::new("high", one), Ok(Band::High(0.8)));
        assert_eq!(Band::new("band", two), Ok(Band::Pass(0.2, 0.5)));
        assert_eq!(Band::new("stop", two), Ok(Band::Stop(0.2, 0.5)));
    }

    #[test]
    fn wrong_edges_are_named() {
        let error = |kind, edges| Band::new(kind, edges).unwrap_err();
        assert_eq!(
            error(
                "low",
                Edges {
                    cutoff: 1.0,
                    hz: 0.0,
                    ..NONE
                }
            ),
            "give `--hz`, the samples per second"
        );
        for bad in [0.0, 50.0, 60.0, -1.0, f64::INFINITY] {
            assert_eq!(
                error(
                    "high",
                    Edges {
                        cutoff: bad,
                        ..NONE
                    }
                ),
                format!(
                    "`--cutoff` is {bad} Hz, but it must lie between 0 and 50 Hz, half of `--hz`"
                )
            );
        }
        assert_eq!(
            error(
                "band",
                Edges {
                    low: 30.0,
                    high: 20.0,
                    ..NONE
                }
            ),
            "`--low` is 30 Hz, but it must be less than `--high`, 20 Hz"
        );
        assert!(
            error(
                "stop",
                Edges {
                    cutoff: 3.0,
                    ..NONE
                }
            )
            .contains("two edges")
        );
        assert!(error("low", Edges { low: 3.0, ..NONE }).contains("one edge"));
    }
}
