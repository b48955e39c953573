//! Speaks to Odoo: the only module that knows its HTTP dialects.
