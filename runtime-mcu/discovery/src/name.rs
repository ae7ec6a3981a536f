//! Names: those that a board answers for, and reading those of messages.

/// A name that a board answers for, or the end of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Local,
    Udp,
    /// `_mcumgr._udp.local`
    Service,
    /// `_sub._mcumgr._udp.local`
    Sub,
    /// `_rune._sub._mcumgr._udp.local`
    Runes,
    /// `NAME._mcumgr._udp.local`
    Instance,
    DnsSd,
    /// `_services._dns-sd._udp.local`
    Services,
    /// `NAME.local`
    Host,
}

impl Name {
    pub(crate) const COUNT: usize = 9;

    /// Those that somebody may ask for.
    const ASKED: [Self; 5] = [
        Self::Service,
        Self::Runes,
        Self::Instance,
        Self::Services,
        Self::Host,
    ];

    /// Its first label; `name` is the board's.
    pub(crate) const fn label(self, name: &str) -> &str {
        match self {
            Self::Local => "local",
            Self::Udp => "_udp",
            Self::Service => "_mcumgr",
            Self::Sub => "_sub",
            Self::Runes => "_rune",
            Self::DnsSd => "_dns-sd",
            Self::Services => "_services",
            Self::Instance | Self::Host => name,
        }
    }

    /// What follows its first label.
    pub(crate) const fn rest(self) -> Option<Self> {
        match self {
            Self::Local => None,
            Self::Udp | Self::Host => Some(Self::Local),
            Self::Service | Self::DnsSd => Some(Self::Udp),
            Self::Instance | Self::Sub => Some(Self::Service),
            Self::Runes => Some(Self::Sub),
            Self::Services => Some(Self::DnsSd),
        }
    }

    /// The labels, from the first on.
    fn labels(self, name: &str) -> impl Iterator<Item = &[u8]> {
        core::iter::successors(Some(self), |part| part.rest())
            .map(move |part| part.label(name).as_bytes())
    }
}

/// A message that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The labels of a name in a message. It ends, whatever the message: a name is at most 255 bytes long, and a pointer
/// leads to before the name and every pointer so far.
#[derive(Clone)]
struct Labels<'m> {
    message: &'m [u8],
    at: usize,
    before: usize,
    bytes: usize,
    pointers: u8,
    /// Where the name ends, once it is known.
    end: Option<usize>,
}

/// Most bytes of a name.
const NAME_BYTES: usize = 255;
/// Most pointers of a name.
const POINTERS: u8 = 16;

impl<'m> Labels<'m> {
    fn at(message: &'m [u8], at: usize) -> Self {
        Self {
            message,
            at,
            before: at,
            bytes: NAME_BYTES,
            pointers: POINTERS,
            end: None,
        }
    }

    /// The next label; `None` at the end.
    fn next(&mut self) -> Result<Option<&'m [u8]>, Malformed> {
        loop {
            let first = *self.message.get(self.at).ok_or(Malformed)?;
            let low = usize::from(first & 0x3F);
            match first >> 6 {
                0 => {
                    self.at += 1;
                    self.bytes = self.bytes.checked_sub(low + 1).ok_or(Malformed)?;
                    if low == 0 {
                        self.end.get_or_insert(self.at);
                        return Ok(None);
                    }
                    let label = self.message.get(self.at..self.at + low).ok_or(Malformed)?;
                    self.at += low;
                    return Ok(Some(label));
                }
                3 => {
                    let second = *self.message.get(self.at + 1).ok_or(Malformed)?;
                    let target = low << 8 | usize::from(second);
                    self.end.get_or_insert(self.at + 2);
                    self.pointers = self.pointers.checked_sub(1).ok_or(Malformed)?;
                    if target >= self.before {
                        return Err(Malformed);
                    }
                    (self.at, self.before) = (target, target);
                }
                _ => return Err(Malformed),
            }
        }
    }

    /// Whether the labels from here on are these.
    fn are<'a>(mut self, labels: impl Iterator<Item = &'a [u8]>) -> Result<bool, Malformed> {
        for label in labels {
            let found = self.next()?;
            if !found.is_some_and(|found| found.eq_ignore_ascii_case(label)) {
                return Ok(false);
            }
        }
        Ok(self.next()?.is_none())
    }
}

/// Reads the name at a place of a message: which of ours it is, if any, and where it ends.
pub(crate) fn read(
    message: &[u8],
    at: usize,
    name: &str,
) -> Result<(Option<Name>, usize), Malformed> {
    let start = Labels::at(message, at);
    let mut whole = start.clone();
    while whole.next()?.is_some() {}
    let mut found = None;
    for ours in Name::ASKED {
        if start.clone().are(ours.labels(name))? {
            found = Some(ours);
        }
    }
    Ok((found, whole.end.ok_or(Malformed)?))
}
