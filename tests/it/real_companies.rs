//! Two accounts, two companies, one Odoo, a user who reads German: each order lands in its own company.

use std::process::Command;

use crate::support::lab::{Lab, project, run, versions};
use crate::support::sales::{Report, order_id, shipped_by_seller};
use crate::support::spoold::{Installation, keys_text};

#[test]
fn every_account_delivers_to_its_own_company() {
    for version in versions("companies") {
        let lab = Lab::new(version, "companies");
        lab.fee_products();
        lab.shell(TWO_PRODUCTS);
        let installation = three_accounts(&lab);
        companies(&lab, &installation);
    }
}

/// The same SKU in both companies, each its own product.
const TWO_PRODUCTS: &str = "
for company in env['res.company'].search([], order='id'):
    env['product.product'].create({'name': 'Dual of ' + company.name, 'default_code': 'DUAL-1',
                                   'company_id': company.id, 'taxes_id': [(5,)]})
env.cr.commit()
";

/// `eu` and `rival` sell for the first company, `second` for the second one.
fn three_accounts(lab: &Lab) -> Installation {
    let dir = tempfile::tempdir().unwrap();
    let text = |options: &[&str]| {
        let mut script = Command::new("python3");
        script.arg(project("tests/lab/account.py")).arg("--dir").arg(dir.path()).args(options);
        run(script.args(["--user", "de", "--marketplace", "Amazon.de"]), &lab.env.to_string())
    };
    let first = text(&["--account", "eu", "--account", "rival"]);
    let second = text(&["--account", "second", "--company", "Second Company"]);
    let config = first + &second[second.find("[[account]]").unwrap()..];
    let accounts = ["eu", "rival", "second"].map(str::to_owned);
    let keys = keys_text(&accounts, &lab.text("de_api_key"));
    Installation::from_text(dir, &config, &keys)
}

fn companies(lab: &Lab, installation: &Installation) {
    let drop = |account: &str, numbers: &[u64]| {
        let mut report = Report::order_report();
        for n in numbers {
            // 1190 with 19 % included.
            shipped_by_seller(&mut report, *n, 7, "DUAL-1", 1190);
        }
        installation.drop_bytes(account, "orders.txt.age", report.text().as_bytes());
    };
    drop("eu", &[1, 2, 3]);
    drop("second", &[11, 12]);
    installation.run_until_idle();
    // Seen by another account: of the same company, and of another.
    drop("rival", &[1, 21]);
    drop("second", &[2]);
    drop("eu", &[12]);
    let spoold = installation.start();
    spoold.wait_idle(installation);
    let held = |account: &str| {
        let holds = spoold.holds(&account.parse().unwrap());
        holds.into_iter().map(|(order, codes)| format!("{order} {codes:?}")).collect::<Vec<_>>()
    };
    assert_eq!(held("rival"), [format!("{} [Account]", order_id(1))]);
    assert_eq!(held("second"), [format!("{} [Account]", order_id(2))]);
    assert_eq!(held("eu"), [format!("{} [Account]", order_id(12))]);
    spoold.stop();

    let seen = lab.orders();
    let expected = [(1, 1), (2, 1), (3, 1), (11, 2), (12, 2), (21, 1)];
    assert_eq!(seen.len(), expected.len());
    for (n, place) in expected {
        let order = &seen[&order_id(n)];
        let (company, tax, pricelist, warehouse) = match place {
            1 => (lab.env["company"].as_i64(), "Amazon 19% incl", "Amazon EUR", "WH"),
            _ => (lab.env["company2"].as_i64(), "Second 19% incl", "Second EUR", "WH2"),
        };
        assert_eq!(Some(order.company), company, "order {n}");
        assert_eq!(
            (order.state.as_str(), order.total.as_str(), order.tax.as_str()),
            ("sale", "11.90", "1.90")
        );
        assert_eq!(order.currency, "EUR");
        let [line] = order.lines.as_slice() else { panic!("order {n}: {:?}", order.lines) };
        assert_eq!(line.taxes, [tax], "order {n}");
        let id = order.id;
        let names = lab.sql(&format!(
            "select w.code, l.currency_id = (select id from res_currency where name = 'EUR'), l.company_id, t.company_id \
             from sale_order o join stock_warehouse w on w.id = o.warehouse_id \
             join product_pricelist l on l.id = o.pricelist_id \
             join sale_order_line s on s.order_id = o.id join product_product p on p.id = s.product_id \
             join product_template t on t.id = p.product_tmpl_id where o.id = {id}"
        ));
        let owner = if place == 1 { "" } else { "2" };
        let product = company.unwrap();
        assert_eq!(names, format!("{warehouse}|t|{owner}|{product}"), "order {n}, {pricelist}");
        let moved = lab.sql(&format!(
            "select distinct company_id from stock_picking where sale_id = {id} \
             union select distinct company_id from stock_move where picking_id in (select id from stock_picking where sale_id = {id})"
        ));
        assert_eq!(moved, product.to_string(), "the delivery's company");
    }
    assert_eq!(lab.outgoing(), 0, "nobody may be mailed");
}
