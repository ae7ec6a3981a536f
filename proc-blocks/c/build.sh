#!/bin/sh
# Makes ../sdk/lib/librune_block.a, which is committed, with Debian's rustc-web and LLVM 19.
set -eu
cd "$(dirname "$0")"
target=${CARGO_TARGET_DIR:-../target}
export RUSTC="${RUSTC:-/usr/bin/rustc}" RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Ctarget-cpu=mvp -Ctarget-feature=+mutable-globals,+sign-ext,+nontrapping-fptoint,+bulk-memory
    --remap-path-prefix=$HOME/.cargo/registry/src=crates"
"${CARGO:-/usr/bin/cargo}" build --release --target wasm32-unknown-unknown -Zbuild-std=core -p rune-block-c
work=$target/librune_block
rm -rf "$work" ../sdk/lib/librune_block.a
mkdir -p "$work"
# One object of these functions and what they call; a linker takes of it what a block calls.
archive=$PWD/$target/wasm32-unknown-unknown/release/librune_block_c.a
case $target in /*) archive=$target/wasm32-unknown-unknown/release/librune_block_c.a ;; esac
(cd "$work" && llvm-ar-19 x "$archive" "$(llvm-ar-19 t "$archive" | grep '^rune_block_c')")
wasm-ld-19 -r "$work"/rune_block_c*.o "$archive" -o "$work/all.o"
llvm-strip-19 --strip-debug "$work/all.o" -o "$work/rune_block.o"
llvm-ar-19 --format=gnu rcsD ../sdk/lib/librune_block.a "$work/rune_block.o"
"$RUSTC" --version >../sdk/lib/librune_block.txt
wasm-ld-19 --version >>../sdk/lib/librune_block.txt
