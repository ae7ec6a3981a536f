//! `rune serve` over Bluetooth Low Energy, with a central that others wrote, and one that does what it should not.

use std::fs;

use ed25519_compact::{KeyPair, Seed};
use rune_runtime::serve::Manage;
use rune_testsuite::{
    qemu::{Boot, Firmware, Machine, missing},
    skip,
};
use serde_json::json;

use crate::{
    Folder, Served,
    air::{self, Air},
    clients::{Address, Clients},
    hex, rune, upload,
};

/// A folder that is served to whoever is near, and where it is.
fn served(clients: &Clients, keys: &[&str]) -> (Air, Served, Address) {
    let air = Air::new(&clients.python(), 2);
    let served = Served::new(&Manage {
        ble: Some(format!("tcp:{}", air.controllers[0])),
        keys: keys.iter().map(|key| key.parse().unwrap()).collect(),
        ..Manage::default()
    });
    let id = fs::read_to_string(served.folder.0.join("served/device-id")).unwrap();
    let id = u128::from_str_radix(id.trim(), 16).unwrap().to_be_bytes();
    let address = Address::Ble {
        controller: air.controllers[1].clone(),
        address: air::address(&id),
    };
    (air, served, address)
}

#[test]
fn a_served_folder_is_managed_over_bluetooth() {
    let Some(clients) = Clients::find("a_served_folder_is_managed_over_bluetooth") else {
        return;
    };
    let (_air, _served, address) = served(clients, &[]);
    let folder = Folder::new();
    upload(clients, &address, "linux", 33, &rune(&folder, 1));
}

#[test]
fn what_a_central_does_wrong_leaves_the_service_up() {
    let Some(clients) = Clients::find("what_a_central_does_wrong_leaves_the_service_up") else {
        return;
    };
    let (_air, served, address) = served(clients, &[]);
    let folder = Folder::new();
    let file = rune(&folder, 1);
    let told = clients.script("central.py", &address, &file);
    assert_eq!(
        told,
        json!({"pieces": true, "rubbish": true, "cut": true, "gone": true, "protocol": true, "channels": true}),
        "{:?}",
        served.said.lock().unwrap()
    );
    upload(clients, &address, "linux", 33, &file);
    assert!(
        !served
            .said
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains("SMP over")),
        "{:?}",
        served.said.lock().unwrap()
    );
}

#[test]
fn a_locked_folder_refuses_a_central() {
    let Some(clients) = Clients::find("a_locked_folder_refuses_a_central") else {
        return;
    };
    let key = KeyPair::from_seed(Seed::new([1; 32])).pk;
    let (_air, _served, address) = served(clients, &[&format!("ed25519:{}", hex(&key[..]))]);
    let folder = Folder::new();
    let told = clients.script("refused.py", &address, &rune(&folder, 1));
    // What reads is answered, and the rest with EACCESSDENIED.
    assert_eq!(
        told,
        json!({"mode": "locked", "echo": "here", "upload": 11, "test": 11, "erase": 11, "stop": 11, "images": []})
    );
}

#[test]
fn a_board_is_managed_over_bluetooth() {
    const TEST: &str = "a_board_is_managed_over_bluetooth";
    let Some(clients) = Clients::find(TEST) else {
        return;
    };
    if let Some(why) = missing() {
        return skip(TEST, &why);
    }
    let firmware = Firmware::build(&["ble"]).unwrap();
    let air = Air::new(&clients.python(), 2);
    let (host, port) = air.controllers[0].split_once(':').unwrap();
    let line = format!("socket,id=hci,host={host},port={port}");
    let boot = Boot {
        more: &["-nic", "none", "-chardev", &line, "-serial", "chardev:hci"],
        ..Boot::default()
    };
    let _machine = Machine::boot(&firmware, &boot).unwrap();
    let address = Address::Ble {
        controller: air.controllers[1].clone(),
        address: air::address(b"an500\0"),
    };
    let folder = Folder::new();
    upload(clients, &address, "mps2-an500", 7, &rune(&folder, 1));
}
