//! Background loops. They take no input: the database is the message.
