"""Writes golden.txt: packets by the codec of PyPI's `smp` (4.2.0), which others wrote.

    pip install smp==4.2.0 && python golden.py > golden.txt
"""

from smp import (
    enumeration_management as en,
    file_management as fs,
    header,
    image_management as im,
    os_management as osm,
    settings_management as st,
    statistics_management as stat,
)

V1, V2 = header.Version.V1, header.Version.V2
SHA = bytes(range(32))
requests = {
    "echo": osm.EchoWriteRequest(sequence=1, d="hello"),
    "reset": osm.ResetWriteRequest(sequence=2),
    "reset force": osm.ResetWriteRequest(sequence=3, force=1),
    "parameters": osm.MCUMgrParametersReadRequest(sequence=4),
    "info": osm.OSApplicationInfoReadRequest(sequence=5, format="sr"),
    "images": im.ImageStatesReadRequest(sequence=6),
    "test": im.ImageStatesWriteRequest(sequence=7, hash=SHA),
    "confirm": im.ImageStatesWriteRequest(sequence=8, confirm=True),
    "first part": im.ImageUploadWriteRequest(
        sequence=9, off=0, data=b"part", image=1, len=1000, sha=SHA, upgrade=True
    ),
    "next part": im.ImageUploadWriteRequest(sequence=10, off=4, data=b"of it"),
    "erase": im.ImageEraseRequest(sequence=11, slot=3),
    "statistics": stat.GroupDataRequest(sequence=12, name="rune"),
    "statistics groups": stat.ListOfGroupsRequest(sequence=13),
    "read setting": st.ReadSettingRequest(sequence=14, name="device/name", max_size=20),
    "write setting": st.WriteSettingRequest(sequence=15, name="device/name", val=b"cat"),
    "delete setting": st.DeleteSettingRequest(sequence=16, name="device/name"),
    "commit settings": st.CommitSettingsRequest(sequence=17),
    "load settings": st.LoadSettingsRequest(sequence=18),
    "save settings": st.SaveSettingsRequest(sequence=19),
    "upload file": fs.FileUploadRequest(sequence=20, name="/a", off=0, data=b"x", len=1),
    "download file": fs.FileDownloadRequest(sequence=21, name="/a", off=7),
    "file status": fs.FileStatusRequest(sequence=22, name="/a"),
    "close file": fs.FileCloseRequest(sequence=23),
    "group count": en.GroupCountRequest(sequence=24),
    "groups": en.ListOfGroupsRequest(sequence=25),
    "group at": en.GroupIdRequest(sequence=26, index=2),
    "group details": en.GroupDetailsRequest(sequence=27),
    "of version 1": osm.EchoWriteRequest(sequence=28, version=V1, d=""),
}
state = im.ImageState(
    image=1,
    slot=0,
    version="1.2.3",
    hash=SHA,
    bootable=True,
    pending=False,
    confirmed=True,
    active=True,
    permanent=False,
)
replies = {
    "echo": osm.EchoWriteResponse(sequence=1, r="hello"),
    "done": osm.ResetWriteResponse(sequence=2),
    "parameters": osm.MCUMgrParametersReadResponse(sequence=4, buf_size=1024, buf_count=2),
    "info": osm.OSApplicationInfoReadResponse(sequence=5, output="RunicOS"),
    "images": im.ImageStatesReadResponse(sequence=6, images=[state, state]),
    "uploaded": im.ImageUploadWriteResponse(sequence=9, off=70000),
    "all uploaded": im.ImageUploadWriteResponse(sequence=9, off=70000, match=True),
    "statistics": stat.GroupDataResponse(
        sequence=12, name="rune", fields={"calls": 7, "us": 2**40}
    ),
    "statistics groups": stat.ListOfGroupsResponse(sequence=13, stat_list=("rune", "os")),
    "setting": st.ReadSettingResponse(sequence=14, val=b"cat"),
    "file": fs.FileDownloadResponse(sequence=21, off=0, data=b"xy", len=2),
    "file status": fs.FileStatusResponse(sequence=22, len=300),
    "group count": en.GroupCountResponse(sequence=24, count=3),
    "groups": en.ListOfGroupsResponse(sequence=25, groups=(0, 1, 300)),
    "group at": en.GroupIdResponse(sequence=26, group=10, end=True),
    "group details": en.GroupDetailsResponse(
        sequence=27, groups=(en.GroupDetails(group=0, name="os", handlers=4),)
    ),
}
for kind, packets in (("request", requests), ("reply", replies)):
    for name, packet in packets.items():
        print(f"{kind} {bytes(packet.BYTES).hex()} {name}")
