//! The composition root: builds everything, runs, reloads, drains.
