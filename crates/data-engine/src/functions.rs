//! The project's rules as functions of the engine, by name, so that any process that registers them
//! can run a plan with them.

pub(crate) mod balance;
pub(crate) mod dialogs;
pub(crate) mod duplicates;
mod function;

use self::function::Function;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;

/// All of them.
pub(crate) fn all() -> Vec<ScalarUDF> {
    [&balance::ALL[..], &dialogs::ALL, &duplicates::ALL]
        .concat()
        .iter()
        .map(Function::udf)
        .collect()
}

/// Registers all of them.
pub(crate) fn register(context: &SessionContext) {
    all().into_iter().for_each(|function| context.register_udf(function));
}
