//! What `setup` has to know: from options, else from what is there, else from the person.
//!
//! Promises: Odoo is asked with what will be written, before it is written. An API key is tried
//! once for each time it was given: Odoo locks out who knocks too often.

use std::path::PathBuf;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret as _, SecretString};

use crate::check::prepare::{self, About, AskError, Known};
use crate::clock::{Clock as _, System};
use crate::config::{Keys, RecordRef, Region, Settings};
use crate::model::{AccountId, KeyEnd, KeyReading, OdooId};

use super::super::problem::Problem;
use super::super::prompt::Terminal;
use super::super::recover::read_line;
use super::conf::Wanted;
use super::{Args, Host, KeyStore, Place};

/// What is asked for more than once.
const URL: &str = "Odoo's address (URL)";
const DATABASE: &str = "Odoo's database";
/// Where an Odoo on the same host usually is.
const USUAL_URL: &str = "http://localhost:8069";

/// An account as it is given on the command line: `eu`, `shop_2:NA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSpec {
    /// Its id.
    pub id: AccountId,
    /// Its region.
    pub region: Region,
}

impl FromStr for AccountSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, region) = match text.split_once(':') {
            Some((id, region)) => (id, region.to_owned()),
            None => (text, text.chars().take(2).collect()),
        };
        let id = id.parse().map_err(|why| format!("this account id {why}"))?;
        let region = match region.to_ascii_uppercase().as_str() {
            "EU" => Region::Eu,
            "NA" => Region::Na,
            "FE" => Region::Fe,
            _ => return Err(format!("say its region: {text}:EU, {text}:NA or {text}:FE")),
        };
        Ok(Self { id, region })
    }
}

/// Everything that `setup` needs.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) url: String,
    pub(super) database: String,
    pub(super) login: String,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) api_key: SecretString,
    /// When it ends, as Odoo or the person says.
    pub(super) api_key_ends: KeyEnd,
    /// Those that this run is about.
    pub(super) accounts: Vec<AccountSpec>,
    /// Those without keys here of which Odoo has a marker.
    pub(super) marked: Vec<AccountId>,
    /// Of those that config.toml does not have yet.
    company: Option<RecordRef>,
    /// From which day on those have orders.
    import_from: Option<Date>,
}

