"""HTTP: settings, credentials, retries, the cached session, and one method per endpoint."""
