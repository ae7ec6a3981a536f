//! `TFLite_Detection_PostProcess`, a custom operator whose options are a map.

use rune_ir::op::{Detection, Op};

use super::{Read, ReadOp, Reader};
use crate::{
    error::{ImportError, unreadable, unsupported_form},
    flexbuffer::Map,
};

/// Most boxes of a class, where the options do not say.
const PER_CLASS: u32 = 100;
/// Most slots of the outputs.
const MAX_SLOTS: u32 = 1 << 16;

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "CUSTOM TFLite_Detection_PostProcess" => |r| r.detection(),
        _ => return None,
    })
}

impl Reader<'_, '_> {
    fn detection(&mut self) -> Result<Read, ImportError> {
        let options = self.operator.custom_options()?;
        let map = options
            .and_then(|options| Map::read(options.bytes()))
            .ok_or_else(|| unreadable("its options are no map"))?;
        let count = |name: &str| {
            let value = map.int(name);
            value
                .and_then(|value| u32::try_from(value).ok())
                .ok_or_else(|| unsupported_form(format!("its {name} is {value:?}")))
        };
        let number = |name: &str| {
            let value = map.float(name);
            value
                .map(|value| value as f32)
                .ok_or_else(|| unsupported_form(format!("it has no {name}")))
        };
        let per_class = if map.int("detections_per_class").is_some() {
            count("detections_per_class")?
        } else {
            PER_CLASS
        };
        let detection = Detection {
            scales: [
                number("y_scale")?,
                number("x_scale")?,
                number("h_scale")?,
                number("w_scale")?,
            ],
            classes: count("num_classes")?,
            most: count("max_detections")?,
            classes_each: count("max_classes_per_detection")?,
            per_class,
            regular: map.bool("use_regular_nms").unwrap_or(false),
            score: number("nms_score_threshold")?,
            overlap: number("nms_iou_threshold")?,
        };
        let slots = detection
            .most
            .checked_mul(detection.classes_each)
            .filter(|slots| *slots <= MAX_SLOTS)
            .ok_or_else(|| {
                let Detection {
                    most, classes_each, ..
                } = detection;
                unsupported_form(format!("it finds {most} boxes of {classes_each} classes"))
            })?;
        self.set_shape(0, vec![1, slots, 4])?;
        self.set_shape(1, vec![1, slots])?;
        self.set_shape(2, vec![1, slots])?;
        self.set_shape(3, vec![1])?;
        Ok(Read::Op(Op::Detection(detection)))
    }
}
