//! `map get`: which record in Odoo an order is.

use std::process::ExitCode;

use crate::control::wire::MappingInfo;
use crate::model::Origin;

use super::ask::Source;
use super::output::Output;
use super::problem::Problem;
use super::{Global, Map, MapVerb};

/// Looks it up.
pub(super) fn run(global: &Global, args: &Map, out: &mut Output) -> Result<ExitCode, Problem> {
    let ((Some(MapVerb::Get(order)), _) | (None, Some(order))) = (&args.verb, &args.order) else {
        return Err(Problem::usage("name the account and the order"));
    };
    out.answer(&Source::open(global)?.mapping(order)?, lines)?;
    Ok(ExitCode::SUCCESS)
}

/// The order in Odoo and its lines.
pub(super) fn lines(out: &mut Output, mapping: &MappingInfo) -> Result<(), Problem> {
    out.field("in Odoo", &mapping.name)?;
    let id = mapping.odoo_id.map_or_else(|| "none yet".to_owned(), |id| id.to_string());
    out.field(&mapping.model, id)?;
    out.field("Odoo state", &mapping.state)?;
    out.field("under way", mapping.stage.as_deref().unwrap_or_default())?;
    if mapping.origin == Origin::Adopted {
        out.field("origin", "was there before: never written")?;
    }
    if mapping.deleted {
        out.field("deleted", "by a person, in Odoo: it stays deleted")?;
    }
    let rows: Vec<_> = mapping
        .lines
        .iter()
        .map(|line| {
            vec![
                line.odoo_id.to_string(),
                line.quantity.normalize().to_string(),
                line.price_unit.to_string(),
                line.external_id.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        out.line("")?;
        out.table(&["LINE", "QUANTITY", "UNIT PRICE", "EXTERNAL ID"], &rows, "")?;
    }
    Ok(())
}
