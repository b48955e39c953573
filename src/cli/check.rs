//! `odoo-spoold check`: prints what [`crate::check`] found.
//!
//! A table for people, grouped by area, next steps under what is not fine; `--json` for scripts.
//! Ends with 0 where nothing fails, 78 where settings or keys are wrong, else 1.

use std::io::{self, IsTerminal as _, Write};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use serde_json::json;

use crate::check::{Area, Options, Report, Row, State, run as look};
use crate::config::{ConfigError, EXIT_CONFIG, Settings};
use crate::control::client::Patience;
use crate::control::wire::Concern;
use crate::model::AccountId;

use super::Global;
use super::ask::connect;
use super::keystore::load;
use super::output::{clean, clean_json, clean_lines};
use super::problem::EXIT_FAILED;

/// How long the daemon may take to say what only it knows.
const ASK: Duration = Duration::from_secs(3);

/// Proves that what is configured can work, and says what to do.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// Create what is safe to create: fee products, missing pricelists, spool folders
    #[arg(long)]
    pub fix: bool,
    /// Look at this account only
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<AccountId>,
}

/// Looks at everything and prints it to standard output; the exit code.
pub fn run(global: &Global, args: &Args) -> u8 {
    let (config, json) = (&global.config(), global.json);
    let out = io::stdout();
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (report, code) = match Settings::load(config) {
        Ok(settings) => {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build()
            else {
                say(writeln!(io::stderr(), "odoo-spoold: this host gives no more resources"));
                return 1;
            };
            if stranger(&settings) {
                return root_needed(json);
            }
            let keys = load(global, &settings);
            let options =
                Options { fix: args.fix, account: args.account.clone(), config: config.clone() };
            let mut report = runtime.block_on(look(&settings, &keys, &options));
            report.rows.extend(daemon_rows(global, &settings));
            let code = report.exit_code();
            (report, code)
        }
        Err(ConfigError::Unreadable { source, .. })
            if source.kind() == io::ErrorKind::PermissionDenied
                && !rustix::process::geteuid().is_root() =>
        {
            return root_needed(json);
        }
        Err(error) => {
            if json {
                let text = format!("{:#}", json!({ "error": error.to_string() }));
                say(writeln!(out.lock(), "{}", clean_json(&text)));
            } else {
                say(writeln!(io::stderr(), "{}", clean_lines(&error.to_string(), "")));
            }
            return EXIT_CONFIG;
        }
    };
    let printed = if json {
        print_json(&report, &mut out.lock())
    } else if global.quiet {
        print_rows(&report, State::is_news, &mut out.lock(), colour)
    } else {
        print_table(&report, &mut out.lock(), colour)
    };
    say(printed);
    code
}

/// Whether the state is somebody else's: then nothing of what is looked at can be seen, neither keys nor
/// folders, and each would look like a fault of its own.
fn stranger(settings: &Settings) -> bool {
    let me = rustix::process::geteuid();
    let owner = std::fs::metadata(&settings.state.dir).map(|state| state.uid());
    !me.is_root() && owner.is_ok_and(|owner| owner != me.as_raw())
}

/// Says who may look.
fn root_needed(json: bool) -> u8 {
    let text = "run this as root: `sudo odoo-spoold check`; keys and folders are the daemon's own";
    if json {
        let text = format!("{:#}", json!({ "error": text }));
        say(writeln!(io::stdout().lock(), "{}", clean_json(&text)));
    } else {
        say(writeln!(io::stderr(), "error: {text}"));
    }
    EXIT_FAILED
}

/// What the running daemon knows of its disks, its journal and its clock, and nobody can see from here.
fn daemon_rows(global: &Global, settings: &Settings) -> Vec<Row> {
    let asked = connect(global.is_systems(), &settings.control.socket, Patience::of(ASK))
        .and_then(|client| client.status());
    let concerns = asked.map(|status| status.concerns).unwrap_or_default();
    concerns.into_iter().filter(|concern| concern.kind.is_risk()).map(risk_row).collect()
}

fn risk_row(concern: Concern) -> Row {
    let (detail, next) = match concern.text.rsplit_once("; ") {
        Some((detail, next)) => (detail.to_owned(), next.to_owned()),
        None => (concern.text, "odoo-spoold status".to_owned()),
    };
    Row {
        area: Area::Daemon,
        account: None,
        what: concern.kind.name().to_owned(),
        state: State::Warn,
        detail,
        next_step: Some(next),
    }
}

/// Whoever reads may go away early: that is no failure of what was looked at.
fn say(printed: io::Result<()>) {
    drop(printed);
}

/// The report as one JSON object.
pub fn print_json(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let count = |state| report.count(state);
    let whole = json!({
        "ok": count(State::Ok),
        "fixed": count(State::Fixed),
        "warn": count(State::Warn),
        "fail": count(State::Fail),
        "exit_code": report.exit_code(),
        "rows": report.rows,
    });
    writeln!(out, "{}", clean_json(&format!("{whole:#}")))
}

/// The report for people.
pub fn print_table(report: &Report, out: &mut impl Write, colour: bool) -> io::Result<()> {
    print_rows(report, |_| true, out, colour)?;
    let count = |state| report.count(state);
    writeln!(
        out,
        "\n{} fail, {} warn, {} fixed, {} ok",
        count(State::Fail),
        count(State::Warn),
        count(State::Fixed),
        count(State::Ok)
    )
}

