//! The driver of a camera behind the ioctls of V4L2, as `linux/videodev2.h` has them. They are eight, and crates for
//! them need libclang to be built (`v4l`, `v4l2r`), bring an older `nix` (`linux-video`), or leave no place for another
//! driver beneath (`rscam`).
#![expect(unsafe_code, reason = "ioctls and shared memory")]

use std::{
    ffi::{c_long, c_void},
    io,
    marker::PhantomData,
    ptr,
};

use rustix::{
    fd::OwnedFd,
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

use super::{super::stdin::is_ready, Driver, Filled, Form, MOST_BUFFERS, MOST_BYTES};

/// `V4L2_BUF_TYPE_VIDEO_CAPTURE`, `V4L2_MEMORY_MMAP`, `V4L2_CAP_DEVICE_CAPS`.
const CAPTURE: u32 = 1;
const MMAP: u32 = 1;
const DEVICE_CAPS: u32 = 0x8000_0000;

/// An ioctl and the structure that goes with it.
struct Code<T>(Opcode, PhantomData<T>);

impl<T> Code<T> {
    const fn read(number: u8) -> Self {
        Self(opcode::read::<T>(b'V', number), PhantomData)
    }

    const fn write(number: u8) -> Self {
        Self(opcode::write::<T>(b'V', number), PhantomData)
    }

    const fn both(number: u8) -> Self {
        Self(opcode::read_write::<T>(b'V', number), PhantomData)
    }
}

const QUERYCAP: Code<Capability> = Code::read(0);
const ENUM_FMT: Code<FormatDescription> = Code::both(2);
const S_FMT: Code<Format> = Code::both(5);
const REQBUFS: Code<BufferRequest> = Code::both(8);
const QUERYBUF: Code<Buffer> = Code::both(9);
const QBUF: Code<Buffer> = Code::both(15);
const DQBUF: Code<Buffer> = Code::both(17);
const STREAMON: Code<u32> = Code::write(18);

/// `v4l2_capability`.
#[repr(C)]
#[derive(Default)]
struct Capability {
    driver: [u8; 16],
    card: [u8; 32],
    bus: [u8; 32],
    version: u32,
    capabilities: u32,
    device_caps: u32,
    reserved: [u32; 3],
}

/// `v4l2_fmtdesc`.
#[repr(C)]
#[derive(Default)]
struct FormatDescription {
    index: u32,
    kind: u32,
    flags: u32,
    description: [u8; 32],
    pixels: u32,
    bus_code: u32,
    reserved: [u32; 3],
}

/// `v4l2_format` with `v4l2_pix_format` in its union, which is aligned as pointers are.
#[repr(C)]
struct Format {
    kind: u32,
    align: [usize; 0],
    width: u32,
    height: u32,
    pixels: u32,
    field: u32,
    stride: u32,
    size: u32,
    rest: [u32; 44],
}

/// `v4l2_requestbuffers`.
#[repr(C)]
#[derive(Default)]
struct BufferRequest {
    count: u32,
    kind: u32,
    memory: u32,
    capabilities: u32,
    flags: u8,
    reserved: [u8; 3],
}

/// `v4l2_buffer` with an offset in its union, which is aligned as pointers are.
#[repr(C)]
#[derive(Default)]
struct Buffer {
    index: u32,
    kind: u32,
    used: u32,
    flags: u32,
    field: u32,
    time: [c_long; 2],
    time_code: [u32; 4],
    sequence: u32,
    memory: u32,
    align: [usize; 0],
    offset: u32,
    rest: [u32; size_of::<usize>() / 4 - 1],
    length: u32,
    reserved: [u32; 2],
}

impl Buffer {
    fn new(index: u32) -> Self {
        Self {
            index,
            kind: CAPTURE,
            memory: MMAP,
            ..Self::default()
        }
    }
}

/// A camera that is open.
pub(super) struct Kernel {
    device: OwnedFd,
    maps: Vec<Map>,
}

impl Kernel {
    pub(super) fn open(device: &str) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let device = openat(CWD, device, flags, Mode::empty())?;
        Ok(Self {
            device,
            maps: vec![],
        })
    }

    fn call<T>(&self, code: &Code<T>, value: &mut T) -> io::Result<()> {
        loop {
            let call = Call {
                code: code.0,
                value: &mut *value,
            };
            // SAFETY: a `Code` goes with the structure that the kernel reads and writes for it, and a device that is
            // no camera knows none of them.
            match unsafe { ioctl(&self.device, call) } {
                Err(Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }
}

struct Call<'a, T> {
    code: Opcode,
    value: &'a mut T,
}

// SAFETY: the kernel reads and writes `value`, a structure of integers, and nothing else.
unsafe impl<T> Ioctl for Call<'_, T> {
    type Output = ();

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.code
    }

    fn as_ptr(&mut self) -> *mut c_void {
        ptr::from_mut(self.value).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

impl Driver for Kernel {
    fn abilities(&self) -> io::Result<u32> {
        let mut capability = Capability::default();
        self.call(&QUERYCAP, &mut capability)?;
        Ok(if capability.capabilities & DEVICE_CAPS == 0 {
            capability.capabilities
        } else {
            capability.device_caps
        })
    }

    fn form(&self, index: u32) -> io::Result<Option<u32>> {
        let mut form = FormatDescription {
            index,
            kind: CAPTURE,
            ..FormatDescription::default()
        };
        match self.call(&ENUM_FMT, &mut form) {
            Ok(()) => Ok(Some(form.pixels)),
            Err(e) if Errno::from_io_error(&e) == Some(Errno::INVAL) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn set_form(&mut self, wanted: Form) -> io::Result<Form> {
        let mut format = Format {
            kind: CAPTURE,
            align: [],
            width: wanted.width,
            height: wanted.height,
            pixels: wanted.pixels,
            field: wanted.field,
            stride: wanted.stride,
            size: 0,
            rest: [0; 44],
        };
        self.call(&S_FMT, &mut format)?;
        Ok(Form {
            pixels: format.pixels,
            width: format.width,
            height: format.height,
            stride: format.stride,
            field: format.field,
        })
    }

    fn make_buffers(&mut self, count: u32) -> io::Result<Vec<usize>> {
        let mut request = BufferRequest {
            count,
            kind: CAPTURE,
            memory: MMAP,
            ..BufferRequest::default()
        };
        self.call(&REQBUFS, &mut request)?;
        if request.count as usize > MOST_BUFFERS {
            return Err(io::Error::other("its driver makes too many buffers"));
        }
        for index in 0..request.count {
            let mut buffer = Buffer::new(index);
            self.call(&QUERYBUF, &mut buffer)?;
            let map = Map::new(&self.device, buffer.length as usize, buffer.offset)?;
            self.maps.push(map);
        }
        Ok(self.maps.iter().map(|map| map.len).collect())
    }

    fn queue(&mut self, index: u32) -> io::Result<()> {
        self.call(&QBUF, &mut Buffer::new(index))
    }

    fn start(&mut self) -> io::Result<()> {
        self.call(&STREAMON, &mut CAPTURE.clone())
    }

    fn wait(&mut self) -> io::Result<bool> {
        is_ready(&self.device)
    }

    fn take(&mut self) -> io::Result<Filled> {
        let mut buffer = Buffer::new(0);
        self.call(&DQBUF, &mut buffer)?;
        Ok(Filled {
            index: buffer.index,
            used: buffer.used,
            flags: buffer.flags,
            sequence: buffer.sequence,
        })
    }

    fn copy(&self, index: usize, into: &mut [u8]) {
        self.maps[index].copy(into);
    }
}

/// A buffer of the driver, in the memory of this process. Closing the device stops the driver and takes its buffers.
struct Map {
    at: *mut c_void,
    len: usize,
}

// SAFETY: nothing in this process writes there, and reading is copying.
unsafe impl Send for Map {}

impl Map {
    fn new(device: &OwnedFd, len: usize, offset: u32) -> io::Result<Self> {
        if !(1..=MOST_BYTES).contains(&len) {
            let what = format!("its driver makes buffers of {len} bytes");
            return Err(io::Error::other(what));
        }
        // SAFETY: a new mapping at a place that the kernel chooses touches no memory that is in use.
        let at = unsafe {
            mmap(
                ptr::null_mut(),
                len,
                ProtFlags::READ,
                MapFlags::SHARED,
                device,
                offset.into(),
            )?
        };
        Ok(Self { at, len })
    }

    /// Copies the start of it, as much as there is.
    fn copy(&self, into: &mut [u8]) {
        let len = into.len().min(self.len);
        // SAFETY: `len` bytes are mapped from there until this is dropped, and `into` is memory of its own. Should
        // the driver write meanwhile, the bytes are some bytes.
        unsafe { ptr::copy_nonoverlapping(self.at.cast::<u8>(), into.as_mut_ptr(), len) };
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: it was mapped so, and no reference to it is left.
        let _ = unsafe { munmap(self.at, self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a C compiler makes of `linux/videodev2.h` where pointers have 64 bits.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn ioctls_have_the_numbers_of_the_kernel() {
        use std::mem::offset_of;
        let codes = [
            QUERYCAP.0, ENUM_FMT.0, S_FMT.0, REQBUFS.0, QUERYBUF.0, QBUF.0, DQBUF.0, STREAMON.0,
        ];
        // They hold the sizes of the structures.
        let want: [Opcode; 8] = [
            0x8068_5600,
            0xc040_5602,
            0xc0d0_5605,
            0xc014_5608,
            0xc058_5609,
            0xc058_560f,
            0xc058_5611,
            0x4004_5612,
        ];
        assert_eq!(codes, want);
        assert_eq!(offset_of!(Capability, device_caps), 0x58);
        assert_eq!(offset_of!(FormatDescription, pixels), 0x2c);
        assert_eq!(offset_of!(Format, width), 8);
        assert_eq!(offset_of!(Format, rest), 8 + 0x18);
        let offsets = [
            offset_of!(Buffer, flags),
            offset_of!(Buffer, time),
            offset_of!(Buffer, sequence),
            offset_of!(Buffer, memory),
            offset_of!(Buffer, offset),
            offset_of!(Buffer, length),
        ];
        assert_eq!(offsets, [0xc, 0x18, 0x38, 0x3c, 0x40, 0x48]);
    }

    #[test]
    fn a_file_can_stand_for_a_buffer() {
        let path = std::env::temp_dir().join(format!("rune-map-{}", std::process::id()));
        std::fs::write(&path, [7; 5000]).unwrap();
        let file = OwnedFd::from(std::fs::File::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        let map = Map::new(&file, 5000, 0).unwrap();
        let mut bytes = [0; 6000];
        map.copy(&mut bytes);
        assert_eq!(
            (&bytes[..5000], &bytes[5000..]),
            (&[7; 5000][..], &[0; 1000][..])
        );
        assert!(Map::new(&file, 0, 0).is_err() && Map::new(&file, usize::MAX, 0).is_err());
    }
}
