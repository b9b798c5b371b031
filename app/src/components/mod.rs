//! Parts of pages: inert HTML.
