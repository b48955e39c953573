//! Completions for shells: clap's, fixed for a name with a hyphen, and with the accounts of this host.
//!
//! Promises: every verb, option, code and state completes; an account completes from the settings
//! file, if the person who types may read it. Does not run the program while somebody types.

use clap_complete::Shell;

/// What clap's bash calls the program at one place, and at the other.
const BASH_NAMES: (&str, &str) = ("odoo__subcmd__spoold", "odoo__spoold");

/// Prints the account ids of the settings file.
const SED: &str = r#"sed -n 's/^[[:space:]]*id[[:space:]]*=[[:space:]]*"\([a-z0-9_]*\)".*/\1/p' /etc/odoo-spoold/config.toml 2>/dev/null"#;

/// The script for one shell.
pub(super) fn script(shell: Shell, command: &mut clap::Command) -> String {
    let name = command.get_name().to_owned();
    let mut bytes = Vec::new();
    clap_complete::generate(shell, command, name, &mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match shell {
        Shell::Bash => bash(&text, command),
        Shell::Zsh => zsh(&text),
        Shell::Fish => fish(&text, command),
        _ => text,
    }
}

fn bash(text: &str, command: &clap::Command) -> String {
    let (wrong, right) = BASH_NAMES;
    let text = text.replace(wrong, right);
    let mut first = Vec::new();
    account_first(command, right, &mut first);
    let mut out = format!("_odoo_spoold_accounts() {{\n    {SED}\n}}\n\n");
    let (mut of_account, mut verb) = (false, String::new());
    for line in text.lines() {
        let word = line.trim();
        if let Some(label) = word.strip_suffix(')').filter(|label| label.starts_with(right)) {
            label.clone_into(&mut verb);
        }
        if of_account && word.starts_with("COMPREPLY=") {
            let blank = line.len().saturating_sub(word.len());
            out.push_str(&" ".repeat(blank));
            out.push_str(r#"COMPREPLY=($(compgen -W "$(_odoo_spoold_accounts)" -- "${cur}"))"#);
        } else if let Some(words) = word.strip_prefix("opts=\"").filter(|_| first.contains(&verb)) {
            out.push_str("            opts=\"$(_odoo_spoold_accounts) ");
            out.push_str(words);
        } else {
            out.push_str(line);
        }
        out.push('\n');
        of_account = matches!(word, "--account)" | "-a)");
    }
    out
}

/// The labels of verbs whose first word is an account.
fn account_first(command: &clap::Command, label: &str, found: &mut Vec<String>) {
    let first = command.get_positionals().next();
    if first.is_some_and(|arg| arg.get_id() == "account") {
        found.push(label.to_owned());
    }
    for verb in command.get_subcommands() {
        let name = verb.get_name().replace('-', "__subcmd__");
        account_first(verb, &format!("{label}__subcmd__{name}"), found);
    }
}

fn zsh(text: &str) -> String {
    let accounts = format!("_odoo_spoold_accounts() {{\n    compadd -- $({SED})\n}}\n");
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        let of_account =
            line.contains(":ACCOUNT:_default") || line.trim_start().starts_with("':account ");
        let completed = if of_account {
            line.replace(":_default'", ":_odoo_spoold_accounts'")
        } else {
            line.to_owned()
        };
        out.push_str(&completed);
        out.push('\n');
        // The first line says whose completions these are.
        if number == 0 {
            out.push_str(&accounts);
        }
    }
    out
}

fn fish(text: &str, command: &clap::Command) -> String {
    let mut out = format!("function __odoo_spoold_accounts\n    {SED}\nend\n");
    for line in text.lines() {
        out.push_str(line);
        if line.contains(" -l account ") {
            out.push_str(" -f -a \"(__odoo_spoold_accounts)\"");
        }
        out.push('\n');
    }
    fish_words(command, None, &mut out);
    out
}

/// clap's fish knows verbs and options: here are the verbs' first words, an account or one of a list.
fn fish_words(command: &clap::Command, above: Option<&str>, out: &mut String) {
    for verb in command.get_subcommands() {
        let name = verb.get_name();
        let behind = match above {
            None => format!("using_subcommand {name}"),
            Some(above) => {
                format!("using_subcommand {above}; and __fish_seen_subcommand_from {name}")
            }
        };
        if let Some(first) = verb.get_positionals().next() {
            let values = first.get_possible_values();
            let words = if first.get_id() == "account" {
                "(__odoo_spoold_accounts)".to_owned()
            } else {
                values
                    .iter()
                    .map(clap::builder::PossibleValue::get_name)
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            if !words.is_empty() {
                out.push_str(&format!(
                    "complete -c odoo-spoold -n \"__fish_odoo_spoold_{behind}\" -f -a \"{words}\"\n"
                ));
            }
        }
        if above.is_none() {
            fish_words(verb, Some(name), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::Cli;
    use super::*;

    /// A short `-a` and a long `--account` mean an account wherever they stand.
    #[test]
    fn account_means_account_everywhere() {
        fn look(command: &clap::Command) {
            for arg in command.get_arguments() {
                let named = arg.get_short() == Some('a') || arg.get_long() == Some("account");
                assert!(
                    !named || arg.get_id().as_str().starts_with("account"),
                    "{}: {arg}",
                    command.get_name()
                );
            }
            command.get_subcommands().for_each(look);
        }
        look(&Cli::command());
    }

    #[test]
    fn zsh_and_fish_ask_for_accounts_too() {
        let mut command = Cli::command();
        let text = script(Shell::Zsh, &mut command);
        assert!(text.starts_with("#compdef odoo-spoold\n"), "{}", text.lines().next().unwrap());
        assert!(text.matches("_odoo_spoold_accounts'").count() > 10);
        let text = script(Shell::Fish, &mut command);
        assert!(text.matches("(__odoo_spoold_accounts)").count() > 5);
    }
}
