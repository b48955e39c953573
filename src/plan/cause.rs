//! Why Odoo's total is another one than Amazon's, as far as the order's lines show it.

use super::diff::same_price;
use super::{Current, Desired};

/// The text for the person who has to decide.
pub fn of_difference(desired: &Desired, current: &Current) -> String {
    let mut causes = Vec::new();
    for line in &current.lines {
        let Some(name) = &line.external else { continue };
        if !line.discount.is_zero() {
            causes.push(format!(
                "line {name} has a discount of {} % in Odoo: look at the pricelist's rules",
                line.discount.normalize()
            ));
        }
        let Some(want) = desired.lines.iter().find(|want| want.external == *name) else {
            continue;
        };
        if line.quantity != want.quantity {
            causes.push(format!(
                "line {name} has the quantity {} in Odoo and {} at Amazon",
                line.quantity.normalize(),
                want.quantity.normalize()
            ));
        }
        if !same_price(line.price_unit, want.price_unit) {
            causes.push(format!(
                "line {name} has the price {} in Odoo and {} at Amazon",
                line.price_unit.normalize(),
                want.price_unit.normalize()
            ));
        }
        if line.taxes != want.taxes {
            causes.push(format!(
                "line {name} has the taxes {:?} in Odoo and {:?} by the tax table: look at fiscal \
                 positions and at the product's own taxes",
                line.taxes, want.taxes
            ));
        }
    }
    let missing = desired
        .lines
        .iter()
        .filter(|want| {
            !current.lines.iter().any(|line| line.external.as_ref() == Some(&want.external))
        })
        .count();
    if missing > 0 {
        causes.push(format!("{missing} of Amazon's lines are not on Odoo's order"));
    }
    let added = current.lines.iter().filter(|line| line.external.is_none()).count();
    if added > 0 {
        causes.push(format!("{added} lines of Odoo's order are none of ours"));
    }
    if causes.is_empty() {
        // The lines are as they were sent, so it is what Odoo makes of them.
        return "quantities, prices and taxes are as they were sent: check the rates of the taxes \
                and their price-included flags"
            .to_owned();
    }
    causes.truncate(5);
    causes.join("; ")
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::super::diff::tests::an_order;
    use super::*;

    #[test]
    fn case_r28_the_reason_of_a_difference_names_its_cause() {
        let cause = |change: &dyn Fn(&mut Current)| {
            let (desired, mut current) = an_order();
            change(&mut current);
            of_difference(&desired, &current)
        };
        assert!(cause(&|_| ()).contains("price-included"));
        let discount = cause(&|current| current.lines[0].discount = Decimal::TEN);
        assert!(discount.contains("discount of 10 %"), "{discount}");
        let taxes = cause(&|current| current.lines[0].taxes = vec![7]);
        assert!(taxes.contains("fiscal position"), "{taxes}");
        let price = cause(&|current| current.lines[0].price_unit = Decimal::TEN);
        assert!(price.contains("the price 10 in Odoo and 5 at Amazon"), "{price}");
        let others = cause(&|current| current.lines[1].external = None);
        assert!(others.contains("1 of Amazon's lines") && others.contains("none of ours"));
    }
}
