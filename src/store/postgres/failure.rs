//! What an error of the engine means for the store: the only place that reads its codes.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let Some(said) = error.as_db_error() else {
            // The words of the library may repeat what was sent.
            let why = if error.is_closed() { "the connection was lost" } else { "the connection failed" };
            return Self::Unavailable(why.to_owned());
        };
        of_code(said.code())
    }
}

/// What a code of the server means.
fn of_code(code: &SqlState) -> StoreError {
    let unavailable = |why: &str| StoreError::Unavailable(format!("{why} (SQLSTATE {})", code.code()));
    match code.code() {
        "40001" | "40P01" => return StoreError::Conflict,
        "53100" => return StoreError::Full("the disk of the database is full".to_owned()),
        "55P03" => return unavailable("a lock was not given in time"),
        "57014" => return StoreError::TooSlow,
        "25006" => return unavailable("the server is read-only"),
        "25P02" => return unavailable("the transaction was ended"),
        _ => {}
    }
    match code.code().get(..2).unwrap_or_default() {
        "23" => StoreError::Conflict,
        // A value that the engine can't keep, whoever sent it.
        "21" | "22" | "54" => StoreError::Unreadable("row", format!("SQLSTATE {}", code.code())),
        "42" | "3F" => StoreError::Fatal(format!(
            "the schema of the database is not as expected (SQLSTATE {})",
            code.code()
        )),
        "XX" => StoreError::Fatal(format!("the database is damaged (SQLSTATE {})", code.code())),
        "28" => unavailable("the database refuses the user"),
        "53" => unavailable("the database lacks something"),
        "57" => unavailable("the database is shutting down or starting"),
        _ => unavailable("the database failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ErrorClass;

    #[test]
    fn each_code_has_the_class_of_what_follows_from_it() {
        let class = |code: &str| of_code(&SqlState::from_code(code)).class();
        for code in ["23505", "40001", "40P01"] {
            assert_eq!(class(code), ErrorClass::Again, "{code}");
        }
        for code in [
            "53100", "53300", "57014", "57P01", "57P03", "25006", "55P03", "28P01", "08006", "58030", "99999",
        ] {
            assert_eq!(class(code), ErrorClass::Passes, "{code}");
        }
        for code in ["22021", "54000"] {
            assert_eq!(class(code), ErrorClass::Document, "{code}");
        }
        for code in ["42P01", "XX001"] {
            assert_eq!(class(code), ErrorClass::Ends, "{code}");
        }
    }
}
