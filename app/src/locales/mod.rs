//! The sentences of the console in English and Korean.
