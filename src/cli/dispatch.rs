//! From the parsed command line to its verb, and from its end to the exit code.

use std::process::ExitCode;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::output::Output;
use super::problem::Problem;
use super::{
    Cli, Global, Verb, attention, check, dead, explain, files, generate, hold, keygen, keys, map,
    pause, process, queue, rebuild, recipient, reconcile, reload, run, seal, setup, status, unit,
};

/// Does what the command line says. Whatever fails was told when this returns.
pub fn dispatch(cli: &Cli) -> ExitCode {
    let global = &cli.global;
    if let Err(problem) = close_memory() {
        return problem.tell(global.json);
    }
    let mut out = Output::stdout(global);
    let ended: Result<ExitCode, Problem> = match &cli.verb {
        Verb::Run => run::run(global),
        Verb::Setup(args) => setup::run(global, args, &mut out),
        Verb::Keys(args) => keys::run(global, args, &mut out),
        Verb::Account(args) => setup::add(global, args, &mut out),
        Verb::Check(args) => return ExitCode::from(check::run(global, args)),
        Verb::Status(args) => status::run(global, args, &mut out),
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
        Verb::Explain(args) => explain::run(args, &mut out),
        Verb::Generate(args) => generate::run(args, &mut out),
    };
    ended.unwrap_or_else(|problem| with_unit(problem, global).tell(global.json))
}

/// Where the daemon says nothing, what systemd says of it.
fn with_unit(problem: Problem, global: &Global) -> Problem {
    let silent = problem.is("control-broken") || problem.is("not-running");
    let unit = (silent && global.is_systems()).then(|| unit::look(unit::PATIENCE)).flatten();
    match unit {
        None => problem,
        Some(unit) => {
            let refusal = unit.refusal();
            // One that was only stopped is started: that advice stands already.
            let look = refusal.is_some() || problem.is("control-broken");
            let said = refusal.unwrap_or_else(|| format!("systemd says: {}", unit.words()));
            let problem = problem.also(&said);
            if look { problem.next("journalctl -u odoo-spoold -n 20") } else { problem }
        }
    }
}

/// No core is written of this process, and its memory and environment are root's to look at, not its
/// own user's: from here on there are keys and buyers in them. A limit of cores alone would leave
/// both to who is told of a crash through a pipe.
fn close_memory() -> Result<(), Problem> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| {
        Problem::new("host", format!("this process cannot close its memory to others: {error}"))
    })
}
