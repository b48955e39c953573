//! The man page of `config.toml`: the example, which names every key, set as it is written.
//!
//! Does not check the example: `config` has a test that reads it.

/// The page's name: section 5 is for files.
pub(super) const FILE_NAME: &str = "odoo-spoold.toml.5";

/// Every key and its default.
const EXAMPLE: &str = include_str!("../../config.example.toml");

const HEAD: &str = r#".TH odoo-spoold.toml 5
.SH NAME
odoo\-spoold.toml \- settings of odoo\-spoold
.SH SYNOPSIS
/etc/odoo\-spoold/config.toml
.SH DESCRIPTION
The settings are one TOML file. It holds no secrets: those come in a systemd credential or a keys file of its own.
.PP
Check it with
.BR odoo\-spoold\-check (8);
apply it with
.BR odoo\-spoold\-reload (8)
or
.BR "systemctl reload odoo\-spoold" ,
which fails if the new settings are refused. The old ones hold on then.
.SH EVERY KEY
.nf
"#;

const FOOT: &str = r".fi
.SH FILES
.TP
/etc/odoo\-spoold/config.toml
the settings
.TP
/etc/credstore.encrypted/odoo\-spoold.keys
the keys, encrypted to this host
.TP
/usr/share/doc/odoo\-spoold/examples/config.example.toml
the text above
.SH SEE ALSO
.BR odoo\-spoold (8),
.BR odoo\-spoold\-check (8),
.BR odoo\-spoold\-setup (8),
.BR odoo\-spoold\-errors (7)
";

/// The page as roff.
pub(super) fn page() -> String {
    let mut text = HEAD.to_owned();
    for line in EXAMPLE.lines() {
        // A dot or an apostrophe at the beginning of a line would be a command.
        if line.starts_with(['.', '\'']) {
            text.push_str("\\&");
        }
        text.push_str(&line.replace('\\', "\\e").replace('-', "\\-").replace('→', "\\->"));
        text.push('\n');
    }
    text.push_str(FOOT);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_example_is_in_the_page_and_none_is_a_command() {
        let page = page();
        let body = page.strip_prefix(HEAD).and_then(|rest| rest.strip_suffix(FOOT)).unwrap();
        assert_eq!(body.lines().count(), EXAMPLE.lines().count());
        assert!(body.lines().all(|line| !line.starts_with(['.', '\''])));
        let plain = body.replace("\\->", "→").replace("\\-", "-").replace("\\e", "\\");
        assert_eq!(plain.trim_end(), EXAMPLE.trim_end());
    }
}
