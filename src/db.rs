//! Opening SQLite the right way, and migrations; nothing of meaning.
