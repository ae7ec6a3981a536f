//! The signal operators of TensorFlow Lite Micro and its circular buffer, whose options are maps by name.

use rune_ir::{
    graph::Variable,
    op::{
        Op,
        signal::{Signal, SpectralSubtraction},
    },
};

use super::{Read, ReadOp, Reader};
use crate::{
    error::{ImportError, unreadable, unsupported_form},
    flexbuffer::Map,
};

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "CUSTOM SignalWindow" => |r| {
            let shift = r.map()?.natural("shift")?;
            r.signal(Signal::Window { shift })
        },
        "CUSTOM SignalFftAutoScale" => |r| r.signal(Signal::FftAutoScale),
        "CUSTOM SignalRfft" => |r| {
            let length = r.map()?.natural("fft_length")?;
            r.signal(Signal::Rfft { length })
        },
        "CUSTOM SignalIrfft" => |r| {
            let length = r.map()?.natural("fft_length")?;
            r.signal(Signal::Irfft { length })
        },
        "CUSTOM SignalEnergy" => |r| {
            let map = r.map()?;
            let (start, end) = (map.natural("start_index")?, map.natural("end_index")?);
            r.signal(Signal::Energy { start, end })
        },
        "CUSTOM SignalFilterBank" => |r| {
            let channels = r.map()?.natural("num_channels")?;
            r.signal(Signal::FilterBank { channels })
        },
        "CUSTOM SignalFilterBankSquareRoot" => |r| r.signal(Signal::SquareRoot),
        "CUSTOM SignalFilterBankSpectralSubtraction" => |r| r.spectral_subtraction(),
        "CUSTOM SignalPCAN" => |r| {
            let shift = r.map()?.natural("snr_shift")?;
            r.signal(Signal::Pcan { shift })
        },
        "CUSTOM SignalFilterBankLog" => |r| {
            let map = r.map()?;
            let correction_bits = map.natural("input_correction_bits")?;
            let scale = map.integer("output_scale")?;
            r.signal(Signal::Log {
                correction_bits,
                scale,
            })
        },
        "CUSTOM SignalFramer" => |r| {
            let map = r.map()?;
            let (size, step) = (map.natural("frame_size")?, map.natural("frame_step")?);
            let filled = map.flag("prefill")?;
            r.signal(Signal::Framer { size, step, filled })
        },
        "CUSTOM SignalStacker" => |r| {
            let map = r.map()?;
            let channels = map.natural("num_channels")?;
            let left = map.natural("stacker_left_context")?;
            let right = map.natural("stacker_right_context")?;
            let step = map.natural("stacker_step")?;
            r.signal(Signal::Stacker {
                channels,
                left,
                right,
                step,
            })
        },
        "CUSTOM SignalOverlapAdd" => |r| {
            let step = r.map()?.natural("frame_step")?;
            r.signal(Signal::OverlapAdd { step })
        },
        "CUSTOM SignalDelay" => |r| {
            let length = r.map()?.natural("delay_length")?;
            r.signal(Signal::Delay { length })
        },
        "CUSTOM CIRCULAR_BUFFER" => |r| r.circular_buffer(),
        _ => return None,
    })
}

/// The options of a custom operator.
struct Options<'a>(Map<'a>);

impl Options<'_> {
    fn integer(&self, name: &str) -> Result<i32, ImportError> {
        let given = self.0.int(name);
        let given = given.ok_or_else(|| unreadable(format!("its options lack `{name}`")))?;
        i32::try_from(given)
            .map_err(|_| unsupported_form(format!("its `{name}` of {given} is too large")))
    }

    fn natural(&self, name: &str) -> Result<u32, ImportError> {
        let given = self.integer(name)?;
        u32::try_from(given).map_err(|_| unsupported_form(format!("its `{name}` is {given}")))
    }

    fn flag(&self, name: &str) -> Result<bool, ImportError> {
        let given = self.0.bool(name);
        given.ok_or_else(|| unreadable(format!("its options lack `{name}`")))
    }
}

impl<'a> Reader<'_, 'a> {
    fn map(&self) -> Result<Options<'a>, ImportError> {
        let bytes = self
            .operator
            .custom_options()?
            .map_or(&[][..], |o| o.bytes());
        let map = Map::read(bytes).ok_or_else(|| unreadable("its options are no map"))?;
        Ok(Options(map))
    }

    /// The node, its outputs' shapes and its variables.
    fn signal(&mut self, signal: Signal) -> Result<Read, ImportError> {
        let x = self.input(0)?.clone();
        let results = signal.results(&x).map_err(unsupported_form)?;
        for (output, (_, shape)) in results.into_iter().enumerate() {
            self.set_shape(output, shape)?;
        }
        for kept in signal.keeps(&x).map_err(unsupported_form)? {
            rune_ir::op::check_shape(kept.name, &kept.shape).map_err(unsupported_form)?;
            let elements: u32 = kept.shape.iter().product();
            let bytes = elements as usize * kept.ty.size() as usize;
            self.importer.keep(bytes)?;
            self.variables
                .push(self.tensors.graph.variables.push(Variable {
                    name: kept.name.to_owned(),
                    ty: kept.ty,
                    shape: kept.shape,
                    quantization: None,
                    initial: vec![kept.initial; bytes].into(),
                }));
        }
        Ok(Read::Op(Op::Signal(signal)))
    }

    fn spectral_subtraction(&mut self) -> Result<Read, ImportError> {
        let map = self.map()?;
        let smoothing = [
            ["smoothing", "one_minus_smoothing"],
            ["alternate_smoothing", "alternate_one_minus_smoothing"],
        ];
        let factors =
            |[new, old]: [&str; 2]| Ok::<_, ImportError>([map.natural(new)?, map.natural(old)?]);
        let attributes = SpectralSubtraction {
            smoothing: [factors(smoothing[0])?, factors(smoothing[1])?],
            smoothing_bits: map.natural("smoothing_bits")?,
            clamping: map.flag("clamping")?,
            min_signal_remaining: map.natural("min_signal_remaining")?,
            bits: map.natural("spectral_subtraction_bits")?,
        };
        self.signal(Signal::SpectralSubtraction(attributes))
    }

    /// TensorFlow Lite Micro runs the operators behind a circular buffer only in one of `cycles_max` calls. So
    /// there may be none, unless that is every call.
    fn circular_buffer(&mut self) -> Result<Read, ImportError> {
        let &[output] = &self.outputs[..] else {
            return Err(unreadable(format!("it has {} outputs", self.outputs.len())));
        };
        // The output is marked as kept in the file, which the variable is here.
        let shape = &self.tensors.import_kept(output)?.shape;
        let slots = *shape
            .get(1)
            .ok_or_else(|| unsupported_form(format!("its output has the shape {shape:?}")))?;
        let cycles = match self.map() {
            Ok(map) => map.integer("cycles_max")?,
            Err(_) => 0,
        };
        // Without options, these are the sizes that TensorFlow Lite Micro takes for every call.
        let always = cycles == 1 || (cycles <= 0 && [5, 13, 25].contains(&slots));
        if !always && self.importer.behind() > 0 {
            return Err(unsupported_form(
                "the operators behind it rest in some calls (its `cycles_max` is not 1)",
            ));
        }
        self.signal(Signal::CircularBuffer { slots })
    }
}
