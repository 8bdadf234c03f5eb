//! What operators meet: layers, mistakes, redaction.