/// The rows of some states; nothing where there are none.
fn print_rows(
    report: &Report,
    wanted: impl Fn(State) -> bool,
    out: &mut impl Write,
    colour: bool,
) -> io::Result<()> {
    let rows = || report.rows.iter().filter(|row| wanted(row.state));
    let width = rows().map(|row| label(row).chars().count()).max().unwrap_or_default();
    let width = width.min(MAX_LABEL_CHARS);
    let mut area = None;
    for row in rows() {
        if area != Some(row.area) {
            if area.is_some() {
                writeln!(out)?;
            }
            writeln!(out, "{}", row.area.name())?;
            area = Some(row.area);
        }
        let indent = " ".repeat(width.saturating_add(10));
        // A fault of the settings spans lines and shows the place: keep its shape.
        // Names of Odoo stand in it, and whatever else somebody typed there.
        let detail = clean_lines(&row.detail, &indent);
        writeln!(out, "  {}  {:width$}  {detail}", painted(row.state, colour), label(row))?;
        if let Some(next) = &row.next_step {
            writeln!(out, "{indent}→ {}", clean_lines(next, &format!("{indent}  ")))?;
        }
    }
    Ok(())
}

/// Longer labels push their own detail to the right, not everybody's.
const MAX_LABEL_CHARS: usize = 44;

fn label(row: &Row) -> String {
    match &row.account {
        Some(account) => clean(&format!("{account}: {}", row.what)),
        None => clean(&row.what),
    }
}

fn painted(state: State, colour: bool) -> String {
    let word = match state {
        State::Ok => "ok   ",
        State::Fixed => "fixed",
        State::Warn => "warn ",
        State::Fail => "FAIL ",
    };
    let code = match state {
        _ if !colour => return word.to_owned(),
        State::Ok => "32",
        State::Fixed => "36",
        State::Warn => "33",
        State::Fail => "1;31",
    };
    format!("\u{1b}[{code}m{word}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let row =
            |area, account: Option<&str>, what: &str, state, detail: &str, next: Option<&str>| {
                Row {
                    area,
                    account: account.map(|id| id.parse().unwrap()),
                    what: what.to_owned(),
                    state,
                    detail: detail.to_owned(),
                    next_step: next.map(str::to_owned),
                }
            };
        Report {
            rows: vec![
                row(Area::Server, None, "reachable", State::Ok, "https://h, encrypted", None),
                row(Area::Server, None, "clock", State::Warn, "90 s apart", Some("follow NTP")),
                row(Area::Products, Some("eu"), "rounding R", State::Fail, "a\nb", Some("do")),
            ],
            configuration_wrong: false,
        }
    }

    fn table(colour: bool) -> String {
        let mut out = Vec::new();
        print_table(&report(), &mut out, colour).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn next_steps_stand_under_what_is_not_fine() {
        let expected = "\
server
  ok     reachable       https://h, encrypted
  warn   clock           90 s apart
                         → follow NTP

products
  FAIL   eu: rounding R  a
                         b
                         → do

1 fail, 1 warn, 0 fixed, 1 ok
";
        assert_eq!(table(false), expected.replace("                         ", &" ".repeat(24)));
        assert!(table(true).contains("\u{1b}[1;31mFAIL \u{1b}[0m"));
    }

    /// Whoever names things in Odoo does not steer the terminal of whoever checks.
    #[test]
    fn audit_29_names_of_odoo_steer_no_terminal() {
        let mut report = report();
        let escape = "\u{1b}]0;x\u{7}\u{9b}31m\r";
        for row in &mut report.rows {
            row.what = format!("Sales {escape}");
            row.detail = format!("\"{escape}\" stands\nin \u{202e}{escape}");
            row.next_step = Some(escape.to_owned());
        }
        let mut table = Vec::new();
        print_table(&report, &mut table, false).unwrap();
        let mut json = Vec::new();
        print_json(&report, &mut json).unwrap();
        for printed in [table, json] {
            let text = String::from_utf8(printed).unwrap();
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        }
    }

    #[test]
    fn night_p10_quiet_prints_only_what_is_not_ok() {
        let mut out = Vec::new();
        print_rows(&report(), State::is_news, &mut out, false).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("clock") && text.contains("rounding R"), "{text}");
        assert!(!text.contains("reachable") && !text.contains(" ok"), "{text}");
        let mut report = report();
        report.rows.retain(|row| row.state == State::Ok);
        let mut out = Vec::new();
        print_rows(&report, State::is_news, &mut out, false).unwrap();
        assert!(out.is_empty(), "{out:?}");
    }

    #[test]
    fn night_p4_what_the_daemon_knows_of_its_journal_is_a_row() {
        use crate::control::wire::ConcernKind;
        let text = "the decision journal ends 31 entries early: put it back; then `odoo-spoold \
                    attention dismiss eu --code journal-damaged`";
        let row = risk_row(Concern::attention(ConcernKind::Journal, 1, text));
        assert_eq!(
            (row.area, row.state, row.what.as_str()),
            (Area::Daemon, State::Warn, "journal")
        );
        assert!(row.detail.ends_with("put it back"), "{row:?}");
        assert!(row.next_step.unwrap().starts_with("then `odoo-spoold attention dismiss eu"));
    }

    #[test]
    fn json_holds_rows_and_the_exit_code() {
        let mut out = Vec::new();
        print_json(&report(), &mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&json["fail"], &json["exit_code"]), (&json!(1), &json!(1)));
        let last = &json["rows"][2];
        assert_eq!((&last["area"], &last["state"]), (&json!("products"), &json!("fail")));
        assert_eq!((&last["account"], &last["next_step"]), (&json!("eu"), &json!("do")));
        assert_eq!(json["rows"][0].get("next_step"), None);
    }
}
