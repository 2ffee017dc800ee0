//! The states of the table, tried one by one.
