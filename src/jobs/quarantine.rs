//! `quarantine list|show|replay|prune`: what `rejected` and `replay-rejected` do, under the word that people look for. In the books and in
//! summaries it is those jobs.

use clap::{Arg, ArgMatches, Command};

use crate::exit::Exit;
use crate::jobs::{Job, Kind, rejected, replay};
use crate::tables::Pipeline;

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    let (rejected, replay) = (rejected::job(pipeline), replay::job(pipeline));
    let about = "List, show, replay and prune rejected records (rejected, replay-rejected)";
    let command = Command::new("quarantine")
        .about(about)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(subcommands(&rejected.command, &replay.command));
    let run = move |matches: &ArgMatches| match matches.subcommand() {
        Some(("replay", matches)) => (replay.run)(matches),
        Some((_, matches)) => (rejected.run)(matches),
        None => Exit::Usage.code(),
    };
    Job { name: "quarantine".to_owned(), about: about.to_owned(), kind: Kind::Tool, command, run: Box::new(run) }
}

fn subcommands(rejected: &Command, replay: &Command) -> [Command; 4] {
    let of = |job: &Command, name: &'static str, about: &'static str, example: &'static str| {
        let example = format!("Example:\n  quarantine {name} {example}");
        job.clone().name(name).about(about).before_help(example)
    };
    let hidden = |arg: Arg| arg.hide(true);
    // What is asked for stands behind the command, not behind a flag.
    let asked_for = |arg: Arg| arg.long(None::<&'static str>).required(true);
    [
        of(rejected, "list", "What lies in quarantine", "--table orders --since 1d").mut_args(move |arg| {
            if ["show", "prune", "prune_ledger"].contains(&arg.get_id().as_str()) { hidden(arg) } else { arg }
        }),
        of(rejected, "show", "One record, whole", "0:1234 --table orders")
            .mut_arg("show", asked_for)
            .mut_arg("prune", hidden)
            .mut_arg("prune_ledger", hidden),
        of(replay, "replay", "Judge records again, and write what is good now", "--table orders"),
        of(rejected, "prune", "Remove records that were closed so long ago", "90d")
            .mut_arg("prune", asked_for)
            .mut_arg("show", hidden),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<ArgMatches, clap::Error> {
        let command = job(Pipeline::embedded()).command;
        command.try_get_matches_from([&["quarantine"], arguments].concat())
    }

    #[test]
    fn what_is_asked_for_needs_no_flag() {
        for (arguments, id, raw) in [
            (&["show", "0:1234", "--table", "orders"][..], "show", "0:1234"),
            (&["prune", "90d"], "prune", "90d"),
            (&["list", "--table", "orders"], "table", "orders"),
            (&["replay", "--table", "orders"], "table", "orders"),
        ] {
            let matches = parse(arguments).unwrap();
            let (_, matches) = matches.subcommand().unwrap();
            let given: Vec<_> = matches.get_raw(id).unwrap().collect();
            assert_eq!(given, [raw], "{arguments:?}");
        }
        for wrong in [&["show"][..], &["prune"], &["list", "0:1234"], &["throw"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
