//! The commands, one file each.

pub mod down;
pub mod history;
pub mod init;
pub mod lock;
pub mod new;
pub mod plan;
pub mod redo;
pub mod repair;
mod report;
pub mod schema;
mod short_form;
pub mod show;
pub mod status;
pub mod up;
pub mod validate;
pub mod verify;
