//! Our library against two real sites that mirror each other.
