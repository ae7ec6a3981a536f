//! Lints: what a Runefile may say, and probably should not. One file for each, and one table of them all.
//!
//! A lint looks at a [`Subject`] and reports what it finds; whether that is shown, and how, is for
//! [`Levels`] to say. None reports what an error says already, what may only follow from something that is
//! missing, or what stands in another file.

mod bad_label;
mod channel_order;
mod constant_result;
mod default_argument;
mod duplicate_edge;
mod duplicate_label;
mod duplicate_stage;
mod edit;
mod ignore;
mod ignored_argument;
mod label_count;
mod label_items;
mod levels;
mod long_list;
mod machine_path;
mod no_op_stage;
mod normalized_twice;
mod old_spelling;
mod one_item_list;
mod overlapping_stream;
mod quantization_mismatch;
mod reshape;
mod resized_twice;
mod sample_rate;
mod shadowed_name;
mod slow_transform;
mod softmax_twice;
mod subject;
#[cfg(test)]
mod testing;
mod unpinned_from;
mod unpublishable;
mod unscaled_input;
mod unused_resource;
mod window_gaps;

pub use edit::apply as apply_edits;
pub use ignore::apply as apply_ignores;
pub use levels::{Level, Levels, is_configurable};
pub use subject::Subject;

use std::collections::BTreeSet;

use rune_ir::diag::{Code, Diagnostic, Severity, has_errors};

/// One lint.
#[derive(Clone, Copy)]
pub struct Lint {
    /// What it reports.
    pub code: Code,
    /// Whether it looks for what is not there, and so has nothing to say where a part is missing.
    pub of_the_whole: bool,
    /// Reports what it finds.
    pub check: fn(&Subject<'_>, &mut Vec<Diagnostic>),
}

const fn part(code: Code, check: fn(&Subject<'_>, &mut Vec<Diagnostic>)) -> Lint {
    Lint {
        code,
        of_the_whole: false,
        check,
    }
}

const fn whole(code: Code, check: fn(&Subject<'_>, &mut Vec<Diagnostic>)) -> Lint {
    Lint {
        code,
        of_the_whole: true,
        check,
    }
}

/// Every lint, by rising code. (R1000 is about comments, and is found as they are obeyed.)
pub const LINTS: &[Lint] = &[
    part(Code::ShadowedName, shadowed_name::check),
    whole(Code::UnusedResource, unused_resource::check),
    part(Code::DuplicateLabel, duplicate_label::check),
    part(Code::LabelCount, label_count::check),
    part(Code::LabelItems, label_items::check),
    part(Code::LongList, long_list::check),
    part(Code::OneItemList, one_item_list::check),
    part(Code::SampleRate, sample_rate::check),
    part(Code::QuantizationMismatch, quantization_mismatch::check),
    part(Code::UnscaledInput, unscaled_input::check),
    part(Code::NormalizedTwice, normalized_twice::check),
    part(Code::ChannelOrder, channel_order::check),
    part(Code::SoftmaxTwice, softmax_twice::check),
    part(Code::ConstantResult, constant_result::check),
    part(Code::NoOpStage, no_op_stage::check),
    part(Code::DuplicateStage, duplicate_stage::check),
    part(Code::DuplicateEdge, duplicate_edge::check),
    part(Code::ResizedTwice, resized_twice::check),
    part(Code::WindowGaps, window_gaps::check),
    part(Code::OverlappingStream, overlapping_stream::check),
    part(Code::SlowTransform, slow_transform::check),
    part(Code::IgnoredArgument, ignored_argument::check),
    part(Code::DefaultArgument, default_argument::check),
    part(Code::OldSpelling, old_spelling::check),
    part(Code::MachinePath, machine_path::check),
    part(Code::BadLabel, bad_label::check),
    whole(Code::Unpublishable, unpublishable::check),
    part(Code::UnpinnedFrom, unpinned_from::check),
];

/// Runs every lint, and adds to `found`, which has what the checks before found, what they report, and to
/// what is there the fixes that only lints can tell.
pub fn run(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let is_whole = !subject.pipeline.partial && !subject.tree.flawed && !has_errors(found);
    let mut reported = Vec::new();
    for lint in LINTS {
        if is_whole || !lint.of_the_whole {
            (lint.check)(subject, &mut reported);
        }
    }
    let mut places = BTreeSet::new();
    let mut faulty = BTreeSet::new();
    for other in found.iter() {
        places.insert(other.primary.span);
        if other.severity == Severity::Error {
            faulty.extend(subject.instruction(other.primary.span));
        }
    }
    reported.retain(|d| {
        let span = d.primary.span;
        let instruction = subject.instruction(span);
        span.file == subject.tree.file
            && !places.contains(&span)
            && instruction.is_none_or(|instruction| !faulty.contains(&instruction))
    });
    found.append(&mut reported);
    reshape::fix(subject, found);
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn findings_stand_beside_thousands_of_faults() {
        let mut text = String::new();
        for i in 0..4_000 {
            let _ = writeln!(text, "CAPABILITY RAND r{i} --nonsense 4");
            let _ = writeln!(text, "CAPABILITY<F32[4]> rand q{i}");
            let _ = writeln!(text, "CAPABILITY<F32[4]> rand s{i} --nonsense 4");
        }
        // Where an instruction has a fault, only that is told.
        let found = testing::found(Code::OldSpelling, &text);
        assert_eq!(found.len(), 4_000);
        assert!(found[0].starts_with("3: "), "{}", found[0]);
    }
}