impl Answers {
    /// Gathers, and asks Odoo where something of it is new.
    pub(super) fn gather(
        args: &Args,
        host: &Host,
        keys: Option<&(SecretString, Keys)>,
        terminal: Option<&Terminal>,
    ) -> Result<Self, Problem> {
        let settings = host.settings.as_ref();
        let odoo = settings.map(|settings| &settings.odoo);
        let say =
            |given: &Option<String>, there: Option<&str>, what: &str, option: &str, guess| match (
                given, there, terminal,
            ) {
                (Some(given), _, _) => Ok(given.trim().to_owned()),
                (None, Some(there), _) => Ok(there.to_owned()),
                (None, None, Some(terminal)) => terminal.ask(what, guess),
                (None, None, None) => Err(missing(what, option)),
            };
        let ca_file = args.odoo_ca_file.clone();
        let ca_file = ca_file.or_else(|| odoo.and_then(|odoo| odoo.ca_file.clone()));
        let url = odoo.map(|odoo| odoo.url.as_str());
        let url = match (terminal, &args.odoo_url, url) {
            (Some(terminal), None, None) if !args.skip_odoo => ask_url(terminal, ca_file.as_ref())?,
            _ => say(&args.odoo_url, url, URL, "--odoo-url URL", Some(USUAL_URL))?,
        };
        let database = odoo.map(|odoo| odoo.database.as_str());
        let option = "--odoo-database NAME";
        let database = match (terminal, &args.odoo_database, database) {
            (Some(terminal), None, None) if !args.skip_odoo => {
                ask_database(terminal, &url, ca_file.as_ref())?
            }
            _ => say(&args.odoo_database, database, DATABASE, option, None)?,
        };
        let login = odoo.map(|odoo| odoo.login.as_str());
        let (what, option) = ("The integration user's login", "--odoo-login LOGIN");
        let login = say(&args.odoo_login, login, what, option, None)?;
        let there = keys.map(|(_, keys)| &keys.api_key);
        // A keys text whose API key is still to be pasted in says "-".
        let there = there.filter(|key| key.expose_secret() != "-");
        let what = "The integration user's API key";
        let api_key = match (&args.odoo_api_key_file, there, terminal) {
            (Some(file), _, _) => read_line(file)?,
            (None, Some(there), _) => there.clone(),
            (None, None, Some(terminal)) => terminal.secret(what)?,
            (None, None, None) => return Err(missing(what, "--odoo-api-key-file FILE")),
        };
        let accounts = accounts(args, settings, keys.map(|(_, keys)| keys), terminal)?;
        let same_key = there.is_some_and(|key| key.expose_secret() == api_key.expose_secret());
        let noted = keys.map(|(_, keys)| keys.api_key_ends).filter(|_| same_key);
        let api_key_ends = args.odoo_api_key_ends.or(noted).unwrap_or_default();
        let mut answers = Self {
            url,
            database,
            login,
            ca_file,
            api_key,
            api_key_ends,
            accounts,
            marked: Vec::new(),
            company: None,
            import_from: args.import_from,
        };
        let unknown = answers
            .accounts
            .iter()
            .any(|account| settings.is_none_or(|settings| settings.account(&account.id).is_none()));
        let changed = odoo.is_none_or(|odoo| {
            odoo.url.as_str() != answers.url
                || odoo.database != answers.database
                || odoo.login != answers.login
        }) || !same_key;
        // Also one that config.toml has: its id key may only be missing here.
        let keyed = |id: &AccountId| keys.is_some_and(|(_, keys)| keys.account(id).is_some());
        let ids = answers.accounts.iter().map(|account| account.id.clone());
        let keyless: Vec<AccountId> = ids.filter(|id| !keyed(id)).collect();
        let known = if args.skip_odoo || !(changed || unknown || !keyless.is_empty()) {
            None
        } else {
            let known = answers.ask_odoo(args, &keyless, terminal)?;
            answers.marked.clone_from(&known.marked);
            answers.api_key_ends = key_end(args, known.key, answers.api_key_ends, terminal)?;
            Some(known)
        };
        if unknown {
            answers.company = Some(company(args, known.as_ref(), terminal)?);
            if let (None, Some(terminal)) = (answers.import_from, terminal) {
                answers.import_from = Some(ask_day(terminal)?);
            }
        }
        Ok(answers)
    }

    /// What config.toml shall say.
    pub(super) fn wanted(&self, host: &Host, store: &KeyStore) -> Wanted {
        let settings = host.settings.as_ref();
        let missing = |account: &&AccountSpec| {
            settings.is_none_or(|settings| settings.account(&account.id).is_none())
        };
        let accounts = self.accounts.iter().filter(missing).filter_map(|account| {
            Some((account.id.clone(), account.region, self.company.clone()?))
        });
        let root = host.paths.root.clone();
        Wanted {
            url: Some(self.url.clone()),
            database: Some(self.database.clone()),
            login: Some(self.login.clone()),
            ca_file: self.ca_file.clone(),
            root: (root != std::path::Path::new("/")).then_some(root),
            keys_file: match &store.place {
                Place::File(path) => Some(path.clone()),
                Place::Credential(_) => None,
            },
            accounts: accounts.collect(),
            import_from: self.import_from,
        }
    }

