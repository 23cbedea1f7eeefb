"""The data of the demo account: records, a seeded generator, and the mutable state behind the server."""
