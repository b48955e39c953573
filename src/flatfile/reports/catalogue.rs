//! Amazon's other reports, known by name so that the refusal can say what was dropped.

use super::super::header::Header;

/// Columns that together tell a report (the first fit wins), and its name.
static CATALOGUE: &[(&[&str], &str)] = &[
    (&["settlement-id", "amount-type"], "a settlement report V2"),
    (&["settlement-id", "price-type"], "a settlement report V1"),
    (&["amazon-order-id", "shipment-item-id", "quantity-shipped"], "an FBA shipments report"),
    (&["item-promotion-id", "promotion-rule-value"], "an FBA promotions report"),
    (&["payments-status", "batch-id"], "a converged order report of a legacy Marketplace account"),
    (&["listing-id", "open-date"], "a listings report"),
    (&["seller-sku", "warehouse-condition-code"], "an FBA inventory report"),
    (&["seller-sku", "quantity-for-local-fulfillment"], "an FBA inventory report by country"),
    (&["afn-warehouse-quantity"], "an FBA managed inventory report"),
    (&["reserved-qty"], "an FBA reserved inventory report"),
    (&["eventtype", "referenceid"], "an inventory ledger report (detail)"),
    (&["event-type", "reference-id"], "an inventory ledger report (detail)"),
    (&["endingwarehousebalance"], "an inventory ledger report (summary)"),
    (&["ending-warehouse-balance"], "an inventory ledger report (summary)"),
    (&["snapshot-date", "detailed-disposition"], "an FBA daily inventory report"),
    (&["return-date", "license-plate-number"], "an FBA customer returns report"),
    (&["return-request-date", "amazon-rma-id"], "a returns report"),
    (&["reimbursement-id", "approval-date"], "an FBA reimbursements report"),
    (&["estimated-monthly-storage-fee"], "an FBA storage fee report"),
    (&["unique-account-identifier", "activity-period"], "a VAT transactions report"),
    (&["our-price-tax-inclusive-selling-price"], "a VAT calculation report"),
    (&["item-vat-incl-amount"], "a VAT invoice data report"),
    (&["original-record-number", "error-code"], "a feed processing report"),
];

/// The four columns of an open listings report; price and quantity feeds have no more than these.
const OPEN_LISTINGS: &[&str] = &["sku", "price", "quantity"];

/// The name of the report with this header, if it is one that is not read.
pub(super) fn name(header: &Header) -> Option<&'static str> {
    let japanese = "フィード処理結果";
    if header.begins_with("feedprocessingsummary") || header.begins_with(japanese) {
        return Some("a feed processing report");
    }
    if header.begins_with("templatetype=") {
        return Some("a feed template, not a report");
    }
    let has = |names: &[&str]| names.iter().all(|name| header.has(name));
    if let Some((_, name)) = CATALOGUE.iter().find(|(names, _)| has(names)) {
        return Some(name);
    }
    let orders = header.has("order-id") || header.has("amazon-order-id");
    (has(OPEN_LISTINGS) && !orders).then_some("an open listings report")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(line: &str) -> Option<&'static str> {
        name(&Header::parse(line.as_bytes(), 1).unwrap())
    }

    #[test]
    fn other_reports_are_called_by_name() {
        assert_eq!(named("settlement-id\tx\tamount-type"), Some("a settlement report V2"));
        assert_eq!(named("Feed Processing Summary:"), Some("a feed processing report"));
        assert_eq!(
            named("TemplateType=OrderFulfillment\tVersion=1"),
            Some("a feed template, not a report")
        );
        assert_eq!(named("Order ID\tReturn request date\tAmazon RMA ID"), Some("a returns report"));
        assert_eq!(named("reserved_qty"), Some("an FBA reserved inventory report"));
        assert_eq!(named("sku\tasin\tprice\tquantity"), Some("an open listings report"));
        assert_eq!(named("amazon-order-id\tsku\tprice\tquantity"), None);
    }
}
