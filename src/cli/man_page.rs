//! One man page of the command or a verb: clap's, with the values of options in its synopsis, files,
//! examples, and where to read on.

use std::io;

use clap::{Arg, Command};

const FILES: &str = r".SH FILES
.TP
/etc/odoo\-spoold/config.toml
the settings: odoo\-spoold.toml(5)
.TP
/etc/credstore.encrypted/odoo\-spoold.keys
the keys, sealed to this host; a host that seals none has /etc/odoo\-spoold/keys.toml
.TP
/var/spool/odoo\-spoold/ACCOUNT/incoming
where files are dropped; done/ and rejected/ beside it say what became of them
.TP
/var/lib/odoo\-spoold
what the daemon remembers, sealed; its own
.TP
/run/odoo\-spoold.sock
the control socket, for the group odoo\-spoold\-ctl
";

const EXAMPLES: &str = r".SH EXAMPLES
.nf
# what an order would become; nothing is kept
odoo\-spoold process \-\-sample \-\-account eu
# drop a report
odoo\-spoold seal \-\-account eu \-\-output /var/spool/odoo\-spoold/eu/incoming orders.txt
# how it stands, and what orders wait for
odoo\-spoold status
odoo\-spoold hold list
odoo\-spoold explain sku
.fi
";

/// The page as roff.
pub(super) fn page(command: &Command, name: &str, section: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let own = command.clone().display_name(name.to_owned());
    clap_mangen::Man::new(own).section(section).render(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let head = lines.iter().position(|line| line == ".SH SYNOPSIS");
    if let Some(line) = head.and_then(|at| lines.get_mut(at.saturating_add(1))) {
        *line = synopsis(command, name);
    }
    let mut page = lines.join("\n");
    page.push('\n');
    let top = !name.contains(' ') && name.matches('-').count() == 1;
    let mut others = vec![r"\fBodoo\-spoold.toml\fR(5)", r"\fBodoo\-spoold\-errors\fR(7)"];
    if top {
        page.push_str(FILES);
        page.push_str(EXAMPLES);
    } else {
        others.insert(0, r"\fBodoo\-spoold\fR(8)");
    }
    page.push_str(".SH SEE ALSO\n");
    page.push_str(&others.join(", "));
    page.push('\n');
    Ok(page.into_bytes())
}

/// The command, its options with their values, and its arguments in the order they are taken.
fn synopsis(command: &Command, name: &str) -> String {
    let spoken = command.get_bin_name().unwrap_or(name);
    let mut parts = vec![format!(r"\fB{}\fR", dashes(spoken))];
    let required: Vec<Vec<&Arg>> = command
        .get_groups()
        .filter(|group| group.is_required_set())
        .map(|group| {
            let members = group.get_args();
            members
                .filter_map(|id| command.get_arguments().find(|arg| arg.get_id() == id))
                .collect()
        })
        .collect();
    let grouped = |arg: &Arg| required.iter().flatten().any(|one| one.get_id() == arg.get_id());
    let shown = |arg: &&Arg| !arg.is_hide_set() && !grouped(arg);
    for arg in command.get_opts().chain(flags(command)).filter(shown) {
        let said = option(arg);
        parts.push(if arg.is_required_set() { said } else { format!("[{said}]") });
    }
    for arg in command.get_positionals().filter(shown) {
        let said = format!(r"\fI{}\fR", value(arg));
        parts.push(if arg.is_required_set() { said } else { format!("[{said}]") });
    }
    for group in &required {
        let either = group.iter().map(|arg| {
            if arg.is_positional() { format!(r"\fI{}\fR", value(arg)) } else { option(arg) }
        });
        parts.push(format!("{{{}}}", either.collect::<Vec<_>>().join("|")));
    }
    if command.has_subcommands() {
        let verb = r"\fICOMMAND\fR";
        let needed = command.is_subcommand_required_set();
        parts.push(if needed { verb.to_owned() } else { format!("[{verb}]") });
    }
    parts.join(" ")
}

fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    let valued = |arg: &&Arg| arg.is_positional() || arg.get_action().takes_values();
    command.get_arguments().filter(move |arg| !valued(arg))
}

/// `-c|--config FILE`.
fn option(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!(r"\fB\-{short}\fR"));
    let long = arg.get_long().map(|long| format!(r"\fB\-\-{}\fR", dashes(long)));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let names = names.join("|");
    if arg.get_action().takes_values() { format!(r"{names} \fI{}\fR", value(arg)) } else { names }
}

fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let name =
        names.first().map_or_else(|| arg.get_id().as_str().to_uppercase(), ToString::to_string);
    dashes(&name)
}

fn dashes(text: &str) -> String {
    text.replace('-', r"\-")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn of(verbs: &[&str]) -> String {
        let mut command = super::super::Cli::command().disable_help_subcommand(true);
        command.build();
        let (mut at, mut name) = (&command, "odoo-spoold".to_owned());
        for verb in verbs {
            at = at.find_subcommand(verb).unwrap();
            name = format!("{name}-{verb}");
        }
        String::from_utf8(page(at, &name, "8").unwrap()).unwrap()
    }

    #[test]
    fn night_f14_a_page_names_files_examples_values_and_where_to_read_on() {
        let top = of(&[]);
        assert!(top.contains(r"[\fB\-c\fR|\fB\-\-config\fR \fIFILE\fR]"), "{top}");
        for head in [".SH FILES", ".SH EXAMPLES", ".SH SEE ALSO"] {
            assert_eq!(top.matches(head).count(), 1, "{head}");
        }
        assert!(top.contains(r"odoo\-spoold.toml\fR(5)") && top.contains(r"errors\fR(7)"));
        assert!(!top.contains(r"spoold\-help"), "a page that does not exist");
        let release = of(&["hold", "release"]);
        let line = release.lines().find(|line| line.contains("hold release")).unwrap();
        let (account, order) = (line.find("ACCOUNT").unwrap(), line.find("ORDER").unwrap());
        assert!(account < order, "{line}");
        assert!(release.contains(r"\fBodoo\-spoold\fR(8)"), "{release}");
    }
}
