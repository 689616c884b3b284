//! One executable for every job; see [`lockstep::jobs`].

fn main() {
    std::process::exit(lockstep::jobs::main(std::env::args_os()));
}
