//! Nobody follows what is confirmed here.
//!
//! Before Odoo 19 confirming makes the customer follow the order and its delivery, whatever the
//! context says; anybody who posts a public message there later mails the buyer. The followers are read, not
//! the version.

use std::collections::BTreeSet;

use serde_json::json;

use super::batch::{Batch, Work};
use super::send::Stop;
use super::value;
use crate::model::OdooId;
use crate::odoo::{Find, Record};

const FOLLOWERS: &str = "message_partner_ids";

impl Batch<'_> {
    /// Takes the customers of orders just confirmed off the followers of order and delivery.
    pub(super) async fn unsubscribe(
        &self,
        works: &[Work],
        confirmed: &[usize],
    ) -> Result<(), Stop> {
        let mut ids = Vec::new();
        let mut customers = BTreeSet::new();
        for work in confirmed.iter().filter_map(|at| works.get(*at)) {
            if let (Some(id), Some(current)) = (work.odoo_id(), &work.current) {
                ids.push(id);
                customers.extend([current.partner_id, current.partner_shipping_id]);
            }
        }
        let context = self.sender.context.clone();
        let orders =
            self.sender.client.read("sale.order", &ids, &[FOLLOWERS], context.clone()).await?;
        if !self.take_off("sale.order", &orders, &customers).await? || !self.catalog.schema.pickings
        {
            return Ok(());
        }
        let domain = json!([["sale_id", "in", ids]]);
        let fields = ["sale_id", FOLLOWERS];
        let found = self
            .sender
            .client
            .search_read("stock.picking", domain, &fields, &Find::default(), context)
            .await?;
        self.take_off("stock.picking", &found, &customers).await.map(|_followed| ())
    }

    /// Whether any of them was followed by a customer. One call for all of them.
    async fn take_off(
        &self,
        model: &str,
        records: &[Record],
        customers: &BTreeSet<OdooId>,
    ) -> Result<bool, Stop> {
        let mut followed = Vec::new();
        let mut following = BTreeSet::new();
        for record in records {
            let theirs: Vec<OdooId> = value::ids(record, FOLLOWERS)
                .into_iter()
                .filter(|partner| customers.contains(partner))
                .collect();
            if !theirs.is_empty() {
                followed.push(value::id(record, "id"));
                following.extend(theirs);
            }
        }
        if followed.is_empty() {
            return Ok(false);
        }
        let following: Vec<OdooId> = following.into_iter().collect();
        match self.sender.unsubscribe(model, &followed, &following).await {
            // A user who may confirm may do this as well; where not, the order goes on.
            Ok(()) | Err(Stop::Refused { .. }) => Ok(true),
            Err(stop) => Err(stop),
        }
    }
}
