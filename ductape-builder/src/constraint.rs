//! Constraints.

use crate::backends::ExpressionBuilder;
use crate::document::{Document, Part};
use ductape_core::Problems;
use ductape_core::schema::{Constraint, Deferrable, ReferentialAction};
use std::marker::PhantomData;

/// What a constraint demands, as a Rust type.
pub mod rule {
    /// Fields that tell one row from every other.
    #[derive(Debug, Clone, Copy)]
    pub enum PrimaryKey {}
    /// Fields that no two rows share.
    #[derive(Debug, Clone, Copy)]
    pub enum Unique {}
    /// Fields that are those of a row elsewhere.
    #[derive(Debug, Clone, Copy)]
    pub enum ForeignKey {}
    /// Something that holds for every row.
    #[derive(Debug, Clone, Copy)]
    pub enum Check {}
    /// Any of them.
    #[derive(Debug, Clone, Copy)]
    pub enum Any {}

    /// The rules whose check can wait.
    pub trait CanWait {}
    impl CanWait for PrimaryKey {}
    impl CanWait for Unique {}
    impl CanWait for ForeignKey {}
}

/// A constraint in the making; `R` is its [`rule`].
#[derive(Debug, Clone)]
#[must_use = "a constraint does nothing until it is added"]
pub struct ConstraintBuilder<R = rule::Any> {
    document: Document,
    rule: PhantomData<fn() -> R>,
}

/// A foreign key of which it is not said yet what it points at.
#[derive(Debug, Clone)]
#[must_use = "a foreign key needs what it points at: call `references`"]
pub struct ForeignKeyWithoutTarget {
    columns: Part,
}

fn new<R>(word: &str, key: &str, value: impl Into<Part>) -> ConstraintBuilder<R> {
    let mut document = Document::of("type", word);
    document.set(key, value);
    ConstraintBuilder {
        document,
        rule: PhantomData,
    }
}

/// These fields, in this order, tell one row from every other.
pub fn primary_key(
    fields: impl IntoIterator<Item = impl Into<String>>,
) -> ConstraintBuilder<rule::PrimaryKey> {
    new("primaryKey", "columns", Part::texts(fields))
}

/// No two rows share these fields.
///
/// ```
/// use ductape_builder::unique;
/// let constraint = unique(["tenant", "email"]).name("uq_users_email").build()?;
/// assert_eq!(constraint.columns().len(), 2);
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub fn unique(
    fields: impl IntoIterator<Item = impl Into<String>>,
) -> ConstraintBuilder<rule::Unique> {
    new("unique", "columns", Part::texts(fields))
}

/// This holds for every row, or at least is not false.
///
/// ```
/// use ductape_builder::check;
/// assert!(check("price >= 0").name("ck_products_price").build().is_ok());
/// assert!(check(" ").build().is_err());
/// ```
pub fn check(expression: impl Into<ExpressionBuilder>) -> ConstraintBuilder<rule::Check> {
    new("check", "expression", expression.into())
}

/// These fields are those of a row elsewhere, or null.
///
/// ```
/// use ductape_builder::{Cascade, foreign_key};
/// let author = foreign_key(["author_id"])
///     .references("users", ["id"])
///     .on_delete(Cascade)
///     .name("fk_posts_author")
///     .build()?;
/// assert!(author.references().is_some_and(|target| target.table == "users"));
/// # Ok::<(), ductape_core::Problems>(())
/// ```
///
/// One that points at nothing is no constraint:
///
/// ```compile_fail
/// use ductape_builder::{foreign_key, migration};
/// migration("point").add_constraint("posts", foreign_key(["author_id"]));
/// ```
pub fn foreign_key(fields: impl IntoIterator<Item = impl Into<String>>) -> ForeignKeyWithoutTarget {
    ForeignKeyWithoutTarget {
        columns: Part::texts(fields),
    }
}

impl ForeignKeyWithoutTarget {
    /// What it points at: a collection and, in the order of its own, that collection's fields.
    pub fn references(
        self,
        collection: impl Into<String>,
        fields: impl IntoIterator<Item = impl Into<String>>,
    ) -> ConstraintBuilder<rule::ForeignKey> {
        let mut target = Document::of("table", collection.into());
        target.set("columns", Part::texts(fields));
        new("foreignKey", "columns", self.columns).with("references", target)
    }
}

impl<R> ConstraintBuilder<R> {
    fn with(mut self, key: &str, value: impl Into<Part>) -> Self {
        self.document.set(key, value);
        self
    }

    /// Its name; made from the collection and the fields unless told.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.with("name", name.into())
    }

    /// The constraint as core has it.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path.
    pub fn build(self) -> Result<Constraint, Problems> {
        Part::from(self).finish()
    }
}

impl<R: rule::CanWait> ConstraintBuilder<R> {
    /// Its check can wait until the transaction ends: it does by itself (`Deferred`), or when the
    /// transaction asks for it (`Immediate`).
    pub fn deferrable(self, deferrable: Deferrable) -> Self {
        self.with("deferrable", deferrable.word())
    }
}

impl ConstraintBuilder<rule::ForeignKey> {
    fn with_action(mut self, key: &str, action: ReferentialAction) -> Self {
        self.document
            .within("references", |target| target.set(key, action.word()));
        self
    }

    /// What happens when the row that it points at is deleted.
    pub fn on_delete(self, action: ReferentialAction) -> Self {
        self.with_action("onDelete", action)
    }

    /// What happens when the key that it points at changes.
    pub fn on_update(self, action: ReferentialAction) -> Self {
        self.with_action("onUpdate", action)
    }
}

impl From<Constraint> for ConstraintBuilder {
    fn from(constraint: Constraint) -> Self {
        Self {
            document: Document::from_part(serde_json::to_value(constraint).into()),
            rule: PhantomData,
        }
    }
}

impl<R> From<ConstraintBuilder<R>> for Part {
    fn from(constraint: ConstraintBuilder<R>) -> Self {
        constraint.document.into()
    }
}