    /// Until it lets us in, or the person gives up (Ctrl-C).
    fn ask_odoo(
        &mut self,
        args: &Args,
        keyless: &[AccountId],
        terminal: Option<&Terminal>,
    ) -> Result<Known, Problem> {
        let runtime = runtime()?;
        loop {
            let odoo = prepare::Odoo {
                url: self.url.clone(),
                database: self.database.clone(),
                login: self.login.clone(),
                api_key: self.api_key.clone(),
                ca_file: self.ca_file.clone(),
                noted: self.api_key_ends,
                keyless: keyless.to_vec(),
            };
            let error = match runtime.block_on(prepare::ask(odoo)) {
                Ok(known) => return Ok(known),
                Err(error) => error,
            };
            let Some(terminal) = terminal else {
                let step = format!("{}; or --skip-odoo", error.next_step());
                return Err(
                    Problem::new("odoo", format!("Odoo does not let us in: {error}")).next(step)
                );
            };
            terminal.tell(&format!("Odoo does not let us in: {error}\n"));
            terminal.tell(&format!("  next: {}", error.next_step()));
            match error.about() {
                About::Address => self.url = terminal.ask(URL, Some(&self.url))?,
                About::Database => self.database = terminal.ask(DATABASE, Some(&self.database))?,
                About::Login => {
                    self.login = terminal.ask("The integration user's login", Some(&self.login))?;
                    if args.odoo_api_key_file.is_none() {
                        self.api_key = terminal.secret("The integration user's API key")?;
                    }
                }
            }
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Problem::new("host", format!("no runtime on this host: {error}")))
}

/// An address at which an Odoo answers.
fn ask_url(terminal: &Terminal, ca_file: Option<&PathBuf>) -> Result<String, Problem> {
    let runtime = runtime()?;
    loop {
        let url = terminal.ask(URL, Some(USUAL_URL))?;
        match runtime.block_on(prepare::answers(url.clone(), ca_file.cloned())) {
            Ok(version) => {
                terminal.tell(&format!("  Odoo {version} answers there."));
                return Ok(url);
            }
            Err(error) => refuse(terminal, &error),
        }
    }
}

/// A database that the Odoo at this address has.
fn ask_database(
    terminal: &Terminal,
    url: &str,
    ca_file: Option<&PathBuf>,
) -> Result<String, Problem> {
    let runtime = runtime()?;
    loop {
        let database = terminal.ask(DATABASE, None)?;
        let asked = prepare::has_database(url.to_owned(), database.clone(), ca_file.cloned());
        match runtime.block_on(asked) {
            Ok(()) => return Ok(database),
            Err(error) => refuse(terminal, &error),
        }
    }
}

fn refuse(terminal: &Terminal, error: &AskError) {
    terminal.tell(&format!("  {error}"));
    terminal.tell(&format!("  next: {}", error.next_step()));
}

/// From which day on there shall be orders.
fn ask_day(terminal: &Terminal) -> Result<Date, Problem> {
    let today = System.now().to_zoned(TimeZone::UTC).date().to_string();
    let what = "Orders from which day on? (earlier purchases are counted, not created)";
    loop {
        match terminal.ask(what, Some(&today))?.parse() {
            Ok(day) => return Ok(day),
            Err(_) => terminal.tell("  That is not a day; write it as in 2026-11-28."),
        }
    }
}

/// When the key ends: Odoo says it, else the option, else the person, once.
fn key_end(
    args: &Args,
    told: KeyReading,
    noted: KeyEnd,
    terminal: Option<&Terminal>,
) -> Result<KeyEnd, Problem> {
    let why = match told {
        KeyReading::Sure(end) => return Ok(end),
        KeyReading::OneOf { keys, .. } => {
            format!("The user has {keys} API keys, and Odoo does not tell which one this is.")
        }
        KeyReading::Hidden => "Odoo does not show the user's API keys.".to_owned(),
    };
    let Some(terminal) = terminal.filter(|_| noted == KeyEnd::Unknown) else { return Ok(noted) };
    if args.odoo_api_key_ends.is_some() {
        return Ok(noted);
    }
    terminal.tell(&why);
    loop {
        let what = "The day on which the API key ends (as in 2027-02-26, or never)";
        match terminal.ask(what, None)?.parse() {
            Ok(end) => return Ok(end),
            Err(error) => {
                let error: crate::model::NotAnEnd = error;
                terminal.tell(&error.to_string());
            }
        }
    }
}

fn missing(what: &str, option: &str) -> Problem {
    Problem::usage(format!("{what}: not given, and nobody to ask")).next(option)
}

/// The accounts this run is about: those named, else those known, else those asked for.
fn accounts(
    args: &Args,
    settings: Option<&Settings>,
    keys: Option<&Keys>,
    terminal: Option<&Terminal>,
) -> Result<Vec<AccountSpec>, Problem> {
    let mut accounts = args.account.clone();
    for account in settings.into_iter().flat_map(|settings| &settings.accounts) {
        if args.account.is_empty() {
            accounts.push(AccountSpec { id: account.id.clone(), region: account.region });
        } else if let Some(named) = accounts.iter_mut().find(|named| named.id == account.id) {
            named.region = account.region;
        }
    }
    if accounts.is_empty() {
        // Restored keys know their accounts, but not all ids tell the region.
        let ids = keys.into_iter().flat_map(|keys| &keys.accounts);
        for id in ids.map(|account| account.id.to_string()) {
            match (id.parse::<AccountSpec>(), terminal) {
                (Ok(account), _) => accounts.push(account),
                (Err(_), Some(terminal)) => accounts.push(ask_account(terminal, Some(&id))?),
                (Err(why), None) => {
                    return Err(Problem::usage(why).next("--account ID:REGION for each"));
                }
            }
        }
    }
    if accounts.is_empty() {
        match terminal {
            Some(terminal) => accounts.push(ask_account(terminal, None)?),
            None => return Err(missing("A seller account", "--account ID[:REGION]")),
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    accounts.retain(|account| seen.insert(account.id.clone()));
    Ok(accounts)
}

fn ask_account(terminal: &Terminal, id: Option<&str>) -> Result<AccountSpec, Problem> {
    loop {
        let what = match id {
            Some(id) => format!("Region of the account {id} (EU, NA or FE)"),
            None => "Seller account (an id you choose, it can never change; id:REGION)".to_owned(),
        };
        let said = terminal.ask(&what, id.is_none().then_some("eu"))?;
        let text = id.map_or_else(|| said.clone(), |id| format!("{id}:{said}"));
        match text.parse() {
            Ok(account) => return Ok(account),
            Err(why) => terminal.tell(&why),
        }
    }
}

fn company(
    args: &Args,
    known: Option<&Known>,
    terminal: Option<&Terminal>,
) -> Result<RecordRef, Problem> {
    let written = |text: &str| match text.parse::<OdooId>() {
        Ok(id) if id > 0 => RecordRef::Id(id),
        _ => RecordRef::Name(text.to_owned()),
    };
    let companies = known.map(|known| known.companies.as_slice()).unwrap_or_default();
    let there = |wanted: &RecordRef| {
        companies.iter().any(|(id, name)| match wanted {
            RecordRef::Id(wanted) => wanted == id,
            RecordRef::Name(wanted) => wanted == name,
        })
    };
    let names: Vec<&str> = companies.iter().map(|(_, name)| name.as_str()).collect();
    let names = names.join(", ");
    if let Some(given) = &args.company {
        let wanted = written(given.trim());
        if known.is_some() && !there(&wanted) {
            let what = format!("the user may not work for a company {wanted}; it may for: {names}");
            return Err(Problem::usage(what));
        }
        return Ok(wanted);
    }
    match (companies, terminal) {
        ([(id, name)], _) => {
            // Two companies of one name would not be told apart by it.
            Ok(if name.is_empty() { RecordRef::Id(*id) } else { RecordRef::Name(name.clone()) })
        }
        (_, Some(terminal)) => {
            if companies.is_empty() {
                return Ok(written(&terminal.ask("The company that sells", None)?));
            }
            ask_company(terminal, companies)
        }
        ([], None) => Err(missing("The company that sells", "--company NAME")),
        (_, None) => {
            Err(Problem::usage(format!("the user may work for several companies: {names}"))
                .next("--company NAME"))
        }
    }
}

/// One of several, by its number in a sorted list or by its name.
fn ask_company(terminal: &Terminal, companies: &[(OdooId, String)]) -> Result<RecordRef, Problem> {
    let mut sorted: Vec<&(OdooId, String)> = companies.iter().collect();
    sorted.sort_by_key(|(id, name)| (name.to_lowercase(), *id));
    terminal.tell("The user may work for:");
    for (at, (_, name)) in sorted.iter().enumerate() {
        terminal.tell(&format!("  {:>2}  {name}", at.saturating_add(1)));
    }
    loop {
        let said = terminal.ask("The company that sells (its number or name)", Some("1"))?;
        let numbered = said.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let found = match numbered.and_then(|at| sorted.get(at)) {
            Some(found) => Some(*found),
            None => sorted.iter().copied().find(|(_, name)| *name == said),
        };
        let Some((id, name)) = found else {
            let last = sorted.len();
            terminal.tell(&format!("  There is no such company in the list; type 1 to {last}."));
            continue;
        };
        // Two of one name are told apart by their id only.
        let namesakes = sorted.iter().filter(|(_, other)| other == name).count();
        return Ok(match namesakes {
            1 if !name.is_empty() => RecordRef::Name(name.clone()),
            _ => RecordRef::Id(*id),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_region_or_it_is_said() {
        let region = |text: &str| text.parse::<AccountSpec>().map(|account| account.region);
        assert_eq!(region("eu"), Ok(Region::Eu));
        assert_eq!(region("na_2"), Ok(Region::Na));
        assert_eq!(region("shop:fe"), Ok(Region::Fe));
        assert!(region("shop").unwrap_err().contains("shop:EU"));
        assert!(region("EU").is_err(), "ids are lower case");
    }
}
