//! Listeners, layers, routes, answers.
