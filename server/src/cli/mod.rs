//! The command line: a client of the REST API, and the verbs that run on the server itself.
