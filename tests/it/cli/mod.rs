//! The command line, settings and logins: what a person types or declares, and what is said when it is wrong.

mod command_line;
mod logins;
mod settings;
