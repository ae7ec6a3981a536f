//! Packets as `PyPI`'s `smp` writes them: see `golden.py`.

use rune_smp::{
    Code, Download, FileUpload, GroupCode, GroupDetails, Header, ImageState, Op, Reply, Request,
    SetState, Setting, Unreadable, Upload, Version, WriteSetting, group,
};

const SHA: [u8; 32] = {
    let mut sha = [0; 32];
    let mut i = 0;
    while i < 32 {
        sha[i] = i as u8;
        i += 1;
    }
    sha
};

/// The packets of a kind, with their names.
fn golden(kind: &str) -> Vec<(&'static str, Vec<u8>)> {
    let lines = include_str!("golden.txt").lines();
    let packets = lines.filter_map(|line| {
        let (_, rest) = line.split_once(' ').filter(|(k, _)| *k == kind)?;
        let (hex, name) = rest.split_once(' ').expect("a packet and its name");
        let bytes = (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("two digits"));
        Some((name, bytes.collect()))
    });
    packets.collect()
}

fn request(name: &str) -> Request<'static> {
    match name {
        "echo" => Request::Echo("hello"),
        "of version 1" => Request::Echo(""),
        "reset" => Request::Reset { force: false },
        "reset force" => Request::Reset { force: true },
        "parameters" => Request::Parameters,
        "info" => Request::Info("sr"),
        "images" => Request::Images,
        "test" => Request::SetImage(SetState {
            sha256: Some(SHA),
            confirm: false,
        }),
        "confirm" => Request::SetImage(SetState {
            sha256: None,
            confirm: true,
        }),
        "first part" => Request::Upload(Upload {
            image: 1,
            offset: 0,
            length: Some(1000),
            sha256: Some(&SHA),
            upgrade: true,
            anew: false,
            data: b"part",
        }),
        "next part" => Request::Upload(Upload {
            image: 0,
            offset: 4,
            length: None,
            sha256: None,
            upgrade: false,
            anew: false,
            data: b"of it",
        }),
        "erase" => Request::Erase(Some(3)),
        "statistics" => Request::Statistics("rune"),
        "statistics groups" => Request::StatisticsGroups,
        "read setting" => Request::ReadSetting(Setting {
            name: "device/name",
            most: Some(20),
        }),
        "write setting" => Request::WriteSetting(WriteSetting {
            name: "device/name",
            value: b"cat",
        }),
        "delete setting" => Request::DeleteSetting("device/name"),
        "commit settings" => Request::CommitSettings,
        "load settings" => Request::LoadSettings,
        "save settings" => Request::SaveSettings,
        "upload file" => Request::UploadFile(FileUpload {
            name: "/a",
            offset: 0,
            length: Some(1),
            data: b"x",
        }),
        "download file" => Request::DownloadFile(Download {
            name: "/a",
            offset: 7,
        }),
        "file status" => Request::FileStatus("/a"),
        "close file" => Request::CloseFile,
        "group count" => Request::GroupCount,
        "groups" => Request::Groups,
        "group at" => Request::GroupAt(2),
        "group details" => Request::GroupDetails,
        name => panic!("there is no request {name}"),
    }
}

#[test]
fn requests_of_others_are_read() {
    let packets = golden("request");
    assert_eq!(packets.len(), 28);
    for (name, packet) in packets {
        let (header, body) = Header::decode(&packet).expect("it is a packet");
        assert_eq!(
            Request::decode(&header, body),
            Ok(Some(request(name))),
            "{name}"
        );
        let version = if name == "of version 1" {
            Version::V1
        } else {
            Version::V2
        };
        assert_eq!(header.version, version);
        // Every cut is told from the whole.
        for end in 0..packet.len() {
            assert_eq!(Header::decode(&packet[..end]), None, "{name}, {end}");
        }
        if body != b"\xa0" {
            for end in 1..body.len() {
                assert_eq!(Request::decode(&header, &body[..end]), Err(Unreadable));
            }
        }
    }
}

