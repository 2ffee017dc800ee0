//! # Threats
