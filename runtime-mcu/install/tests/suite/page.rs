//! The tables of the page on installing are drawn from the table of transitions. `BLESS=1` writes them.

use std::{collections::BTreeSet, env, fs, path::Path};

use rune_install::{
    Event, Phase,
    table::{self, TABLE, When},
};

/// Ends what is written by hand.
const MARKER: &str = "<!-- What follows is made of `runtime-mcu/install/src/table.rs`: run `cargo xtask bless`. -->\n";

#[test]
fn the_page_on_installing_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/installing.md");
    let text = fs::read_to_string(&path).unwrap();
    let (by_hand, made) = text.split_once(MARKER).expect("the marker is there");
    let mut due = String::from("\n");
    table::markdown(&mut due).unwrap();
    if env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{by_hand}{MARKER}{due}")).unwrap();
    } else {
        assert_eq!(made, due, "{}: run `cargo xtask bless`", path.display());
    }
}

#[test]
fn the_table_is_unambiguous_and_every_state_is_reached_and_left() {
    let mut seen = BTreeSet::new();
    for row in TABLE {
        for spent in [false, true] {
            let found = table::find(row.from, row.on, spent);
            let counts = row.when == When::Always || (row.when == When::Spent) == spent;
            assert!(!counts || found == Some(row), "{row:?}");
        }
        let when = row.when as u8;
        assert!(seen.insert((row.from, row.on, when)), "twice: {row:?}");
    }
    for phase in Phase::ALL {
        assert!(
            TABLE.iter().any(|r| r.from == *phase && r.to != *phase),
            "{phase}"
        );
        assert!(
            TABLE.iter().any(|r| r.to == *phase && r.from != *phase),
            "{phase}"
        );
    }
    for event in Event::ALL {
        assert!(TABLE.iter().any(|r| r.on == *event), "{event}");
    }
}
