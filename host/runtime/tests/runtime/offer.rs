//! Sources that the host brings itself, beside flags and policies.

use std::fs;

use rune_abi::{CapabilityKind, ElementType};
use rune_runtime::{Call, Elements, GrantError, Limits, Offer, Policy, Rune, Source, SourceFlag};

use crate::support::{
    INPUT, RECORD, Zeros, capability, flags, folder, manifest, output, record, text, ty, wasm,
};

/// A rune that reads `left` and `right`, RAW of four bytes, and writes the right one.
fn pair() -> Rune {
    let ty = ty(ElementType::U8, &[4]);
    let sides = ["left", "right"].map(|name| capability(CapabilityKind::Raw, name, ty));
    let read = |index| {
        format!("(drop (call $read (i32.const {index}) (i32.const {INPUT}) (i32.const 4)))")
    };
    let call = format!(
        "{} {} (call $write (i32.const 0) (i32.const {RECORD}))",
        read(0),
        read(1)
    );
    let manifest = manifest(sides.to_vec(), vec![output("serial", &[ty])]);
    Rune::load(wasm(&text(&manifest, &call, &record(INPUT, &ty)))).unwrap()
}

fn own(name: &str) -> (String, Box<dyn Source>) {
    (name.to_owned(), Box::new(Zeros(1)))
}

fn refusal(offer: Offer<'_>) -> String {
    let Err(GrantError::Flags(what)) = pair().grant_offer(offer) else {
        panic!("it was granted");
    };
    what
}

#[test]
fn own_sources_flags_and_policies_feed_one_rune() {
    let folder = folder("offer", "together");
    let file = folder.join("right.bin");
    fs::write(&file, [1, 2, 3, 4]).unwrap();
    let policy = "version = 1\n[limits]\nmemory-bytes = 65536\n[capabilities.right]\nkind = \"RAW\"\nfolder = \".\"\nfiles = [\"right.bin\"]\n";
    fs::write(folder.join("policy.toml"), policy).unwrap();
    let policy = Policy::load(&folder.join("policy.toml")).unwrap();
    // The first flag of a kind is for the first capability that nothing else feeds.
    let by_flag = flags(&[(CapabilityKind::Raw, file.to_str().unwrap())]);
    let discard = ["discard".to_owned()];
    for (policy, by_flag, outs) in [
        (None, &by_flag[..], &[][..]),
        (Some(&policy), &[], &discard),
    ] {
        let rune = pair();
        let grants = rune.grant_offer(Offer {
            policy,
            sources: vec![own("left")],
            flags: by_flag,
            outs,
            limits: Limits::default(),
        });
        let mut instance = rune.start(grants.unwrap(), Box::new(|_, _| {})).unwrap();
        let Call::Output(records) = instance.call().unwrap() else {
            panic!("it wrote nothing");
        };
        let right = &records[0].tensors[0].elements;
        assert_eq!(*right, Elements::Numbers(vec![1, 2, 3, 4]));
    }
}

#[test]
fn a_source_for_nothing_or_for_what_has_one_is_refused() {
    let sources = |names: &[&str]| names.iter().map(|name| own(name)).collect();
    let offer = Offer {
        sources: sources(&["middle"]),
        ..Offer::default()
    };
    assert_eq!(
        refusal(offer),
        "there is no `middle` to feed: the rune reads RAW `left` (U8[4]) and RAW `right` (U8[4])"
    );
    let offer = Offer {
        sources: sources(&["left", "left"]),
        ..Offer::default()
    };
    assert_eq!(refusal(offer), "`left` is given two sources");
    let named = flags(&[(CapabilityKind::Raw, "left=a.bin")]);
    let offer = Offer {
        sources: sources(&["left"]),
        flags: &named,
        ..Offer::default()
    };
    assert_eq!(refusal(offer), "`left` is given two sources");
    let Err(GrantError::Refused(missing)) = pair().grant_offer(Offer {
        sources: sources(&["left"]),
        ..Offer::default()
    }) else {
        panic!("it was granted");
    };
    assert_eq!(
        missing,
        ["the rune reads RAW `right` (U8[4]): give --raw right=FILE"]
    );
}

#[test]
fn flags_go_by_their_names() {
    let kind = |name| SourceFlag::new(name, "x").map(|flag| flag.kind);
    assert_eq!(kind("accel"), Some(CapabilityKind::Accel));
    assert_eq!(kind("--float-image"), Some(CapabilityKind::FloatImage));
    assert_eq!(kind("acc"), None);
    assert_eq!(kind(""), None);
}
