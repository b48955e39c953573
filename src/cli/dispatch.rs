//! From the parsed command line to its verb, and from its end to the exit code.

use std::process::ExitCode;

use super::output::Output;
use super::problem::Problem;
use super::{
    Cli, Verb, attention, check, dead, files, generate, hold, keygen, map, pause, process, queue,
    rebuild, recipient, reconcile, reload, run, seal, status,
};

/// Does what the command line says. Whatever fails was told when this returns.
pub fn dispatch(cli: &Cli) -> ExitCode {
    let global = &cli.global;
    let mut out = Output::stdout(global);
    let ended: Result<ExitCode, Problem> = match &cli.verb {
        Verb::Run => run::run(global),
        Verb::Check(args) => return ExitCode::from(check::run(&global.config, args, global.json)),
        Verb::Status => status::run(global, &mut out),
        Verb::Files(args) => files::run(global, args, &mut out),
        Verb::Queue(args) => queue::run(global, args, &mut out),
        Verb::Hold(args) => hold::run(global, args, &mut out),
        Verb::Dead(args) => dead::run(global, args, &mut out),
        Verb::Attention(args) => attention::run(global, args, &mut out),
        Verb::Pause(args) => pause::pause(global, args, &mut out),
        Verb::Resume(args) => pause::resume(global, args, &mut out),
        Verb::Map(args) => map::run(global, args, &mut out),
        Verb::Process(args) => process::run(global, args, &mut out),
        Verb::Reload => reload::run(global, &mut out),
        Verb::Rebuild(args) => rebuild::run(global, args, &mut out),
        Verb::Reconcile(args) => reconcile::run(global, args, &mut out),
        Verb::Seal(args) => seal::run(global, args, &mut out),
        Verb::Keygen(args) => keygen::run(global, args, &mut out),
        Verb::Recipient(args) => recipient::run(global, args, &mut out),
        Verb::Generate(args) => generate::run(args, &mut out),
    };
    ended.unwrap_or_else(|problem| problem.tell(global.json))
}
