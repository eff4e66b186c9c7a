// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Leaks and frees by what Rust's standard library does with its allocator; says what it leaked.
use std::io::{BufRead, Write};

const ROUNDS: usize = 400;

/// The same value, and the compiler does not know (std's own is not in Debian 11 and 12).
#[inline(never)]
fn black_box<T>(value: T) -> T {
    let same = unsafe { std::ptr::read_volatile(&value) };
    std::mem::forget(value);
    same
}

#[repr(align(64))]
struct Aligned(#[allow(dead_code)] [u8; 192]);

#[no_mangle]
#[inline(never)]
pub fn leak_box(_: usize) -> usize {
    black_box(Box::leak(Box::new(black_box([7u64; 5]))));
    40
}

#[no_mangle]
#[inline(never)]
pub fn leak_vec(size: usize) -> usize {
    std::mem::forget(black_box(Vec::<u8>::with_capacity(size)));
    size
}

#[no_mangle]
#[inline(never)]
pub fn leak_grown(size: usize) -> usize {
    let mut vec = Vec::<u8>::with_capacity(1);
    vec.reserve_exact(size);
    let capacity = vec.capacity();
    std::mem::forget(black_box(vec));
    capacity
}

#[no_mangle]
#[inline(never)]
pub fn leak_zeroed(size: usize) -> usize {
    std::mem::forget(black_box(vec![0u8; size]));
    size
}

#[no_mangle]
#[inline(never)]
pub fn leak_aligned(_: usize) -> usize {
    black_box(Box::leak(Box::new(Aligned(black_box([1; 192])))));
    192
}

#[no_mangle]
#[inline(never)]
pub fn churn_string(size: usize) -> usize {
    drop(black_box("x".repeat(size)));
    drop(black_box(Box::new(Aligned([2; 192]))));
    0
}

fn hear() -> String {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    line
}

fn main() {
    let sites: [(&str, fn(usize) -> usize, usize); 6] = [
        ("leak_box", leak_box, 1),
        ("leak_vec", leak_vec, 1),
        ("leak_grown", leak_grown, 1),
        ("leak_zeroed", leak_zeroed, 1),
        ("leak_aligned", leak_aligned, 1),
        ("churn_string", churn_string, 0),
    ];
    let mut sums = [0usize; 6];

    println!("ready {}", std::process::id());
    std::io::stdout().flush().unwrap();
    if hear() != "go\n" {
        std::process::exit(9);
    }
    for round in 1..=ROUNDS {
        for (site, sum) in sites.iter().zip(sums.iter_mut()) {
            *sum += (black_box(site.1))(round * 7 % 5000 + 1);
        }
    }
    let rows: Vec<String> = sites
        .iter()
        .zip(sums.iter())
        .map(|(site, sum)| {
            format!("{{\"function\":\"{}\",\"bytes\":{},\"blocks\":{}}}", site.0, sum, site.2 * ROUNDS)
        })
        .collect();
    println!("{{\"sites\":[{}]}}", rows.join(","));
    hear();
}
