//! Nobody is mailed, texted or subscribed, in an Odoo that would.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use serde_json::{Value, json};

use odoo_spoold::odoo::{Call, Context, Find, Writer};

use crate::support::lab::{Lab, runtime, versions};
use crate::support::sales::{Report, shipped_by_amazon, shipped_by_seller};
use crate::support::spoold::Installation;

#[test]
fn nobody_hears_of_an_import() {
    for version in versions("mail") {
        let lab = Lab::new(version, "mail");
        lab.fee_products();
        // A salesperson gets mails about orders, a buyer one about the delivery (setup.py).
        let words = lab.shell(SALESPERSON);
        let seller: i64 =
            words.lines().find_map(|l| l.strip_prefix("SELLER ")).unwrap().trim().parse().unwrap();
        assert_eq!(lab.outgoing(), 0);
        without_our_contexts(&lab, seller);
        lab.sql("delete from mail_mail");
        lab.sql("delete from sms_sms");
        with_our_contexts(&lab);
    }
}

const SALESPERSON: &str = "
groups = 'group_ids' if 'group_ids' in env['res.users']._fields else 'groups_id'
seller = env['res.users'].with_context(no_reset_password=True).create({
    'name': 'Sally Seller', 'login': 'sally', 'email': 'sally@example.com', 'notification_type': 'email',
    groups: [(6, 0, [env.ref('sales_team.group_sale_salesman').id])]})
env['ir.default'].set('sale.order', 'user_id', seller.id)
# The company's usual quotation template mails the buyer when an order is confirmed.
template = env['sale.order.template'].create({
    'name': 'Usual', 'mail_template_id': env.ref('sale.email_template_edi_sale').id})
env.company.sale_order_template_id = template
env.cr.commit()
print('SELLER', seller.id)
";

/// Ours without what keeps Odoo quiet.
fn loud() -> Context {
    let quiet = [
        "mail_create_nosubscribe",
        "mail_post_autofollow_author_skip",
        "mail_post_autofollow",
        "mail_auto_subscribe_no_notify",
        "mail_notify_force_send",
        "mail_activity_automation_skip",
        "skip_sms",
        "no_reset_password",
    ];
    quiet.iter().fold(Context::user(), |context, key| context.without(key))
}

/// The same work as a plain script does it.
fn without_our_contexts(lab: &Lab, seller: i64) {
    runtime().block_on(async {
        let client = lab.client();
        let create = async |model: &str, values: Value| {
            let list = "vals_list";
            let call = Call::new(model, "create", loud()).leading(list, json!([values]));
            let made = Writer::on(&client).call(call).await.unwrap().value;
            made[0].as_i64().or(made.as_i64()).unwrap()
        };
        let buyer = create(
            "res.partner",
            json!({"name": "B", "email": "b@example.com", "phone": "+32470000000"}),
        )
        .await;
        let product = client
            .search(
                "product.product",
                json!([["default_code", "=", "SKU-0001"]]),
                &Find::default(),
                Context::new(&[1]),
            )
            .await
            .unwrap()[0];
        let line = json!([0, 0, {"product_id": product, "product_uom_qty": 1, "price_unit": 5}]);
        let order = create(
            "sale.order",
            json!({"partner_id": buyer, "user_id": seller, "order_line": [line]}),
        )
        .await;
        let assigned = lab.outgoing();
        assert!(
            assigned > 0,
            "Odoo {}: the salesperson {seller} would not hear of the order",
            lab.version
        );
        Writer::on(&client)
            .execute("sale.order", "action_confirm", &[order], loud())
            .await
            .unwrap();
        assert!(
            lab.outgoing() > assigned,
            "Odoo {}: the quotation template would not mail the buyer",
            lab.version
        );
    });
    let python = "
picking = env['stock.picking'].search([('sale_id', '!=', False)])
assert len(picking) == 1, picking
for move in picking.move_ids if 'move_ids' in picking._fields else picking.move_lines:
    if 'quantity' in move._fields:
        move.quantity, move.picked = move.product_uom_qty, True
    else:
        move.quantity_done = move.product_uom_qty
picking.with_context(skip_sms=True)._action_done()
env.cr.commit()
";
    let before = lab.outgoing();
    lab.shell(python);
    assert!(
        lab.outgoing() > before,
        "Odoo {}: the buyer would not hear of the delivery",
        lab.version
    );
}

fn with_our_contexts(lab: &Lab) {
    let followers =
        || lab.count("select count(*) from mail_followers where res_model = 'res.partner'");
    let messages = || {
        lab.count("select count(*) from mail_message where message_type in ('email', 'notification', 'comment') and model = 'res.partner' and subject is not null")
    };
    let known = (followers(), messages());
    let last_partner = lab.count("select max(id) from res_partner");
    let last_order = lab.count("select max(id) from sale_order");
    let mut sales = Report::all_orders();
    let mut orders = Report::order_report();
    for n in 1..4 {
        shipped_by_amazon(&mut sales, n, "Shipped", &[("SKU-0001", 1, 1000)]);
        shipped_by_seller(&mut orders, 10 + n, n, "SKU-0002", 1000);
    }
    let installation = Installation::new(lab, &[]);
    installation.drop_bytes("eu", "sales.txt.age", sales.text().as_bytes());
    installation.drop_bytes("eu", "orders.txt.age", orders.text().as_bytes());
    let tally = installation.run_until_idle();
    assert_eq!(tally.done, 6);
    let confirmed = lab.count(&format!(
        "select count(*) from sale_order where id > {last_order} and state = 'sale'"
    ));
    assert_eq!(confirmed, 6);
    assert_eq!(lab.outgoing(), 0, "Odoo {}: {}", lab.version, lab.sql("select email_to, (select subject from mail_message m where m.id = mail_message_id) from mail_mail"));
    assert_eq!((followers(), messages()), known, "followers and messages of partners");
    let following = lab.sql(&format!(
        "select distinct f.res_model from mail_followers f where f.partner_id > {last_partner} order by 1"
    ));
    // Before 19 `action_confirm` itself makes the customer a follower of the order, and `stock.picking.create` of
    // the delivery, whatever the context: they are taken off again.
    assert_eq!(following, "", "Odoo {}: what buyers follow", lab.version);
}
