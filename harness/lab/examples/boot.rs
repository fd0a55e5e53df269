use std::time::*;
use tunnelproof_lab::{image::*, world::*, machine::*, link};
fn main() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|a| a == inside::COMMAND) {
        let ch = inside::enter(args).unwrap();
        let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        while let Some(m) = ch.receive::<serde_json::Value>().unwrap() {
            if m == "sleep" { let t = Instant::now(); std::thread::sleep(Duration::from_secs(7200)); ch.send(&format!("{:?}", t.elapsed())).unwrap(); }
            else if m == "big" { let s = "x".repeat(1_000_000); ch.send(&s).unwrap(); }
            else if m == "ns" { rt.block_on(async {
                let a = Machine::new("a", None).await.unwrap(); let b = Machine::new("b", None).await.unwrap();
                link::connect(link::End{machine:&a,interface:"x",station:1}, link::End{machine:&b,interface:"y",station:2}).await.unwrap();
                ch.send(&"ns ok").unwrap(); }) }
            else if let Some(p) = m.as_str().filter(|m| m.starts_with("/")) { rt.block_on(async {
                let a = Machine::new("c", Some(FileTree{root:p.into(), logs:"/tmp/boot".into()})).await.unwrap();
                let f = a.finish({ let mut c = std::process::Command::new("/bin/sh"); c.args(["-c", "ls /; ls /run; ip a; mount; date"]); c }).await.unwrap();
                ch.send(&f.text).unwrap(); }) }
            else { ch.send(&m).unwrap(); }
        }
        inside::leave();
    }
    std::fs::create_dir_all("/tmp/boot").unwrap();
    let store = Store::open(default_root().unwrap());
    let world = World::Guest(store.lookup(Name::Kernel).unwrap());
    let t = Instant::now();
    let mut w = Worker::start(&world, &std::env::current_exe().unwrap(), &inside::Place { writable: "/tmp/boot".into() }).unwrap();
    println!("{:?} listening", t.elapsed());
    w.send(&"y".repeat(300_000)).unwrap(); match w.receive::<String>(Duration::from_secs(9)) { Said::Message(m) => println!("{}", m.len()), o => println!("{o:?}") } println!("{:?} 300 kB", t.elapsed());
    for m in std::env::args().skip(1).chain(["hello".to_string(), "sleep".into(), "ns".into()]) {
        w.send(&m).unwrap();
        match w.receive::<serde_json::Value>(Duration::from_secs(20)) { Said::Message(v) => { let s = v.to_string(); println!("{:?} {}", t.elapsed(), s[..s.len().min(3000)].replace("\\n", "\n")) }, o => { println!("{:?} {}", o, w.ended("x")); return } }
    }
    println!("{}", w.ended("still"));
}
