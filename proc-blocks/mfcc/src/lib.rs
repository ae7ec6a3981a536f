//! `mfcc`.
