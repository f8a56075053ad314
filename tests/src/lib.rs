//! What the integration tests and the drill share.
