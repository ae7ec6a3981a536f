//! RAND: numbers from a seed, the same on every machine.

use std::time::Instant;

use rune_abi::{Capability, Param, Value};
use rune_core::{Rand, RandError};

use super::{Read, Source, SourceError, unfit};

/// A generator for the capability at `index` of the manifest: capabilities of one seed have streams of
/// their own, the first of them that of the seed itself. Without a value the seed is 0.
pub(super) fn open(
    capability: &Capability,
    index: usize,
    values: &[String],
) -> Result<Box<dyn Source>, SourceError> {
    let seed = match values {
        [] => 0,
        [text] => text.parse::<u64>().map_err(|_| {
            SourceError::new(
                format_args!("--rand {text}"),
                "a seed is a whole number from 0 to 18446744073709551615",
            )
        })?,
        _ => {
            return Err(SourceError::new(
                "--rand",
                format_args!("`{}` takes one seed", capability.name),
            ));
        }
    };
    let range = (bound(capability, "min", 0.0), bound(capability, "max", 1.0));
    match Rand::new(capability.ty.element(), range, index, seed) {
        Ok(rand) => Ok(Box::new(rand)),
        Err(error @ RandError::Texts) => Err(unfit(capability, error)),
        Err(error @ RandError::Range(..)) => Err(SourceError::new(
            format_args!("RAND `{}`", capability.name),
            error,
        )),
    }
}

fn bound(capability: &Capability, name: &str, default: f64) -> f64 {
    match capability.params.iter().find(|p| p.name == name) {
        Some(Param {
            value: Value::Float(x),
            ..
        }) => *x,
        Some(Param {
            value: Value::Integer(n),
            ..
        }) => *n as f64,
        _ => default,
    }
}

impl Source for Rand {
    fn read(&mut self, out: &mut [u8], _: Instant) -> Result<Read, SourceError> {
        self.fill(out);
        Ok(Read::Sample)
    }

    fn is_endless(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use rune_abi::{CapabilityKind, Dim, ElementType, TensorType};

    use super::*;

    fn capability(element: ElementType, range: &[(&str, f64)]) -> Capability {
        Capability {
            kind: CapabilityKind::Rand,
            name: "rand".to_owned(),
            ty: TensorType::new(element, &[Dim::Exact(1000)]).unwrap(),
            params: range
                .iter()
                .map(|(name, x)| Param {
                    name: (*name).to_owned(),
                    value: Value::Float(*x),
                })
                .collect(),
        }
    }

    fn numbers(capability: &Capability, index: usize, seed: &str) -> Vec<u8> {
        let mut out = vec![0; capability.ty.bytes() as usize];
        let mut source = open(capability, index, &[seed.to_owned()]).unwrap();
        assert_eq!(source.read(&mut out, Instant::now()), Ok(Read::Sample));
        out
    }

    #[test]
    fn floats_stay_in_their_range_and_spread_over_it() {
        let capability = capability(ElementType::F32, &[("min", -2.0), ("max", 2.0)]);
        let floats: Vec<f32> = numbers(&capability, 0, "1")
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        assert!(floats.iter().all(|x| (-2.0..2.0).contains(x)));
        let mean = floats.iter().sum::<f32>() / 1000.0;
        assert!(mean.abs() < 0.15, "{mean}");
        assert!(floats.iter().any(|x| *x < -1.9) && floats.iter().any(|x| *x > 1.9));
    }

    #[test]
    fn a_seed_is_a_stream_and_every_capability_has_its_own() {
        let capability = capability(ElementType::I16, &[]);
        assert_eq!(numbers(&capability, 0, "7"), numbers(&capability, 0, "7"));
        assert_ne!(numbers(&capability, 0, "7"), numbers(&capability, 0, "8"));
        assert_ne!(numbers(&capability, 0, "7"), numbers(&capability, 1, "7"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let error = |c: &Capability, v: &[&str]| {
            let values: Vec<String> = v.iter().map(|v| (*v).to_owned()).collect();
            open(c, 0, &values).err().unwrap().to_string()
        };
        let floats = capability(ElementType::F32, &[("min", 1.0), ("max", 1.0)]);
        assert!(error(&floats, &[]).contains("min 1 is not below its max 1"));
        let texts = capability(ElementType::Utf8, &[]);
        assert!(error(&texts, &[]).contains("not of numbers"));
        let integers = capability(ElementType::U8, &[]);
        assert!(error(&integers, &["x"]).contains("--rand x: a seed is"));
        assert!(error(&integers, &["1", "2"]).contains("takes one seed"));
    }
}
