use crate::document::{Document, Part, part_of_document};
use ductape_core::schema::NativeDefinition;

/// A native definition in the making: what the schema model has no word for.
#[derive(Debug, Clone)]
#[must_use = "a definition does nothing until it is restored"]
pub struct DefinitionBuilder {
    document: Document,
}

/// A native definition: its kind (`trigger`, `view`, …), its name and the text that makes it.
///
/// ```
/// use ductape_builder::operation::{definition, restore};
///
/// let view = definition("view", "active_users", "CREATE VIEW active_users AS SELECT 1");
/// assert!(restore("postgresql", [view]).build().is_ok());
/// ```
pub fn definition(
    kind: impl Into<String>,
    name: impl Into<String>,
    definition: impl Into<String>,
) -> DefinitionBuilder {
    let mut document = Document::of("kind", kind.into());
    document.set("name", name.into());
    document.set("definition", definition.into());
    DefinitionBuilder { document }
}

impl DefinitionBuilder {
    /// The collection that it stands on.
    pub fn on(mut self, collection: impl Into<String>) -> Self {
        self.document.set("on", collection.into());
        self
    }

    /// The definitions that must be there before it.
    pub fn after(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.document.set("after", Part::texts(names));
        self
    }
}

impl From<NativeDefinition> for DefinitionBuilder {
    fn from(definition: NativeDefinition) -> Self {
        Self {
            document: Document::from_part(serde_json::to_value(definition).into()),
        }
    }
}

part_of_document!(DefinitionBuilder);
