"""What an account has used and what it costs: billing events, storage now, and costs by session, run, model, user, day or metadata."""
