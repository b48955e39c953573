//! The calls that change something in Odoo.
//!
//! A [`Client`] only reads. Whoever changes something needs a [`Writer`], and only few places may
//! make one (`tests/architecture.rs`): delivery gets its own from the delivery window, which looks at
//! the marker and raises it first, so that no write can slip past it.

use serde_json::Value;

use super::call::{Call, Context, Record, Reply};
use super::client::Client;
use super::fault::Fault;
use super::load::LoadReply;

/// A client that may write. Like the client's, each method is one HTTP request.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a>(&'a Client);

impl<'a> Writer<'a> {
    /// Writes through this client.
    pub fn on(client: &'a Client) -> Self {
        Self(client)
    }

    /// Any call.
    pub async fn call(self, call: Call<'_>) -> Result<Reply, Fault> {
        self.0.send(call).await
    }

    /// `load`: the only call that stores records and their external ids at once. Look at
    /// [`LoadReply::verdict`]: a refusal is not a [`Fault`].
    pub async fn load(
        self,
        model: &str,
        fields: &[&str],
        rows: Vec<Vec<Value>>,
        context: Context,
    ) -> Result<LoadReply, Fault> {
        let rows: Vec<Value> = rows.into_iter().map(Value::Array).collect();
        let call =
            Call::new(model, "load", context).leading("fields", fields).leading("data", rows);
        LoadReply::from_value(self.call(call).await?.value)
    }

    /// `write`: the same values on all these records.
    pub async fn write(
        self,
        model: &str,
        ids: &[i64],
        vals: Record,
        context: Context,
    ) -> Result<(), Fault> {
        let call = Call::new(model, "write", context).on(ids).leading("vals", vals);
        self.call(call).await.map(|_| ())
    }

    /// A method that works on records and takes no argument, e.g. `action_confirm`. Null where it
    /// answers nothing; an object where it wants to open a wizard.
    pub async fn execute(
        self,
        model: &str,
        method: &str,
        ids: &[i64],
        context: Context,
    ) -> Result<Value, Fault> {
        self.call(Call::new(model, method, context).on(ids)).await.map(|reply| reply.value)
    }
}
