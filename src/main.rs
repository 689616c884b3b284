//! One executable for every job; see [`northwind::jobs`].

fn main() {
    std::process::exit(northwind::jobs::main(std::env::args_os()));
}
