//! What the SDK says, as the engine's errors.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use ductape_engine::DbError;
use std::error::Error as StdError;
use std::fmt::Debug;

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    /// What DynamoDB or the SDK said.
    pub error: DbError,
    /// Whether it is known that nothing was done.
    pub certain: bool,
}

impl Failed {
    /// Whether it has this code.
    pub fn is(&self, code: &str) -> bool {
        self.error.code.as_deref() == Some(code)
    }

    /// Something the SDK did not take.
    pub fn before_sending(error: impl std::fmt::Display) -> Self {
        Self {
            error: DbError::new(error.to_string()),
            certain: true,
        }
    }
}

impl From<Failed> for DbError {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

impl<E, R> From<SdkError<E, R>> for Failed
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    R: Debug + Send + Sync + 'static,
{
    fn from(error: SdkError<E, R>) -> Self {
        let code = error.code().map(str::to_owned);
        let answered = matches!(error, SdkError::ServiceError(_));
        let unsent = matches!(error, SdkError::ConstructionFailure(_));
        let in_doubt = matches!(
            code.as_deref(),
            None | Some("InternalServerError" | "InternalFailure")
        );
        let message = match error.message() {
            Some(message) if !message.is_empty() => message.to_owned(),
            _ => match &code {
                Some(code) => code.clone(),
                None => DisplayErrorContext(&error).to_string(),
            },
        };
        let base = if answered || unsent {
            DbError::new(message)
        } else {
            DbError::connection(message)
        };
        Self {
            error: base.code(code),
            certain: unsent || (answered && !in_doubt),
        }
    }
}
