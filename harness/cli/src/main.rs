use runner::*;
fn main() {
    let mut args = std::env::args_os().skip(1);
    let first = args.next().unwrap();
    if first == lab::world::inside::COMMAND { runner::worker(args) }
    let scenario = scenario::load(std::path::Path::new(&first)).unwrap_or_else(|e| { eprintln!("{e}"); std::process::exit(2) });
    let store = lab::image::Store::open(lab::image::default_root().unwrap());
    let cells = scenario.cells();
    let names = images(&cells);
    let images = store.ensure(&names, &|_: &str, _: &str, _: Option<(u64,u64)>| ()).unwrap();
    let world = lab::world::choose(lab::world::Choice::Auto, &store).unwrap().world(&store).unwrap();
    struct P(std::time::Instant);
    impl Progress for P { fn doing(&self, c: &str, w: &str) { if !w.starts_with("hold:") { eprintln!("{:.3} {c}: {w}", self.0.elapsed().as_secs_f64()) } } fn done(&self, r: &record::CellRecord) { eprintln!("{:.3} {}: {} {}", self.0.elapsed().as_secs_f64(), r.id, r.verdict, r.reason) } }
    let r = run(&Run { world, images, jobs: 2, out: "target/proof/x".into(), program: std::env::current_exe().unwrap() }, &cells, &P(std::time::Instant::now())).unwrap();
    report::write(&r, std::path::Path::new("target/proof/x")).unwrap();
}
