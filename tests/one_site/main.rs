//! Our library against one real site.
