//! Values: what stands in the message is what lands in the column, whatever its type and length.

mod all_types;
mod amounts;
mod corpus;
mod toast;
mod toast_forms;
mod toast_large;
