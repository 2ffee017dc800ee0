//! Every route, called by every persona: a route without expectations fails here.
