use tunnelproof_lab::image::*;
fn main() {
    let store = Store::open(default_root().unwrap());
    let t = std::time::Instant::now();
    let progress = |i: &str, s: &str, d: Option<(u64, u64)>| if d.is_none_or(|(a, b)| a == 0 || a == b) { eprintln!("{:.1} {i}: {s} {d:?}", t.elapsed().as_secs_f64()) };
    match store.ensure(&Name::ALL, &progress) { Ok(i) => for i in i { println!("{:?}", i.path) }, Err(e) => { eprintln!("{e}"); std::process::exit(3) } }
}
