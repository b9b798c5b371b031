use serde::{Deserialize, Serialize};

use super::Timestamp;

/// A secret that steps of a service are given by name. Its value goes in and never comes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct StepSecret {
    /// Its name: that of the variable in the step.
    pub name: String,
    /// Who set it last.
    pub by: String,
    /// When that was.
    pub changed_at: Timestamp,
}
