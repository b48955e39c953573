//! Settings in the words of the rooms that work by them.

use jiff::Timestamp;

use crate::config::{
    AccountSettings, AlreadyShipped, Destination, ExistingOrders, FacilitatorTax, ImportFrom,
    MarketplaceSettings, PartnerPolicy, PricesAre, RecordRef, TaxRef, TaxRule, UnknownSku,
    Warehouse,
};
use crate::deliver::settings::{AccountSettings as Delivered, Named};
use crate::plan;

/// What delivery needs of an account. `installed` is the day its import begins where the settings
/// name none.
pub(crate) fn delivered(account: &AccountSettings, installed: Timestamp) -> Delivered {
    Delivered {
        policy: policy(account, installed),
        company: named(&account.company),
        pricelists: account
            .marketplaces
            .iter()
            .map(|rules| (rules.marketplace, named(&rules.pricelist)))
            .collect(),
    }
}

/// From when on an account's orders are created.
pub(crate) fn import_from(account: &AccountSettings, installed: Timestamp) -> Timestamp {
    match account.import_from {
        ImportFrom::DayOfInstallation => installed,
        ImportFrom::At(at) => at,
    }
}

fn policy(account: &AccountSettings, installed: Timestamp) -> plan::AccountPolicy {
    let products = &account.products;
    plan::AccountPolicy {
        account: account.id.clone(),
        import_from: import_from(account, installed),
        already_shipped: match account.already_shipped {
            AlreadyShipped::Draft => plan::AlreadyShipped::Draft,
            AlreadyShipped::Confirm => plan::AlreadyShipped::Confirm,
            AlreadyShipped::Skip => plan::AlreadyShipped::Skip,
        },
        existing: match account.existing {
            ExistingOrders::Adopt => plan::Existing::Adopt,
            ExistingOrders::Hold => plan::Existing::Hold,
        },
        confirm: account.confirm,
        partner: match account.partner {
            PartnerPolicy::Buyer => plan::PartnerMode::Buyer,
            PartnerPolicy::Anonymous => plan::PartnerMode::Anonymous,
        },
        unknown_sku: match &account.unknown_sku {
            UnknownSku::Hold => plan::UnknownSku::Hold,
            UnknownSku::Default(sku) => plan::UnknownSku::Default(sku.clone()),
        },
        products: [
            (plan::Fee::Shipping, products.shipping.clone()),
            (plan::Fee::GiftWrap, products.gift_wrap.clone()),
            (plan::Fee::Promotion, products.promotion.clone()),
            (plan::Fee::Rounding, products.rounding.clone()),
        ]
        .into(),
        default_marketplace: account.default_marketplace,
        marketplaces: account
            .marketplaces
            .iter()
            .map(|rules| (rules.marketplace, marketplace(rules)))
            .collect(),
    }
}

fn marketplace(rules: &MarketplaceSettings) -> plan::MarketplacePolicy {
    plan::MarketplacePolicy {
        prices: match rules.prices {
            PricesAre::Gross => plan::Prices::Gross,
            PricesAre::Net => plan::Prices::Net,
        },
        facilitator_tax: match rules.facilitator_tax {
            FacilitatorTax::Exclude => plan::FacilitatorTax::Exclude,
            FacilitatorTax::Include => plan::FacilitatorTax::Include,
        },
        taxes: rules.taxes.iter().map(tax).collect(),
        warehouse: match &rules.warehouse {
            Warehouse::OdooDefault => None,
            Warehouse::Code(code) => Some(code.clone()),
        },
        fba_warehouse: rules.fba_warehouse.clone(),
        carriers: rules.carriers.clone(),
        anonymous_partner: rules.anonymous_partner.clone(),
        anonymous_named: rules.anonymous_named,
    }
}

fn tax(rule: &TaxRule) -> plan::TaxEntry {
    plan::TaxEntry {
        destination: match rule.destination {
            Destination::Any => None,
            country @ Destination::Country(_) => Some(country.name().to_owned()),
        },
        rate: rule.rate,
        tax: match &rule.tax {
            TaxRef::None => None,
            TaxRef::Tax(RecordRef::Name(name)) => Some(plan::TaxRef::Name(name.clone())),
            TaxRef::Tax(RecordRef::Id(id)) => Some(plan::TaxRef::Id(*id)),
        },
        default: rule.default,
    }
}

fn named(record: &RecordRef) -> Named {
    match record {
        RecordRef::Name(name) => Named::Name(name.clone()),
        RecordRef::Id(id) => Named::Id(*id),
    }
}
