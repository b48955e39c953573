//! Accounts, their marketplaces and tax tables.
//!
//! Promises: ids are unique and usable as external ids, marketplaces belong to the account's
//! region, no tax lookup has two answers. Does not ask Odoo whether what is named exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::Range;

use jiff::Timestamp;
use rust_decimal::Decimal;
use toml::Spanned;

use crate::model::{AccountId, Marketplace, Sku};

use super::super::file::{AccountTable, MarketplaceTable, ProductsTable, TaxTable, Text};
use super::super::settings::{
    AccountSettings, AlreadyShipped, Destination, ExistingOrders, FacilitatorTax, ImportFrom,
    MarketplaceSettings, PartnerPolicy, PricesAre, RecordRef, Region, ServiceProducts, TaxRef,
    TaxRule, UnknownSku, Warehouse,
};
use super::Checker;

const DEFAULT_MAX_FILE_BYTES: u64 = 2 << 30;
const DEFAULT_SHIPPING: &str = "AMZ-SHIPPING";
const DEFAULT_GIFT_WRAP: &str = "AMZ-GIFT-WRAP";
const DEFAULT_PROMOTION: &str = "AMZ-PROMOTION";
const DEFAULT_ROUNDING: &str = "AMZ-ROUNDING";

impl Checker<'_> {
    pub(super) fn accounts(
        &mut self,
        tables: &[Spanned<AccountTable>],
    ) -> Option<Vec<AccountSettings>> {
        let mut seen = BTreeMap::new();
        let mut accounts = Vec::new();
        for table in tables {
            let id = &table.get_ref().id;
            if let Some(line) = seen.insert(id.get_ref().clone(), self.line(id.span())) {
                self.fault::<()>(
                    id.span(),
                    format!("this account id is used twice; first in line {line}"),
                    "give each seller account and region an id of its own",
                );
            }
            accounts.push(self.account(table));
        }
        accounts.into_iter().collect()
    }

    fn account(&mut self, spanned: &Spanned<AccountTable>) -> Option<AccountSettings> {
        let table = spanned.get_ref();
        let header = spanned.span();
        let id = self.account_id(&table.id);
        let regions = [("EU", Region::Eu), ("NA", Region::Na), ("FE", Region::Fe)];
        let region = self.must_word(&table.region, &regions);
        let company = self.record(
            "company",
            table.company.as_ref(),
            table.company_id.as_ref(),
            header.clone(),
        );
        let max_file_bytes =
            self.size(table.max_file_size.as_ref(), (1 << 10, 64 << 30), DEFAULT_MAX_FILE_BYTES);
        let import_from = self.import_from(table.import_from.as_ref());
        let already_shipped = self.word(
            table.already_shipped.as_ref(),
            &[
                ("draft", AlreadyShipped::Draft),
                ("confirm", AlreadyShipped::Confirm),
                ("skip", AlreadyShipped::Skip),
            ],
            AlreadyShipped::Draft,
        );
        let existing = self.word(
            table.existing.as_ref(),
            &[("adopt", ExistingOrders::Adopt), ("hold", ExistingOrders::Hold)],
            ExistingOrders::Adopt,
        );
        let partner = self.word(
            table.partner.as_ref(),
            &[("buyer", PartnerPolicy::Buyer), ("anonymous", PartnerPolicy::Anonymous)],
            PartnerPolicy::Buyer,
        );
        let unknown_sku =
            self.unknown_sku(table.unknown_sku.as_ref(), table.default_product.as_ref());
        let products = self.products(&table.products);
        let marketplaces = self.marketplaces(&table.marketplace, region, header);
        let default_marketplace = match &table.default_marketplace {
            None => Some(None),
            Some(text) => self.default_marketplace(text, &table.marketplace).map(Some),
        };
        Some(AccountSettings {
            id: id?,
            region: region?,
            enabled: table.enabled.unwrap_or(true),
            company: company?,
            default_marketplace: default_marketplace?,
            accept_plaintext: table.accept_plaintext.unwrap_or(false),
            accept_aes_cbc: table.accept_aes_cbc.unwrap_or(false),
            max_file_bytes: max_file_bytes?,
            import_from: import_from?,
            already_shipped: already_shipped?,
            existing: existing?,
            confirm: table.confirm.unwrap_or(true),
            partner: partner?,
            unknown_sku: unknown_sku?,
            products: products?,
            marketplaces: marketplaces?,
        })
    }

    fn account_id(&mut self, text: &Text) -> Option<AccountId> {
        match text.get_ref().parse() {
            Ok(id) => Some(id),
            Err(why) => self.fault(
                text.span(),
                format!("this account id {why}"),
                "1 to 32 of a-z, 0-9 and _; choose well: it can never change",
            ),
        }
    }

    /// Exactly one of `name` and `name_id`.
    fn record(
        &mut self,
        key: &str,
        name: Option<&Text>,
        id: Option<&Spanned<i64>>,
        header: Range<usize>,
    ) -> Option<RecordRef> {
        match (name, id) {
            (Some(name), None) => self.filled(name).map(RecordRef::Name),
            (None, Some(id)) if *id.get_ref() > 0 => Some(RecordRef::Id(*id.get_ref())),
            (None, Some(id)) => self.fault(id.span(), "this is no database id", "a number above 0"),
            (Some(_), Some(id)) => self.fault(
                id.span(),
                format!("both `{key}` and `{key}_id` are given"),
                "keep one of them",
            ),
            (None, None) => self.fault(
                header,
                format!("the key `{key}` is missing"),
                format!("write `{key} = \"its name in Odoo\"` or `{key}_id = 1`"),
            ),
        }
    }

    fn import_from(&mut self, value: Option<&Spanned<toml::Value>>) -> Option<ImportFrom> {
        let Some(value) = value else { return Some(ImportFrom::DayOfInstallation) };
        let written = match value.get_ref() {
            toml::Value::Datetime(datetime) => datetime.to_string(),
            toml::Value::String(text) => text.clone(),
            _ => String::new(),
        };
        let instant = written
            .parse::<Timestamp>()
            .or_else(|_| format!("{written}T00:00:00Z").parse::<Timestamp>());
        match instant {
            Ok(instant) => Some(ImportFrom::At(instant)),
            Err(_) => self.fault(
                value.span(),
                "this is neither a date nor an instant",
                "a day (UTC) 2026-11-21, or an instant with its zone 2026-11-21T00:00:00+01:00",
            ),
        }
    }

    fn unknown_sku(&mut self, word: Option<&Text>, product: Option<&Text>) -> Option<UnknownSku> {
        let by_default = self.word(word, &[("hold", false), ("default", true)], false)?;
        match (by_default, product) {
            (true, Some(product)) => self.sku(product).map(UnknownSku::Default),
            (true, None) => self.fault(
                word.map_or(0..0, Spanned::span),
                "the key `default_product` is missing",
                "write `default_product = \"the internal reference\"` beside it",
            ),
            (false, Some(product)) => self.fault(
                product.span(),
                "`default_product` has no effect here",
                "write `unknown_sku = \"default\"`, or remove it",
            ),
            (false, None) => Some(UnknownSku::Hold),
        }
    }

    fn products(&mut self, table: &ProductsTable) -> Option<ServiceProducts> {
        let shipping = self.sku_or(table.shipping.as_ref(), DEFAULT_SHIPPING);
        let gift_wrap = self.sku_or(table.gift_wrap.as_ref(), DEFAULT_GIFT_WRAP);
        let promotion = self.sku_or(table.promotion.as_ref(), DEFAULT_PROMOTION);
        let rounding = self.sku_or(table.rounding.as_ref(), DEFAULT_ROUNDING);
        Some(ServiceProducts {
            shipping: shipping?,
            gift_wrap: gift_wrap?,
            promotion: promotion?,
            rounding: rounding?,
        })
    }

    fn sku_or(&mut self, text: Option<&Text>, default: &str) -> Option<Sku> {
        match text {
            Some(text) => self.sku(text),
            None => default.parse().ok(),
        }
    }

    fn sku(&mut self, text: &Text) -> Option<Sku> {
        match text.get_ref().parse() {
            Ok(sku) => Some(sku),
            Err(why) => self.fault(
                text.span(),
                format!("this internal reference {why}"),
                "write the product's internal reference as it stands in Odoo",
            ),
        }
    }

    fn marketplace_name(&mut self, text: &Text) -> Option<Marketplace> {
        match text.get_ref().parse() {
            Ok(marketplace) => Some(marketplace),
            Err(_) => self.fault(
                text.span(),
                "this is not a marketplace",
                "its sales-channel name, such as \"Amazon.de\", or its marketplace id",
            ),
        }
    }

    fn default_marketplace(
        &mut self,
        text: &Text,
        tables: &[Spanned<MarketplaceTable>],
    ) -> Option<Marketplace> {
        let marketplace = self.marketplace_name(text)?;
        let named = |t: &Spanned<MarketplaceTable>| t.get_ref().name.get_ref().parse().ok();
        if tables.iter().any(|table| named(table) == Some(marketplace)) {
            return Some(marketplace);
        }
        self.fault(
            text.span(),
            format!("{marketplace} is not configured for this account"),
            "name one of the account's [[account.marketplace]] tables, or add it",
        )
    }

    fn marketplaces(
        &mut self,
        tables: &[Spanned<MarketplaceTable>],
        region: Option<Region>,
        header: Range<usize>,
    ) -> Option<Vec<MarketplaceSettings>> {
        if tables.is_empty() {
            return self.fault(
                header,
                "this account has no marketplace",
                "add an [[account.marketplace]] table for each marketplace it sells on",
            );
        }
        let mut seen = BTreeMap::new();
        let mut list = Vec::new();
        for table in tables {
            let name = &table.get_ref().name;
            let settings = self.marketplace(table, region);
            if let Ok(marketplace) = name.get_ref().parse::<Marketplace>()
                && let Some(line) = seen.insert(marketplace, self.line(name.span()))
            {
                self.fault::<()>(
                    name.span(),
                    format!("{marketplace} is configured twice; first in line {line}"),
                    "join the two tables",
                );
            }
            list.push(settings);
        }
        list.into_iter().collect()
    }

    fn marketplace(
        &mut self,
        spanned: &Spanned<MarketplaceTable>,
        region: Option<Region>,
    ) -> Option<MarketplaceSettings> {
        let table = spanned.get_ref();
        let marketplace = self.marketplace_name(&table.name);
        if let (Some(marketplace), Some(region)) = (marketplace, region)
            && Region::of(marketplace) != region
        {
            self.fault::<()>(
                table.name.span(),
                format!("{marketplace} does not belong to the region {}", region.name()),
                format!(
                    "it belongs to {}: a seller account of another region is an [[account]] of \
                     its own",
                    Region::of(marketplace).name()
                ),
            );
        }
        let pricelist = self.record(
            "pricelist",
            table.pricelist.as_ref(),
            table.pricelist_id.as_ref(),
            spanned.span(),
        );
        let prices =
            self.must_word(&table.prices, &[("gross", PricesAre::Gross), ("net", PricesAre::Net)]);
        let facilitator_tax = self.word(
            table.facilitator_tax.as_ref(),
            &[("exclude", FacilitatorTax::Exclude), ("include", FacilitatorTax::Include)],
            FacilitatorTax::Exclude,
        );
        let warehouse = match &table.warehouse {
            Some(code) => self.filled(code).map(Warehouse::Code),
            None => Some(Warehouse::OdooDefault),
        };
        let fba_warehouse = match &table.fba_warehouse {
            Some(code) => self.filled(code).map(Some),
            None => Some(None),
        };
        let anonymous_partner = match &table.anonymous_partner {
            Some(name) => self.filled(name),
            None => marketplace.map(|m| format!("{m} customer")),
        };
        let carriers = self.carriers(&table.carriers);
        let taxes = self.taxes(&table.tax);
        Some(MarketplaceSettings {
            marketplace: marketplace?,
            pricelist: pricelist?,
            prices: prices?,
            facilitator_tax: facilitator_tax?,
            warehouse: warehouse?,
            fba_warehouse: fba_warehouse?,
            anonymous_partner: anonymous_partner?,
            anonymous_named: table.anonymous_partner.is_some(),
            carriers: carriers?,
            taxes: taxes?,
        })
    }

    fn carriers(&mut self, table: &BTreeMap<String, Text>) -> Option<BTreeMap<String, String>> {
        let mut carriers = BTreeMap::new();
        for (level, name) in table {
            carriers.insert(level.trim().to_owned(), self.filled(name)?);
        }
        Some(carriers)
    }

    fn taxes(&mut self, tables: &[Spanned<TaxTable>]) -> Option<Vec<TaxRule>> {
        let mut pairs = BTreeMap::new();
        let mut defaults = BTreeSet::new();
        let mut rules = Vec::new();
        for spanned in tables {
            let rule = self.tax(spanned);
            if let Some(rule) = &rule {
                let table = spanned.get_ref();
                let key = (rule.destination, rule.rate.normalize());
                if let Some(line) = pairs.insert(key, self.line(table.rate.span())) {
                    self.fault::<()>(
                        table.rate.span(),
                        format!(
                            "{} % to {} has two taxes; the first in line {line}",
                            rule.rate.normalize(),
                            rule.destination
                        ),
                        "keep one: nothing tells which would be meant",
                    );
                }
                if rule.default && !defaults.insert(rule.destination) {
                    self.fault::<()>(
                        table.destination.span(),
                        format!("{} has two default taxes", rule.destination),
                        "keep `default = true` at one of them",
                    );
                }
            }
            rules.push(rule);
        }
        rules.into_iter().collect()
    }

    fn tax(&mut self, spanned: &Spanned<TaxTable>) -> Option<TaxRule> {
        let table = spanned.get_ref();
        let destination = self.destination(&table.destination);
        let rate = self.rate(&table.rate);
        let none = table.tax_id.is_none()
            && table.tax.as_ref().is_some_and(|tax| tax.get_ref().trim() == "none");
        let tax = if none {
            Some(TaxRef::None)
        } else {
            self.record("tax", table.tax.as_ref(), table.tax_id.as_ref(), spanned.span())
                .map(TaxRef::Tax)
        };
        Some(TaxRule { destination: destination?, rate: rate?, tax: tax?, default: table.default })
    }

    fn destination(&mut self, text: &Text) -> Option<Destination> {
        let help: &dyn Display = match text.get_ref().as_str() {
            "*" => return Some(Destination::Any),
            "UK" => &"the United Kingdom is \"GB\"",
            "EL" => &"Greece is \"GR\"",
            _ => &"two capital letters (ISO 3166), such as \"DE\"; \"*\" is any other country",
        };
        match <[u8; 2]>::try_from(text.get_ref().as_bytes()) {
            Ok(code)
                if code.iter().all(u8::is_ascii_uppercase) && &code != b"UK" && &code != b"EL" =>
            {
                Some(Destination::Country(code))
            }
            _ => self.fault(text.span(), "this is not a country code", help),
        }
    }

    /// Read from the text itself: a TOML float would pass through binary.
    fn rate(&mut self, value: &Spanned<toml::Value>) -> Option<Decimal> {
        let written = match value.get_ref() {
            toml::Value::String(text) => text.as_str(),
            toml::Value::Integer(_) | toml::Value::Float(_) => {
                self.source.get(value.span()).unwrap_or_default()
            }
            _ => "",
        };
        match Decimal::from_str_exact(written.trim()) {
            Ok(rate) if rate >= Decimal::ZERO && rate <= Decimal::ONE_HUNDRED => Some(rate),
            _ => self.fault(
                value.span(),
                "this is not a tax rate",
                "percent from 0 to 100, such as \"19\" or \"8.1\"",
            ),
        }
    }

    /// The line that a span begins in.
    fn line(&self, span: Range<usize>) -> usize {
        let before = self.source.get(..span.start).unwrap_or_default();
        before.matches('\n').count().saturating_add(1)
    }
}
