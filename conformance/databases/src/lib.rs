//! A fresh, migrated SQLite file or PostgreSQL database for each test.