fn reply<'o>(name: &str, reply: Reply<'o>) -> &'o [u8] {
    let image = ImageState {
        image: 1,
        slot: 0,
        version: [1, 2, 3],
        sha256: SHA,
        bootable: true,
        pending: false,
        confirmed: true,
        active: true,
        permanent: false,
    };
    let os = GroupDetails {
        group: 0,
        name: "os",
        commands: 4,
    };
    match name {
        "echo" => reply.echo("hello"),
        "done" => reply.done(),
        "parameters" => reply.parameters(1024, 2),
        "info" => reply.info(&["RunicOS"]),
        "images" => reply.images([image, image]),
        "uploaded" => reply.uploaded(70_000, None),
        "all uploaded" => reply.uploaded(70_000, Some(true)),
        "statistics" => reply.statistics("rune", [("us", 1 << 40), ("calls", 7)]),
        "statistics groups" => reply.statistics_groups(["rune", "os"]),
        "setting" => reply.setting(b"cat"),
        "file" => reply.file(0, b"xy", Some(2)),
        "file status" => reply.file_status(300),
        "group count" => reply.group_count(3),
        "groups" => reply.groups([0, 1, 300]),
        "group at" => reply.group_at(10, true),
        "group details" => reply.group_details([os]),
        name => panic!("there is no reply {name}"),
    }
}

#[test]
fn replies_are_those_of_others() {
    let packets = golden("reply");
    assert_eq!(packets.len(), 16);
    for (name, packet) in packets {
        let (header, _) = Header::decode(&packet).expect("it is a packet");
        let op = match header.op {
            Op::ReadReply => Op::Read,
            Op::WriteReply => Op::Write,
            Op::Read | Op::Write => panic!("{name} is no reply"),
        };
        let request = Header { op, ..header };
        let mut out = [0; 512];
        let to = Reply::to(&request, &mut out).expect("a request is answered");
        assert_eq!(reply(name, to), packet, "{name}");
        // In less memory it is an error that says so, or nothing.
        for room in 0..packet.len() {
            let mut out = vec![0; room];
            let to = Reply::to(&request, &mut out).expect("a request is answered");
            let short = reply(name, to);
            if room < 13 {
                assert!(short.is_empty() || packet.len() <= 13, "{name}, {room}");
            } else {
                assert_eq!(&short[8..], b"\xa1\x62rc\x07", "{name}, {room}");
            }
        }
        assert!(Reply::to(&header, &mut out).is_none());
    }
}

#[test]
fn errors_are_those_of_the_version() {
    let error = GroupCode {
        group: group::IMAGE,
        number: 300,
        nearest: Code::BadState,
    };
    for (version, body) in [
        (Version::V1, &b"\xa1\x62rc\x06"[..]),
        (
            Version::V2,
            b"\xa1\x63err\xa2\x62rc\x19\x01\x2c\x65group\x01",
        ),
    ] {
        let request = Header {
            op: Op::Write,
            version,
            group: group::IMAGE,
            sequence: 3,
            command: 1,
        };
        let mut out = [0; 64];
        let to = Reply::to(&request, &mut out).expect("a request is answered");
        let (header, written) = Header::decode(to.group_error(error)).expect("it is a packet");
        assert_eq!((written, header.sequence), (body, 3));
    }
}

/// Nothing that comes makes it panic, and what is read lies within what came.
#[test]
fn no_packet_makes_it_panic() {
    let packets = golden("request");
    let mut state = 7u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut read = 0;
    for _ in 0..1_000_000 {
        let mut packet = packets[next(packets.len())].1.clone();
        for _ in 0..next(4) {
            let at = next(packet.len());
            packet[at] = next(256) as u8;
        }
        let Some((header, body)) = Header::decode(&packet) else {
            continue;
        };
        if let Ok(Some(request)) = Request::decode(&header, body) {
            read += 1;
            if let Request::Upload(upload) = request {
                assert!(upload.data.len() <= body.len());
            }
        }
    }
    assert!(read > 100_000, "{read} were requests");
}
